"""A program is started in the name of a job, also where the disk is full for a while."""

from __future__ import annotations

import errno
import os

import pytest

from cit import asked, files, name, spawning
from cit.queue import Queue

JOB = asked.compose(b"#!/bin/true\n", name.make(1 << 40, bytes(10)), "main", "nightly", {})


class Full(files.Directory):
    """A directory that has no room at first, or whose disk fails."""

    def __init__(self, path: str, *errors: int) -> None:
        super().__init__(path)
        self.errors = list(errors)

    def publish(self, name: str, data: bytes, mode: int = 0o600) -> None:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        super().publish(name, data, mode)


def test_a_job_is_spawned_once_there_is_room_again(queue: Queue) -> None:
    queue._directories["in"] = Full(os.path.join(queue.path, "in"), errno.ENOSPC)

    spawning._publish(queue, JOB)

    assert [JOB.job["id"]] == [found.id for found in queue.names("in")]


def test_a_disk_that_fails_is_not_waited_for(queue: Queue) -> None:
    queue._directories["in"] = Full(os.path.join(queue.path, "in"), errno.EIO)

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        spawning._publish(queue, JOB)
