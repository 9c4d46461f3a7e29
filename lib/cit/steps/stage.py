"""stage: one of several that run side by side, once those that it needs are ok."""

from __future__ import annotations

from cit.wants import BOOLEAN, STEP, STRING, STRINGS, Arg, Do, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Outcome, Steps

HELP = "a stage: a step with a name, and what has to be ok before it"
ARGS = (
    Arg("name", STRING, "its name", low=1),
    Arg("needs", STRINGS, "the names of the stages that it needs"),
    Arg("body", STEP, "the step"),
    Arg("allow_failure", BOOLEAN, "whether the others go on as if it were ok", False),
    Arg("finally", BOOLEAN, "whether it runs when all others are over, also after a stop", False),
)
SHOWS = Shows("stage {name}", "will run stage {name}", "runs stage {name}")
WITHIN = "stages"


def run(call: Call) -> Steps:
    """When it runs is the business of `stages`."""
    outcome: Outcome = yield Do(call.args["body"])
    return outcome
