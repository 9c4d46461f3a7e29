"""What a job is told of the last run of its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cit import held, last, people
from cit.queue import Queue

Push = Callable[..., str]
Ended = Callable[..., str]


@pytest.fixture
def ended(queue: Queue, push: Push) -> Ended:
    """Have a job that reported a commit and ended: its id."""

    def put(commit: str, who: str = "") -> str:
        id = push(name="build")
        hold = held.take(queue, queue.find(id))
        assert hold
        with hold:
            if who:
                hold.record("push", "-", who, "sha256:0")
            hold.record("data", "1", "commit", commit)
            hold.finish("ok", 0)
        return id

    return put


def told(queue: Queue, push: Push, who: str = "") -> dict[str, str]:
    return last.find(queue, queue.find(push(name="build")), who or people.who())


def test_a_job_is_told_of_the_newest_of_its_name(queue: Queue, push: Push, ended: Ended) -> None:
    ended("a1")
    id = ended("b2")

    assert {"last.id": id, "last.result": "ok", "last.code": "0", "last.commit": "b2"} == told(
        queue, push
    )


def test_what_the_job_of_another_user_reported_is_not_told(
    queue: Queue, push: Push, ended: Ended
) -> None:
    mine = ended("a1")
    ended("secret", who="alice@laptop")

    found = told(queue, push)

    assert (mine, "a1") == (found["last.id"], found["last.commit"])
    assert {} == told(queue, push, "bob@laptop")
    assert "secret" == told(queue, push, "alice@laptop")["last.commit"]
