"""Jobs that do not want to end: each is ended by its limit, and nothing of it is left."""

from __future__ import annotations

from pathlib import Path

import harness
import pytest
from harness import Home
from waiting import until

LEFT = 1.0  # seconds after its job within which every process is gone


def run(home: Home, body: str, limits: str) -> tuple[str, Path]:
    """Run a job to its end: the status of its result, and its file."""
    [id] = home.push(1, body, limits)
    home.must("cit-queue", "tick")
    home.must("cit-run", "-j", "1", timeout=30)
    [copy] = [copy for copy in home.copies() if copy.id == id]
    assert [] == harness.forged(copy.path)
    return harness.outcome(copy.path), copy.path


def nothing_left(words: str) -> None:
    until(lambda: not harness.alive(words), f"'{words}' to be gone", LEFT)


@pytest.fixture
def sleep(home: Home) -> str:
    """A command that nobody else runs, so that it is found among all processes."""
    return f"sleep 40{abs(hash(home.place)) % 10**8}.5"


def test_a_fork_bomb_is_ended_by_its_limit_of_processes(
    system: None, home: Home, sleep: str
) -> None:
    # Bounded by itself too, should the limit not hold: 511 processes.
    bomb = f"bomb() {{ [ $1 -gt 0 ] || {sleep}; bomb $(($1-1)) & bomb $(($1-1)) & wait; }}"

    status, _ = run(home, f"{bomb}\nbomb 8 & {sleep}", "procs = 20\ntime = '10s'")

    assert "procs" == status
    nothing_left(sleep)


def test_a_daemon_that_left_its_session_ends_with_its_job(home: Home, sleep: str) -> None:
    body = f"setsid sh -c 'setsid {sleep} >/dev/null 2>&1 </dev/null & exit' & wait"

    status, _ = run(home, body, "time = '10s'")

    assert "ok" == status
    nothing_left(sleep)


def test_a_daemon_that_keeps_the_output_open_does_not_keep_its_job(home: Home, sleep: str) -> None:
    status, _ = run(home, f"setsid {sleep} &", "time = '10s'")

    assert "ok" == status
    nothing_left(sleep)


def test_a_memory_hog_is_ended_by_its_limit_of_memory(system: None, home: Home, sleep: str) -> None:
    body = f"{sleep} & head -c 300m /dev/zero | tail"

    status, _ = run(home, body, "memory = '32M'\ntime = '10s'")

    assert "memory" == status
    nothing_left(sleep)


def test_a_silent_job_is_ended_by_its_limit_of_silence(home: Home, sleep: str) -> None:
    status, _ = run(home, f"echo something; {sleep}", "idle = '1s'\ntime = '10s'")

    assert "idle" == status
    nothing_left(sleep)


def test_a_job_deaf_to_signals_is_ended_by_its_limit_of_time(home: Home, sleep: str) -> None:
    body = f"trap '' TERM INT HUP\n{sleep} & while :; do {sleep}; done"

    status, _ = run(home, body, "time = '1s'\ngrace = '1s'")

    assert "timeout" == status
    nothing_left(sleep)


def test_a_job_that_prints_for_ever_is_ended_by_its_limit_of_log(home: Home, sleep: str) -> None:
    body = f"trap '' TERM\n{sleep} & yes"  # goes on printing while it is asked to end

    status, path = run(home, body, "log = '64K'\ngrace = '1s'\ntime = '10s'")

    assert "log" == status
    printed = 2 * len(harness.records(path, "log"))
    assert printed <= 2 * (64 << 10)  # the limit, and what one read may be over it
    nothing_left(sleep)


def test_a_job_that_fills_the_disk_is_ended_by_its_limit_of_disk(home: Home, sleep: str) -> None:
    body = f"head -c 20m /dev/zero >big; {sleep}"

    status, _ = run(home, body, "disk = '1M'\ntime = '20s'")

    assert "disk" == status
    nothing_left(sleep)
