"""Answer what a program wants: do it, and write each answer down first.

What has been answered is in the trace; so going on after a crash is walking the program
again with those answers. A command begins only after its `begin` is durable: one whose
`begin` is there and whose `end` is not may have run, and is not run again.

Branches of a program run side by side: a want that takes time is answered when it is
done, and meanwhile the walk goes on elsewhere. Where nothing is left to do but to wait,
and for long, the job is to be parked.
"""

from __future__ import annotations

import time
from collections import deque
from operator import itemgetter

from cit import (
    amount,
    asked,
    command,
    history,
    job,
    needs,
    replay,
    spawning,
    steps,
    stints,
    usage,
    waits,
    walk,
)
from cit.files import patiently
from cit.hearing import Hearing, held_until
from cit.supervise import TICK
from cit.waits import Parked
from cit.walk import LATER
from cit.wants import OK, Ask, Await, Begin, Down, End, Exec, Outcome, Sleep, Spawn, Up, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.command import Around, Running
    from cit.history import Taken
    from cit.supervise import Supervision
    from cit.trace import Record
    from cit.usage import Usage
    from cit.waits import Wait
    from cit.wants import Node, Want

MOST = 250_000  # runs of a job, which are kept in memory; what cleans up has as many again
GAZE = 20  # times as long as a look at other jobs takes they are let alone, while commands run
FLUSHED = 1000  # runs that may begin before they are written, where no command is executed
AGAIN = 3  # executions of a lost command that asks for it, so that none ends its machine for ever
TOLD = ("cancelled",)  # elsewhere, by who asked for it


