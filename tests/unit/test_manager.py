"""One tick over a queue: recover, admit, answer; cut anywhere, and done again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import fsck, held, job, locks, manager, people, trace, wishes
from cit.errors import Failure
from cit.name import Name
from cit.queue import Queue

Push = Callable[..., str]
STAMP = "2026-11-21T20:37:01.123Z"


@pytest.fixture
def other(queue: Queue) -> Queue:
    """The same queue in the hands of another process."""
    return Queue(queue.path)


def take(queue: Queue, id: str) -> held.Held:
    hold = held.take(queue, queue.find(id))
    assert hold
    return hold


def ask(queue: Queue, id: str, kind: str, text: str = "") -> None:
    wishes.send(queue, queue.find(id), kind, text)


def asked(queue: Queue) -> list[str]:
    """What nobody has answered yet."""
    return [answer.kind for answer in wishes.pending(queue)]


def acts(queue: Queue, id: str) -> list[tuple[str, ...]]:
    """What the trace says was asked of a job: kind, who and text."""
    told = queue.job(queue.find(id))
    return [(act.kind, *act.fields[:2]) for act in [*told.acts, *told.notes]]


def log(queue: Queue) -> list[tuple[str, str, str]]:
    """What was written down: act, subject, reason."""
    days = (Path(queue.path) / "log").glob("*.tab")
    records = [record for day in days for record in trace.records(day.read_bytes())]
    return [(record.kind, record.run, record.fields[1]) for record in records]


def clean(queue: Queue, *ids: str) -> bool:
    return [] == list(fsck.check(queue, ids))


# --- one at a time ---------------------------------------------------------------------------


def test_a_tick_admits_what_was_dropped(queue: Queue, drop: Push) -> None:
    ids = [drop(), drop()]

    assert 2 == manager.tick(queue)
    assert ids == [found.id for found in queue.names("wait")]


def test_a_tick_that_finds_another_at_work_goes_home(
    queue: Queue, other: Queue, drop: Push
) -> None:
    drop()
    other.locks.hold(locks.MANAGER)

    assert 0 == manager.tick(queue)

    other.locks.release(locks.MANAGER)
    assert 1 == manager.tick(queue)


class Late(locks.Locks):
    """Locks of a tick during whose last moments somebody asks something, and goes home."""

    asks: Callable[[], None] | None = None

    def release(self, byte: int) -> None:
        asks, self.asks = self.asks, None
        if asks and byte == locks.MANAGER:
            asks()
        super().release(byte)


def test_what_is_asked_of_a_job_while_a_tick_is_at_work_is_done_by_that_tick(
    queue: Queue, push: Push
) -> None:
    id = push()
    late = Late(os.path.join(queue.path, "locks"))
    late.asks = lambda: ask(queue, id, "stop")
    queue._locks = late

    manager.tick(queue)

    assert "done" == queue.find(id).state


def test_what_a_runner_lets_go_while_a_tick_is_at_work_is_seen_by_that_tick(
    queue: Queue, other: Queue, push: Push
) -> None:
    """The tick found the job in the runner's hands, and that one finds the tick at work."""
    id = push()
    hold = take(other, id)
    ask(queue, id, "stop")

    def let_go() -> None:
        hold.close()
        manager.tick(other)

    late = Late(os.path.join(queue.path, "locks"))
    late.asks = let_go
    queue._locks = late

    manager.tick(queue)

    assert "done" == queue.find(id).state


class Moving(Queue):
    """A queue one of whose runners ends its job between two looks of ours."""

    def tail(self, found: Name) -> job.Job:
        if found.state == "run":
            self.take(found, "done", "2026-11-21")
        return super().tail(found)


def test_a_job_that_ends_while_a_tick_looks_at_it_is_no_error(queue: Queue, push: Push) -> None:
    id = push()
    with take(queue, id) as hold:
        hold.move("run")

    manager.tick(Moving(queue.path))

    assert "done" == queue.find(id).state


def test_a_tick_says_that_it_was_there(queue: Queue) -> None:
    manager.tick(queue)

    assert time.time() - os.stat(os.path.join(queue.path, "log", "tick")).st_mtime < 60


def test_what_can_never_be_moved_away_does_not_keep_a_tick_busy(queue: Queue) -> None:
    # Even the owner cannot make a name of this one in bad/, which is a file here.
    (Path(queue.path) / "in" / "nonsense").mkdir()
    inode = os.stat(os.path.join(queue.path, "in", "nonsense")).st_ino
    (Path(queue.path) / "bad" / f"nonsense.{inode}").touch()

    assert 0 == manager.tick(queue)
    assert ["nonsense"] == os.listdir(os.path.join(queue.path, "in"))


