"""The watch over one command, where what is written down cannot be written."""

from __future__ import annotations

import errno
import os
import resource
import time
from types import SimpleNamespace
from typing import Any

from cit import proc, supervise
from cit.supervise import Bounds, Loop, Supervision


class FullJournal:
    """A journal on a disk without room for the first so many flushes of anything."""

    def __init__(self, failures: int) -> None:
        self.failures, self.waiting, self.written = failures, b"", b""

    def add(self, data: bytes) -> None:
        self.waiting += data

    def flush(self) -> None:
        if self.waiting and self.failures:
            self.failures -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.written += self.waiting
        self.waiting = b""


def watch(journal: FullJournal, *argv: str, **bounds: Any) -> tuple[supervise.Outcome, int]:
    """How a command ends whose output goes to this journal, and how often watching slept."""
    hold: Any = SimpleNamespace(
        journal=journal, name=SimpleNamespace(id="x"), record=lambda *fields: None
    )
    out, err = os.pipe(), os.pipe()
    child = proc.start(list(argv), {}, "/", stdout=out[1], stderr=err[1])
    os.close(out[1])
    os.close(err[1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    with child:
        loop = Loop()
        watching = Supervision(
            loop, hold, "1", child, None, (out[0], err[0]), Bounds(**bounds), disk=lambda: 0
        )
        assert [watching] == loop.wait(time.monotonic() + 30)
        outcome, _ = watching.result()
    os.close(out[0])
    os.close(err[0])
    return outcome, resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before


def test_an_unfinished_line_that_finds_the_disk_full_is_written_when_there_is_room() -> None:
    journal = FullJournal(failures=2)

    outcome, _ = watch(journal, "/bin/sh", "-c", "printf abc")

    assert "ok" == outcome.status
    assert journal.written.endswith(b"\tlog\t1\tout+\tabc\n")


def test_a_stream_that_ends_while_the_disk_is_full_leaves_the_other_one_readable() -> None:
    journal = FullJournal(failures=1)

    outcome, _ = watch(journal, "/bin/sh", "-c", "printf abc; exec >&-; sleep 0.7; echo late >&2")

    assert "ok" == outcome.status
    assert b"\tout+\tabc\n" in journal.written
    assert b"\terr\tlate\n" in journal.written


def test_a_command_that_takes_its_grace_is_not_looked_at_a_thousand_times_a_second() -> None:
    deaf = "trap '' TERM; sleep 1 & wait; sleep 1"
    deadline = time.monotonic() + 0.1

    outcome, slept = watch(FullJournal(0), "/bin/sh", "-c", deaf, deadline=deadline, grace=1.5)

    assert "timeout" == outcome.status
    assert slept < 200
