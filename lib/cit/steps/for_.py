"""for: run a step once for each value."""

from __future__ import annotations

from cit.wants import ALL, NAME, OK, STEP, STRINGS, Arg, Do, Leave, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "run a step once for each value of a variable"
ARGS = (
    Arg("variable", NAME, "its name: ${NAME} in the step is the value"),
    Arg("values", STRINGS, "the values"),
    Arg("body", STEP, "the step"),
)
SHOWS = Shows("for {variable} in {values}", "will run for {values}", "runs for {values}")
TURNS = True


def run(call: Call) -> Steps:
    """Until one fails, as in a sequence; of no values it is ok. Each is a run of its own."""
    outcome, body, variable = OK, call.args["body"], call.args["variable"]
    for turn, value in enumerate(call.args["values"], 1):
        try:
            outcome = yield Do(body, (turn,), {variable: value})
        except Leave as leave:
            if leave.outcome.leave == ALL:
                raise
            return leave.outcome._replace(leave=leave.outcome.leave - 1)
        if outcome.status != "ok":
            break
    return outcome
