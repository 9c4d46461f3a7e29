"""spawn: start a stored program as a job of its own."""

from __future__ import annotations

from cit.wants import INTEGER, OK, STRING, Arg, Outcome, Shows, Spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Steps

HELP = "start a stored program as another job, and do not wait for it"
ARGS = (
    Arg("program", STRING, "its name", low=1),
    Arg("version", INTEGER, "the number of a version, or null for the newest", None, low=1),
)
SHOWS = Shows("spawn {program} {version}", "will start {program} {version}",
              "starts {program} {version}")  # fmt: skip


def run(call: Call) -> Steps:
    """It is ok once the job is pushed, and reports the id: ${data.spawned}."""
    answer: str | Outcome = yield Spawn(call.run, call.args["program"], call.args["version"])
    if isinstance(answer, Outcome):
        return answer
    return OK._replace(data=(("spawned", answer),))
