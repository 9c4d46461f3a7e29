"""sequence: run steps one after the other."""

from __future__ import annotations

from cit.wants import OK, STEPS, Arg, Do, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "run steps in order, until one fails"
ARGS = (Arg("steps", STEPS, "the steps"),)
SHOWS = Shows("in order", "will run its steps in order", "runs its steps in order")


def run(call: Call) -> Steps:
    """The outcome is that of the last step that ran; of none it is ok."""
    outcome = OK
    for child in call.args["steps"]:
        outcome = yield Do(child)
        if outcome.status != "ok":
            break
    return outcome
