"""The clock on the wall is set while jobs wait: nothing runs twice, nothing is lost.

The clock of each command is set apart, with libfaketime. Only that one: the monotonic clock,
and the times that the kernel gives to files, are the true ones, which is how a machine looks
whose clock was wrong until just now.
"""

from __future__ import annotations

import collections
import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest
from harness import Home
from waiting import until

DAY = 86400
# How far the clock is moved, of the true time.
MOVES: dict[str, Callable[[], float]] = {
    "a day ahead": lambda: DAY,
    "a day back": lambda: -DAY,
    "to 1970": lambda: 2 * DAY - time.time(),
    "to 2038": lambda: (1 << 31) + DAY - time.time(),
}
LATER = 61  # seconds after which all that is waited for here is over
ROUNDS = 4  # ticks and runners in which a job has to end once the clock is right
PARKED = {"pause": "(pause 30)", "wait": "(wait)", "approve": '(approve 30 "Go?" t)'}
HERE = ("(pause 1.5)", "(wait)", '(approve 1.5 "Go?" t)')

move = pytest.mark.parametrize("moved", MOVES)


def push(home: Home, step: str, *, head: str = "", ahead: float = 0) -> str:
    """A job that is executed, waits for something, and is executed again: its id."""
    path = home.jobs / "x.job"
    command = f'(exec "{home.mark}")'
    path.write_text(
        f"%% job 1 toml\n{head}\n%% program 1 lurch\n"
        f"(isolate (none) (sequence {command} {step} {command}))\n"
    )
    ended = home.run("cit-push", path, ahead=ahead)
    assert (0, "") == (ended.code, ended.err), ended
    return ended.out.strip()


def go(home: Home, ahead: float = 0) -> None:
    """What cron does once, at that time."""
    for words in (("cit-queue", "tick"), ("cit-run", "-j", "1")):
        ended = home.run(*words, ahead=ahead)
        assert (0, "") == (ended.code, ended.err), (words, ended)


def state(home: Home, id: str) -> str:
    return "+".join(copy.state for copy in home.copies() if copy.id == id)


def path(home: Home, id: str) -> Path:
    [found] = [copy.path for copy in home.copies() if copy.id == id]
    return found


def wrong(home: Home, ids: list[str], executions: int = 2) -> list[str]:
    """What is wrong with jobs that have to be done, each command executed once."""
    lines = [tuple(line.split()[:2]) for line in home.ledger.read_text().splitlines()]
    executed = collections.Counter(lines)
    found = [f"{id} {run} executed {n} times" for (id, run), n in executed.items() if n > 1]
    for id in ids:
        if (state(home, id), harness.outcome(path(home, id))) != ("done", "ok"):
            found.append(f"{id} is in {state(home, id)}")
        if len([line for line in lines if line[0] == id]) != executions:
            found.append(f"{id} executed {lines}")
    acknowledged = "".join(f"{id}\n" for id in ids).encode()
    fsck = home.run("cit-queue", "fsck", "--ids", "-", input=acknowledged)
    return found + ([f"fsck: {fsck}"] if fsck.code or fsck.out or fsck.err else [])


@pytest.fixture
def parking(home: Home) -> Home:
    """A home whose runners park whatever waits."""
    home.environ["CIT_PATIENCE"] = "0"
    return home


@move
def test_a_clock_that_was_wrong_for_a_while_loses_no_parked_job(parking: Home, moved: str) -> None:
    ids = [push(parking, step) for step in PARKED.values()]
    go(parking)
    assert ["park"] * 3 == [state(parking, id) for id in ids]

    for _ in range(2):
        go(parking, MOVES[moved]())
    for _ in range(ROUNDS):
        go(parking, LATER)

    assert [] == wrong(parking, ids)


@move
def test_no_wait_gets_longer_where_the_clock_was_set_for_good(parking: Home, moved: str) -> None:
    ids = [push(parking, step) for step in PARKED.values()]
    go(parking)

    for number in range(ROUNDS):
        go(parking, MOVES[moved]() + number * LATER)

    assert [] == wrong(parking, ids)


@pytest.mark.parametrize("moved", ["a day back", "to 1970"])
def test_what_began_to_wait_while_the_clock_was_behind_ends_when_it_is_right(
    parking: Home, moved: str
) -> None:
    """(One that was ahead is set back, which the times of the files would tell.)"""
    ids = [push(parking, step, ahead=MOVES[moved]()) for step in PARKED.values()]
    go(parking, MOVES[moved]())
    assert ["park"] * 3 == [state(parking, id) for id in ids]

    go(parking)
    for _ in range(ROUNDS):
        go(parking, LATER)

    assert [] == wrong(parking, ids)


