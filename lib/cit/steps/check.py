"""check: run a step until it says that what it looks for is there."""

from __future__ import annotations

from cit.wants import SECONDS, STEP, WAITED, Arg, Do, Node, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Outcome, Steps

HELP = "run a step again as long as it ends with 75: what it looks for is not there yet"
ARGS = (
    Arg("body", STEP, "the step that looks"),
    Arg("every", SECONDS, "seconds to pause before it looks again; after many looks more", 60,
        low=1, high=WAITED),
)  # fmt: skip
SHOWS = Shows("every {every} s", "will look every {every} s", "looks every {every} s")
TURNS = True
NOT_YET = 75  # EX_TEMPFAIL of sysexits.h
PATIENT = 60  # looks after which a pause is longer by the first
RAREST = 15  # times the first pause, at most


def run(call: Call) -> Steps:
    """The outcome is that of the last look. Each is a run of its own, and so is each pause."""
    look, body = 0, call.args["body"]
    while True:
        look += 1
        outcome: Outcome = yield Do(body, (look,))
        if outcome.status != "failed" or outcome.code != NOT_YET:
            return outcome
        # Who looks is walked from the start each time: whoever waits for weeks looks less often.
        seconds = min(call.args["every"] * min(1 + look // PATIENT, RAREST), WAITED)
        pause = Node("pause", {"seconds": seconds}, (), call.node.line, call.node.column)
        paused: Outcome = yield Do(body, (look, "pause"), node=pause)
        if paused.status != "ok":
            return paused
