"""What is pushed together: one that is away keeps all after it, and each gets a receipt."""

from __future__ import annotations

import errno
import os

import pytest

from cit import asked, files, home
from cit.errors import AWAY, DONE, Failure
from cit.posting import Posting
from cit.queue import Queue

IDS = ("01kak5jzc2v8e9j7m3t0q4w6xy", "01kak5jzc2v8e9j7m3t0q4w6xz")
JOBS = [asked.compose(b"#!/bin/true\n", id, "main", "test", {}) for id in IDS]


class Full(files.Directory):
    """A directory on a disk that is full."""

    def publish(self, name: str, data: bytes, mode: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_was_sent_has_a_receipt_and_makes_the_queue_known(queue: Queue) -> None:
    with Posting(queue, queue.path) as posting:
        posting.post(JOBS[0], fresh=True)

    assert [("pushed", IDS[0])] == [(r.act, r.id) for r in home.receipts()]
    assert queue.path in home.queues()
    assert DONE == posting.settle(wait=False)


def test_from_the_one_that_is_away_on_all_are_kept_and_that_is_told(queue: Queue) -> None:
    with Posting(queue, queue.path) as posting:
        posting.post(JOBS[0], fresh=True)
        queue._directories["in"] = Full(os.path.join(queue.path, "in"))
        posting.post(JOBS[1], fresh=True)

    with pytest.raises(Failure, match="no space left on device; kept in the outbox") as failure:
        posting.settle(wait=True)
    assert AWAY == failure.value.code
    assert [("pushed", IDS[0]), ("kept", IDS[1])] == [(r.act, r.id) for r in home.receipts()]
    assert [IDS[1]] == [letter.id for letter, _ in home.kept()]


def test_what_was_sent_before_a_mistake_has_its_receipt(queue: Queue) -> None:
    with pytest.raises(ZeroDivisionError), Posting(queue, queue.path) as posting:
        posting.post(JOBS[0], fresh=True)
        raise ZeroDivisionError

    assert [IDS[0]] == [receipt.id for receipt in home.receipts()]
