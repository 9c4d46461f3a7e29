"""When a calendar comes round next, as in crontab(5).

A calendar is five tuples: minutes, hours, days of the month, months, days of the week (0 and 7
are Sunday). An empty one is every one; a day has to be of the month or of the week where both are
told. What local time means is told by `offset(instant)`: seconds east of UTC at an instant.

Where the clock is turned, this does what Debian's cron does, seen through its virtual time: the
local minutes for which all has been done. A calendar that names minutes and hours comes when
virtual time reaches it: one in the hour that a clock turned forward leaves out comes right after,
and one in the hour that is told twice comes once. Clocks turned by three hours or more are new
clocks: virtual time goes with them. A calendar of every minute or of every hour goes by the clock.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    Calendar: TypeAlias = Sequence[Sequence[int]]
    Offset: TypeAlias = Callable[[int], int]

MINUTE, DAY = 60, 86400
TURNED = 3 * 3600  # a clock that is turned by less is the same clock
YEARS = 8  # between two 29th of February at most: around 1900, 2100
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def never(calendar: Calendar) -> bool:
    """Whether no day is meant, such as 31 February."""
    days, months, weekdays = calendar[2:]
    if weekdays or not days:
        return False
    return min(days) > max(_LENGTHS[month - 1] for month in months or range(1, 13))


def next_instant(calendar: Calendar, now: float, offset: Offset) -> float:
    """The first instant after `now` at which the calendar comes, in seconds since 1970 in UTC.

    Raises ValueError where it never does.
    """
    if never(calendar):
        raise ValueError("no such day")
    begin = int(now // 1)
    if calendar[0] and calendar[1]:
        return _virtual(calendar, begin, offset)
    return _real(calendar, begin + 1, offset)


def _real(calendar: Calendar, begin: int, offset: Offset) -> int:
    """The first instant from `begin` on at which the clock shows what the calendar says."""
    while True:
        east = offset(begin)
        instant = _minute(calendar, begin + east) - east
        turned = _turned(offset, begin, instant)
        if turned is None:
            return instant
        begin = turned


def _virtual(calendar: Calendar, begin: int, offset: Offset) -> int:
    """The first instant after `begin` at which virtual time reaches what the calendar says."""
    east = offset(begin)
    done = _floor(begin + east)
    turned = _turned(offset, begin - TURNED, begin)
    if turned is not None:  # it may be told twice what was done before the clock was turned
        before = _floor(turned - 1 + offset(turned - 1))
        if turned + offset(turned) - before > -TURNED:
            done = max(done, before)
    while True:
        local = _minute(calendar, done + MINUTE)
        turned = _turned(offset, begin, local - east)
        if turned is None:
            return local - east
        done = max(done, _floor(turned - 1 + east))
        begin, east = turned, offset(turned)
        clock = _floor(begin + east)
        if -TURNED < clock - done <= TURNED:
            if local <= clock:
                return begin
        else:
            done = clock - MINUTE
            if _minute(calendar, clock) == clock:
                return begin


def _floor(seconds: int) -> int:
    return seconds - seconds % MINUTE


def _turned(offset: Offset, begin: int, end: int) -> int | None:
    """The first instant after `begin`, up to `end`, at which the clock is turned.

    Looked for a day at a time: no clock has been turned twice in one.
    """
    east = offset(begin)
    while begin < end:
        probe = min(begin + DAY, end)
        if offset(probe) != east:
            while probe - begin > 1:
                middle = (begin + probe) // 2
                if offset(middle) == east:
                    begin = middle
                else:
                    probe = middle
            return probe
        begin = probe
    return None


def _minute(calendar: Calendar, local: int) -> int:
    """The first minute of the calendar that begins at `local` or later, both in local seconds."""
    hours = sorted(calendar[1]) or range(24)
    minutes = sorted(calendar[0]) or range(60)
    today, second = divmod(local, DAY)
    day = _day(calendar, today)
    if day == today:
        for hour in hours:
            for minute in minutes:
                at = hour * 3600 + minute * MINUTE
                if at >= second:
                    return day * DAY + at
        day = _day(calendar, today + 1)
    return day * DAY + hours[0] * 3600 + minutes[0] * MINUTE


def _day(calendar: Calendar, day: int) -> int:
    """The first day of the calendar that is `day` or later, counted from 1 January 1970."""
    days, months, weekdays = map(frozenset, calendar[2:])
    weekdays = frozenset(weekday % 7 for weekday in weekdays)
    begun = _year(day)
    for year in range(begun, begun + YEARS + 1):
        first = _new_year(year)
        leap = _new_year(year + 1) - first == 366
        for month, length in enumerate(_LENGTHS, 1):
            end = first + length - (month == 2 and not leap)
            if end > day and (not months or month in months):
                for candidate in range(max(first, day), end):
                    of_month = candidate - first + 1 in days
                    of_week = (candidate + 4) % 7 in weekdays  # the first of all was a Thursday
                    if of_month or of_week or not (days or weekdays):
                        return candidate
            first = end
    raise ValueError("no such day")


def _new_year(year: int) -> int:
    """The first day of a year, counted from 1 January 1970."""
    before = year - 1
    return 365 * (year - 1970) + before // 4 - before // 100 + before // 400 - 477


def _year(day: int) -> int:
    year = 1970 + day * 400 // 146097  # days of 400 years
    while _new_year(year) > day:
        year -= 1
    while _new_year(year + 1) <= day:
        year += 1
    return year
