"""await: wait for another job, or for an artefact of one."""

from __future__ import annotations

from cit.wants import NAME, SECONDS, STRING, WAITED, Arg, Await, Shows, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.wants import Call, Outcome, Steps

HELP = "wait for another job, or for an artefact of one"
ARGS = (
    Arg("what", NAME, "job or artefact"),
    Arg("name", STRING, "the id or the name of the job; of an artefact JOB/ARTEFACT", low=1),
    Arg("timeout", SECONDS, "seconds to wait at most, or null", None, high=WAITED),
)
SHOWS = Shows("await {what} {name}", "will wait for {what} {name}", "waits for {what} {name}")


def check(args: dict[str, Any]) -> tuple[str, str] | None:
    if args["what"] not in ("job", "artefact"):
        return "what", f"'{args['what']}' is neither job nor artefact"
    wrong = "" if "${" in args["name"] else _wrong(args)
    return ("name", wrong) if wrong else None


def run(call: Call) -> Steps:
    """The outcome is that of the job; it is ok when there is the artefact."""
    a = call.args
    wrong = _wrong(a)  # now that the variables are put in
    if wrong:
        return ended("nostart", wrong)
    outcome: Outcome = yield Await(call.run, a["what"], a["name"], a["timeout"])
    return outcome


def _wrong(args: dict[str, Any]) -> str:
    job, slash, artefact = args["name"].partition("/")
    if args["what"] == "job":
        return f"'{args['name']}' is no id or name of a job" if slash or not job else ""
    return "" if job and artefact else f"'{args['name']}' is not JOB/ARTEFACT"
