"""The fixtures of the fault tests, and the figures they print at the end."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # harness, for the tests beside it

import harness  # noqa: E402


@pytest.fixture
def home(public: Path) -> harness.Home:
    """A home with an empty queue, where every user of this machine can reach it."""
    made = harness.Home(public)
    made.must("cit-queue", "init")
    return made


@pytest.fixture
def rng(record_property: Callable[[str, object], None]) -> random.Random:
    """Chance, the same again with CIT_SEED=N; the seed is told when a test fails."""
    record_property("seed", harness.SEED)
    return random.Random(harness.SEED)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say at the end of the run, in a line, what was done."""
    return lambda text: record_property("figure", text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report = yield
    if report.failed:
        seeds = [value for key, value in item.user_properties if key == "seed"]
        report.sections += [("seed", f"CIT_SEED={seed}") for seed in seeds]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for r in terminalreporter.getreports("passed") if r.when == "call"]
    figures = [text for r in reports for key, text in r.user_properties if key == "figure"]
    if figures:
        terminalreporter.section("figures of the fault tests")
        for text in figures:
            terminalreporter.line(str(text))
