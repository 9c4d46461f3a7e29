"""A program is started in the name of a job, also where the disk is full for a while."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from cit import admission, asked, files, held, name, people, programs, spawning
from cit.queue import Queue
from cit.wants import Outcome, Spawn

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


# --- in whose name -----------------------------------------------------------------------------


def spawned(queue: Queue, id: str, who: str, program: str) -> str | Outcome:
    """What comes of a job, pushed by that user, that starts a program."""
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        answer = spawning.spawn(hold, who, Spawn("1.1", program, None), ())
    admission.admit(queue)
    return answer


@pytest.mark.parametrize("who", ["alice@laptop", people.who()])
def test_what_was_spawned_spawns_in_the_name_of_who_pushed_the_first(
    queue: Queue, push: Callable[..., str], who: str
) -> None:
    """Else he would have it run what he may not, by a program that spawns another."""
    programs.store(queue, "inner", b'(isolate (none) (exec "/bin/true"))')
    programs.store(queue, "outer", b'(spawn "inner")')

    outer = spawned(queue, push(), who, "outer")
    inner = spawned(queue, str(outer), people.who(), "inner")

    assert (who == people.who()) == isinstance(inner, str)
    if isinstance(inner, Outcome):
        assert f"{who} may not (none in queue.toml)" in inner.reason
