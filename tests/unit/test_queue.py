"""A queue: its settings, and its jobs found and read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import held, manager, people, trace
from cit.errors import Bad, Failure
from cit.name import Name
from cit.queue import Queue

Push = Callable[..., str]
NOBODY_KNOWS = "01kak5jzc2v8e9j7m3t0q4w6xy"


def finish(queue: Queue, id: str, log: bytes = b"") -> Name:
    """End a job that waits, with that log."""
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        if log:
            hold.journal.add(trace.log(trace.stamp(0), "1", "out", log))
        hold.finish("ok", 0)
        return hold.name


def move(queue: Queue, id: str, state: str) -> None:
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        hold.move(state)


# --- the queue itself ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda p: None, os.mkdir])
def test_a_queue_that_is_none_is_missing(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "q")

    with pytest.raises(Failure, match="no queue '.*q'") as raised:
        Queue(str(tmp_path / "q"))

    assert 66 == raised.value.code


def test_a_queue_below_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "q").touch()

    with pytest.raises(Failure, match="cannot open queue") as raised:
        Queue(str(tmp_path / "q"))

    assert 77 == raised.value.code


@pytest.mark.parametrize(
    ("text", "line"),
    [("name = 'main'\nslots = 'many'\n", 2), ("name = 'main'\nslot = 1\n", 2), ("name", 1),
     ("", 1)],
)  # fmt: skip
def test_wrong_settings_are_a_wrong_configuration_with_a_place(
    queue: Queue, text: str, line: int
) -> None:
    path = Path(queue.path) / "queue.toml"
    path.write_text(text)

    with pytest.raises(Bad) as raised:
        Queue(queue.path).setting("slots")

    assert (78, str(path), line) == (raised.value.code, raised.value.path, raised.value.line)


def test_slots_are_those_of_the_owner_then_of_the_queue_then_as_processors(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_queue = queue.slots
    monkeypatch.setenv("CIT_SLOTS", "7")
    of_owner = queue.slots
    monkeypatch.delenv("CIT_SLOTS")
    (Path(queue.path) / "queue.toml").write_text('name = "main"\n')
    by_default = Queue(queue.path).slots

    assert (2, 7, os.cpu_count()) == (of_queue, of_owner, by_default)


def test_a_queue_is_paused_by_somebody_for_a_reason(queue: Queue) -> None:
    before = queue.paused
    manager.pause(queue, "new\ndisk")
    paused = queue.paused

    assert before is None
    assert paused and (people.who(), "new\ndisk") == paused.fields


def test_acts_are_written_down_with_who_and_why(queue: Queue) -> None:
    queue.note("pause", "-", "because\tof", "alice@laptop")
    queue.note("resume")

    [log] = (Path(queue.path) / "log").iterdir()
    records = list(trace.records(log.read_bytes()))
    assert [("pause", ("alice@laptop", "because\tof")), ("resume", (people.who(), ""))] == [
        (record.kind, record.fields) for record in records
    ]
    assert 0o600 == stat.S_IMODE(log.stat().st_mode)


# --- where jobs are --------------------------------------------------------------------------


def test_jobs_wait_by_priority_and_then_as_they_came(queue: Queue, push: Push) -> None:
    ids = [push(priority=priority) for priority in (50, 99, 0, 50)]

    assert [ids[2], ids[0], ids[3], ids[1]] == [found.id for found in queue.names("wait")]
    assert [found.file for found in queue.names("wait")] == queue.waiting()


def test_what_is_no_job_is_not_listed(queue: Queue, push: Push) -> None:
    id = push()
    for file in (".x", "README", "core.job", f"{id}-test.job"):
        (Path(queue.path) / "wait" / file).touch()

    assert [id] == [found.id for found in queue.names("wait")]


def test_a_finished_job_is_found_with_its_day(queue: Queue, push: Push) -> None:
    done = finish(queue, push())

    [found] = queue.names("done")
    assert (done.id, done.file, done.day) == (found.id, found.file, found.day)
    assert os.path.join(queue.path, "done", done.day, f"{done.id}-test.job") == queue.file(done)


def test_a_job_is_where_its_highest_state_is(queue: Queue, push: Push, drop: Push) -> None:
    id = push("#!/bin/true\n")
    states = [queue.now(id)]
    [name] = queue.names("wait")
    [(Path(queue.path) / "in" / f"{id}-test.job")][0].touch()
    states.append(queue.now(id))
    move(queue, id, "run")
    states.append(queue.now(id))
    finish(queue, id)
    states.append(queue.now(id))

    assert name.id == id
    assert ["wait", "wait", "run", "done"] == [found.state for found in states if found]
    assert queue.now(NOBODY_KNOWS) is None


# --- finding ---------------------------------------------------------------------------------


def test_a_job_is_found_by_its_id_or_a_unique_part_of_it(queue: Queue, push: Push) -> None:
    ids = [push(), push()]

    for id in ids:
        assert id == queue.find(id).id == queue.find(id.upper()).id == queue.find(id[-20:]).id
    with pytest.raises(Failure, match="not unique") as raised:
        queue.find(ids[0][:8])
    assert 66 == raised.value.code
    assert all(id in str(raised.value) for id in ids)


def test_a_name_stands_for_its_newest_job(queue: Queue, push: Push) -> None:
    push(name="x")
    newest = push(name="x")
    push(name="xx")
    finish(queue, newest)

    assert newest == queue.find("x").id


@pytest.mark.parametrize("word", ["", "nobody", NOBODY_KNOWS, "*", "/", "..", "\0", ".job", "-"])
def test_a_word_that_stands_for_no_job_is_missing(queue: Queue, push: Push, word: str) -> None:
    push()

    with pytest.raises(Failure, match="no job") as raised:
        queue.find(word)

    assert 66 == raised.value.code


def test_what_was_refused_is_found_only_where_there_is_no_such_job(
    queue: Queue, push: Push
) -> None:
    bad = Path(queue.path) / "bad" / f"{NOBODY_KNOWS}-x.job.1"
    bad.touch()
    refused = queue.find("x").state
    id = push(name="x")
    (Path(queue.path) / "bad" / f"{id}-x.job.2").touch()

    assert ("bad", "wait") == (refused, queue.find(id).state)
    assert "wait" == queue.find("x").state


# --- reading ---------------------------------------------------------------------------------


def test_a_head_tells_what_was_asked_however_long_that_is(queue: Queue, push: Push) -> None:
    text = "#!/bin/sh\n" + "echo 0123456789abcdef\n" * 20_000
    found = queue.find(push(text))

    asked, happened = queue.head(found)

    assert asked.endswith(b"echo 0123456789abcdef\n")
    assert happened.startswith(b"%% trace 1 tab\n")
    assert ["push", "admit"] == [record.kind for record in trace.records(happened)]


@pytest.mark.parametrize("size", [10, 5_000, 300_000])
def test_a_tail_tells_the_end_whatever_the_log_holds(
    queue: Queue, push: Push, size: int
) -> None:
    imitation = b"%% trace 1 tab\n2026-11-21T20:37:01.123Z\tresult\t-\tfailed\t9\n"
    done = finish(queue, push(), imitation + b"x" * size + b"\n" + imitation)

    told = queue.tail(done)

    assert ("ok", "0") == (told.status, told.code)
    assert told.seal


def test_records_are_told_without_the_log_and_without_what_was_asked(
    queue: Queue, push: Push
) -> None:
    forged = "#!/bin/sh\n2026-11-21T20:37:01.123Z\tresult\t-\tfailed\t9\n"
    done = finish(queue, push(forged), b"line\n" * 300_000)

    records = queue.records(done)

    assert ["push", "admit", "result", "seal"] == [record.kind for record in records]
    assert "ok" == queue.job(done).status


def test_a_record_on_the_edge_of_two_pieces_is_read_whole(queue: Queue, push: Push) -> None:
    id = push()
    for size in range((1 << 20) - 120, (1 << 20) + 120, 40):
        hold = held.take(queue, queue.find(id))
        assert hold
        with hold:
            lead = len(trace.log(trace.stamp(0), "1", "out", b"\n"))
            fill = size - (hold.journal.size % (1 << 20)) - lead
            hold.journal.add(trace.log(trace.stamp(0), "1", "out", b"x" * fill + b"\n"))
            hold.record("data", "1", str(size), "v")
            hold.sync()

    data = queue.job(queue.find(id)).data

    assert [str(size) for size in range((1 << 20) - 120, (1 << 20) + 120, 40)] == list(data)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: p.symlink_to("/etc/passwd")])
@pytest.mark.parametrize("file", ["in/{id}-x.job", "bad/{id}-x.job.1"])
def test_what_is_no_file_is_not_read_as_a_job(
    queue: Queue, make: Callable[[Path], None], file: str
) -> None:
    make(Path(queue.path) / file.format(id=NOBODY_KNOWS))
    found = queue.find(NOBODY_KNOWS)

    for read in (queue.head, queue.tail, queue.records, queue.open):
        with pytest.raises(Bad, match="is a link|is not a regular file"):
            read(found)


def test_what_was_pruned_is_remembered_by_its_hash(queue: Queue) -> None:
    record = trace.Record(trace.stamp(0), "prune", NOBODY_KNOWS, ("12ab", "x"))
    (Path(queue.path) / "pruned.tab").write_bytes(trace.render(record) + b"2026-11-21T2")

    assert {NOBODY_KNOWS: "12ab"} == queue.tombstones()


def test_jobs_in_a_directory_that_may_not_be_read_are_not_seen(queue: Queue, push: Push) -> None:
    if os.geteuid() == 0:
        os.rename(os.path.join(queue.path, "wait"), os.path.join(queue.path, "gone"))
    else:
        os.chmod(os.path.join(queue.path, "wait"), 0)

    assert [] == queue.names("wait")
