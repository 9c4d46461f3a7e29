"""Calendars: against cronsim, and against cron's own loop, minute by minute.

Where cronsim and Debian's cron differ, this is as cron:

- cronsim tells an instant again for each minute that a clock turned forward left out; here an
  instant comes once, since a program waits for it once.
- cronsim forgets in which of the two equal hours it began, so that it can tell an instant of the
  first one while it is asked in the second; here what is told is always later.
- A clock that is turned by three hours or more is a new clock to cron, and what it left out does
  not come; to cronsim it is turned like any other.
- cronsim steps from hour to hour by what the clock shows, and so can miss the half hour that
  Lord Howe Island tells twice, or a midnight that there is not.

A crontab's `*/2` goes by the clock. Here it is a list of hours, written out, and cron takes those
as set times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import dropwhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cit import crontab

# The demo runs these tests with the machine's own Python, which may not have the peer.
CronSim = pytest.importorskip("cronsim", reason="no cronsim: pip install cronsim").CronSim

Calendar = tuple[tuple[int, ...], ...]

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
EVERY: Calendar = ((), (), (), (), ())


def offset(zone: str) -> Callable[[int], int]:
    where = ZoneInfo(zone)

    def east(instant: int) -> int:
        told = datetime.fromtimestamp(instant, where).utcoffset()
        assert told is not None
        return int(told.total_seconds())

    return east


def calendar(expression: str) -> Calendar:
    """The calendar of a crontab's five fields."""
    return tuple(
        tuple(number for part in field.split(",") for number in numbers(part, *bounds))
        for field, bounds in zip(expression.split(), BOUNDS, strict=True)
    )


def numbers(part: str, low: int, high: int) -> tuple[int, ...]:
    if part == "*":
        return ()
    words, _, step = part.partition("/")
    if words != "*":
        low, _, last = words.partition("-")  # type: ignore[assignment]
        high = int(last or low)
    return tuple(range(int(low), high + 1, int(step or 1)))


def expression(written: Calendar) -> str:
    return " ".join(",".join(map(str, field)) or "*" for field in written)


def instants(written: Calendar, now: float, zone: str, count: int) -> list[str]:
    found = []
    for _ in range(count):
        now = crontab.next_instant(written, now, offset(zone))
        found.append(datetime.fromtimestamp(now, ZoneInfo(zone)).isoformat())
    return found


def simulated(text: str, now: float, zone: str, count: int) -> list[str]:
    """The same, told by cronsim: what is later than `now`, and each instant once."""
    simulator = CronSim(text, datetime.fromtimestamp(now, ZoneInfo(zone)))
    later = dropwhile(lambda moment: moment.timestamp() <= now, simulator)
    told: dict[str, None] = {}
    while len(told) < count:
        told.setdefault(next(later).isoformat())
    return list(told)


def ticked(written: Calendar, since: int, days: int, zone: str) -> list[int]:
    """The instants of a calendar as cron comes to them: its loop, a tick a minute."""
    east = offset(zone)
    by_the_clock = not (written[0] and written[1])
    done = (since + east(since)) // 60
    found = []

    def comes(minute: int) -> bool:
        shown = datetime.fromtimestamp(minute * 60, UTC)
        minutes, hours, of_month, months, of_week = written
        day = shown.day in of_month or not of_month
        weekday = {shown.isoweekday(), shown.isoweekday() % 7} & set(of_week) or not of_week
        return bool(
            (shown.minute in minutes or not minutes)
            and (shown.hour in hours or not hours)
            and (shown.month in months or not months)
            and (day or weekday if of_month and of_week else day and weekday)
        )

    for instant in range(since + 60, since + days * 86400, 60):
        shown = (instant + east(instant)) // 60
        if by_the_clock:
            if comes(shown):
                found.append(instant)
        elif -180 < shown - done <= 180:
            if any(map(comes, range(done + 1, shown + 1))):
                found.append(instant)
            done = max(done, shown)
        else:
            done = shown
            if comes(shown):
                found.append(instant)
    return found


def at(zone: str, *fields: int) -> float:
    return datetime(*fields, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("night", [(2021, 3, 28, 1, 30), (2021, 10, 31, 1, 30)])
@pytest.mark.parametrize(
    "text",
    [
        "0 * * * *", "*/30 * * * *", "*/15 * * * *", "0 1,2,3,4,5 * * *", "30 1,2,3,4,5 * * *",
        "0 2 * * *", "0 3 * * *", "0 4 * * *", "0 1-5 * * *", "15 3 * * *", "* * * * *",
        "* 1-6 * * *", "0 0-23 * * *", "0 1,3,5,7,9,11,13,15,17,19,21,23 * * *",
    ],
)  # fmt: skip
def test_the_nights_of_riga_are_as_cronsim_has_them(text: str, night: tuple[int, ...]) -> None:
    now = at("Europe/Riga", *night)

    assert simulated(text, now, "Europe/Riga", 300) == instants(
        calendar(text), now, "Europe/Riga", 300
    )


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3 * * * *", "1-3,7-9 * * * *", "0-10/2 * * * *", "* * 1 * *", "* * * * 1", "* * * * 7",
        "* * * * 0-2", "1 1 1-7 * 1", "1 1 31 * *", "1 1 29 2 *", "0 0 * 2 1", "0 0 31 1,3 5",
        "0 0 30 2 3", "59 23 31 12 *",
    ],
)  # fmt: skip
def test_days_are_as_cronsim_has_them(text: str) -> None:
    now = at("UTC", 2020, 1, 1)

    assert simulated(text, now, "UTC", 20) == instants(calendar(text), now, "UTC", 20)


