"""cit-append: one record, under the lock, where it changes nothing of what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from cit import held, name, people, trace
from cit.queue import Queue


class Ended(Protocol):
    code: int
    out: str
    err: str


class Cit(Protocol):
    def __call__(self, command: str, *arguments: str | Path, input: str | bytes = b"") -> Ended: ...


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def job(cit: Cit, queue: Queue) -> str:
    """The id of a job that waits."""
    id = cit("push", "--", "/bin/true").out.strip()
    assert 0 == cit("queue", "tick").code
    return id


def records(queue: Queue, id: str) -> list[trace.Record]:
    data = Path(queue.file(queue.find(id))).read_bytes()
    return list(trace.records(data))


def hold(queue: Queue, id: str) -> held.Held:
    taken = held.take(queue, queue.find(id))
    assert taken is not None
    return taken


def test_a_note_says_who_wrote_it_and_any_text_is_one_record(
    cit: Cit, queue: Queue, job: str
) -> None:
    ended = cit("append", job, "note", "-", "two\nlines\tand %% a mark")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    last = records(queue, job)[-1]
    assert ("note", "-") == (last.kind, last.run)
    assert (people.who(), "two\nlines\tand %% a mark", "") == last.fields


def test_the_file_of_a_job_can_be_named_by_its_path(cit: Cit, queue: Queue, job: str) -> None:
    ended = cit("append", queue.file(queue.find(job)), "data", "-", "speed", "9")

    assert (0, "") == (ended.code, ended.err)
    assert ("data", "-", ("speed", "9")) == records(queue, job)[-1][1:]


def test_a_note_to_an_ended_job_is_followed_by_a_new_seal(cit: Cit, queue: Queue, job: str) -> None:
    with hold(queue, job) as taken:
        taken.finish("ok", 0)

    ended = cit("append", job, "note", "-", "well done")

    assert (0, "") == (ended.code, ended.err)
    kinds = [record.kind for record in records(queue, job)]
    assert ["result", "seal", "note", "seal"] == kinds[-4:]
    assert (0, "") == (cit("queue", "fsck").code, cit("queue", "fsck").out)


def test_an_ended_job_takes_nothing_but_notes(cit: Cit, queue: Queue, job: str) -> None:
    with hold(queue, job) as taken:
        taken.finish("ok", 0)
    before = records(queue, job)

    ended = cit("append", job, "data", "-", "answer", "42")

    assert 1 == ended.code
    assert "has ended, and only notes can follow" in ended.err
    assert before == records(queue, job)


def test_a_record_is_of_a_run_that_is_there_and_open(cit: Cit, queue: Queue, job: str) -> None:
    with hold(queue, job) as taken:
        taken.record("begin", "1", "sequence", "1")
        taken.record("begin", "1.1", "exec", "1")
        taken.record("end", "1.1", "ok", "0", "")
        taken.sync()

    codes = {run: cit("append", job, "data", run, "a", "b").code for run in ("1", "1.1", "2")}

    assert {"1": 0, "1.1": 1, "2": 1} == codes
    assert 0 == cit("append", job, "note", "1.1", "odd").code


def test_a_job_that_another_holds_is_left_alone(cit: Cit, queue: Queue, job: str) -> None:
    before = records(queue, job)

    with hold(queue, job):
        ended = cit("append", job, "note", "-", "x")

    assert 75 == ended.code
    assert f"cit-append: job '{job}' is held by a runner" in ended.err
    assert before == records(queue, job)


def test_a_torn_last_record_is_ended_first(cit: Cit, queue: Queue, job: str) -> None:
    path = Path(queue.file(queue.find(job)))
    with path.open("ab") as file:
        file.write(trace.render(trace.Record(trace.stamp(0), "end", "1", ("failed", "127")))[:-2])

    assert 0 == cit("append", job, "note", "-", "x").code

    assert b"\t12" + trace.TEAR in path.read_bytes()
    assert "end" not in [record.kind for record in records(queue, job)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["note", "-"],
        ["note", "-", "a", "b"],
        ["data", "-", "a"],
        ["note", "1..2", "a"],
        ["note", "1.2\n", "a"],
        ["result", "-", "ok", "0"],
        ["log", "-", "out", "a"],
        ["note", "-", "x" * 70_000],
    ],
)
def test_called_wrongly_it_does_nothing(
    cit: Cit, queue: Queue, job: str, arguments: list[str]
) -> None:
    before = records(queue, job)

    assert 2 == cit("append", job, *arguments).code
    assert before == records(queue, job)


def test_a_file_that_is_in_no_queue_is_not_touched(cit: Cit, queue: Queue, tmp_path: Path) -> None:
    path = tmp_path / name.drop(name.make(0, bytes(10)), "x")
    path.write_text("%% job 1 toml\n")

    ended = cit("append", path, "note", "-", "x")

    assert (66, f"cit-append: '{path}' is no job of a queue\n") == (ended.code, ended.err)
    assert "%% job 1 toml\n" == path.read_text()


def test_a_job_that_is_not_admitted_yet_is_not_touched(cit: Cit, queue: Queue) -> None:
    id = cit("push", "--", "/bin/true").out.strip()

    ended = cit("append", id, "note", "-", "x")

    assert (77, f"cit-append: job '{id}' is not admitted\n") == (ended.code, ended.err)


def test_a_job_nobody_knows_is_told(cit: Cit, queue: Queue) -> None:
    assert 66 == cit("append", "no-such-job", "note", "-", "x").code
