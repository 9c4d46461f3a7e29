from __future__ import annotations

import pytest

from cit import progress
from cit.job import Run


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


def test_of_many_runs_the_first_are_named() -> None:
    runs = [Run(f"1.{number}", "script", "1", "") for number in range(1, 6)]

    assert "" == progress.steps([])
    assert "1.1 script, 1.2 script, 1.3 script" == progress.steps(runs[:3])
    assert "1.1 script, 1.2 script, 1.3 script, and 2 more" == progress.steps(runs)
    assert "1.1 script for 5s, 1.2 script for 4s" == progress.steps(runs[:2], ["5s", "4s"])


def test_a_run_with_a_name_is_told_by_it() -> None:
    runs = [Run(f"1.{number}", "script", "1", "") for number in (1, 2)]
    names = {"1.1": "py=3.10", "1.2": "1.2"}

    assert "py=3.10 for 5s, 1.2 script for 4s" == progress.steps(
        runs, ["5s", "4s"], names.__getitem__
    )


def test_a_line_has_a_bar_only_where_earlier_jobs_tell() -> None:
    assert "hello  1.2 exec  5s" == progress.line("hello", "1.2 exec", 5.7, 0)
    assert "hello  0s" == progress.line("hello", "", 0.7, 0)
    assert progress.line("hello", "", 30, 60).endswith("----]  hello  30s of about 1m")
