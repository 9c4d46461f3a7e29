"""The answers that a trace holds, for walking a program again.

Answers are found by run, kind and count, never by their order, so that branches which
ran side by side are found again. What the trace does not hold has to be done now.
"""

from __future__ import annotations

from cit.errors import Bad
from cit.wants import CODES, Begin, Down, End, Exec, Outcome, Up, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cit.wants import Want

KINDS = frozenset(["begin", "up", "down", "end"])


class Replay:
    """What is left of a trace while a program is walked through it.

    `records` are (kind, run, fields) for every line of the trace from line `first` on,
    also those of no interest here, so that a line can be named.
    """

    def __init__(self, records: Iterable[tuple[str, str, tuple[str, ...]]], first: int = 1) -> None:
        self._answers: dict[tuple[str, str], list[tuple[int, tuple[str, ...]]]] = {}
        self._taken: dict[tuple[str, str], int] = {}
        self._live: set[str] = set()  # runs of which something was not in the trace
        answers, line = self._answers, first - 1
        for kind, run, fields in records:
            line += 1
            if kind not in KINDS:
                continue
            found = answers.setdefault((run, kind), [])
            # An isolation that had to be built anew takes the place of the one before.
            if kind == "up" and len(found) > len(answers.get((run, "down"), ())):
                found.pop()
            found.append((line, fields))

    def find(self, want: Want) -> tuple[Any] | None:
        """The answer in a tuple of its own, or None if the want has not been answered yet.

        An Exec that had begun and has no end is lost. Raises Bad, with the line, if the
        trace says something else than the program.
        """
        found = self._find(want)
        if found is None:
            self._live.add(want.run)
        return found

    def _find(self, want: Want) -> tuple[Any] | None:
        if isinstance(want, Begin):
            begun = self._take(want.run, "begin")
            if begun is None:  # a run that was refused has an end and no begin
                end = self._peek(want.run, "end")
                return (outcome(end[1]),) if end else None
            if begun[1][:1] != (want.step,):
                raise _differs(begun, "begin", want.run, f"begin {want.run} {want.step}")
            return (None,)
        if isinstance(want, End):
            end = self._take(want.run, "end")
            if end is None:
                return None
            if end[1][:3] != fields(want.outcome):
                words = " ".join(fields(want.outcome)).rstrip()
                raise _differs(end, "end", want.run, f"end {want.run} {words}")
            return (None,)
        if isinstance(want, Down):
            return (None,) if self._take(want.run, "down") else None
        if want.run in self._live:
            return None
        if isinstance(want, Up):
            up = self._take(want.run, "up")
            if up:
                return (up[1][0],)
            end = self._peek(want.run, "end")  # of a set-up that failed
            return (outcome(end[1]),) if end else None
        assert isinstance(want, Exec)
        end = self._peek(want.run, "end")
        return (outcome(end[1]) if end else ended("lost"),)

    def settle(self) -> None:
        """Raise Bad if something of the trace was not asked for.

        For when every branch has come to a want that is not answered, and at the end.
        """
        left = [
            (answers[self._taken.get(key, 0)], key)
            for key, answers in self._answers.items()
            if len(answers) > self._taken.get(key, 0)
        ]
        if left:
            record, (run, kind) = min(left)
            raise _differs(record, kind, run, "nothing more")

    def _peek(self, run: str, kind: str) -> tuple[int, tuple[str, ...]] | None:
        answers = self._answers.get((run, kind), ())
        place = self._taken.get((run, kind), 0)
        return answers[place] if place < len(answers) else None

    def _take(self, run: str, kind: str) -> tuple[int, tuple[str, ...]] | None:
        found = self._peek(run, kind)
        if found:
            self._taken[run, kind] = self._taken.get((run, kind), 0) + 1
        return found


def fields(outcome: Outcome) -> tuple[str, str, str]:
    """The columns of an `end` record: status, code, signal (empty if none)."""
    return outcome.status, str(outcome.code), str(outcome.signal or "")


def outcome(fields: tuple[str, ...]) -> Outcome:
    """The Outcome that an `end` record tells. Raises Bad on one that no runner wrote."""
    status, code, signal = (*fields, "", "", "")[:3]
    low, high = CODES.get(status, (1, 0))
    if not code.isdigit() or not low <= int(code) <= high or not (signal or "0").isdigit():
        raise Bad(f"no such end: {' '.join(fields)!r}")
    return Outcome(status, int(code), int(signal or "0"))


def _differs(record: tuple[int, tuple[str, ...]], kind: str, run: str, wanted: str) -> Bad:
    line, fields = record
    text = " ".join([kind, run, *fields]).rstrip()
    return Bad(f"the trace has '{text}' where the program has '{wanted}'", line)
