"""A job is sent once: equal bytes are a success, and only once they are durable."""

from __future__ import annotations

import errno
import os

import pytest

from cit import admission, asked, files, formats, send
from cit.errors import DENIED, Bad, Failure
from cit.queue import Queue

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
SCRIPT = b"#!/bin/true\n"


class Failing(files.Directory):
    """A directory that a failing disk does not let become durable."""

    def sync(self) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def break_(queue: Queue, state: str) -> None:
    queue._directories[state] = Failing(os.path.join(queue.path, state))


@pytest.mark.parametrize("state", ["in", "wait"])
def test_a_job_that_is_there_already_is_acknowledged_when_it_is_durable(
    queue: Queue, state: str
) -> None:
    job = asked.compose(SCRIPT, ID, "main", "test", {})
    send.send(queue, job, fresh=False)
    if state == "wait":
        admission.admit(queue)

    send.send(queue, job, fresh=False)
    break_(queue, state)

    with pytest.raises(OSError, match="Input/output"):
        send.send(queue, job, fresh=False)


@pytest.mark.parametrize("admitted", [False, True])
def test_an_id_that_another_job_has_is_refused(queue: Queue, admitted: bool) -> None:
    send.send(queue, asked.compose(SCRIPT, ID, "main", "test", {}), fresh=False)
    if admitted:
        admission.admit(queue)

    with pytest.raises(Bad, match="is taken"):
        send.send(queue, asked.compose(b"#!/bin/false\n", ID, "main", "test", {}), fresh=False)


def test_what_the_queue_would_refuse_is_not_sent(queue: Queue) -> None:
    queue._settings = {**formats.defaults("queue"), "name": "main", "push": ["nobody"]}

    with pytest.raises(Failure, match="may not push into this queue") as raised:
        send.send(queue, asked.compose(SCRIPT, ID, "main", "test", {}), fresh=True)

    assert (DENIED, []) == (raised.value.code, os.listdir(os.path.join(queue.path, "in")))
