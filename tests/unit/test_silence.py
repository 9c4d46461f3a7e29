"""Who waits for a job that shows nothing is told why it does not run, once."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from waiting import until

from cit import follow, held, machine, reason, sight, trace
from cit.queue import Queue
from cit.silence import Silence

Push = Callable[..., str]

NOBODY = "cit-push: x waits: no runner serves this queue now\n"


def pause(queue: Queue, why: str) -> None:
    record = trace.Record(trace.stamp(time.time()), "pause", "-", ("alice", why))
    queue.directory(".").publish("paused", trace.render(record), 0o644)


def test_a_job_that_nobody_takes_up_is_told_of_once(queue: Queue, push: Push) -> None:
    id, silence = push(name="x"), Silence("cit-push", 0)

    lines = [silence.line(queue, id, "x") for _ in range(3)]

    assert [NOBODY, "", ""] == lines


def test_another_reason_is_told_as_well(queue: Queue, push: Push) -> None:
    id, silence = push(name="x"), Silence("cit-push", 0)
    silence.line(queue, id, "x")

    pause(queue, "tests")
    line = silence.line(queue, id, "x")

    assert line.startswith("cit-push: x waits: the queue is paused by ")
    assert line.endswith(": tests\n")


def test_the_same_reason_is_no_news_because_it_got_older(queue: Queue, push: Push) -> None:
    id, silence = push(name="x"), Silence("cit-push", 0)
    pause(queue, "tests")
    first = silence.line(queue, id, "x")
    seen = sight.Seen(queue, queue.path, queue.find(id))
    until(lambda: "s ago" in reason.idle(seen, time.time(), machine.this), "a second")

    second = silence.line(queue, id, "x")

    assert "just now" in first
    assert "" == second


def test_a_check_that_looks_every_minute_is_told_of_once(queue: Queue, push: Push) -> None:
    id, silence, lines = push(name="x"), Silence("cit-push", 0), []
    for instant in ("2036-11-21T20:37:01.000Z", "2036-11-21T20:38:01.000Z"):
        with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
            hold.record("begin", "0.1", "check", "1")
            hold.record("wait", "0.1.1.1.pause", instant)
            hold.park(int(trace.seconds(instant)), instant)
        lines.append(silence.line(queue, id, "x"))

    assert "checks again at 2036-11-21T20:37:01.000Z: not there yet\n" in lines[0]
    assert "" == lines[1]


def test_nothing_is_said_of_a_job_that_has_ended(queue: Queue, push: Push) -> None:
    id = push(name="x")
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        hold.finish("ok", 0)

    assert "" == Silence("cit-push", 0).line(queue, id, "x")


def test_nothing_is_said_before_it_is_time(queue: Queue, push: Push) -> None:
    id = push(name="x")

    assert "" == Silence("cit-push", 3600).line(queue, id, "x")


def test_whatever_is_shown_begins_the_silence_anew(queue: Queue, push: Push) -> None:
    id, silence = push(name="x"), Silence("cit-push", 3600)
    silence._due = 0.0  # an hour has passed

    silence.broken()

    assert "" == silence.line(queue, id, "x")


def test_a_wait_tells_it_on_standard_error(
    queue: Queue, push: Push, capsys: pytest.CaptureFixture[str]
) -> None:
    id, silence = push(name="x"), Silence("cit-push", 0)
    told = []

    def tell(where: Queue, job: str, called: str) -> None:
        silence.tell(where, job, called)
        told.append(job)
        if len(told) == 2:
            hold = held.take(Queue(queue.path), queue.find(id))
            assert hold
            with hold:
                hold.finish("ok", 0)

    code = follow.wait(Queue(queue.path), id, "x", tell)

    assert 0 == code
    assert ("", NOBODY) == capsys.readouterr()
