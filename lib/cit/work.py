"""Work on one job: walk its program, answer what it wants, write each answer down first.

What has been answered is in the trace; so going on after a crash is walking the program
again with those answers. A command begins only after its `begin` is durable: one whose
`begin` is there and whose `end` is not may have run, and is not run again.
"""

from __future__ import annotations

import os
import time
from functools import cache, partial

from cit import (
    VERSION,
    amount,
    answers,
    asked,
    cgroup,
    command,
    isolation,
    job,
    orphans,
    people,
    replay,
    section,
    steps,
    usage,
    walk,
    workspace,
)
from cit.command import Around
from cit.errors import Bad
from cit.files import patiently
from cit.isolation import SetupFailed
from cit.supervise import TICK
from cit.wants import Begin, Down, End, Exec, Outcome, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.command import Means
    from cit.held import Held
    from cit.usage import Usage
    from cit.wants import Want

AGAIN = 3  # executions of a lost command that asks for it, so that none ends its machine for ever


def work(hold: Held, means: Means) -> Outcome:
    """Run a held job in `run/` to its end, or go on with it; how it ended."""
    before = hold.read()
    if before.claimed:
        cgroup.kill_job(hold.name.id, means.tree)
        orphans.end_all(hold.name.id)
    attempt = before.attempt + 1
    hold.record("claim", "-", os.uname().nodename, str(os.getpid()), _boot(), str(attempt), VERSION)
    try:
        outcome = _walk(hold, before, means)
    except (Bad, SetupFailed) as error:
        # A job that cannot be gone on with must end: else it stops all that come after it.
        shown = error.show("trace") if isinstance(error, Bad) else str(error)
        hold.record("log", "-", "cit", shown)
        outcome = Outcome("setup", 125, reason=str(error))
    hold.finish(outcome.status, outcome.code)
    orphans.bury()
    return outcome


def _walk(hold: Held, before: job.Job, means: Means) -> Outcome:
    request = asked.parse(hold.asked)
    try:
        space = patiently(
            lambda: workspace.Workspace(means.base, hold.name.name, hold.name.id, means.user)
        )
    except OSError as error:
        raise SetupFailed(f"cannot make its workspace: {error}") from error
    try:
        brought = section.find(request.sections, "files")
        if brought and not before.runs:
            _unpack(space, brought.body)
        return _Worker(hold, request, before, means, space).run()
    finally:
        space.close()


def _unpack(space: workspace.Workspace, body: bytes) -> None:
    try:
        space.unpack(body)
    except OSError as error:
        raise SetupFailed(f"cannot unpack its files: {error}") from error


