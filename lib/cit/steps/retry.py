"""retry: run a step until it is ok, a number of times at most."""

from __future__ import annotations

from cit.wants import CODES, INTEGER, OK, SECONDS, STEP, WAITED, WORDS, Arg, Do, Node, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.wants import Call, Outcome, Steps

HELP = "run a step again while it fails"
ARGS = (
    Arg("body", STEP, "the step"),
    Arg("attempts", INTEGER, "how often it runs at most", low=1, high=1000),
    Arg("on", WORDS, "the statuses and codes to try again, else any but lost and denied", ()),
    Arg("back-off", SECONDS, "seconds before the second attempt; doubled before each further one, "
        "up to an hour", 0, high=WAITED),
)  # fmt: skip
SHOWS = Shows("up to {attempts} times", "will run up to {attempts} times",
              "runs up to {attempts} times")  # fmt: skip
TURNS = True
# The stages that an attempt asks for count only if it is the last.
GROWS = True
# What was lost may have been done, and who said no is not asked twice.
FINAL = ("lost", "denied")
HOUR = 3600


def check(args: dict[str, Any]) -> tuple[str, str] | None:
    for word in args["on"]:
        known = 0 < word < 256 if isinstance(word, int) else word in CODES and word != "ok"
        if not known:
            return "on", f"'{word}' is no status or code of a failure"
    return None


def run(call: Call) -> Steps:
    """The outcome is that of the last attempt. Each is a run of its own, and so is each pause."""
    outcome, a = OK, call.args
    delay = a["back-off"]
    for attempt in range(1, a["attempts"] + 1):
        if attempt > 1 and delay:
            # The pause is told apart from the attempt it follows by a word, which no attempt has.
            pause = Node("pause", {"seconds": delay}, (), call.node.line, call.node.column)
            paused: Outcome = yield Do(a["body"], (attempt - 1, "pause"), node=pause)
            if paused.status != "ok":
                return paused
            delay = min(2 * delay, max(delay, HOUR))
        outcome = yield Do(a["body"], (attempt,))
        if outcome.status == "ok" or not _again(outcome, a["on"]):
            break
    return outcome


def _again(outcome: Outcome, on: tuple[str | int, ...]) -> bool:
    if on:
        return outcome.status in on or outcome.code in on
    return outcome.status not in FINAL
