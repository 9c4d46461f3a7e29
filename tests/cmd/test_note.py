"""cit-note: a note stands in the job, whatever it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cit import held, people
from cit.queue import Queue

Cit = Callable[..., Any]


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def job(cit: Cit, queue: Queue) -> str:
    """The id of a job that waits."""
    id = cit("push", "--", "/bin/true").out.strip()
    assert 0 == cit("queue", "tick").code
    return str(id)


def notes(queue: Queue, id: str) -> list[tuple[str, ...]]:
    return [note.fields[:2] for note in queue.job(queue.find(id)).notes]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["well", "done"], "well done"), (["two\nlines\tand a tab"], "two\nlines\tand a tab"),
        (["%% trace 1 tab"], "%% trace 1 tab"), (["\udcff"], "\udcff"), (["-"], "-"),
        (["--", "-n"], "-n"), (["x" * 30_000], "x" * 30_000),
    ],
)  # fmt: skip
def test_a_note_is_kept_with_who_wrote_it(
    cit: Cit, queue: Queue, job: str, words: list[str], text: str
) -> None:
    ended = cit("note", job, *words)

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert [(people.who(), text)] == notes(queue, job)
    assert (0, "") == tuple(cit("queue", "fsck"))[:2]


def test_a_finished_job_takes_notes_and_stays_sealed(cit: Cit, queue: Queue, job: str) -> None:
    with held.take(queue, queue.find(job)) or pytest.fail("held") as hold:
        hold.finish("ok", 0)

    codes = [cit("note", job, text).code for text in ("one", "two")]

    assert [0, 0] == codes
    assert ["one", "two"] == [text for _, text in notes(queue, job)]
    assert (0, "") == tuple(cit("queue", "fsck"))[:2]


def test_a_note_that_is_too_long_is_not_lost_in_silence(
    cit: Cit, queue: Queue, job: str
) -> None:
    ended = cit("note", job, "x" * 70_000)

    assert (65, 1) == (ended.code, ended.err.count("\n"))
    assert [] == notes(queue, job)


@pytest.mark.parametrize(("words", "code"), [(["nobody", "x"], 66), (["nobody"], 2), ([], 2),
                                               (["nobody", ""], 2), (["nobody", " ", "\t"], 2)])
def test_a_note_needs_a_job_and_a_text(
    cit: Cit, queue: Queue, words: list[str], code: int
) -> None:
    ended = cit("note", *words)

    assert (code, 1) == (ended.code, ended.err.count("\n"))
