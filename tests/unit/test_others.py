"""Other jobs, for one that awaits them: how they ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cit import held, others
from cit.queue import Queue
from cit.wants import OK, Outcome, ended

Push = Callable[..., str]


def end(queue: Queue, id: str, status: str, code: int) -> None:
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        hold.finish(status, code)


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


def test_there_is_none_while_the_newest_of_a_name_goes_on(queue: Queue, push: Push) -> None:
    end(queue, push(name="build"), "ok", 0)
    push(name="build")

    assert others.outcome(queue, "job", "build") is None
    assert others.outcome(queue, "job", "test") is None


def test_a_job_cannot_await_itself(queue: Queue, push: Push) -> None:
    id = push(name="build")

    assert ended("failed", "a job cannot await itself", 1) == others.outcome(queue, "job", id, id)