def fields(low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.just(()) | st.lists(st.integers(low, high), min_size=1, max_size=4).map(tuple)


CALENDARS = st.tuples(*(fields(*bounds) for bounds in BOUNDS))
NIGHTS = st.sampled_from(
    [
        ("Europe/Berlin", (2026, 3, 29)),
        ("Europe/Berlin", (2026, 10, 25)),
        ("America/New_York", (2026, 3, 8)),
        ("America/New_York", (2026, 11, 1)),
        ("Australia/Lord_Howe", (2026, 4, 5)),
        ("Australia/Lord_Howe", (2026, 10, 4)),
        ("Antarctica/Troll", (2026, 3, 29)),  # by two hours
        ("Antarctica/Troll", (2026, 10, 25)),
        ("Africa/Cairo", (2026, 4, 24)),  # at midnight
        ("Africa/Cairo", (2026, 10, 30)),
        ("Antarctica/Casey", (2023, 3, 9)),  # by three hours
        ("Antarctica/Casey", (2018, 3, 11)),
        ("Pacific/Apia", (2011, 12, 30)),  # a whole day
        ("Asia/Pyongyang", (2018, 5, 5)),  # by half an hour, for good
    ]
)
# Such as come near those nights, since most do not.
NIGHTLY = st.tuples(fields(0, 59), st.just(()) | st.lists(st.integers(0, 4), min_size=1).map(tuple),
                    st.just(()), st.just(()), st.just(()) | st.just((6, 7)))  # fmt: skip


@given(CALENDARS, st.sampled_from(ZONES), st.integers(0, 4_102_444_800))
def test_any_calendar_is_as_cronsim_has_it(written: Calendar, zone: str, now: int) -> None:
    assume(not crontab.never(written))
    if zone == "Australia/Lord_Howe":
        assume(written[0] and written[1])

    assert simulated(expression(written), now, zone, 2) == instants(written, now, zone, 2)


@given(CALENDARS | NIGHTLY, NIGHTS, st.integers(0, 36 * 60), st.integers(0, 59))
def test_any_calendar_is_as_cron_comes_to_it_where_the_clock_is_turned(
    written: Calendar, night: tuple[str, tuple[int, int, int]], minute: int, second: int
) -> None:
    zone, day = night
    begun = int(datetime(*day, tzinfo=UTC).timestamp()) - 86400
    now = begun + 60 * minute + second
    later = [found for found in ticked(written, begun - 86400, 5, zone) if found > now]
    assume(later)

    assert later[0] == crontab.next_instant(written, now, offset(zone))


@pytest.mark.parametrize(
    ("text", "begun", "expected"),
    [
        ("30 2 * * *", (3, 29, 1, 59), ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("30 * * * *", (3, 29, 1, 59), ["2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"]),
        ("30 2 * * *", (10, 25, 0, 0), ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ("30 * * * *", (10, 25, 2, 0), ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]),
    ],
)
def test_what_a_turned_clock_leaves_out_comes_after_and_what_it_repeats_comes_once(
    text: str, begun: tuple[int, ...], expected: list[str]
) -> None:
    now = at("Europe/Berlin", 2026, *begun)

    assert expected == instants(calendar(text), now, "Europe/Berlin", 2)


def test_asked_in_the_repeated_hour_what_came_in_the_first_does_not_come_again() -> None:
    second = at("Europe/Berlin", 2026, 10, 25, 3) - 45 * 60  # 02:15, for the second time

    assert instants(calendar("30 2 * * *"), second, "Europe/Berlin", 1) == [
        "2026-10-26T02:30:00+01:00"
    ]


def test_it_is_always_later() -> None:
    now = at("UTC", 2026, 11, 21, 12, 0)

    assert now + 60 == crontab.next_instant(EVERY, now, offset("UTC"))
    assert now + 60 == crontab.next_instant(EVERY, now + 59.999, offset("UTC"))
    assert now == crontab.next_instant(EVERY, now - 0.001, offset("UTC"))


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("* * 31 2 *", True),
        ("* * 30 2 *", True),
        ("* * 30,31 2 *", True),
        ("* * 31 2,4,6,9,11 *", True),
        ("* * 29 2 *", False),
        ("* * 31 2,3 *", False),
        ("* * 31 * *", False),
        ("* * 31 2 5", False),
        ("* * * 2 *", False),
    ],
)
def test_some_days_never_come(text: str, never: bool) -> None:
    assert never == crontab.never(calendar(text))
    if never:
        with pytest.raises(ValueError, match="no such day"):
            crontab.next_instant(calendar(text), 0, offset("UTC"))


@given(CALENDARS, st.integers(-(10**9), 10**10))
def test_what_comes_comes_within_eight_years(written: Calendar, now: int) -> None:
    assume(not crontab.never(written))

    found = crontab.next_instant(written, now, lambda instant: 0)

    assert 0 < found - now <= (8 * 366 + 1) * 86400


def test_the_longest_wait_costs_milliseconds() -> None:
    now = at("America/New_York", 1896, 2, 29, 0, 1)  # 1900 was no leap year
    begun = time.process_time()

    for _ in range(10):
        found = crontab.next_instant(calendar("0 0 29 2 *"), now, offset("America/New_York"))

    assert found == at("America/New_York", 1904, 2, 29)
    assert (time.process_time() - begun) / 10 < 0.2
