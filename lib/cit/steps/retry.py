"""retry: run a step until it is ok, a number of times at most."""

from __future__ import annotations

from cit.wants import CODES, INTEGER, OK, STEP, WORDS, Arg, Do, Shows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.wants import Call, Outcome, Steps

HELP = "run a step again while it fails"
ARGS = (
    Arg("body", STEP, "the step"),
    Arg("attempts", INTEGER, "how often it runs at most", low=1, high=1000),
    Arg("on", WORDS, "the statuses and codes to try again, else any but lost and denied", ()),
)
SHOWS = Shows("up to {attempts} times", "will run up to {attempts} times",
              "runs up to {attempts} times")  # fmt: skip
# What was lost may have been done, and who said no is not asked twice.
FINAL = ("lost", "denied")


def check(args: dict[str, Any]) -> tuple[str, str] | None:
    for word in args["on"]:
        known = 0 < word < 256 if isinstance(word, int) else word in CODES and word != "ok"
        if not known:
            return "on", f"'{word}' is no status or code of a failure"
    return None


def run(call: Call) -> Steps:
    """The outcome is that of the last attempt. Each is a run of its own."""
    outcome = OK
    for attempt in range(1, call.args["attempts"] + 1):
        outcome = yield Do(call.args["body"], (attempt,))
        if outcome.status == "ok" or not _again(outcome, call.args["on"]):
            break
    return outcome


def _again(outcome: Outcome, on: tuple[str | int, ...]) -> bool:
    if on:
        return outcome.status in on or outcome.code in on
    return outcome.status not in FINAL
