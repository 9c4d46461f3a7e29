"""What a job waits for, in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cit import held, job, pending, trace
from cit.name import FOR_ANSWER, FOR_OTHERS, Name
from cit.queue import Queue
from cit.trace import Record

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
OWN = Name("park", "", ID, "deploy")
TIME, LATER = "2026-11-21T20:37:01.000Z", "2026-11-22T08:00:00.000Z"
NOW = trace.seconds(TIME)


def said(queue: Queue, *lines: str) -> list[str]:
    """The sentences for records `KIND RUN COLUMN...`; `-` is an empty column."""
    words = [line.split("|") for line in lines]
    records = [Record(TIME, kind, run, tuple(more)) for kind, run, *more in words]
    return pending.sentences(queue, OWN, job.fold(records), NOW)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["ask|1.2|approve|go?|no||"], f"asks 'go?' (cit-answer {ID}.1.2 yes|no)"),
        (
            [f"ask|1.2|let|which?|red|{LATER}|alice,@ops"],
            f"asks 'which?' (cit-answer {ID}.1.2 VALUE), of alice, @ops, until {LATER}, else red",
        ),
        (["begin|1|pause|1", f"wait|1|{LATER}", f"park|-|{LATER}|"], f"pauses until {LATER}"),
        (["begin|1|wait|1", f"wait|1|{LATER}", f"park|-|{LATER}|"], f"waits until {LATER}"),
        (
            ["begin|0.1|check|1", "begin|0.1.1.2.pause|pause|1", f"wait|0.1.1.2.pause|{LATER}"],
            f"checks again at {LATER}: not there yet",
        ),
        (
            ["begin|1|retry|1", "begin|1.1.2.pause|pause|1", f"wait|1.1.2.pause|{LATER}"],
            f"tries again at {LATER}",
        ),
        (
            ["begin|1|await|1", f"wait|1|{LATER}", f"park|-|{LATER}|job build"],
            f"awaits job build, which is not there yet, until {LATER}",
        ),
        (["wait|1|", "park|-||artefact build/tree"], "awaits artefact 'tree' of a job 'build'"),
        ([f"hold|-|bob@x|not now|t|{LATER}"], f"held by bob@x until {LATER}: not now"),
        (["hold|-|bob@x||t"], "held by bob@x"),
    ],
)
def test_each_thing_is_a_sentence(queue: Queue, lines: list[str], sentence: str) -> None:
    assert [sentence] == said(queue, *lines)


def test_what_awaits_does_not_pause_though_its_beginning_is_not_known(queue: Queue) -> None:
    awaits = f"wait|1.1|{LATER}|job build"

    assert [] == said(queue, awaits)
    assert [f"pauses until {TIME}", f"awaits job build, which is not there yet, until {LATER}"] == (
        said(queue, awaits, f"wait|1.2|{TIME}", f"park|-|{LATER}|job build")
    )


def test_of_a_trace_of_an_earlier_version_that_awaits_no_pause_is_told(queue: Queue) -> None:
    told = said(queue, f"wait|1.1|{LATER}", f"park|-|{LATER}|job build")

    assert [f"awaits job build, which is not there yet, until {LATER}"] == told


def test_a_check_is_told_also_where_it_began_far_above(
    queue: Queue, push: Callable[..., str]
) -> None:
    id = push(name="looks")
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        hold.record("begin", "0.1", "check", "1")
        for look in range(200):
            hold.record("end", f"0.1.1.{look}", "failed", "75", "")
        hold.record("begin", "0.1.1.199.pause", "pause", "1")
        hold.record("wait", "0.1.1.199.pause", LATER)
        hold.park(int(trace.seconds(LATER)), LATER)
    found = queue.find(id)

    said = pending.sentences(queue, found, pending.told(queue, found), NOW)

    assert "0.1" not in queue.tail(found).runs
    assert [f"checks again at {LATER}: not there yet"] == said


def test_a_hold_comes_first_and_what_is_over_is_not_said(queue: Queue) -> None:
    lines = ["ask|1|approve|go?|no|", "wait|2|" + LATER, "hold|-|bob@x|"]

    assert ["held by bob@x", "asks 'go?'", "pauses until"] == [
        sentence.partition(" (")[0].partition(" 20")[0] for sentence in said(queue, *lines)
    ]
    assert [] == said(queue, *lines, "answer|1|bob@x|yes", "end|2|ok|0", "release|-|bob@x")
    assert [] == said(queue, f"hold|-|bob@x||t|{TIME}")


def test_another_job_is_told_by_name_id_and_state(
    queue: Queue, push: Callable[..., str]
) -> None:
    id = push(name="build")

    for called in (id, "build"):
        assert [f"awaits job build ({id}, wait)"] == said(queue, f"park|-||job {called}")


@pytest.mark.parametrize(
    ("due", "text"),
    [(FOR_ANSWER, "waits for an answer"), (FOR_OTHERS, "waits for another job"),
     (1795293421, f"waits until {TIME}")],
)  # fmt: skip
def test_a_name_says_what_it_can(due: int, text: str) -> None:
    assert text == pending.due(OWN._replace(due=due))


def test_a_long_comment_is_cut(queue: Queue) -> None:
    assert f"asks '{'x' * pending.SHOWN}...'" in said(queue, f"ask|1|let|{'x' * 100}|||")[0]
