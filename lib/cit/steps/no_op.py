"""no-op: do nothing, with an exit code."""

from __future__ import annotations

from cit.wants import INTEGER, OK, Arg, Shows, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "do nothing"
ARGS = (Arg("code", INTEGER, "the exit code", 0, low=0, high=255),)
SHOWS = Shows("nothing, code {code}", "will end with {code}", "ends with {code}")


def run(call: Call) -> Steps:
    yield from ()
    code = call.args["code"]
    return ended("failed", code=code) if code else OK
