"""System calls that fail: nothing is acknowledged that is not durable, and it passes."""

from __future__ import annotations

import random
from collections.abc import Callable

import harness
import pytest
from harness import Home

FAULTS = {
    "write": ("ENOSPC", "EIO", "EDQUOT"),
    "fsync": ("EIO", "ENOSPC"),
    "fdatasync": ("EIO", "ENOSPC"),
    "linkat": ("ENOSPC", "EDQUOT", "EIO"),
    "openat": ("EMFILE", "ENOSPC", "EDQUOT", "EIO"),
    "rename": ("ENOSPC", "EIO"),
    "renameat": ("ENOSPC", "EIO"),
    "renameat2": ("ENOSPC", "EIO"),
    "unlink": ("EIO",),
    "unlinkat": ("EIO",),
    "mkdir": ("ENOSPC", "EDQUOT"),
    "mkdirat": ("ENOSPC", "EDQUOT"),
    "close": ("EIO",),
}
TIMES = harness.size(14, 600)  # faults for each command
CHECK_EVERY = 5
# A runner that could not go on leaves a job whose command was begun; one that could not
# build what the command needs says so. A fault is set for the forked child too: where that
# cannot even write to its pipe why it gave up, its exit is taken for that of the command.
ALLOWED = {("ok", 1), ("lost", 0), ("lost", 1), ("setup", 0), ("failed", 0)}


def push(home: Home, under: list[str]) -> harness.Ended:
    return home.run("cit-push", *(home.script() for _ in range(3)), under=under)


def tick(home: Home, under: list[str]) -> harness.Ended:
    pushed = home.push(3)
    ended = home.run("cit-queue", "tick", under=under)
    return ended._replace(out="".join(f"{id}\n" for id in pushed))


def run(home: Home, under: list[str]) -> harness.Ended:
    pushed = home.push(4)
    home.must("cit-queue", "tick")
    ended = home.run("cit-run", "-j", "1", under=under)
    return ended._replace(out="".join(f"{id}\n" for id in pushed))


@pytest.mark.parametrize("command", [push, tick, run])
def test_a_failing_system_call_costs_an_acknowledgement_at_most(
    home: Home,
    rng: random.Random,
    figure: Callable[[str], None],
    command: Callable[[Home, list[str]], harness.Ended],
) -> None:
    rng.seed(f"{harness.SEED} {command.__name__}")
    log = home.place / "strace"
    acknowledged = command(home, []).ids  # the first does more than those that follow
    acknowledged += command(home, harness.strace(log)).ids
    home.settle()
    points = harness.points(log, str(home.path))
    chances = [point for point in points if point.syscall in FAULTS]

    struck, since = 0, list[str]()
    for point in harness.choose(chances, TIMES, rng):
        error = rng.choice(FAULTS[point.syscall])
        # The call alone, or it and some that follow: a disk is full for a while.
        last = point.number + rng.choice([0, 3])
        inject = f"inject={point.syscall}:error={error}:when={point.number}..{last}"
        ended = command(home, harness.strace(log, "-e", inject))
        acknowledged += ended.ids
        struck += "(INJECTED)" in log.read_text(errors="replace")
        since.append(inject)
        assert "Traceback" not in ended.err, (inject, ended)
        if len(since) >= CHECK_EVERY:
            home.settle()
            assert [] == harness.complaints(home, acknowledged, ALLOWED), since
            since.clear()

    home.settle()
    assert [] == harness.complaints(home, acknowledged, ALLOWED), since
    assert struck >= TIMES * 0.6
    figure(f"{struck} failing calls of {command.__name__} at {len(chances)} places")


@pytest.mark.parametrize("syscall", ["write", "fsync", "linkat", "openat"])
def test_a_push_that_cannot_make_a_job_durable_prints_no_id(home: Home, syscall: str) -> None:
    log = home.place / "strace"
    home.run("cit-push", home.script(), under=harness.strace(log))
    points = harness.points(log, str(home.path))
    first = min(point.number for point in points if point.syscall == syscall)
    inject = f"inject={syscall}:error=EIO:when={first}+"

    ended = home.run("cit-push", home.script(), under=harness.strace(log, "-e", inject))

    assert ended.ids == []
    assert ended.code not in (0, 70)
