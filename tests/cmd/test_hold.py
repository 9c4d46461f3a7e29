"""cit-hold: jobs are held back, and released."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cit import held, people
from cit.queue import Queue

Cit = Callable[..., Any]


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def job(cit: Cit, queue: Queue) -> str:
    """The id of a job that waits."""
    id = cit("push", "--", "/bin/true").out.strip()
    assert 0 == cit("queue", "tick").code
    return str(id)


def test_a_job_that_is_held_back_does_not_start(cit: Cit, queue: Queue, job: str) -> None:
    ended = cit("hold", job, "--reason", "later")
    cit("run", "-j", "1")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert "hold" == queue.find(job).state
    [act] = queue.job(queue.find(job)).acts
    assert ("hold", people.who(), "later") == (act.kind, *act.fields[:2])


def test_a_job_that_is_released_runs_in_its_old_place(cit: Cit, queue: Queue, job: str) -> None:
    before = queue.find(job)
    later = cit("push", "--", "/bin/true").out.strip()
    cit("hold", job)

    ended = cit("hold", "--release", job)

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert [before.id, later] == [found.id for found in queue.names("wait")]
    cit("run", "-j", "1")
    assert "ok" == queue.job(queue.find(job)).status


def test_several_are_held_back_or_none(cit: Cit, queue: Queue, job: str) -> None:
    other = cit("push", "--", "/bin/true").out.strip()

    wrong = cit("hold", job, "nobody", other)
    states = [queue.find(id).state for id in (job, other)]
    right = cit("hold", job, other)

    assert (66, ["wait", "in"]) == (wrong.code, states)
    assert (0, ["hold", "hold"]) == (right.code, [queue.find(id).state for id in (job, other)])


def test_to_hold_back_twice_is_fine(cit: Cit, queue: Queue, job: str) -> None:
    codes = [cit("hold", *words, job).code for words in ([], [], ["--release"])]

    assert ([0] * 3, "wait") == (codes, queue.find(job).state)
    assert 0 == cit("queue", "fsck").code


def test_what_is_not_held_cannot_be_released(cit: Cit, queue: Queue, job: str) -> None:
    held_back = cit("push", "--", "/bin/true").out.strip()
    cit("hold", held_back)
    before = queue.records(queue.find(job))

    ended = cit("hold", "--release", held_back, job)

    why = f"cit-hold: cannot release job '{job}': it is not held\n"
    assert (1, "", why) == (ended.code, ended.out, ended.err)
    assert before == queue.records(queue.find(job))
    assert "hold" == queue.find(held_back).state


def test_what_was_asked_of_a_running_job_and_not_heard_yet_can_be_taken_back(
    cit: Cit, queue: Queue, job: str
) -> None:
    with held.take(queue, queue.find(job)) or pytest.fail("held"):
        codes = [cit("hold", *words, job).code for words in ([], ["--release"])]

    cit("queue", "tick")
    assert ([0, 0], "wait") == (codes, queue.find(job).state)
    assert ["hold", "release"] == [act.kind for act in queue.job(queue.find(job)).acts]


def test_a_job_that_has_ended_cannot_be_held_back(cit: Cit, queue: Queue, job: str) -> None:
    with held.take(queue, queue.find(job)) or pytest.fail("held") as hold:
        hold.finish("ok", 0)

    for words, verb in (([], "hold"), (["--release"], "release")):
        ended = cit("hold", *words, job)

        assert (1, f"cit-hold: cannot {verb} job '{job}': it has ended\n") == (
            ended.code, ended.err,
        )  # fmt: skip


# --- until -----------------------------------------------------------------------------------


def test_a_job_that_is_held_until_a_time_is_parked_until_then(
    cit: Cit, queue: Queue, job: str
) -> None:
    now = time.time()

    ended = cit("hold", "--until", "2h", job)

    found = queue.find(job)
    assert (0, "", "park") == (ended.code, ended.err, found.state)
    assert now + 7200 <= found.due <= now + 7300
    assert 0 == cit("hold", "--release", job).code
    assert "wait" == queue.find(job).state


def test_a_job_whose_time_has_come_is_no_longer_held(cit: Cit, queue: Queue, job: str) -> None:
    cit("hold", "--until", "1ms", job)
    held_at = time.time()

    while queue.find(job).state == "park":
        assert time.time() < held_at + 10
        cit("queue", "tick")

    cit("run", "-j", "1")
    assert "ok" == queue.job(queue.find(job)).status


@pytest.mark.parametrize("until", ["soon", "2000-01-01", "25:00", "2026-02-30", ""])
def test_a_time_that_is_over_or_none_is_a_wrong_call(
    cit: Cit, queue: Queue, job: str, until: str
) -> None:
    ended = cit("hold", "--until", until, job)

    assert (2, 1, "wait") == (ended.code, ended.err.count("\n"), queue.find(job).state)


def test_to_release_until_a_time_is_a_wrong_call(cit: Cit, queue: Queue, job: str) -> None:
    assert 2 == cit("hold", "--release", "--until", "2h", job).code
