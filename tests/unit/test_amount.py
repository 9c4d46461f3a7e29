"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import amount


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("250ms", 0.25), ("1w2d", 777600), ("1m5ms", 60.005),
     ("1.5h", 5400), (90, 90), (0.5, 0.5), ("90", 90), (0, 0), ("0s", 0)],
)  # fmt: skip
def test_a_duration_is_seconds(text: object, seconds: float) -> None:
    assert seconds == amount.duration(text)


@pytest.mark.parametrize(
    "text",
    ["", "m", "10 m", "5s1m", "1m1m", "1M", "-1s", -1, True, None, [1], float("nan"), float("inf"),
     "1e3", "9" * 13, "100000w", "٣s", "1.s", "10m\n"],
)  # fmt: skip
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        amount.duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [(0, 0), (4096, 4096), ("64M", 64 << 20), ("64m", 64 << 20), ("1.5G", 3 << 29),
     ("512KiB", 512 << 10), ("1kB", 1024), ("12B", 12), ("0.3K", 307)],
)  # fmt: skip
def test_a_size_is_bytes(text: object, count: int) -> None:
    assert count == amount.size(text)


@pytest.mark.parametrize(
    "text", ["", "M", "64 M", "-1", -1, 1.5, True, None, "2E", "1025P", "9" * 40, "1.5.5K", "1K\n"]
)
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        amount.size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0204, "20ms"), (0.9996, "1s"), (1.26, "1.3s"), (9.97, "10s"), (65, "1m5s"),
     (3599.6, "1h"), (3605, "1h"), (5400, "1h30m"), (90000, "1d1h")],
)  # fmt: skip
def test_a_duration_is_told_by_its_two_largest_units(seconds: float, text: str) -> None:
    assert text == amount.human_duration(seconds)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (1023, "1023"), (1024, "1K"), (1536, "1.5K"), (64 << 20, "64M"),
     ((1 << 20) - 1, "1M"), (1023 << 20, "1023M"), (3 << 29, "1.5G"), (1 << 60, "1024P")],
)  # fmt: skip
def test_a_size_is_told_in_few_digits(count: int, text: str) -> None:
    assert text == amount.human_size(count)


@given(st.floats(0, 1e8))
def test_a_told_duration_is_read_back(seconds: float) -> None:
    assert amount.duration(amount.human_duration(seconds)) == pytest.approx(
        seconds, rel=0.13, abs=1
    )


@given(st.integers(0, 1 << 59))
def test_a_told_size_is_read_back(count: int) -> None:
    assert amount.size(amount.human_size(count)) == pytest.approx(count, rel=0.06, abs=1)
