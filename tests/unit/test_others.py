"""Other jobs that one awaits: which is meant, and how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from cit import held, name, others, prune
from cit.others import Awaited
from cit.queue import Queue
from cit.wants import OK, Outcome, ended

Push = Callable[..., str]
NOBODY = "01kak5jzc2v8e9j7m3t0q4w6xy"


def end(queue: Queue, id: str, status: str = "ok", code: int = 0, *made: str) -> None:
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        for artefact in made:
            hold.record("artefact", "1", artefact, "00", "1")
        hold.finish(status, code)


def over(queue: Queue, *what: Any) -> bool:
    return {Awaited(*what)} == others.over(queue, [Awaited(*what)])


@pytest.mark.parametrize("by", ["id", "name"])
@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        ("ok", 0, OK),
        ("failed", 3, ended("failed", code=3)),
        ("signal", 143, ended("signal", signal=15)),
        ("lost", 123, ended("lost")),
        ("denied", 130, ended("denied")),
        # An awaited job that was stopped does not stop the one that awaits it.
        ("cancelled", 130, ended("failed", code=130)),
    ],
)
def test_the_outcome_is_that_of_the_job(
    queue: Queue, push: Push, by: str, status: str, code: int, outcome: Outcome
) -> None:
    id = push(name="build")
    end(queue, id, status, code)

    found = others.outcome(queue, "job", id if by == "id" else "build")

    assert found is not None
    assert outcome == found._replace(reason="")


def test_a_job_is_over_when_it_is_done(queue: Queue, push: Push) -> None:
    id = push(name="build")
    before = over(queue, "job", id), others.outcome(queue, "job", id)

    end(queue, id, "failed", 3)

    assert (False, None) == before
    assert over(queue, "job", id)


def test_a_name_is_the_newest_job_of_it_but_the_one_that_asks(queue: Queue, push: Push) -> None:
    old, new, own = push(name="build"), push(name="build"), push(name="build")
    push(name="my-build")
    end(queue, old)

    found = others.find(queue, "job", "build", own)

    assert found and new == found.id
    assert not over(queue, "job", "build", own)


def test_what_is_not_there_yet_is_waited_for(queue: Queue, drop: Push) -> None:
    for called in ("build", NOBODY):
        assert not over(queue, "job", called)
        assert others.outcome(queue, "job", called) is None
    drop(name="build")  # not admitted yet
    assert others.find(queue, "job", "build") and not over(queue, "job", "build")


def test_what_was_pruned_or_refused_is_over_and_lost(queue: Queue, push: Push) -> None:
    pruned, refused = push(name="build"), push(name="x")
    end(queue, pruned)
    list(prune.prune(queue, [queue.find(pruned)], ""))
    found = queue.find(refused)
    os.rename(queue.file(found), os.path.join(queue.path, "bad", name.drop(refused, "x") + ".1"))

    for id in (pruned, refused):
        outcome = others.outcome(queue, "job", id)
        assert over(queue, "job", id) and outcome and "lost" == outcome.status


def test_a_job_that_awaits_itself_does_not_wait_for_ever(queue: Queue, push: Push) -> None:
    id = push()
    outcome = others.outcome(queue, "job", id, id)

    assert over(queue, "job", id, id)
    assert outcome and ("failed", 1) == outcome[:2]


def test_an_artefact_is_there_when_a_job_of_that_name_made_it_and_ended_ok(
    queue: Queue, push: Push
) -> None:
    ids = [push(name="build") for _ in range(4)]
    stranger = push(name="other")
    end(queue, ids[0], "failed", 1, "tree")
    end(queue, ids[1], "ok", 0, "log")
    end(queue, stranger, "ok", 0, "tree")
    before = over(queue, "artefact", "build/tree")
    end(queue, ids[2], "ok", 0, "tree", "log")

    found = others.find(queue, "artefact", "build/log")

    assert not before and over(queue, "artefact", "build/tree")
    assert ("ok", ids[2]) == (
        (others.outcome(queue, "artefact", "build/tree") or Outcome("")).status,
        found.id if found else None,
    )


def test_only_jobs_that_ended_since_are_read_again(queue: Queue, push: Push) -> None:
    id = push(name="build")
    end(queue, id, "ok", 0, "tree")
    then = os.stat(queue.file(queue.find(id))).st_ctime

    assert over(queue, "artefact", "build/tree", "", then)
    assert not over(queue, "artefact", "build/tree", "", then + 2 * others.SLACK)
