"""let: ask a person for the value of a variable."""

from __future__ import annotations

from cit.wants import (
    NAME,
    PEOPLE,
    SECONDS,
    STEP,
    STRING,
    WAITED,
    Arg,
    Ask,
    Do,
    Outcome,
    Shows,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Reply, Steps

HELP = "ask a person for the value of a variable, and run a step with it"
ARGS = (
    Arg("variable", NAME, "its name: ${NAME} in the step is the value"),
    Arg("default", STRING, "the value that is offered, and taken when the time is over", ""),
    Arg("comment", STRING, "what to tell whoever is asked", ""),
    Arg("body", STEP, "the step"),
    Arg("timeout", SECONDS, "seconds to wait for an answer, or null for ever", None, high=WAITED),
    Arg("who", PEOPLE, "users and @groups who may answer, else whoever may for the job", ()),
)
SHOWS = Shows("let {variable}: {comment}", "will ask for {variable}: {comment}",
              "asks for {variable}, or runs with it: {comment}")  # fmt: skip


def run(call: Call) -> Steps:
    """The outcome is that of the step."""
    a = call.args
    answer: Reply | Outcome = yield Ask(
        call.run, "let", a["comment"], a["default"], a["timeout"], a["who"]
    )
    if isinstance(answer, Outcome):
        return answer
    outcome: Outcome = yield Do(a["body"], variables={a["variable"]: answer.value})
    return outcome
