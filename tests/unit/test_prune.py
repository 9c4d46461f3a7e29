"""Finished jobs are forgotten, but not that they were there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import admission, fsck, held, manager, prune, trace
from cit.name import Name
from cit.queue import Queue

Push = Callable[..., str]


def finish(queue: Queue, id: str) -> Name:
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        hold.finish("ok", 0)
        return hold.name


@pytest.fixture
def done(queue: Queue, push: Push) -> list[Name]:
    """Three finished jobs, the oldest first."""
    return [finish(queue, push(name=name)) for name in ("a", "b", "c")]


def gone(queue: Queue, names: list[Name]) -> list[str]:
    """Prune them; whose names it says."""
    return [found.name for found in prune.prune(queue, names, "spring")]


def test_jobs_are_old_by_when_they_ended(queue: Queue, done: list[Name], push: Push) -> None:
    push()

    assert ["a", "b", "c"] == [found.name for found in prune.old(queue, -1, 0)]
    assert [] == prune.old(queue, 3600, 0)


@pytest.mark.parametrize(("keep", "left"), [(1, ["a", "b"]), (3, []), (4, []), (9, [])])
def test_the_newest_are_kept(queue: Queue, done: list[Name], keep: int, left: list[str]) -> None:
    assert left == [found.name for found in prune.old(queue, -1, keep)]


def test_what_is_pruned_leaves_a_tombstone_alone(queue: Queue, done: list[Name]) -> None:
    asks = {found.id: queue.job(found).sha256 for found in done}

    said = gone(queue, done[:2])

    assert (["a", "b"], ["c"]) == (said, [found.name for found in queue.every()])
    assert {f.id: asks[f.id].removeprefix("sha256:") for f in done[:2]} == queue.tombstones()
    assert [] == list(fsck.check(queue, [found.id for found in done]))


def test_a_day_without_jobs_is_removed(queue: Queue, done: list[Name]) -> None:
    os.rename(os.path.join(queue.path, "done", done[0].day), f"{queue.path}/done/2020-01-01")
    first, *rest = queue.names("done")

    gone(queue, [first])
    days = os.listdir(f"{queue.path}/done")
    gone(queue, rest)

    assert (["2020-01-01"], []) == (days, os.listdir(f"{queue.path}/done"))


def test_a_runner_that_is_at_work_ends_its_job_after_a_prune(
    queue: Queue, done: list[Name], push: Push
) -> None:
    id = push()

    gone(Queue(queue.path), done)

    assert "done" == finish(queue, id).state


def test_its_workspace_goes_with_it(queue: Queue, done: list[Name]) -> None:
    for found in done:
        (Path(queue.home) / found.name / found.id / "d").mkdir(parents=True)

    gone(queue, done[:2])

    mine = {found.name: os.path.join(queue.home, found.name) for found in done}
    assert [done[2].id] == os.listdir(mine["c"])
    assert (False, False) == (os.path.exists(mine["a"]), os.path.exists(mine["b"]))


def test_what_cannot_be_removed_of_one_job_stops_no_other(queue: Queue, done: list[Name]) -> None:
    places = [Path(queue.home) / found.name / found.id for found in done]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    (Path(queue.path) / "kept").mkdir()
    places[0].symlink_to(Path(queue.path) / "kept")
    (places[1] / "shut").mkdir(parents=True)
    (places[1] / "shut").chmod(0)
    isolated = Path(queue.home) / ".isolate" / done[1].id / "1"
    isolated.mkdir(parents=True)

    assert ["a", "b"] == gone(queue, done[:2])

    assert (Path(queue.path) / "kept").is_dir()
    assert (False, False) == (places[1].exists(), isolated.parent.exists())
    [log] = (Path(queue.path) / "log").glob("*.tab")
    assert f"cannot remove 'a/{done[0].id}'" in log.read_text()


def test_a_pruned_job_that_is_pushed_again_is_not_run_again(queue: Queue, push: Push) -> None:
    id = push()
    data, _ = queue.head(queue.find(id))
    gone(queue, [finish(queue, id)])

    (Path(queue.path) / "in" / f"{id}-test.job").write_bytes(data)

    assert (0, []) == (admission.admit(queue), list(queue.every()))


def test_who_pruned_what_and_why_is_written_down(queue: Queue, done: list[Name]) -> None:
    gone(queue, done)

    [log] = (Path(queue.path) / "log").iterdir()
    assert [("prune", "3 jobs: spring")] == [
        (record.kind, record.fields[1]) for record in trace.records(log.read_bytes())
    ]


def test_only_what_was_pruned_is_counted_also_where_it_was_cut_short(
    queue: Queue, done: list[Name]
) -> None:
    with held.take(Queue(queue.path), done[0]) or pytest.fail("held"):
        pruning = prune.prune(queue, done, "spring")
        next(pruning)
        pruning.close()

    [log] = (Path(queue.path) / "log").iterdir()
    assert ["1 jobs: spring"] == [r.fields[1] for r in trace.records(log.read_bytes())]


def test_to_prune_nothing_is_not_worth_a_line(queue: Queue) -> None:
    assert [] == gone(queue, [])
    assert [] == os.listdir(os.path.join(queue.path, "log"))


def test_a_job_that_somebody_holds_is_left(queue: Queue, done: list[Name]) -> None:
    other = Queue(queue.path)
    with held.take(other, done[0]) or pytest.fail("held"):
        said = gone(queue, done)

    assert ["b", "c"] == said
    assert {done[1].id, done[2].id} == set(queue.tombstones())


def test_a_cut_after_the_tombstone_is_mended_by_the_next_time(
    queue: Queue, done: list[Name]
) -> None:
    record = trace.Record(trace.stamp(0), "prune", done[0].id, ("12", "a"))
    (Path(queue.path) / "pruned.tab").write_bytes(trace.render(record))

    said = gone(queue, prune.old(queue, -1, 0))

    assert ["a", "b", "c"] == said
    assert 3 == len((Path(queue.path) / "pruned.tab").read_bytes().splitlines())


def test_a_tombstone_after_a_torn_one_stands(queue: Queue, done: list[Name]) -> None:
    (Path(queue.path) / "pruned.tab").write_bytes(b"2026-11-21T20:37:01.123Z\tprune\t01ka")

    gone(queue, done)

    assert {found.id for found in done} == set(queue.tombstones())
    assert [] == list(fsck.check(queue, [found.id for found in done]))


def test_a_note_for_a_pruned_job_is_refused(queue: Queue, done: list[Name]) -> None:
    gone(queue, done[:1])
    path = Path(queue.path) / "answers" / f"{done[0].id}.--a"
    path.write_bytes(trace.render(trace.Record(trace.stamp(0), "note", "-", ("x",))))

    manager.tick(queue)

    assert not path.exists()
