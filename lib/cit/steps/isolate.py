"""isolate: build an isolation and run a step in it."""

from __future__ import annotations

from cit.wants import BUILDER, STEP, Arg, Do, Down, Isolation, Leave, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Call, Outcome, Steps

HELP = "run a step in an isolation"
ARGS = (
    Arg("builder", BUILDER, "what builds the isolation: none, chroot or docker"),
    Arg("body", STEP, "the step that runs in it"),
)
SHOWS = Shows("isolated", "will build an isolation", "runs in its isolation")


def run(call: Call) -> Steps:
    """The outcome is that of the body; of the builder if that failed.

    The isolation is recorded in the builder's run: it outlives that, up to its Down.
    """
    built: Outcome = yield Do(call.args["builder"])
    isolation = built.value
    if not isinstance(isolation, Isolation):
        return built
    try:
        outcome: Outcome = yield Do(call.args["body"], isolation=isolation)
    except Leave:
        yield Down(isolation.run, isolation)
        raise
    yield Down(isolation.run, isolation)
    return outcome