class _Worker:
    def __init__(
        self, hold: Held, request: asked.Asked, before: job.Job, means: Means,
        space: workspace.Workspace,
    ) -> None:  # fmt: skip
        self.hold, self.means, self.before = hold, means, before
        limit = request.job.get("limits", {}).get("time")
        deadline = None if limit is None else time.monotonic() + amount.duration(limit)
        self.around = Around(hold, request, before.attempt + 1, means, space, deadline, self._stop)
        self.usages: list[Usage] = []
        self.seen = 0  # mtime of answers/ when it was last read
        acts = [act for act in before.acts if act.kind != "stop"]
        stops = [act for act in before.acts if act.kind == "stop"]
        self.stopped = f"stopped by {job.column(stops[-1], 0)}" if stops else ""
        self.withheld = bool(acts) and acts[-1].kind == "hold"

    def run(self) -> Outcome:
        """Walk the program to its end."""
        request = self.around.request
        records = self.hold.queue.records(self.hold.name) if self.before.claimed else []
        old = replay.Replay((r.kind, r.run, r.fields) for r in records)
        again = AGAIN if request.job.get("retry", {}).get("on_lost") == "again" else 0
        walking = walk.walk(request.tree, steps.Steps(), request.job.get("vars", {}), again)
        answer: Any = None
        started = time.monotonic()
        try:
            while True:
                want = walking.send(answer)
                assert want is not None, "every want is answered at once"
                found = old.find(want)
                if not found:
                    # Where the trace ends the program must have asked for all of it: what
                    # disagrees is refused before anything more is executed.
                    old.settle()
                answer = found[0] if found else self._answer(want)
        except StopIteration as stop:
            outcome: Outcome = stop.value
        old.settle()
        total = usage.merge(self.usages)
        if total:
            wall = time.monotonic() - started
            self.hold.record("usage", "-", *usage.fields(total._replace(wall=wall)))
        return outcome

    def _answer(self, want: Want) -> Any:
        if isinstance(want, Begin):
            return self._begin(want)
        if isinstance(want, Exec):
            return self._exec(want)
        if isinstance(want, Up):
            return self._up(want)
        if isinstance(want, Down):
            kind = isolation.find(want.isolation.kind)
            here = command.place(self.around, want.isolation.run)
            try:
                if kind:
                    kind.down(want.isolation.handle, here)
            except OSError as error:
                self.hold.record("log", want.run, "cit", f"cannot take it down: {error}")
            self.hold.record("down", want.run)
        else:
            assert isinstance(want, End), f"a want that no runner knows: {want}"
            if want.outcome.reason and want.outcome.status in ("setup", "nostart"):
                self.hold.record("log", want.run, "cit", want.outcome.reason)
            self.hold.record("end", want.run, *replay.fields(want.outcome))
        return None

    def _begin(self, want: Begin) -> Outcome | None:
        self._listen()
        if self.withheld:
            patiently(self.hold.sync)  # what has ended must stay so, however long this takes
        while self.withheld and not self.stopped:
            # To be stopped here for as long as somebody likes is what a hold is for.
            time.sleep(TICK)
            self._listen()
        if self.stopped and not want.cleanup:
            return Outcome("cancelled", 130, reason=self.stopped)
        self.hold.record("begin", want.run, want.step, str(want.attempt))
        return None

    def _up(self, want: Up) -> str | Outcome:
        kind = isolation.find(want.isolation_kind)
        try:
            if kind is None:
                raise SetupFailed(f"no isolation '{want.isolation_kind}'")
            handle = kind.up(want.spec, command.place(self.around, want.run))
        except (SetupFailed, OSError) as error:
            return Outcome("setup", 125, reason=str(error))
        self.hold.record("up", want.run, handle)
        return handle

    def _exec(self, want: Exec) -> Outcome:
        if self.around.deadline is not None and time.monotonic() >= self.around.deadline:
            return Outcome("timeout", 124, reason="the job is over its time")
        patiently(self.hold.sync)
        outcome, used = command.execute(self.around, want)
        if used:
            self.usages.append(used)
        return outcome

    # --- people ------------------------------------------------------------------------------

    def _stop(self) -> str:
        self._listen()
        return "cancelled" if self.stopped else ""

    def _listen(self) -> None:
        """Write down what people ask of this job, and do it."""
        who = "" if self.stopped else self.means.interrupted()
        if who:
            self.hold.record("stop", "-", who, "interrupted")
            self.stopped = f"stopped by {who}: interrupted"
        queue = self.hold.queue
        directory = queue.directory("answers")
        changed = os.fstat(directory.fd).st_mtime_ns
        if changed == self.seen:
            return
        # The clock of the file system is coarse: what came in this instant may not show yet.
        self.seen = changed if time.time_ns() - changed > 100_000_000 else 0
        try:
            asked_now = answers.pending(queue, self.hold.name.id)
        except OSError:
            self.seen = 0  # short of descriptors, say: the next look may see them
            return
        for answer in asked_now:
            refused = answers.refusal(queue, answer, self.before)
            if refused:
                who = people.who(answer.uid)
                patiently(partial(queue.note, "refuse", answer.id, refused, who))
            elif not answers.repeated(self.before, answer):
                self.hold.record(answer.kind, answer.run, *answers.fields(answer))
                patiently(self.hold.sync)
                self._obey(answer)
            directory.remove(answer.file)

    def _obey(self, answer: answers.Answer) -> None:
        if answer.kind == "stop":
            why = f": {answer.text}" if answer.text else ""
            self.stopped = f"stopped by {people.who(answer.uid)}{why}"
        elif answer.kind in ("hold", "release"):
            self.withheld = answer.kind == "hold"


@cache
def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
