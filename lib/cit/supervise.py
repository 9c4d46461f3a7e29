"""Watch over one command: its output, its limits, its use of the machine, its end.

One poll loop over the process and its two pipes. Output is written down as it comes.
Where the disk is full the command is not read any more, so it waits until there is
room again: nothing is lost. Whatever ended it, nothing of it is left afterwards.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import namedtuple

from cit import orphans, trace, usage
from cit.files import FULL
from cit.output import Output
from cit.wants import OK, Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NamedTuple

    from cit.cgroup import Group
    from cit.held import Held
    from cit.proc import Child, Ended
    from cit.usage import Usage

    class Bounds(NamedTuple):
        """What a run may take; None is no limit. Seconds and bytes."""

        deadline: float | None = None  # of time.monotonic()
        idle: float | None = None
        memory: int | None = None
        procs: int | None = None
        disk: int | None = None
        log: int | None = None
        grace: float = 10.0
else:
    Bounds = namedtuple("Bounds", "deadline idle memory procs disk log grace",
                        defaults=(None,) * 6 + (10.0,))  # fmt: skip

TICK = 0.5  # seconds between looks at what does not announce itself
PERIOD = 5.0  # seconds between usage records
CHUNK = 64 << 10


class Supervision:
    """One running command."""

    def __init__(
        self, hold: Held, run: str, child: Child, group: Group | None, pipes: tuple[int, int],
        bounds: Bounds, *, stop: Callable[[], str], disk: Callable[[], int],
        echo: Callable[[str, bytes], None] | None = None,
    ) -> None:  # fmt: skip
        self.hold, self.run, self.child, self.group = hold, run, child, group
        self.bounds, self.stop, self.disk, self.echo = bounds, stop, disk, echo
        self.outputs = {pipes[0]: Output(run, "out"), pipes[1]: Output(run, "err")}
        self.started = self.heard = time.monotonic()
        self.printed = 0
        self.ending = ""  # the status that a limit or a person gives it
        self.killing = 0.0  # when politeness ends
        self.stalled = False
        self.poll = select.poll()
        self.poll.register(child.pidfd, select.POLLIN)
        for pipe in pipes:
            os.set_blocking(pipe, False)
            self.poll.register(pipe, select.POLLIN)

    def watch(self) -> tuple[Outcome, Usage]:
        """Until the end of the command and of all that it left behind."""
        tick, record = self.started + TICK, self.started + PERIOD
        while True:
            now = time.monotonic()
            # A deadline that has passed is not waited for again while it is being ended.
            bound = tick if self.ending else min(tick, self.bounds.deadline or tick)
            ready = self.poll.poll(max(bound - now, 0) * 1000 + 1)
            ended = False
            for fd, _ in ready:
                if fd == self.child.pidfd:
                    ended = True
                else:
                    self._read(fd)
            if ended:
                break
            now = time.monotonic()
            if now >= bound:
                self._tick(now)
                tick = now + TICK
            if now >= record:
                record = now + PERIOD
                self.hold.record("usage", self.run, *usage.fields(self._usage(None)))
                self._flush()
        self._sweep()
        ended_as = self.child.wait()
        self._drain()
        return self._outcome(ended_as), self._usage(ended_as)

    # --- output --------------------------------------------------------------------------

    def _read(self, fd: int) -> bool:
        """One chunk of a pipe; False at its end, or where there is nothing now."""
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return False
        if not data or self.ending == "log":
            # Taken out first: what cannot be written now changes how the others are polled.
            self.poll.unregister(fd)
            self.hold.journal.add(self.outputs.pop(fd).rest(trace.stamp(time.time())))
            self._flush()
            return False
        self.heard = time.monotonic()
        self.printed += len(data)
        output = self.outputs[fd]
        self.hold.journal.add(output.feed(data, trace.stamp(time.time())))
        self._flush()
        if self.echo:
            self.echo(output.stream, data)
        if self.bounds.log is not None and self.printed > self.bounds.log:
            self._end("log")
        return True

    def _rest(self, fd: int) -> None:
        self.hold.journal.add(self.outputs[fd].rest(trace.stamp(time.time())))
        self._flush()

    def _flush(self) -> None:
        try:
            self.hold.journal.flush()
            stalled = False
        except OSError as error:
            if error.errno not in FULL:
                raise
            stalled = True
        if stalled != self.stalled:
            self.stalled = stalled
            for fd in self.outputs:
                self.poll.modify(fd, 0 if stalled else select.POLLIN)

    def _drain(self) -> None:
        """What was printed before the end and is still in the pipes."""
        for fd in list(self.outputs):
            deadline = time.monotonic() + 1
            while fd in self.outputs and time.monotonic() < deadline:
                if not self._read(fd) and fd in self.outputs:
                    # Empty and yet open: something in the kernel does not let go.
                    select.select([fd], [], [], 0.05)
            if fd in self.outputs:
                self._rest(fd)
        while self.stalled:
            time.sleep(TICK)
            self._flush()

    # --- limits --------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        if self.stalled:
            self._flush()
            self.heard = now  # it is us who do not listen
        elif now - self.heard >= TICK:
            for fd in self.outputs:
                self._rest(fd)  # a prompt, or progress without an end of line
        if self.killing and now >= self.killing:
            self._kill()
        elif not self.ending:
            self._end(self._exceeded(now) or self.stop())

    def _exceeded(self, now: float) -> str:
        bounds = self.bounds
        if bounds.deadline is not None and now >= bounds.deadline:
            return "timeout"
        if bounds.idle is not None and now - self.heard >= bounds.idle:
            return "idle"
        if bounds.memory is not None and self._over_memory(bounds.memory):
            return "memory"
        if bounds.procs is not None and self._over_procs(bounds.procs):
            return "procs"
        if bounds.disk is not None and self.disk() >= bounds.disk:
            return "disk"
        return ""

    def _counts(self, what: str) -> bool:
        """Whether the group has that controller; without it we look for ourselves."""
        return self.group is not None and getattr(self.group.tree, what) is not None

    def _over_memory(self, limit: int) -> bool:
        if self.group and self._counts("memory"):
            return self.group.ooms() > 0
        return orphans.memory(self.hold.name.id) > limit  # a quick hog is seen late

    def _over_procs(self, limit: int) -> bool:
        if self.group and self._counts("pids"):
            return self.group.refusals() > 0
        return len(orphans.marked(self.hold.name.id)) > limit

    def _end(self, status: str) -> None:
        """Begin to end the command: politely, then after the grace for sure."""
        if not status or self.ending:
            return
        self.ending = status
        # A fork bomb does not listen, nor does who is out of memory; and what goes on
        # printing past its limit would only fill the disk further.
        if status in ("procs", "memory", "log"):
            self._kill()
            return
        self.killing = time.monotonic() + self.bounds.grace
        for pid in self.group.pids() if self.group else ():
            try:
                os.kill(pid, signal.SIGTERM)
            except (ProcessLookupError, PermissionError):
                pass
        if not self.group:
            self.child.signal(signal.SIGTERM)

    def _kill(self) -> None:
        if self.group:
            self.group.kill()
        self.child.signal(signal.SIGKILL)

    def _sweep(self) -> None:
        """End what the command left behind: nothing survives it."""
        self.child.signal(signal.SIGKILL)
        if self.group:
            self.group.kill()
        else:
            self.child.sweep()  # the runner adopts orphans: all of it is below us

    # --- the end -------------------------------------------------------------------------

    def _usage(self, ended: Ended | None) -> Usage:
        wall = time.monotonic() - self.started
        found = None
        if ended is not None:
            found = usage.rusage(
                wall=wall, user=ended.user, sys=ended.sys, maxrss=ended.maxrss // 1024,
                inblock=ended.inblock, oublock=ended.oublock, own_maxrss=_own_maxrss(),
            )  # fmt: skip
        if self.group is None:
            return found or usage.Usage("rusage", wall)
        best = self.group.read(wall)
        return usage.fill(best, found) if found else best

    def _outcome(self, ended: Ended) -> Outcome:
        status = self.ending
        if not status and ended.code:
            # Ended by the kernel between two looks: whose limit was it?
            if self.bounds.memory is not None and self._counts("memory"):
                status = "memory" if self.group and self.group.ooms() else ""
            if not status and self.bounds.procs is not None and self._counts("pids"):
                status = "procs" if self.group and self.group.refusals() else ""
        if not status and self.bounds.disk is not None:
            # A shell passes the signal of its command on as a code.
            full = signal.SIGXFSZ in (ended.signal, ended.code - 128)
            status = "disk" if full else ""
        if status:
            return Outcome(status, LIMIT_CODES[status])
        if ended.signal:
            return Outcome("signal", ended.code, ended.signal)
        return Outcome("failed", ended.code) if ended.code else OK


def _own_maxrss() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


LIMIT_CODES = {
    "timeout": 124, "idle": 124, "cancelled": 130,
    "memory": 137, "procs": 137, "disk": 137, "log": 137,
}  # fmt: skip