class Interpreter:
    """Answers a walk; what takes time is in `running`, `waiting` or `begins` until it is done."""

    def __init__(
        self, around: Around, before: job.Job, records: list[Record], taken: Taken
    ) -> None:
        self.around, self.hold, self.means = around, around.hold, around.means
        self.taken, self.records = taken, records
        self.hearing = Hearing(self.hold, before, self.means.interrupted)
        self.old = replay.Replay(map(itemgetter(1, 2, 3), records))
        self.steps, self.slots = steps.Steps(), asked.slots(around.request)
        self.settled = False  # whether the program asked for all that the trace has
        self.todo: deque[Want] = deque()  # not in the trace, and to be answered next
        self.begins: dict[str, Begin] = {}  # by run: withheld, or waiting for others to end
        self.waiting: dict[str, Wait] = {}  # by run
        self.running: dict[Supervision, tuple[str, Running]] = {}  # and the run of each
        self._said: dict[str, str] = {}  # why a run ended, and the last run that told it
        self.cleanups: set[str] = set()  # runs that go on when the job was stopped
        self.usages: dict[str, Usage] = {}
        self.begun = 0
        self.gaze = 0.0  # when other jobs are looked at again
        for record in records:
            if record.kind == "begin":
                self.begun += 1
            elif record.kind == "usage" and record.run != "-":
                found = usage.parse(record.fields)
                if found:
                    self.usages[record.run] = found
        limit = around.request.job.get("limits", {}).get("time")
        self.limit = None if limit is None else amount.duration(limit)
        self.started = time.monotonic() - stints.spent(records)
        self.cleaning = 0.0  # when clean-up after the time limit began

    def run(self) -> Outcome:
        """Walk the program to its end. Raises Parked, Bad, SetupFailed."""
        request = self.around.request
        variables = request.job.get("vars", {}) | self.around.last
        prelude = needs.prelude(request.job.get("needs", {}), asked.isolation(request.job))
        try:
            outcome = self._walk(prelude, variables, "0") if prelude else OK
            if outcome.status == "ok":
                outcome = self._walk(request.tree, variables, "1")
        finally:
            for _, running in self.running.values():
                running.close()
        self.old.settle()
        total = usage.merge(list(self.usages.values()))
        if total:
            wall = time.monotonic() - self.started
            self.hold.record("usage", "-", *usage.fields(total._replace(wall=wall)))
        return outcome

    def _walk(self, tree: Node, variables: dict[str, str], root: str) -> Outcome:
        lost = self.around.request.job.get("retry", {}).get("on_lost")
        again = AGAIN if lost == "again" else 0
        walking = walk.walk(tree, self.steps, variables, again, root)
        # A trace may hold a hundred thousand answers: what is looked up here is looked up once.
        send, find, early = walking.send, self.old.find, self.old.early
        answer: Any = None
        try:
            while True:
                want = send(answer)
                if want is None:
                    answer = self._next()
                    continue
                if isinstance(want, Begin) and want.cleanup:
                    self.cleanups.add(want.run)
                found = find(want)
                if found and not (isinstance(want, Exec) and self._cut(want, found[0])):
                    answer = LATER if early(want.run, found[0]) else found[0]
                elif self.settled:
                    answer = self._answer(want)
                else:
                    self.todo.append(want)
                    answer = LATER
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome

    def _cut(self, want: Exec, answer: Outcome) -> bool:
        """Whether a command is lost only because it was cut while its end was taken over."""
        return answer.status == "lost" and history.find(self.taken, want) is not None

    # --- what takes time -----------------------------------------------------------------

    def _next(self) -> tuple[str, Any]:
        """The run of a want that was put off, and its answer; waits until there is one."""
        known = self.old.next()
        if known:
            return known
        if not self.settled:
            # Every branch has come to where its trace ends: what disagrees is refused before
            # anything more is executed.
            self.old.settle()
            self.settled = True
        while True:
            while self.todo:
                want = self.todo.popleft()
                answer = self._answer(want)
                if answer is not LATER:
                    return want.run, answer
            decided = self._decided()
            if decided:
                return decided
            self._leave()
            dues = [wait.due for wait in self.waiting.values() if wait.due is not None]
            for each in self.around.loop.wait(min([time.monotonic() + TICK, *dues])):
                run, running = self.running.pop(each)
                return run, self._advance(run, running)

    def _decided(self) -> tuple[str, Any] | None:
        """A run and its answer that people, clocks or other jobs decided by now; None for none."""
        self.hearing.listen()
        begun = time.monotonic()
        # Other jobs cost a look through the queue. While commands run, that is a small part of
        # the time; and before the job is parked, all are looked at.
        idle = not self.running and self.means.patience is not None
        others = idle or begun >= self.gaze
        for run, wait in self.waiting.items():
            stopped = self.hearing.refusal(run, cleanup=run in self.cleanups)
            reply = self.hearing.replies.get(run)
            answer: Any = stopped or ()
            if not stopped and (others or not wait.awaits or begun >= (wait.due or begun + 1)):
                answer = waits.look(self.hold, wait, reply, self._note)
            if answer != ():
                del self.waiting[run]
                return run, answer
        if others:
            self.gaze = time.monotonic() + GAZE * (time.monotonic() - begun)
        for run, begin in self.begins.items():
            answer = self._begin(begin)
            if answer is not LATER:
                del self.begins[run]
                return run, answer
        for each, (run, _) in self.running.items():
            if self.hearing.stopped(run, cleanup=run in self.cleanups):
                each.end("cancelled")
        return None

    def _leave(self) -> None:
        """Raise Parked where the job only waits, and for longer than a slot is kept for it."""
        if self.running:
            return
        patiently(self.hold.sync)  # what is waited for is seen from outside
        patience = self.means.patience
        if patience is None:
            return
        # What is held back goes where that is seen, also where it could only wait: no answer and
        # no instant lets it go on before it is released.
        if self.begins or self.hearing.withheld(time.time()):
            raise Parked(held_until(self.hearing), self.hearing.until)
        # Measured as the waits themselves are: a clock that is set meanwhile ends no patience.
        dues = [wait.due for wait in self.waiting.values() if wait.due is not None]
        others = any(wait.awaits for wait in self.waiting.values())
        if others or not dues or min(dues) > time.monotonic() + patience:
            raise waits.parked(list(self.waiting.values()))

    def _advance(self, run: str, running: Running) -> Any:
        """Begin a command, or end one: LATER while it runs, then its Outcome."""
        try:
            self.running[next(running)] = run, running
            return LATER
        except StopIteration as stop:
            outcome, used = stop.value
            if used:
                self.usages[run] = used
            return outcome

    # --- answers -------------------------------------------------------------------------

    def _answer(self, want: Want) -> Any:
        earlier = history.find(self.taken, want)
        if earlier:
            for kind, fields in history.notes(self.taken, want.run, self.records):
                self._note(kind, want.run, *fields)
            return earlier[0]
        if self.means.consent and not self.means.consent(want):
            return self.hearing.stop("between two steps")
        if isinstance(want, Begin):
            self.hearing.listen()
            answer = self._begin(want)
            if answer is LATER:
                self.begins[want.run] = want
            return answer
        if isinstance(want, Exec):
            return self._exec(want)
        if isinstance(want, Up):
            return command.up(self.around, want)
        if isinstance(want, Down):
            command.down(self.around, want)
        elif isinstance(want, End):
            if want.outcome.reason and want.outcome.status not in TOLD:
                self._say(want.run, want.outcome.reason)
            self._note("end", want.run, *replay.fields(want.outcome))
        elif isinstance(want, Spawn):
            return spawning.spawn(self.hold, self.hearing.job.who, want, self._noted(want))
        else:
            assert isinstance(want, Ask | Sleep | Await), f"a want that no runner knows: {want}"
            wait = waits.begin(want, self._noted(want), self._note)
            self.waiting[want.run] = wait
            if self.means.tell and waits.long(wait):
                self.means.tell(waits.told(wait, self.hold.name.id))
            return LATER
        return None

    def _noted(self, want: Ask | Sleep | Await | Spawn) -> tuple[str, ...]:
        kind = "ask" if isinstance(want, Ask) else "spawn" if isinstance(want, Spawn) else "wait"
        return self.old.noted(kind, want.run)

    def _say(self, run: str, reason: str) -> None:
        """Tell in the log why a run ended, but not again what one below it has told."""
        if not self._said.get(reason, "").startswith(f"{run}."):
            self._said[reason] = run
            self.hold.record("log", run, "cit", reason)

    def _note(self, kind: str, run: str, *fields: str) -> Record:
        record = self.hold.record(kind, run, *fields)
        self.hearing.job.add(record)
        return record

    def _begin(self, want: Begin) -> Any:
        refused = self.hearing.refusal(want.run, cleanup=want.cleanup)
        if refused:
            return refused
        if self.hearing.withheld(time.time()):
            # To be stopped here for as long as somebody likes is what a hold is for.
            return LATER
        if len(self.running) >= self.slots and getattr(self.steps[want.step], "ISOLATED", False):
            # It begins when it can be executed, or a crash would take it for one that was.
            return LATER
        if self.begun >= (2 * MOST if want.cleanup else MOST):
            return ended("limited", f"the job has over {MOST} runs")
        self.begun += 1
        if self.begun % FLUSHED == 0:
            patiently(self.hold.journal.flush)
        self._note("begin", want.run, want.step, str(want.attempt))
        return None

    def _exec(self, want: Exec) -> Any:
        deadline = self._deadline(cleanup=want.run in self.cleanups)
        if deadline is not None and time.monotonic() >= deadline:
            return ended("timeout", "the job is over its time")
        patiently(self.hold.sync)
        return self._advance(want.run, command.execute(self.around, want, deadline))

    def _deadline(self, *, cleanup: bool) -> float | None:
        """When the time of the job is over; what cleans up after it has as long again."""
        if self.limit is None:
            return None
        if cleanup:
            self.cleaning = self.cleaning or time.monotonic()
            return self.cleaning + self.limit
        return self.started + self.limit
