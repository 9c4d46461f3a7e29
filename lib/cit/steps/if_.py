"""if: run one step or another."""

from __future__ import annotations

from cit.wants import STEP, Arg, Do, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Outcome, Steps

HELP = "run one step if a condition ends with 0, else another"
ARGS = (
    Arg("condition", STEP, "the step that decides"),
    Arg("then", STEP, "runs if the condition is ok"),
    Arg("else", STEP, "runs if it is not"),
)
SHOWS = Shows("if", "will decide", "decides, or runs what was decided")


def run(call: Call) -> Steps:
    """The outcome is that of the step that was chosen."""
    decided: Outcome = yield Do(call.args["condition"])
    chosen = "then" if decided.status == "ok" else "else"
    outcome: Outcome = yield Do(call.args[chosen])
    return outcome
