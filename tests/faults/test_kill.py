"""Commands killed at their system calls, and what the next ones make of what is left."""

from __future__ import annotations

import random
from collections.abc import Callable

import harness
import pytest
from harness import Home, Point
from waiting import until

KILLS = harness.size(20, 417)  # of each command in each shard: 10,008 in the soak
SHARDS = harness.size(1, 8)
CHECK_EVERY = 5  # kills; in between, recovery itself is what is killed
CALM = {("ok", 1), ("lost", 0), ("lost", 1)}
# A forked child may be what is killed: the command between fork and exec, which then ended
# by a signal, or the one that unpacks what the job brought, which then could not be set up.
ALLOWED = CALM | {("signal", 0), ("setup", 0)}


def push(home: Home, under: list[str]) -> harness.Ended:
    return home.run("cit-push", *(home.script() for _ in range(3)), under=under)


def tick(home: Home, under: list[str]) -> harness.Ended:
    pushed = home.push(3)
    ended = home.run("cit-queue", "tick", under=under)
    return ended._replace(out="\n".join([*pushed, ""]))


def run(home: Home, under: list[str]) -> harness.Ended:
    brought = home.place / "brought"
    brought.write_text("something\n")
    body = "test -s brought && echo begun && printf 'k\\tv\\n' >>$CIT_DATA"
    pushed = home.must("cit-push", "--files", brought, *(home.script(body) for _ in range(4)))
    home.run("cit-queue", "tick")
    return home.run("cit-run", "-j", "1", under=under)._replace(out=pushed)


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("command", [push, tick, run])
def test_a_command_killed_at_any_system_call_loses_nothing_and_repeats_nothing(
    home: Home,
    rng: random.Random,
    figure: Callable[[str], None],
    command: Callable[[Home, list[str]], harness.Ended],
    shard: int,
) -> None:
    rng.seed(f"{harness.SEED} {command.__name__} {shard}")
    log = home.place / "strace"
    acknowledged = command(home, []).ids  # the first does more than those that follow
    acknowledged += command(home, harness.strace(log)).ids
    home.settle()
    assert [] == harness.complaints(home, acknowledged, ALLOWED)
    chances = harness.points(log, str(home.path))
    if SHARDS > 1:
        chances = chances[shard::SHARDS]  # so that every place has its turn

    kills, since = 0, list[Point]()
    for point in harness.choose(chances, KILLS, rng):
        inject = f"inject={point.syscall}:signal=KILL:when={point.number}"
        acknowledged += command(home, harness.strace(log, "-e", inject)).ids
        kills += harness.killed(log)
        since.append(point)
        if len(since) >= CHECK_EVERY:
            home.settle()
            assert [] == harness.complaints(home, acknowledged, ALLOWED), since
            since.clear()

    home.settle()
    assert [] == harness.complaints(home, acknowledged, ALLOWED), since
    assert kills >= KILLS * 0.6, "most of the chosen system calls did not come"
    figure(f"{kills} kills of {command.__name__} at {len(chances)} places (shard {shard + 1})")


def test_a_job_whose_runner_dies_under_it_is_ended_and_not_executed_again(home: Home) -> None:
    sleep = f"sleep 50{abs(hash(home.place)) % 10**8}.5"
    for number in range(1, harness.size(3, 100) + 1):
        # Silent: nothing but the rule makes its beginning durable.
        [id] = home.push(1, sleep, "time = '5s'")
        home.must("cit-queue", "tick")
        runner = home.start("cit-run", "-j", "1")
        until(lambda n=number: len(home.executions()) == n, "the job to begin")
        harness.stop(runner)

        home.settle()

        assert [] == harness.alive(sleep)
        assert [] == harness.complaints(home, [id], {("lost", 1)})
