"""An instant as people write it: by a duration, a date, or a time of the day.

One rule for all commands: without a zone it is local time, with `Z` or an offset it is that.
What is printed is UTC and ends in Z, so it can be given back.
"""

from __future__ import annotations

import re
import time

from cit import amount

_CLOCK = r"(\d{1,2}):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?"
_TIME = re.compile(_CLOCK, re.ASCII)
_DATE = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)(?:[T ]{_CLOCK})?", re.ASCII)

END = 253402300800.0  # the year 10000, which has no stamp


def parse(text: str, now: float, *, past: bool = False) -> float:
    """Seconds since 1970 of `2h`, `2026-11-24`, `2026-11-24T08:00`, `...Z` or `+01:00`, `8:00`.

    Local time where no zone is named. A duration is from now on, and a time of the day the
    next such; with `past` it is so long ago, and the last such. Raises ValueError, with what
    was expected.
    """
    date, clock = _DATE.fullmatch(text), _TIME.fullmatch(text)
    if date:
        year, month, day = (int(part) for part in date.groups()[:3])
        try:
            time.strptime(f"{year:04d}-{month}-{day}", "%Y-%m-%d")
        except ValueError:
            raise _expected() from None
        if year < 1970:
            raise _expected()
        return _at(year, month, day, *date.groups()[3:])
    if clock:
        shift = _shift(clock[5])
        today = time.localtime(now) if shift is None else time.gmtime(now + shift)
        found = _at(*today[:3], *clock.groups())
        if past and found > now:
            return _at(today[0], today[1], today[2] - 1, *clock.groups())
        if not past and found <= now:
            return _at(today[0], today[1], today[2] + 1, *clock.groups())
        return found
    try:
        seconds = amount.duration(text)
    except ValueError:
        raise _expected() from None
    return max(now - seconds, 0) if past else now + seconds


def _at(year: int, month: int, day: int, *clock: str | None) -> float:
    """Of hour, minute, second, its fraction and zone, where they are given."""
    hour, minute, second = (int(part or 0) for part in clock[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise _expected()
    part, shift = float(clock[3] or 0), _shift(clock[4])
    if shift is None:
        found = time.mktime((year, month, day, hour, minute, second, 0, 0, -1)) + part
    else:
        import calendar

        found = calendar.timegm((year, month, day, hour, minute, second)) - shift + part
    if found >= END:
        raise _expected()
    return found


def _shift(zone: str | None) -> int | None:
    """Seconds that a zone is east of UTC; None where it is the local one."""
    if not zone or zone == "Z":
        return 0 if zone else None
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        raise _expected()
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _expected() -> ValueError:
    return ValueError('expected a time such as "2h", "17:30" or "2026-11-24T08:00"')
