"""What people ask of a job: who they are is the kernel's word, and one wish counts once."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import files, held, job, people, trace, wishes
from cit.name import Name
from cit.queue import Queue
from cit.trace import Record
from cit.wishes import Wish

Push = Callable[..., str]
ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
TIME = b"2026-11-21T20:37:01.123Z"


def box(queue: Queue) -> Path:
    return Path(queue.path) / "answers"


def test_an_answer_says_what_is_asked_of_whom_and_by_whom(queue: Queue, push: Push) -> None:
    found = queue.find(push())

    wishes.send(queue, found, "note", "a\tb\n\udcff", "1.2")

    [wish] = wishes.pending(queue)
    assert (found.id, "note", "1.2", "a\tb\n\udcff", os.getuid()) == (
        wish.id, wish.kind, wish.run, wish.text, wish.uid,
    )  # fmt: skip
    assert wish.file.startswith(f"{found.id}.1.2-")


def test_only_those_of_one_job_are_told(queue: Queue, push: Push) -> None:
    one, other = queue.find(push()), queue.find(push())
    wishes.send(queue, one, "stop", "")
    wishes.send(queue, other, "hold", "")

    assert ["hold"] == [wish.kind for wish in wishes.pending(queue, other.id)]


def test_answers_come_in_the_order_in_which_they_were_made(queue: Queue) -> None:
    for second, kind in ((3, b"stop"), (1, b"hold"), (2, b"release")):
        line = b"2026-11-21T20:37:%02d.000Z\t%s\t-\t-\n" % (second, kind)
        (box(queue) / f"{ID}.--{kind.decode()}").write_bytes(line)

    assert ["hold", "release", "stop"] == [wish.kind for wish in wishes.pending(queue)]


@pytest.mark.parametrize(
    ("file", "data"),
    [
        (f"{ID}.--a", b""),
        (f"{ID}.--a", b"nonsense\n"),
        (f"{ID}.--a", TIME + b"\tresult\t-\tok\t0\n"),
        (f"{ID}.--a", TIME + b"\tpush\t-\troot@moon\tsha256:0\n"),
        (f"{ID}.--a", TIME + b"\tstop\t-\t-"[:-3] + b"\x18\n"),
        (f"{ID}.--a", TIME + b"\tnote\t-\ttext\n" * 5_000),
        (f"{ID}.--a", TIME + b"\tnote\t-\n%% job 1 toml\n" + TIME + b"\ttext\n"),
        (f"{ID}.--a", TIME + b"\tnote\t-\r%% x\ttext\n"),
        (f"{ID}.--a", TIME + b"\tnote\tany words\ttext\n"),
        (f"{ID}.--a", TIME + b"\tnote\t\x1b[2J\ttext\n"),
        (f"{ID}.--a", b"2026-11-21T20:37:01\n123Z\tnote\t-\ttext\n"),
        (f"{ID}.--a", TIME + b"\thold\t-\ttext\tsoon\n"),
        (f"{ID}.--a", TIME + b"\thold\t-\ttext\t9999-99-99T99:99:99.999Z\n"),
        ("short", TIME + b"\tstop\t-\t-\n"),
        (ID.upper(), TIME + b"\tstop\t-\t-\n"),
    ],
    ids=range(15),
)
def test_what_cannot_be_an_answer_is_removed(queue: Queue, file: str, data: bytes) -> None:
    (box(queue) / file).write_bytes(data)

    assert [] == wishes.pending(queue)
    assert [] == os.listdir(box(queue))


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: p.symlink_to("/etc/passwd")])
def test_what_is_no_file_is_removed_unread(queue: Queue, make: Callable[[Path], None]) -> None:
    make(box(queue) / f"{ID}.--a")

    assert [] == wishes.pending(queue)
    assert [] == os.listdir(box(queue))


class Crowded(files.Directory):
    """A directory after whose listing the process has no descriptor left."""

    def names(self) -> list[str]:
        listed = super().names()
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, self.hard))
        return listed

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def test_what_cannot_be_read_for_want_of_descriptors_is_read_another_time(
    queue: Queue, push: Callable[..., str]
) -> None:
    wishes.send(queue, queue.find(push()), "stop", "")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    whole = queue.directory("answers")
    queue._directories["answers"] = Crowded(whole.path)

    try:
        with pytest.raises(OSError, match="Too many open files"):
            wishes.pending(queue)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    queue._directories["answers"] = whole
    assert ["stop"] == [wish.kind for wish in wishes.pending(queue)]


def test_a_directory_is_in_nobodys_way(queue: Queue, push: Push) -> None:
    (box(queue) / f"{ID}.--a").mkdir()
    wishes.send(queue, queue.find(push()), "stop", "")

    assert ["stop"] == [wish.kind for wish in wishes.pending(queue)]


def test_a_file_whose_name_is_no_text_is_in_nobodys_way(queue: Queue) -> None:
    (box(queue) / f"{ID}.--\udcff").write_bytes(TIME + b"\tnote\t-\ttext\n")
    (box(queue) / "\udcff").write_bytes(b"")

    [wish] = wishes.pending(queue)

    assert "text" == wish.text
    assert trace.render(Record("t", "note", "-", wishes.fields(wish)))


# --- who may ---------------------------------------------------------------------------------


def wish(uid: int, kind: str = "stop") -> Wish:
    return Wish("file", ID, kind, "-", "text", uid, "token")


def of(who: str) -> job.Job:
    return job.fold([Record("t", "push", "-", (who, "sha256:0"))])


@pytest.mark.parametrize("kind", sorted(wishes.KINDS))
def test_the_owner_of_the_queue_and_root_may_ask_all(queue: Queue, kind: str) -> None:
    for uid in (queue.owner, 0):
        assert "" == wishes.stranger(queue, wish(uid, kind), of("alice@laptop"))


def test_who_pushed_a_job_may_ask_of_it_and_nobody_else(queue: Queue) -> None:
    uid = 3_999_999_999
    if os.geteuid() == 0:  # then nobody is a stranger by his number alone
        queue.owner = 1

    own = wishes.refusal(queue, wish(uid), of(people.who(uid)))
    others = wishes.refusal(queue, wish(uid), of("alice@laptop"))

    assert "" == own
    assert f"{people.who(uid)} may not stop a job of alice@laptop" == others


# --- once ------------------------------------------------------------------------------------


def test_an_answer_that_the_trace_has_is_known_again() -> None:
    record = Record("t", "stop", "-", wishes.fields(wish(0)))
    note = Record("t", "note", "-", wishes.fields(wish(0, "note")))

    assert wishes.repeated(job.fold([record]), wish(0))
    assert wishes.repeated(job.fold([note]), wish(0, "note"))
    assert not wishes.repeated(job.fold([record]), wish(0)._replace(token="other"))
    assert not wishes.repeated(job.fold([]), wish(0))


def test_a_token_that_somebody_else_read_in_the_trace_lets_him_do_nothing() -> None:
    told = job.fold([Record("t", "hold", "-", wishes.fields(wish(0, "hold")))])

    assert not wishes.repeated(told, wish(3_999_999_999, "hold"))
    assert not wishes.repeated(told, wish(0, "stop"))
    assert not wishes.repeated(told, wish(0, "hold")._replace(run="1.1"))


def test_no_token_is_no_token_of_anybody() -> None:
    """What a runner or a move in the line writes down has none."""
    told = job.fold([Record("t", "stop", "-", (people.who(0), "interrupted"))])

    assert not wishes.repeated(told, wish(0)._replace(token=""))


class Reading(Queue):
    """A queue that remembers the traces that were read to their end."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.read: list[str] = []

    def records(self, found: Name) -> list[Record]:
        self.read.append(found.id)
        return super().records(found)


@pytest.mark.parametrize(
    ("asker", "whose", "parents"),
    [("alice@moon", "alice@moon", 1), ("bob@moon", "", 0), ("", "alice@moon", 1)],
)
def test_the_job_that_spawned_is_read_only_for_whom_it_was_spawned(
    queue: Queue, push: Push, asker: str, whose: str, parents: int
) -> None:
    parent = push(name="parent")
    origin = f'{{ kind = "spawn", job = "{parent}", run = "1.1", who = "alice@moon" }}'
    child = push(f'name = "child"\norigin = {origin}\nprogram = "#!/bin/true"\n')
    with held.take(queue, queue.find(parent)) or pytest.fail("held") as hold:
        hold.record("spawn", "1.1", child, "hello", "1")
        hold.sync()
    job, reading = queue.job(queue.find(child)), Reading(queue.path)

    found = wishes.behalf(reading, child, job, asker=asker)

    assert (whose, [parent] * parents) == (found, reading.read)
