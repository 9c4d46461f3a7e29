"""Which run is to blame: the last attempt, the first stage, and not what went wrong before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cit.blame import culprit
from cit.job import Run


def runs(text: str) -> list[Run]:
    """`PATH STEP STATUS CODE` of each, separated by commas, in the order of their begin."""
    found = []
    for line in text.split(","):
        path, step, status, code = line.split()
        run = Run(path, step, "1", "")
        run.status, run.code = status, code
        found.append(run)
    return found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("1 exec failed 1", "1"),
        ("1 sequence failed 2, 1.1 exec ok 0, 1.2 exec failed 2", "1.2"),
        ("1 if failed 1, 1.1 exec failed 1, 1.3 exec failed 1", "1.3"),
        (
            "1 retry failed 3, 1.1 sequence failed 3, 1.1.1 exec failed 3, "
            "1.2 sequence failed 3, 1.2.1 exec failed 3",
            "1.2.1",
        ),
        ("1 retry failed 4, 1.1 exec failed 3, 1.2 exec failed 4", "1.2"),
        (
            "1 stages failed 1, 1.10 stage failed 1, 1.10.1 exec failed 1, "
            "1.2 stage failed 1, 1.2.1 exec failed 1, 1.3 stage failed 2",
            "1.2.1",
        ),
        ("1 matrix failed 5, 1.1 if failed 7, 1.1.2 exec failed 7, 1.2 exec failed 5", "1.2"),
        ("1 stages setup 125, 1.1 stage ok 0, 1.1.1 script ok 0", "1"),
        ("0 sequence ok 0, 0.1 await ok 0, 1 exec failed 1", "1"),
        ("0 sequence timeout 124, 0.1 await timeout 124", "0.1"),
    ],
)
def test_the_innermost_run_to_which_the_job_owes_its_end(text: str, path: str) -> None:
    status = "failed" if "failed" in text else "setup" if "setup" in text else "timeout"

    found = culprit(runs(text), status)

    assert found and path == found.path


class Counted(list[Run]):
    """Runs, and how often all were gone through."""

    looks = 0

    def __iter__(self) -> Iterator[Run]:
        self.looks += 1
        return super().__iter__()


def test_a_deep_program_is_not_gone_through_for_each_level() -> None:
    paths = [".".join(["1"] * depth) for depth in range(1, 100)]
    deep = Counted(runs(", ".join(f"{path} sequence failed 1" for path in paths)))

    found = culprit(deep, "failed")

    assert found and (paths[-1], True) == (found.path, deep.looks < 5)


def test_nobody_is_to_blame_where_no_run_ended_so() -> None:
    assert culprit(runs("1 exec ok 0"), "lost") is None
    assert culprit([], "failed") is None
