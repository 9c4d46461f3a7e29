"""cit-hold: jobs are held back, and released."""

from __future__ import annotations

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


def test_to_hold_back_twice_or_release_what_is_not_held_is_fine(
    cit: Cit, queue: Queue, job: str
) -> None:
    codes = [cit("hold", *words, job).code for words in ([], [], ["--release"], ["--release"])]

    assert ([0] * 4, "wait") == (codes, queue.find(job).state)
    assert 0 == cit("queue", "fsck").code


def test_a_job_that_has_ended_cannot_be_held_back(cit: Cit, queue: Queue, job: str) -> None:
    with held.take(queue, queue.find(job)) or pytest.fail("held") as hold:
        hold.finish("ok", 0)

    for words, verb in (([], "hold"), (["--release"], "release")):
        ended = cit("hold", *words, job)

        assert (1, f"cit-hold: cannot {verb} job '{job}': it has ended\n") == (
            ended.code, ended.err,
        )  # fmt: skip
