"""Instants as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cit import instant

NOW = 1795293421.0  # 2026-11-21T20:37:01Z


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("2h", 7200), ("90", 90), ("1d12h", 129600), ("250ms", 0.25),
        ("2026-11-21T20:38:01Z", 60), ("2026-11-21 20:38Z", 59), ("2026-11-21T21:38+01:00", 59),
        ("2026-11-21T20:38:01.500Z", 60.5), ("2026-11-21T15:38-0500", 59),
        ("2026-11-21T21:38:01", 60), ("2026-11-22", 8579), ("21:38", 59), ("22:00", 1379),
        ("8:00", 37379), ("21:37", 86399), ("00:00", 8579), ("20:38Z", 59), ("21:37:02", 1),
        ("20:37:01.5Z", 0.5), ("15:38-05:00", 59), ("05:37:02+0900", 1),
    ],
)  # fmt: skip
def test_an_instant_is_a_duration_a_date_or_a_time(berlin: None, text: str, later: float) -> None:
    assert NOW + later == instant.parse(text, NOW)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("2h", 7200), ("5000w", NOW), ("21:37", 1), ("21:38", 86341), ("20:37Z", 1),
        ("21:37:01", 0), ("23:00Z", 77821), ("05:37+09:00", 1), ("2026-11-21T20:37:01Z", 0),
        ("2026-11-21", 77821), ("2026-11-22", -8579),
    ],
)  # fmt: skip
def test_one_of_what_is_past_is_so_long_ago_or_the_last_such(
    berlin: None, text: str, ago: float
) -> None:
    assert NOW - ago == instant.parse(text, NOW, past=True)


def test_a_time_of_the_day_after_a_change_of_clocks_is_that_of_the_clock(berlin: None) -> None:
    evening = 1792872000.0  # 2026-10-24T22:00 in summer; the clock goes back in the night

    assert evening + 11 * 3600 == instant.parse("8:00", evening)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-1h", "24:00", "12:60", "2026-02-29", "2026-13-01", "2026-11-21T24:00Z",
     "2026-11-21T", "1969-12-31", "2026-11-21T10:00X", "٢h", "2026-11-21T10:00:60",
     "10:00+24:00", "10:00+01:60", "10:00z", "10:00Z ", "9999-12-31T23:00-01:00"],
)  # fmt: skip
def test_what_is_none_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match='expected a time such as "2h"'):
        instant.parse(text, NOW)
