"""The answers that a trace holds, for walking a program again.

Answers are found by run, kind and count, never by their order, so that branches which
ran side by side are found again. They are given in the order of the trace all the same:
what begins next, where only so many run at a time, and what is put in for data depend on
which branch ended first. What the trace does not hold has to be done now.
"""

from __future__ import annotations

from collections import deque

from cit.errors import Bad
from cit.wants import (
    CODES,
    Ask,
    Await,
    Begin,
    Down,
    End,
    Exec,
    Outcome,
    Reply,
    Sleep,
    Spawn,
    Up,
    ended,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeAlias

    from cit.wants import Want

    Found: TypeAlias = tuple[int, tuple[str, ...]]  # a line and its fields

KINDS = ("begin", "up", "down", "end")
NOTED = ("ask", "answer", "wait", "spawn")  # one a run, beside its begin and end
GROWN = ("data", "stage")  # what a command reports
GOOD = ("ok", "0", "")
DONE = (None,)  # the answer is that it was done


class Replay:
    """What is left of a trace while a program is walked through it.

    `records` are (kind, run, fields) for every line of the trace from line `first` on,
    also those of no interest here, so that a line can be named.
    """

    def __init__(self, records: Iterable[tuple[str, str, tuple[str, ...]]], first: int = 1) -> None:
        self._left: dict[str, dict[str, Found]] = {kind: {} for kind in KINDS}
        self._begun, self._ended = self._left["begin"], self._left["end"]
        self._later: dict[tuple[str, str], deque[Found]] = {}  # where a run has several
        self._live: set[str] = set()  # runs of which something was not in the trace
        self._noted: dict[tuple[str, str], tuple[str, ...]] = {}
        self._grown: dict[int, list[tuple[str, tuple[str, ...]]]] = {}  # by the line of the end
        self._line = 0  # of the begin or end that was found last
        self._order: deque[int] = deque()  # the lines of all that are not answered yet
        self._passed: set[int] = set()  # of these, what was answered before an earlier one
        self._ahead: list[tuple[int, str, Any]] = []  # put off
        growing: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        left, order = self._left, self._order
        for line, (kind, run, fields) in enumerate(records, first):
            runs = left.get(kind)
            if runs is None:
                if kind in NOTED:
                    self._noted[kind, run] = fields
                elif kind in GROWN:
                    growing.setdefault(run, []).append((kind, fields))
                continue
            if kind in ("begin", "end"):
                order.append(line)
            # What an attempt reported that was lost does not count; it did not when it was.
            if growing and run in growing and kind in ("begin", "end"):
                grown = growing.pop(run)
                if kind == "end" and fields[:1] != ("lost",):
                    self._grown[line] = grown
            if run not in runs:
                runs[run] = (line, fields)
            elif kind != "up" or self._count("down", run) >= self._count("up", run):
                self._later.setdefault((kind, run), deque()).append((line, fields))
            # An isolation that had to be built anew takes the place of the one before.
            elif (kind, run) in self._later:
                self._later[kind, run][-1] = (line, fields)
            else:
                runs[run] = (line, fields)

    def _count(self, kind: str, run: str) -> int:
        return (run in self._left[kind]) + len(self._later.get((kind, run), ()))

    def find(self, want: Want) -> tuple[Any] | None:
        """The answer in a tuple of its own, or None if the want has not been answered yet.

        An Exec that had begun and has no end is lost. Raises Bad, with the line, if the
        trace says something else than the program.
        """
        run = want.run
        answer: tuple[Any] | None = None
        if isinstance(want, Begin):
            found = self._begun.pop(run, None)
            if self._later:
                self._advance("begin", run)
            if found:
                if not found[1] or found[1][0] != want.step:
                    raise _differs(found, "begin", run, f"begin {run} {want.step}")
                self._line = found[0]
                return DONE
            answer = self._end(run)  # a run that was refused has an end and no begin
        elif isinstance(want, End):
            found = self._ended.pop(run, None)
            if self._later:
                self._advance("end", run)
            if found:
                if not _same(found[1], want.outcome):
                    words = " ".join(fields(want.outcome)).rstrip()
                    raise _differs(found, "end", run, f"end {run} {words}")
                self._line = found[0]
                return DONE
        else:
            answer = self._find(want)
        if answer is None:
            self._live.add(run)
        return answer

    def _find(self, want: Want) -> tuple[Any] | None:
        run = want.run
        if isinstance(want, Down):
            return DONE if self._take("down", run) else None
        if isinstance(want, Ask):
            said, ending = self._noted.get(("answer", run)), self._end(run)
            # Where both came at once it was stopped, and nothing was done with the answer.
            if said and not (ending and ending[0].status == "cancelled" and self._leaf(run)):
                who, value, reason = (*said, "", "", "")[:3]
                return (Reply(value, who, reason),)
            return ending
        if run in self._live:
            return None
        if isinstance(want, Sleep):
            slept = self._end(run)
            return DONE if slept and slept[0].status == "ok" else slept
        if isinstance(want, Spawn):
            known, spawned = self._end(run), self._noted.get(("spawn", run))
            return (spawned[0],) if known and known[0].status == "ok" and spawned else known
        if isinstance(want, Await):
            return self._end(run)
        if isinstance(want, Up):
            up = self._take("up", run)
            if up is None:
                return self._end(run)  # of a set-up that failed
            if not up[1]:
                raise _differs(up, "up", run, f"up {run} HANDLE")
            return (up[1][0],)
        assert isinstance(want, Exec)
        return self._end(run) or (ended("lost"),)

    def early(self, run: str, answer: Any) -> bool:
        """Whether what was found last is put off, since another run began or ended before it.

        Then LATER is the answer for now, and next() gives this one in its time.
        """
        line, order = self._line, self._order
        if not line:
            return False
        self._line = 0
        if line == order[0]:  # as nearly always
            order.popleft()
            if self._passed:
                self._skip()
            return False
        from heapq import heappush  # few programs have branches

        heappush(self._ahead, (line, run, answer))
        return True

    def next(self) -> tuple[str, Any] | None:
        """For when every branch waits: the first that was put off, its run and its answer."""
        if not self._ahead:
            return None
        from heapq import heappop

        line, run, answer = heappop(self._ahead)
        self._passed.add(line)
        self._skip()
        return run, answer

    def _skip(self) -> None:
        order, passed = self._order, self._passed
        while passed and order[0] in passed:
            passed.discard(order.popleft())

    def noted(self, kind: str, run: str) -> tuple[str, ...]:
        """The columns of what was noted of a want before it was answered; () where nothing was.

        `ask`: its deadline stands; `wait`: its instant stands; `spawn`: the id is taken.
        """
        return self._noted.get((kind, run), ())

    def settle(self) -> None:
        """Raise Bad if something of the trace was not asked for.

        For when every branch has come to a want that is not answered, and at the end.
        """
        left = [(found, kind, run) for kind in KINDS for run, found in self._left[kind].items()]
        if left:
            record, kind, run = min(left)
            raise _differs(record, kind, run, "nothing more")

    def _end(self, run: str) -> tuple[Outcome] | None:
        """The outcome that the trace has for a run, which its End will ask for again."""
        found = self._left["end"].get(run)
        if not found:
            return None
        ending = outcome(found[1], found[0])
        grown = self._grown.get(found[0])
        if grown:
            data = [(of[0], (*of, "")[1]) for kind, of in grown if kind == "data" and of]
            texts = [of[0] for kind, of in grown if kind == "stage" and of]
            ending = ending._replace(data=tuple(data), stages=tuple(texts))
        return (ending,)

    def _leaf(self, run: str) -> bool:
        """Whether the trace has nothing below a run."""
        lead = f"{run}."
        return not any(of.startswith(lead) for kind in KINDS for of in self._left[kind])

    def _take(self, kind: str, run: str) -> Found | None:
        found = self._left[kind].pop(run, None)
        if self._later:
            self._advance(kind, run)
        return found

    def _advance(self, kind: str, run: str) -> None:
        later = self._later.get((kind, run))
        if later:
            self._left[kind][run] = later.popleft()


def _same(recorded: tuple[str, ...], outcome: Outcome) -> bool:
    if outcome.status == "ok":  # most are, and texts of numbers need not be made for them
        return recorded[:3] == GOOD
    return recorded[:3] == fields(outcome)


def fields(outcome: Outcome) -> tuple[str, str, str]:
    """The columns of an `end` record: status, code, signal (empty if none)."""
    return outcome.status, str(outcome.code), str(outcome.signal or "")


def outcome(fields: tuple[str, ...], line: int = 0) -> Outcome:
    """The Outcome that the `end` record in a line tells. Raises Bad on what is none."""
    status, code, signal = (*fields, "", "", "")[:3]
    low, high = CODES.get(status, (1, 0))
    if not code.isdigit() or not low <= int(code) <= high or not (signal or "0").isdigit():
        raise Bad(f"no such end: '{' '.join(fields).rstrip()}'", line)
    return Outcome(status, int(code), int(signal or "0"))


def _differs(record: Found, kind: str, run: str, wanted: str) -> Bad:
    line, fields = record
    text = " ".join([kind, run, *fields]).rstrip()
    return Bad(f"the trace has '{text}' where the program has '{wanted}'", line)
