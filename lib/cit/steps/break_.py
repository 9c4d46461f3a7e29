"""break: leave the innermost loops."""

from __future__ import annotations

from cit.wants import INTEGER, OK, Arg, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "leave the innermost loops; the program, where there are not as many"
ARGS = (Arg("loops", INTEGER, "how many loops are left", low=1),)
SHOWS = Shows("leave {loops}", "will leave {loops} loops", "leaves {loops} loops")


def run(call: Call) -> Steps:
    yield from ()
    return OK._replace(leave=call.args["loops"])
