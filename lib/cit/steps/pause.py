"""pause: wait for so many seconds."""

from __future__ import annotations

from cit.wants import OK, SECONDS, WAITED, Arg, Outcome, Shows, Sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "wait for so many seconds"
ARGS = (Arg("seconds", SECONDS, "how long", high=WAITED),)
SHOWS = Shows("pause {seconds} s", "will pause {seconds} s", "pauses {seconds} s")


def run(call: Call) -> Steps:
    answer = yield Sleep(call.run, call.args["seconds"])
    return answer if isinstance(answer, Outcome) else OK