def test_only_the_owner_ticks(queue: Queue) -> None:
    queue.owner += 1

    with pytest.raises(Failure, match="belongs to") as raised:
        manager.tick(queue)

    assert 77 == raised.value.code


# --- recovery --------------------------------------------------------------------------------


@pytest.mark.parametrize("seal", ["none", "torn", "whole"])
def test_a_job_that_ended_is_done_whatever_was_cut(queue: Queue, push: Push, seal: str) -> None:
    id = push()
    with take(queue, id) as hold:
        hold.move("run")
        hold.record("result", "-", "failed", "3")
        if seal == "whole":
            hold.seal()
        elif seal == "torn":
            hold.journal.add(f"{STAMP}\tseal\t-\tsha2".encode())
        hold.sync()

    manager.tick(queue)

    told = queue.job(queue.find(id))
    assert ("done", "failed", "3") == (queue.find(id).state, told.status, told.code)
    assert clean(queue, id)


def test_a_job_without_an_end_is_left_to_a_runner(queue: Queue, push: Push) -> None:
    id = push()
    with take(queue, id) as hold:
        hold.move("run")
        hold.record("claim", "-", "host", "1", "boot", "1")
        hold.sync()
    before = Path(queue.file(queue.find(id))).read_bytes()

    manager.tick(queue)

    assert ("run", before) == (
        queue.find(id).state, Path(queue.file(queue.find(id))).read_bytes(),
    )  # fmt: skip


def test_a_job_that_somebody_holds_is_left_to_him(queue: Queue, other: Queue, push: Push) -> None:
    id = push()
    with take(other, id) as hold:
        hold.move("run")
        hold.record("result", "-", "ok", "0")
        hold.sync()

        manager.tick(queue)

        assert "run" == queue.find(id).state


def test_only_old_temporary_files_are_removed(queue: Queue) -> None:
    for state in ("in", "wait", "run", "bad", "answers", "."):
        for file in (".new", ".old"):
            (Path(queue.path) / state / file).touch()
        os.utime(Path(queue.path) / state / ".old", (0, 0))

    manager.tick(queue)

    for state in ("in", "wait", "run", "bad", "answers", "."):
        left = [f for f in os.listdir(os.path.join(queue.path, state)) if f[0] == "."]
        assert [".new"] == left


# --- answers ---------------------------------------------------------------------------------


def test_a_job_that_waits_is_stopped_and_never_runs(queue: Queue, push: Push) -> None:
    id = push()
    ask(queue, id, "stop", "no\tneed")

    manager.tick(queue)

    told = queue.job(queue.find(id))
    assert ("done", "cancelled", "130") == (queue.find(id).state, told.status, told.code)
    assert [("stop", people.who(), "no\tneed")] == acts(queue, id)
    assert ([], 0) == (asked(queue), told.attempt)
    assert clean(queue, id)


def test_a_job_is_held_back_and_released(queue: Queue, push: Push) -> None:
    id = push(priority=7)
    before = queue.find(id)
    ask(queue, id, "hold", "later")
    manager.tick(queue)
    held_back = queue.find(id)
    ask(queue, id, "release")
    manager.tick(queue)

    assert (before._replace(state="hold"), before) == (held_back, queue.find(id))
    assert [("hold", people.who(), "later"), ("release", people.who(), "")] == acts(queue, id)
    assert clean(queue, id)


def test_a_job_is_stopped_while_it_is_held_back(queue: Queue, push: Push) -> None:
    id = push()
    for kind in ("hold", "stop"):
        ask(queue, id, kind)
        manager.tick(queue)

    assert ("done", "cancelled") == (queue.find(id).state, queue.job(queue.find(id)).status)


@pytest.mark.parametrize(("kind", "state"), [("hold", "hold"), ("release", "wait")])
def test_to_ask_for_what_is_already_so_changes_nothing_but_is_written_down(
    queue: Queue, push: Push, kind: str, state: str
) -> None:
    id = push()
    for _ in range(2):
        ask(queue, id, kind)
        manager.tick(queue)

    assert state == queue.find(id).state
    assert [kind] * 2 == [act[0] for act in acts(queue, id)]


def test_an_answer_to_a_job_of_this_moment_is_done_in_the_same_tick(
    queue: Queue, drop: Push
) -> None:
    id = drop()
    ask(queue, id, "stop")

    manager.tick(queue)

    assert "done" == queue.find(id).state


def test_a_note_is_written_into_a_job_in_any_state(queue: Queue, push: Push) -> None:
    waiting, done = push(), push()
    with take(queue, done) as hold:
        hold.finish("ok", 0)
    for id in (waiting, done, done):
        ask(queue, id, "note", "well")

    manager.tick(queue)

    assert [("note", people.who(), "well")] == acts(queue, waiting)
    assert [("note", people.who(), "well")] * 2 == acts(queue, done)
    assert clean(queue, waiting, done)


