from __future__ import annotations

import pytest

from cit import progress


@pytest.mark.parametrize(
    ("times", "expected"), [([], 0), ([7], 7), ([9, 1, 2], 2), ([4, 1, 100, 2], 3)]
)
def test_usual_is_the_middle_one(times: list[float], expected: float) -> None:
    assert expected == progress.usual(times)


def test_a_bar_is_full_when_it_takes_as_long_as_usual_and_says_when_longer() -> None:
    assert "[" + "-" * 20 + "]" == progress.bar(0)
    assert "[" + "#" * 10 + "-" * 10 + "]" == progress.bar(0.5)
    assert "[" + "#" * 20 + "]" == progress.bar(1)
    assert "[" + "#" * 20 + "+" == progress.bar(7)


def test_a_line_has_a_bar_only_where_earlier_jobs_tell() -> None:
    assert "hello  1.2 exec  5s" == progress.line("hello", "1.2 exec", 5.7, 0)
    assert "hello  0s" == progress.line("hello", "", 0.7, 0)
    assert progress.line("hello", "", 30, 60).endswith("----]  hello  30s of about 1m")
