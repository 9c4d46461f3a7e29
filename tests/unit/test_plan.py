"""What may run where."""

from __future__ import annotations

import pytest

from cit import plan

MACHINE = plan.Machine(memory=8 << 30, procs=4, tools={"gcc", "make"})


@pytest.mark.parametrize(
    "needs",
    [
        {}, {"memory": "8G"}, {"memory": 8 << 30}, {"procs": 4}, {"tools": []},
        {"tools": ["make", "gcc"]}, {"memory": "1G", "procs": 1, "tools": ["gcc"]},
    ],
)  # fmt: skip
def test_what_the_machine_has_is_not_missing(needs: dict[str, object]) -> None:
    assert "" == plan.missing(needs, MACHINE)


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ({"memory": "9G"}, "needs memory 9G, this machine has 8G"),
        ({"memory": (8 << 30) + 1}, "needs memory 8589934593, this machine has 8G"),
        ({"procs": 5}, "needs 5 processors, this machine has 4"),
        ({"tools": ["gcc", "go"]}, "needs 'go', which this machine does not have"),
        ({"tools": ["go", "rust"]}, "needs 'go', 'rust', which this machine does not have"),
        ({"memory": "9G", "procs": 5}, "needs memory 9G, this machine has 8G"),
    ],
)
def test_what_the_machine_will_never_have_is_named(needs: dict[str, object], reason: str) -> None:
    assert reason == plan.missing(needs, MACHINE)


def test_only_the_tools_that_a_job_names_are_looked_for() -> None:
    assert ["gcc", "go"] == plan.tools({"tools": ["gcc", "go"], "procs": 1})
    assert [] == plan.tools({})