def test_a_job_that_runs_is_left_to_its_runner(queue: Queue, other: Queue, push: Push) -> None:
    id = push()
    with take(other, id) as hold:
        hold.move("run")
        ask(queue, id, "stop")

        manager.tick(queue)

        assert (["stop"], "run") == (asked(queue), queue.find(id).state)


@pytest.mark.parametrize("kind", ["stop", "hold", "release"])
def test_a_job_that_has_ended_takes_notes_alone(queue: Queue, push: Push, kind: str) -> None:
    id = push()
    with take(queue, id) as hold:
        hold.finish("ok", 0)
    ask(queue, id, kind)

    manager.tick(queue)

    assert ([], []) == (asked(queue), acts(queue, id))
    assert [("refuse", id, f"cannot {kind}: it has ended")] == log(queue)
    assert clean(queue, id)


def test_an_answer_for_a_job_that_nobody_knows_is_refused(queue: Queue) -> None:
    nobody = Name("wait", "", "01kak5jzc2v8e9j7m3t0q4w6xy", "x")
    wishes.send(queue, nobody, "stop", "")

    manager.tick(queue)

    assert [] == asked(queue)
    assert [("refuse", nobody.id, "stop: no such job")] == log(queue)


def test_what_a_job_that_ended_in_the_meantime_is_asked_does_not_hinder_others(
    queue: Queue, push: Push
) -> None:
    ended, waiting = push(), push()
    for id in (ended, waiting):
        ask(queue, id, "stop")
    with take(queue, ended) as hold:
        hold.finish("ok", 0)

    manager.tick(queue)

    assert ("ok", "cancelled") == tuple(queue.job(queue.find(id)).status for id in (ended, waiting))


# --- cuts in the middle of an answer ---------------------------------------------------------


@pytest.mark.parametrize(("kind", "state"), [("hold", "hold"), ("stop", "done"), ("note", "wait")])
def test_an_answer_that_was_written_down_and_not_done_is_done_once(
    queue: Queue, push: Push, kind: str, state: str
) -> None:
    id = push()
    ask(queue, id, kind, "why")
    [answer] = wishes.pending(queue)
    with take(queue, id) as hold:
        hold.record(kind, "-", *wishes.fields(answer))
        hold.sync()

    manager.tick(queue)

    assert state == queue.find(id).state
    assert [(kind, people.who(), "why")] == acts(queue, id)
    assert [] == asked(queue)
    assert clean(queue, id)


def test_an_answer_that_was_done_and_is_still_there_is_only_removed(
    queue: Queue, push: Push
) -> None:
    id = push()
    ask(queue, id, "hold", "why")
    [answer] = wishes.pending(queue)
    line = (Path(queue.path) / "answers" / answer.file).read_bytes()
    manager.tick(queue)
    (Path(queue.path) / "answers" / answer.file).write_bytes(line)

    manager.tick(queue)

    assert ("hold", 1, []) == (queue.find(id).state, len(acts(queue, id)), asked(queue))


def test_a_note_that_was_written_down_and_not_sealed_is_sealed(queue: Queue, push: Push) -> None:
    id = push()
    with take(queue, id) as hold:
        hold.finish("ok", 0)
    ask(queue, id, "note", "well")
    [answer] = wishes.pending(queue)
    with take(queue, id) as hold:
        hold.record("note", "-", *wishes.fields(answer))
        hold.sync()

    manager.tick(queue)

    assert [("note", people.who(), "well")] == acts(queue, id)
    assert clean(queue, id)


# --- what there is to do ---------------------------------------------------------------------


def test_a_queue_is_busy_while_jobs_wait_or_lost_their_runner(
    queue: Queue, other: Queue, push: Push
) -> None:
    seen = [manager.busy(queue)]
    id = push()
    seen.append(manager.busy(queue))
    with take(other, id) as hold:
        hold.move("run")
        seen.append(manager.busy(queue))
    seen.append(manager.busy(queue))
    manager.pause(queue, "")
    seen.append(manager.busy(queue))

    assert [False, True, False, True, False] == seen


def test_the_first_pause_stands(queue: Queue) -> None:
    manager.pause(queue, "one")
    manager.pause(queue, "two")

    assert queue.paused and "one" == queue.paused.fields[1]
    manager.resume(queue, "done")
    manager.resume(queue, "again")
    assert queue.paused is None
    assert [("pause", "-", "one"), ("resume", "-", "done")] == log(queue)
