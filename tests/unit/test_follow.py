"""To wait for a job is to look where it is until that is an end."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cit import admission, follow, held, prune
from cit.errors import AWAY, MISSING, NO, Failure
from cit.queue import Queue

Push = Callable[..., str]


def finish(queue: Queue, id: str) -> None:
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        hold.finish("failed", 7)


def test_a_job_that_is_not_yet_admitted_is_waited_for(queue: Queue, drop: Push) -> None:
    id = drop(name="x")

    with ThreadPoolExecutor() as pool:
        waits = pool.submit(follow.wait, Queue(queue.path), id, "x")
        admission.admit(queue)
        finish(queue, id)

    assert 7 == waits.result()


def test_a_refused_job_is_a_no(queue: Queue, drop: Push) -> None:
    id = drop(name="x")
    (file,) = (Path(queue.path) / "in").iterdir()
    file.write_bytes(b"no job")
    admission.admit(queue)

    with pytest.raises(Failure, match="was refused") as raised:
        follow.wait(queue, id, "x")

    assert NO == raised.value.code


def test_a_job_that_is_gone_is_missing(queue: Queue, push: Push) -> None:
    id = push(name="x")
    finish(queue, id)
    list(prune.prune(queue, queue.names("done"), ""))

    with pytest.raises(Failure, match="not to be seen") as raised:
        follow.wait(queue, id, "x")

    assert MISSING == raised.value.code


def test_a_queue_that_goes_away_ends_the_wait(queue: Queue, push: Push) -> None:
    id = push(name="x")
    os.rename(queue.path, queue.path + ".away")

    with pytest.raises(Failure, match="is away") as raised:
        follow.wait(queue, id, "x")

    assert AWAY == raised.value.code
