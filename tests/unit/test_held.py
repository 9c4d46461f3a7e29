"""A job in the hands of one process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import fsck, held, people, section, trace
from cit.name import Name
from cit.queue import Queue

Push = Callable[..., str]


@pytest.fixture
def found(queue: Queue, push: Push) -> Name:
    """A job that waits."""
    return queue.find(push())


@pytest.fixture
def other(queue: Queue) -> Queue:
    """The same queue in the hands of another process."""
    return Queue(queue.path)


def take(queue: Queue, found: Name) -> held.Held:
    hold = held.take(queue, found)
    assert hold
    return hold


def data(queue: Queue, found: Name) -> bytes:
    return Path(queue.file(found)).read_bytes()


def test_a_job_is_held_by_one(queue: Queue, other: Queue, found: Name) -> None:
    with take(queue, found):
        assert held.take(other, found) is None

    with take(other, found):
        pass


def test_a_finished_job_is_held_by_its_number_too(
    queue: Queue, other: Queue, found: Name
) -> None:
    with take(queue, found) as hold:
        hold.finish("ok", 0)
    [done] = queue.names("done")

    with take(queue, done):
        assert (0, None) == (done.number, held.take(other, done))


def test_a_job_that_moved_meanwhile_is_not_held(
    queue: Queue, other: Queue, found: Name
) -> None:
    with take(queue, found) as hold:
        hold.move("run")

    assert held.take(other, found) is None
    assert not queue.locks.held(found.number)


def test_a_job_that_is_gone_is_not_held(queue: Queue, found: Name) -> None:
    with take(queue, found) as hold:
        hold.finish("ok", 0)
    [done] = queue.names("done")
    os.unlink(queue.file(done))

    assert held.take(queue, done) is None


def test_a_file_that_cannot_be_opened_leaves_nothing_held(
    queue: Queue, other: Queue, found: Name
) -> None:
    path = Path(queue.file(found))
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")

    with pytest.raises(OSError, match="symbolic links"):
        held.take(queue, found)

    assert not other.locks.held(found.number)


def test_records_are_there_after_a_sync(queue: Queue, found: Name) -> None:
    with take(queue, found) as hold:
        hold.record("data", "1", "a\tb", "")
        before = data(queue, found)
        hold.sync()

    assert b"data" not in before
    assert b"\tdata\t1\ta\\tb\t-\n" == data(queue, found)[-len(b"\tdata\t1\ta\\tb\t-\n") :]


def test_a_job_keeps_its_name_and_number_while_it_moves(queue: Queue, found: Name) -> None:
    with take(queue, found) as hold:
        for state in ("hold", "wait", "run"):
            hold.move(state)
            assert (state, found.file) == (hold.name.state, hold.name.file)
            assert [hold.name] == queue.names(state)


def test_an_end_is_a_result_and_a_seal_over_all_bytes_above(queue: Queue, found: Name) -> None:
    with take(queue, found) as hold:
        hold.record("data", "1", "n", "v")
        hold.finish("failed", 3)

    [done] = queue.names("done")
    above, _, last = data(queue, done)[:-1].rpartition(b"\n")
    seal = trace.parse(last)
    assert seal
    assert ("seal", (people.who(), "sha256:" + hashlib.sha256(above + b"\n").hexdigest())) == (
        seal.kind, seal.fields,
    )  # fmt: skip
    assert ("failed", "3") == (queue.job(done).status, queue.job(done).code)
    assert [] == list(fsck.check(queue, [found.id]))


def test_what_was_found_is_read_without_what_was_added_since(queue: Queue, found: Name) -> None:
    with take(queue, found) as hold:
        hold.record("claim", "-", "host", "1", "boot", "1")
        hold.sync()

        assert (1, 0) == (hold.read().number, hold.read().attempt)
        assert section.split(data(queue, found))[0] == hold.asked


def test_a_job_with_a_long_log_is_read_whole(queue: Queue, found: Name) -> None:
    with take(queue, found) as hold:
        hold.record("claim", "-", "host", "1", "boot", "1")
        hold.journal.add(trace.log(trace.stamp(0), "1", "out", b"line\n" * 100_000))
        hold.record("claim", "-", "host", "2", "boot", "2")
        hold.sync()

    with take(queue, found) as hold:
        assert (2, 1) == (hold.read().attempt, hold.read().number)
        assert section.split(data(queue, found))[0] == hold.asked


@pytest.mark.parametrize("state", ["wait", "hold", "run"])
@pytest.mark.parametrize("cut", ["result", "torn seal", "seal"])
def test_what_a_cut_left_of_an_end_is_done_by_the_next_holder(
    queue: Queue, found: Name, state: str, cut: str
) -> None:
    with take(queue, found) as hold:
        if state != "wait":
            hold.move(state)
        here = hold.name
        hold.record("result", "-", "ok", "0")
        if cut == "seal":
            hold.seal()
        elif cut == "torn seal":
            hold.journal.add(b"2026-11-21T20:37:01.123Z\tseal\t-\tsha256:12")
        hold.sync()

    with take(queue, here) as hold:
        settled = hold.settle()

    assert settled
    assert ["done"] == [each.state for each in queue.every()]
    assert [] == list(fsck.check(queue, [found.id]))


def test_a_job_without_a_result_is_not_settled(queue: Queue, found: Name) -> None:
    with take(queue, found) as hold:
        assert not hold.settle()

    assert [found] == queue.names("wait")
