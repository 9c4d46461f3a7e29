"""cit-stop: a job that waits never starts, one that runs is ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cit import held, home, job, people
from cit.queue import Queue

Cit = Callable[..., Any]


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def push(cit: Cit, queue: Queue) -> Callable[..., str]:
    """Push a job of that name, and have it admitted; its id."""

    def act(called: str = "x") -> str:
        id = cit("push", "--name", called, "--", "/bin/true").out.strip()
        assert 0 == cit("queue", "tick").code
        return str(id)

    return act


def told(queue: Queue, id: str) -> job.Job:
    return queue.job(queue.find(id))


def test_a_job_that_waits_never_starts(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    id = push()

    ended = cit("stop", id, "--reason", "no\tneed")
    cit("run", "-j", "1")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    job = told(queue, id)
    assert ("done", "cancelled", "130", 0) == (
        queue.find(id).state, job.status, job.code, job.attempt,
    )  # fmt: skip
    assert (people.who(), "no\tneed") == job.acts[0].fields[:2]
    assert 0 == cit("queue", "fsck").code


def test_several_are_stopped_by_ids_parts_of_them_and_names(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    ids = [push("a"), push("b"), push("c"), push("d")]

    ended = cit("stop", ids[0], ids[1][-12:], "c")

    assert 0 == ended.code
    assert ["cancelled"] * 3 + [""] == [told(queue, id).status for id in ids]


def test_a_job_of_this_moment_is_stopped_too(cit: Cit, queue: Queue) -> None:
    id = cit("push", "--", "/bin/true").out.strip()

    assert 0 == cit("stop", id).code
    assert "cancelled" == told(queue, id).status


def test_a_job_that_is_held_back_is_stopped(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    id = push()
    cit("hold", id)

    cit("stop", id)

    assert ("done", "cancelled") == (queue.find(id).state, told(queue, id).status)


def test_where_one_is_not_known_none_is_stopped(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    id = push()

    ended = cit("stop", id, "nobody")

    assert (66, "") == (ended.code, ended.out)
    assert "no job 'nobody'" in ended.err
    assert "wait" == queue.find(id).state


@pytest.mark.parametrize("word", ["", "nobody", "01kak5jzc2v8e9j7m3t0q4w6xy"])
def test_a_job_that_nobody_knows_is_missing(
    cit: Cit, queue: Queue, push: Callable[..., str], word: str
) -> None:
    id = push()

    ended = cit("stop", word)

    assert (66, 1) == (ended.code, ended.err.count("\n"))
    assert "wait" == queue.find(id).state


def test_a_part_that_two_jobs_have_stops_neither(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    ids = [push(), push()]

    ended = cit("stop", ids[0][:4])

    assert (66, True) == (ended.code, "is not unique" in ended.err)
    assert ["wait", "wait"] == [queue.find(id).state for id in ids]


def test_a_job_that_has_ended_cannot_be_stopped(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    id = push()
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        hold.finish("ok", 0)

    ended = cit("stop", id)

    assert (1, f"cit-stop: cannot stop job '{id}': it has ended\n") == (ended.code, ended.err)
    assert "ok" == told(queue, id).status


def test_a_job_in_another_queue_is_found_by_its_receipt(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    cit("queue", "init", "far")
    id = cit("push", "--queue", "far", "--", "/bin/true").out.strip()

    assert 0 == cit("stop", id).code
    assert "cancelled" == told(Queue(str(tmp_path / "far")), id).status


def test_without_a_job_the_call_is_wrong(cit: Cit, queue: Queue) -> None:
    ended = cit("stop")

    assert (2, 1) == (ended.code, ended.err.count("\n"))


def test_without_a_queue_there_is_nothing_to_stop(cit: Cit, world: Path) -> None:
    ended = cit("stop", "x")

    assert 66 == ended.code
    assert not (world / ".cit").exists()


def test_a_job_in_the_outbox_is_taken_back(cit: Cit, tmp_path: Path) -> None:
    queue = tmp_path / "far"
    assert 0 == cit("queue", "init", queue).code
    queue.rename(tmp_path / "gone")
    id, other = (cit("push", "--queue", queue, "--", "true").out.strip() for _ in range(2))

    ended = cit("stop", id)
    again = cit("stop", id)

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert [other] == [kept.id for kept, _ in home.kept()]
    assert ["kept", "kept", "stopped"] == [receipt.act for receipt in home.receipts()]
    listed = cit("ls", "--mine").out.splitlines()
    assert (66, [other]) == (again.code, [line.split("\t")[0] for line in listed])
    (tmp_path / "gone").rename(queue)
    cit("push", "--flush")
    assert [other] == [found.id for found in Queue(str(queue)).every()]


@pytest.mark.parametrize("command", ["hold", "note"])
def test_a_job_in_the_outbox_can_only_be_taken_back(
    cit: Cit, tmp_path: Path, command: str
) -> None:
    queue = tmp_path / "far"
    assert 0 == cit("queue", "init", queue).code
    queue.rename(tmp_path / "gone")
    id = cit("push", "--queue", queue, "--", "true").out.strip()

    ended = cit(command, id, *["text"] * (command == "note"))

    assert (69, 1) == (ended.code, len(home.kept()))


# --- one run ---------------------------------------------------------------------------------


@pytest.fixture
def begun(queue: Queue, push: Callable[..., str]) -> str:
    """The id of a parked job whose run 1.1 has ended and whose run 1.2 has not."""
    id = push("begun.2")
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        hold.move("run")
        hold.record("claim", "-", "host", "1", "boot", "1", "0")
        for run in ("1", "1.1", "1.2"):
            hold.record("begin", run, "sequence", "1")
        hold.record("end", "1.1", "ok", "0", "")
        hold.park(9_999_999_999)
    return id


@pytest.mark.parametrize("word", ["ID", "begun.2"])
def test_a_run_is_stopped_by_the_runner_that_goes_on_with_the_job(
    cit: Cit, queue: Queue, begun: str, word: str
) -> None:
    ended = cit("stop", f"{begun if word == 'ID' else word}.1.2", "--reason", "too slow")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    [act] = told(queue, begun).acts
    assert ("stop", "1.2", "too slow") == (act.kind, act.run, act.fields[1])
    assert "wait" == queue.find(begun).state


@pytest.mark.parametrize(
    ("run", "why"), [("1.1", "run 1.1 has ended"), ("1.3", "it has begun no run 1.3")]
)
def test_a_run_that_has_ended_or_is_not_there_cannot_be_stopped(
    cit: Cit, queue: Queue, begun: str, run: str, why: str
) -> None:
    ended = cit("stop", f"{begun}.{run}")

    said = f"cit-stop: cannot stop run {run} of job '{begun}': {why}\n"
    assert (1, said, []) == (ended.code, ended.err, told(queue, begun).acts)
    assert "park" == queue.find(begun).state
