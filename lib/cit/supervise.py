"""Watch over the commands of a job: their output, their limits, their end.

One poll loop over the processes and the pipes of all that run side by side. Output is
written down as it comes. Where the disk is full a command is not read any more, so it
waits until there is room again: nothing is lost. Whatever ended one, nothing of it is
left afterwards.
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
from cit.wants import OK, Outcome, ended

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
PERIOD = 5.0  # seconds between usage records, at most
# Of the time that a command has run by then: a crash hides no more of it than that, or TICK.
SHARE = 1 / 8
CHUNK = 64 << 10


class Loop:
    """The commands that run now, and one poll for what they do."""

    def __init__(self) -> None:
        self.poll = select.poll()
        self.running: list[Supervision] = []
        self._at: dict[int, Supervision] = {}

    def wait(self, until: float) -> list[Supervision]:
        """Attend to the commands until one has ended, or until an instant of time.monotonic().

        The ones that have ended: each is to be asked for its result().
        """
        while True:
            now = time.monotonic()
            bound = min([until, *(each.due for each in self.running)])
            over = []
            for fd, _ in self.poll.poll(max(bound - now, 0) * 1000 + 1):
                each = self._at.get(fd)
                if each is None:
                    continue  # let go of a moment ago, by another of this round
                if fd == each.child.pidfd:
                    over.append(each)
                else:
                    each.read(fd)
            now = time.monotonic()
            for each in self.running:
                if each not in over:
                    each.look(now)
            if over or now >= until:
                return over

    def register(self, fd: int, whose: Supervision) -> None:
        self.poll.register(fd, select.POLLIN)
        self._at[fd] = whose

    def unregister(self, fd: int) -> None:
        self.poll.unregister(fd)
        del self._at[fd]


class Supervision:
    """One running command. `due` is when it has to be looked at next."""

    def __init__(
        self, loop: Loop, hold: Held, run: str, child: Child, group: Group | None,
        pipes: tuple[int, int], bounds: Bounds, *, disk: Callable[[], int],
        echo: Callable[[str, bytes], None] | None = None,
    ) -> None:  # fmt: skip
        self.loop = loop
        self.hold, self.run, self.child, self.group = hold, run, child, group
        self.bounds, self.disk, self.echo = bounds, disk, echo
        self.outputs = {pipes[0]: Output(run, "out"), pipes[1]: Output(run, "err")}
        self.started = self.heard = time.monotonic()
        self.printed = 0
        self.ending = ""  # the status that a limit or a person gives it
        self.killing = 0.0  # when politeness ends
        self.stalled = False
        self._next_look = self._next_record = self.started + TICK
        loop.running.append(self)
        loop.register(child.pidfd, self)
        for pipe in pipes:
            os.set_blocking(pipe, False)
            loop.register(pipe, self)

    @property
    def due(self) -> float:
        # A deadline that has passed is not waited for again while it is being ended.
        if self.ending or self.bounds.deadline is None:
            return self._next_look
        return min(self._next_look, self.bounds.deadline)

    def look(self, now: float) -> None:
        """See to what does not announce itself, where it is time for that."""
        if now >= self.due:
            self._enforce(now)
            self._next_look = now + TICK
        if now >= self._next_record:
            self._next_record = now + min(max((now - self.started) * SHARE, TICK), PERIOD)
            self.hold.record("usage", self.run, *usage.fields(self._usage(None)))
            self._flush()

    def result(self) -> tuple[Outcome, Usage]:
        """Of a command that has ended; also the end of all that it left behind."""
        self._sweep()
        ended_as = self.child.wait()
        self._drain()
        self.forget()
        return self._outcome(ended_as), self._usage(ended_as)

    def forget(self) -> None:
        """Out of the loop. What it prints is not read any more."""
        if self in self.loop.running:
            self.loop.running.remove(self)
            for fd in (self.child.pidfd, *self.outputs):
                self.loop.unregister(fd)

    # --- output --------------------------------------------------------------------------

    def read(self, fd: int) -> bool:
        """One chunk of a pipe; False at its end, or where there is nothing now."""
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return False
        if not data or self.ending == "log":
            # Taken out first: what cannot be written now changes how the others are polled.
            self.loop.unregister(fd)
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
            self.end("log")
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
                self.loop.poll.modify(fd, 0 if stalled else select.POLLIN)

    def _drain(self) -> None:
        """What was printed before the end and is still in the pipes."""
        for fd in list(self.outputs):
            deadline = time.monotonic() + 1
            while fd in self.outputs and time.monotonic() < deadline:
                if not self.read(fd) and fd in self.outputs:
                    # Empty and yet open: something in the kernel does not let go.
                    _pause(fd)
            if fd in self.outputs:
                self._rest(fd)
        while self.stalled:
            time.sleep(TICK)
            self._flush()

    # --- limits --------------------------------------------------------------------------

    def _enforce(self, now: float) -> None:
        """Limits, and what a pipe without news does not tell."""
        if self.stalled:
            self._flush()
            self.heard = now  # it is us who do not listen
        elif now - self.heard >= TICK:
            for fd in self.outputs:
                self._rest(fd)  # a prompt, or progress without an end of line
        if self.killing and now >= self.killing:
            self._kill()
        elif not self.ending:
            self.end(self._exceeded(now))

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

    def end(self, status: str) -> None:
        """Begin to end the command, as `status`: politely, then after the grace for sure."""
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
        elif len(self.loop.running) > 1:
            # What is below us may be of another command; the last one takes all along.
            self.child.sweep(self.hold.name.id, run=self.run)
        else:
            self.child.sweep()  # the runner adopts orphans: all of it is below us

    # --- the end -------------------------------------------------------------------------

    def _usage(self, ended_as: Ended | None) -> Usage:
        wall = time.monotonic() - self.started
        found = None
        if ended_as is not None:
            found = usage.rusage(
                wall=wall, user=ended_as.user, sys=ended_as.sys, maxrss=ended_as.maxrss // 1024,
                inblock=ended_as.inblock, oublock=ended_as.oublock, own_maxrss=_own_maxrss(),
            )  # fmt: skip
        if self.group is None:
            return found or usage.Usage("rusage", wall)
        best = self.group.read(wall)
        return usage.fill(best, found) if found else best

    def _outcome(self, ended_as: Ended) -> Outcome:
        status = self.ending
        if not status and ended_as.code:
            # Ended by the kernel between two looks: whose limit was it?
            if self.bounds.memory is not None and self._counts("memory"):
                status = "memory" if self.group and self.group.ooms() else ""
            if not status and self.bounds.procs is not None and self._counts("pids"):
                status = "procs" if self.group and self.group.refusals() else ""
        if not status and self.bounds.disk is not None:
            # A shell passes the signal of its command on as a code.
            full = signal.SIGXFSZ in (ended_as.signal, ended_as.code - 128)
            status = "disk" if full else ""
        if status:
            return ended(status)
        if ended_as.signal:
            return ended("signal", signal=ended_as.signal)
        return ended("failed", code=ended_as.code) if ended_as.code else OK


def _pause(fd: int) -> None:
    """Until there is something to read, or a moment has passed."""
    poll = select.poll()  # select() knows no descriptor over 1023
    poll.register(fd, select.POLLIN)
    poll.poll(50)


def _own_maxrss() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
