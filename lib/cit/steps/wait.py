"""wait: wait for the next instant of a calendar, as in crontab(5)."""

from __future__ import annotations

from cit import crontab
from cit.wants import INTEGERS, OK, Arg, Outcome, Shows, Sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.wants import Call, Steps

HELP = "wait until the clock shows a minute of a calendar, as in a crontab"
ARGS = (
    Arg("minutes", INTEGERS, "minutes, 0 to 59; none is every one", (), high=59),
    Arg("hours", INTEGERS, "hours, 0 to 23", (), high=23),
    Arg("days", INTEGERS, "days of the month, 1 to 31", (), low=1, high=31),
    Arg("months", INTEGERS, "months, 1 to 12", (), low=1, high=12),
    Arg("weekdays", INTEGERS, "days of the week, 0 to 7: 0 and 7 are Sunday; "
        "with days of the month too, either will do", (), high=7),
)  # fmt: skip
_LISTS = "({minutes}) ({hours}) ({days}) ({months}) ({weekdays})"
SHOWS = Shows(f"wait for {_LISTS}", f"will wait for {_LISTS}", f"waits for {_LISTS}")


def check(args: dict[str, Any]) -> tuple[str, str] | None:
    if crontab.never(_calendar(args)):
        return "days", "it never comes: none of these months has such a day"
    return None


def run(call: Call) -> Steps:
    answer = yield Sleep(call.run, None, _calendar(call.args))
    return answer if isinstance(answer, Outcome) else OK


def _calendar(args: dict[str, Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(args[arg.name] for arg in ARGS)
