"""matrix: run a step once for each value, side by side."""

from __future__ import annotations

from cit.stages import MOST, SLOTS, worst
from cit.wants import INTEGER, NAME, STEP, STRINGS, Arg, Do, Fork, Join, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.wants import Call, Node, Outcome, Steps

HELP = "run a step for each value of a variable, side by side"
ARGS = (
    Arg("variable", NAME, "its name: ${NAME} in the step is the value"),
    Arg("values", STRINGS, "the values"),
    Arg("body", STEP, "the step"),
    Arg("slots", INTEGER, "how many run at a time, else as the job says", None, low=1, high=MOST),
)
SHOWS = Shows("for {variable} in {values}, side by side", "will run for {values}, side by side",
              "runs for {values}")  # fmt: skip
TURNS = True
# What several cells ask for is taken in the order of the cells, not in that of their ends.
GROWS = True


def check(args: dict[str, Any]) -> tuple[str, str] | None:
    if len(args["values"]) > MOST:
        return "values", f"over {MOST} values"
    return None


def review(args: dict[str, Any], children: tuple[Node, ...]) -> tuple[int, str] | None:
    """A matrix in a matrix multiplies its cells."""
    cells, inner = len(args["values"]), children[0]
    while inner.children:
        if inner.step == "matrix":
            cells *= len(inner.args["values"])
        inner = inner.children[-1]
    return (0, f"over {MOST} cells in all") if cells > MOST else None


def run(call: Call) -> Steps:
    """All run, whatever becomes of the others; each is a run of its own.

    A break ends its own branch.
    """
    a = call.args
    outcomes: dict[int | str, Outcome] = {}
    for turn, value in enumerate(a["values"], 1):
        if turn > (a["slots"] or SLOTS):
            do, outcome = yield Join()
            outcomes[do.path[0]] = outcome
        yield Fork(Do(a["body"], (turn,), {a["variable"]: value}))
    while len(outcomes) < len(a["values"]):
        do, outcome = yield Join()
        outcomes[do.path[0]] = outcome
    ordered = [outcomes[turn] for turn in range(1, len(outcomes) + 1)]
    texts = tuple(text for outcome in ordered for text in outcome.stages)
    return worst(ordered)._replace(leave=0, stages=texts)