@move
def test_a_runner_whose_job_waits_does_not_see_the_clock_move(home: Home, moved: str) -> None:
    """In the process a wait is measured by a clock that nobody can set."""
    home.environ["CIT_PATIENCE"] = "1h"
    command = f'(exec "{home.mark}")'
    steps = [f"(sequence {command} {step} {command})" for step in HERE]
    stages = [f'(stage "s{n}" () {step})' for n, step in enumerate(steps)]
    id = push(home, f"(stages {' '.join(stages)})")
    home.must("cit-queue", "tick")
    clock = home.place / "clock"
    start = 58 - time.time() % 60  # the next minute comes in two seconds
    set_clock(clock, start)
    true = dict(home.environ)
    home.environ |= harness.fake_clock(0)
    home.environ |= {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    del home.environ["FAKETIME"]

    began = time.monotonic()
    with home.start("cit-run", "-j", "1") as runner:
        try:
            until(lambda: waits(home, id) == len(HERE), "them to wait")
            set_clock(clock, start + MOVES[moved]())
            runner.wait(timeout=20)
        finally:
            harness.signal_session(runner, signal.SIGKILL)
    took = time.monotonic() - began
    home.environ = true

    assert [] == wrong(home, [id], 2 + 2 * len(HERE))
    assert [] == harness.records(path(home, id), "park")
    assert 1.5 <= took < 15


def set_clock(file: Path, ahead: float) -> None:
    """Set the clock of those who read it from that file, at once."""
    new = file.with_suffix(".new")
    new.write_text(f"{ahead:+.3f}s\n")
    new.rename(file)


def waits(home: Home, id: str) -> int:
    """How many runs of a job wait."""
    try:
        found = path(home, id)
        return len(harness.records(found, "wait") + harness.records(found, "ask"))
    except (FileNotFoundError, ValueError):
        return 0  # it has just moved


def test_an_answer_is_taken_at_any_time(parking: Home) -> None:
    for moved in MOVES.values():
        id = push(parking, '(approve "Go?")')
        go(parking)

        ended = parking.run("cit-answer", id, "yes", ahead=moved())
        go(parking, moved())

        assert (0, "") == (ended.code, ended.err)
        assert ("done", "ok") == (state(parking, id), harness.outcome(path(parking, id)))


def test_admission_numbers_go_on_at_any_time(home: Home) -> None:
    ids, numbers = [], []
    for moved in (*MOVES.values(), lambda: 0.0):
        ids.append(push(home, "(no-op)", ahead=moved()))
        go(home, moved())
        [admitted] = harness.records(path(home, ids[-1]), "admit")
        numbers.append(int(admitted[4]))

    assert [1, 2, 3, 4, 5] == numbers
    assert [] == wrong(home, ids)


def test_a_check_looks_again_after_a_minute(parking: Home) -> None:
    there = parking.place / "there"
    id = push(parking, "(no-op)", head=f"[needs]\ncheck = '''test -e '{there}' || exit 75'''")
    go(parking)
    there.touch()
    go(parking, 30)
    early = state(parking, id)

    go(parking, LATER)

    assert ("park", []) == (early, wrong(parking, [id]))


# --- what is laid by, and what is paused ---------------------------------------------------------


@pytest.fixture
def runners() -> Iterator[list[subprocess.Popen[bytes]]]:
    """A place for runners: what is still at work at the end is ended."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        harness.stop(process)


def test_a_parked_job_holds_no_lock_and_no_slot(
    parking: Home, runners: list[subprocess.Popen[bytes]]
) -> None:
    parked = push(parking, '(approve "Go?")')
    go(parking)
    flag = parking.place / "flag"
    other = push(parking, f'(exec "sh" ("-c" "until test -e \'{flag}\'; do sleep 0.01; done"))')
    parking.must("cit-queue", "tick")

    assert [] == harness.locked(parking)
    runners.append(parking.start("cit-run", "-j", "1"))
    until(lambda: state(parking, other) == "run", "the other job to run")
    until(lambda: b"\tbegin\t1.2.2\t" in path(parking, other).read_bytes(), "its second step")
    held = {int(line.split()[6]) for line in harness.locked(parking)}
    flag.touch()
    assert 0 == runners[0].wait(timeout=20)

    # The job with the number 2, and the one slot.
    assert {2, 1 << 61} == held
    assert ("park", "done") == (state(parking, parked), state(parking, other))


def test_a_paused_queue_starts_nothing_says_why_and_stays_so_over_a_restart(
    parking: Home,
) -> None:
    parked = push(parking, "(pause 30)")
    go(parking)
    parking.must("cit-queue", "pause", "--reason", "the disk is replaced")
    waiting = push(parking, "(no-op)")

    # Each command is a new process: all that they know of a pause is on the disk. A runner
    # that was killed is what a restart of the machine leaves.
    with parking.start("cit-run", "-j", "1") as runner:
        harness.signal_session(runner, signal.SIGKILL)
    go(parking, LATER)
    go(parking, LATER)
    why = parking.must("cit-why", waiting)
    states = [state(parking, id) for id in (parked, waiting)]
    parking.must("cit-queue", "resume")
    go(parking, LATER)

    assert ["wait", "wait"] == states
    who = re.escape(pwd.getpwuid(os.geteuid()).pw_name)
    assert re.search(f"paused by {who}@.*the disk is replaced", why)
    assert [] == wrong(parking, [parked, waiting])
