"""approve: ask a person whether to go on."""

from __future__ import annotations

from cit import lurch
from cit.wants import (
    BOOLEAN,
    OK,
    PEOPLE,
    SECONDS,
    STRING,
    WAITED,
    Arg,
    Ask,
    Outcome,
    Shows,
    ended,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Reply, Steps

HELP = "ask a person whether to go on"
ARGS = (
    Arg("timeout", SECONDS, "seconds to wait for an answer, or null for ever", None, high=WAITED),
    Arg("comment", STRING, "what to tell whoever is asked", ""),
    Arg("default", BOOLEAN, "the answer when there is none in time: t goes on, f does not", False),
    Arg("who", PEOPLE, "users and @groups who may answer, else whoever may for the job", ()),
)
SHOWS = Shows("approve: {comment}", "will ask: {comment}", "asks: {comment}")


def arrange(forms: tuple[lurch.Node, ...]) -> tuple[lurch.Node, ...]:
    """(approve "comment" ...) is one that waits for ever."""
    if forms and forms[0].kind == lurch.STRING:
        return (lurch.symbol("null"), *forms)
    return forms


def run(call: Call) -> Steps:
    """It is ok if the answer is yes, else denied."""
    a = call.args
    default = "yes" if a["default"] else "no"
    answer: Reply | Outcome = yield Ask(
        call.run, "approve", a["comment"], default, a["timeout"], a["who"]
    )
    if isinstance(answer, Outcome):
        return answer
    if answer.value == "yes":
        return OK
    if not answer.who:
        return ended("denied", "nobody answered in time")
    why = f": {answer.reason}" if answer.reason else ""
    return ended("denied", f"{answer.who} said no{why}")
