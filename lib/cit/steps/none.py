"""none: the isolation that is none, the builder's own account."""

from __future__ import annotations

from cit.wants import OK, Arg, Isolation, Outcome, Shows, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "no isolation: the builder's own account"
ARGS: tuple[Arg, ...] = ()
SHOWS = Shows("none", "will use no isolation", "uses no isolation")
BUILDS = True


def run(call: Call) -> Steps:
    handle = yield Up(call.run, "none", "")
    if isinstance(handle, Outcome):
        return handle
    return OK._replace(value=Isolation("none", "", handle, call.run))
