"""An instant as people write it: by a duration from now, a date, or a time of the day."""

from __future__ import annotations

import re
import time

from cit import amount

_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)", re.ASCII)


def parse(text: str, now: float) -> float:
    """Seconds since 1970 of `2h`, `2026-11-24`, `2026-11-24T08:00`, `...Z` or `+01:00`, `8:00`.

    Local time where no zone is named; a time of the day is the next such. Raises ValueError,
    with what was expected.
    """
    date, clock = _DATE.fullmatch(text), _CLOCK.fullmatch(text)
    if clock and int(clock[1]) < 24 and int(clock[2]) < 60:
        today = time.localtime(now)[:3]
        for later in (0, 1):
            at = (today[0], today[1], today[2] + later, int(clock[1]), int(clock[2]), 0)
            found = time.mktime((*at, 0, 0, -1))
            if found > now:
                return found
    if date:
        year, month, day, hour, minute, second = (int(part or 0) for part in date.groups()[:6])
        try:
            time.strptime(f"{year:04d}-{month}-{day}", "%Y-%m-%d")
        except ValueError:
            raise _expected() from None
        if year < 1970 or hour > 23 or minute > 59 or second > 59:
            raise _expected()
        if not date[7]:
            return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
        import calendar

        shift = 0
        if date[7] != "Z":
            hours, minutes = int(date[7][1:3]), int(date[7][-2:])
            shift = (hours * 3600 + minutes * 60) * (-1 if date[7][0] == "-" else 1)
        return float(calendar.timegm((year, month, day, hour, minute, second)) - shift)
    try:
        return now + amount.duration(text)
    except ValueError:
        raise _expected() from None


def _expected() -> ValueError:
    return ValueError('expected a time such as "2h", "17:30" or "2026-11-24T08:00"')
