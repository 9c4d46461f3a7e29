"""Stages: what one is when it was read, and the rules for the names and needs of several.

There are two ways to write them, read by stagetext.py and by stagetables.py; stageform.py
turns what was read into the form of a program. The rules hold as well for stages that are
written as steps, and for those that stages make while they run (steps/stages.py).
"""

from __future__ import annotations

import re
from collections import namedtuple

from cit import wording
from cit.tables import KINDS
from cit.wants import OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import NamedTuple

    from cit.wants import Outcome

    class Retry(NamedTuple):
        attempts: int
        on: tuple[str | int, ...] = ()  # statuses and codes of failures; empty is all
        backoff: float | None = None  # seconds

    class Stage(NamedTuple):
        """A stage as it was written; what it leaves out is None or empty."""

        name: str
        line: int
        column: int
        needs: tuple[str, ...] = ()
        script: str = ""  # only blanks: it does nothing
        allow_failure: bool = False
        final: bool = False  # runs when all others are over
        timeout: float | None = None  # seconds
        isolate: tuple[str, str] | None = None  # kind and spec
        env: Mapping[str, str] = {}
        matrix: Mapping[str, Sequence[str]] = {}
        retry: Retry | None = None

    class Named(NamedTuple):
        """A stage, as far as the rules look at it."""

        name: str
        needs: tuple[str, ...]
        final: bool

else:
    Retry = namedtuple("Retry", "attempts on backoff", defaults=((), None))
    Stage = namedtuple(
        "Stage",
        "name line column needs script allow_failure final timeout isolate env matrix retry",
        defaults=((), "", False, False, None, None, {}, {}, None),
    )
    Named = namedtuple("Named", "name needs final")

MOST = 1000  # stages of a text, needs of a stage, cells of a matrix
SLOTS = 4  # side by side, where nobody says

_SCHEMA = KINDS["program"].schema["properties"]["stage"]["items"]["properties"]["name"]
NAME = re.compile(_SCHEMA["pattern"])
NAMES = "at most 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """That of several branches: of the first that was stopped, else of the first not ok."""
    wrong = [outcome for outcome in outcomes if outcome.status != "ok"]
    stopped = [outcome for outcome in wrong if outcome.status == "cancelled"]
    return (stopped or wrong or [OK])[0]


def complaint(
    stages: Sequence[Named], known: Mapping[str, bool | None] | None = None
) -> tuple[int, str] | None:
    """What is wrong with stages and their needs: the place of the stage, and a message.

    `known` are stages that are there already, and whether each is final; None where two
    have that name.
    """
    known, places = known or {}, dict[str, int]()
    for place, stage in enumerate(stages):
        if not NAME.fullmatch(stage.name):
            return place, f"no name of a stage: '{wording.short(stage.name)}'; it has {NAMES}"
        if stage.name in known or stage.name in places:
            return place, f"a second stage '{stage.name}'"
        places[stage.name] = place
    for place, stage in enumerate(stages):
        for need in stage.needs:
            wrong = ""
            final = stages[places[need]].final if need in places else known.get(need)
            if need not in places and need not in known:
                near = wording.nearest(need, [*places, *known])
                wrong = f"no stage '{wording.short(need)}'" + (f"; is it '{near}'?" if near else "")
            elif final is None:
                wrong = f"there are two stages '{need}'"
            elif final and not stage.final:
                wrong = f"'{need}' comes last, so nothing can need it"
            if wrong:
                return place, f"stage '{stage.name}' needs '{wording.short(need)}': {wrong}"
    circle = _circle([{places[need] for need in stage.needs if need in places} for stage in stages])
    if not circle:
        return None
    words = [stages[place].name for place in [*circle, circle[0]]]
    shown = " needs ".join(words if len(words) < 10 else [*words[:8], "...", words[-1]])
    return circle[0], f"stages in a circle: {shown}"


def _circle(needs: Sequence[set[int]]) -> list[int]:
    """The places of some that need one another in a circle, the first of them first."""
    stuck = _stuck(needs)
    if not stuck:
        return []
    # Each of them needs another of them: following that leads into a circle.
    seen: list[int] = []
    at = min(stuck)
    while at not in seen:
        seen.append(at)
        at = min(needs[at] & stuck)
    circle = seen[seen.index(at) :]
    start = circle.index(min(circle))
    return circle[start:] + circle[:start]


def _stuck(needs: Sequence[set[int]]) -> set[int]:
    """The places of all that could never begin."""
    needed: list[list[int]] = [[] for _ in needs]
    for place, mine in enumerate(needs):
        for other in mine:
            needed[other].append(place)
    left = [len(mine) for mine in needs]
    free = [place for place, count in enumerate(left) if not count]
    for place in free:  # grows while it is gone through
        for other in needed[place]:
            left[other] -= 1
            if not left[other]:
                free.append(other)
    return {place for place, count in enumerate(left) if count}
