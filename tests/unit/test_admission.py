"""From the drop box into the queue: copied, numbered, or refused with a reason."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import admission, asked, files, fsck, held, manager, name, people, section, trace
from cit.queue import Queue

Push = Callable[..., str]
ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
SCRIPT = "#!/bin/true\n"


def box(queue: Queue) -> Path:
    return Path(queue.path) / "in"


def text(id: str = ID, called: str = "test", script: str = SCRIPT) -> bytes:
    return asked.compose(script.encode(), id, "main", called, {}).data


def reasons(queue: Queue) -> dict[str, str]:
    """What is said of each refused file, by its name in bad/ without the inode."""
    files = (Path(queue.path) / "bad").glob("*.why")
    return {path.name.rsplit(".", 2)[0]: path.read_text(errors="replace").strip() for path in files}


def refused(queue: Queue) -> str:
    """Why the only file there was is refused; it lies in bad/ itself."""
    assert 0 == admission.admit(queue)
    [reason] = reasons(queue).values()
    assert [] == os.listdir(box(queue))
    assert [] == queue.names("wait")
    assert 2 == len(os.listdir(os.path.join(queue.path, "bad")))
    return reason


# --- admitted --------------------------------------------------------------------------------


def test_a_drop_becomes_a_job_that_waits(queue: Queue, drop: Push) -> None:
    id = drop(name="x", priority=7)

    count = admission.admit(queue)

    [found] = queue.names("wait")
    assert (1, id, "x", 7, 1) == (count, found.id, found.name, found.priority, found.number)
    assert [] == os.listdir(box(queue))
    assert [] == list(fsck.check(queue, [id]))


def test_its_file_is_what_was_asked_and_a_trace(queue: Queue, drop: Push) -> None:
    id = drop()
    data = (box(queue) / f"{id}-test.job").read_bytes()

    admission.admit(queue)

    asks, happened = queue.head(queue.find(id))
    push, admit = trace.records(happened)
    assert data == asks
    sha256 = "sha256:" + asked.parse(data).sha256
    assert ("push", (people.who(), sha256)) == (push.kind, push.fields)
    assert ("admit", (people.who(), "1")) == (admit.kind, admit.fields)


def test_jobs_come_in_by_their_ids_and_get_numbers_in_that_order(queue: Queue, drop: Push) -> None:
    ids = [drop() for _ in range(5)]

    admission.admit(queue)

    assert list(enumerate(ids, 1)) == [(found.number, found.id) for found in queue.names("wait")]


def test_a_number_is_never_given_twice(queue: Queue, push: Push) -> None:
    push()
    lost = admission.reserve(queue, 3)  # and a cut before any of them is used
    push()

    assert (2, [1, 5]) == (lost, [found.number for found in queue.names("wait")])


def test_an_empty_drop_box_takes_no_number(queue: Queue) -> None:
    assert (0, 1) == (admission.admit(queue), admission.reserve(queue, 1))


def test_what_its_maker_writes_afterwards_changes_nothing(queue: Queue, drop: Push) -> None:
    id = drop()
    path = box(queue) / f"{id}-test.job"
    with open(path, "r+b") as mine:
        admission.admit(queue)
        mine.write(b"%% job 1 toml\npriority = 0\n")
        mine.truncate()

    assert SCRIPT.encode() in queue.head(queue.find(id))[0]
    assert [] == list(fsck.check(queue, [id]))


@pytest.mark.parametrize(
    ("readers", "job", "mode"),
    [
        ("owner", None, 0o600), ("owner", "all", 0o600), ("group", None, 0o640),
        ("group", "owner", 0o600), ("group", "all", 0o640), ("all", None, 0o644),
        ("all", "group", 0o640), ("all", "owner", 0o600),
    ],
)  # fmt: skip
def test_a_job_can_narrow_who_reads_it_and_not_widen(
    queue: Queue, drop: Push, readers: str, job: str | None, mode: int
) -> None:
    (Path(queue.path) / "queue.toml").write_text(f'name = "main"\nreaders = "{readers}"\n')
    id = drop(**({"readers": job} if job else {}))

    admission.admit(queue)

    assert mode == stat.S_IMODE(os.stat(queue.file(queue.find(id))).st_mode)


def test_a_trace_that_comes_along_is_not_believed(queue: Queue) -> None:
    forged = section.TRACE + b"2026-11-21T20:37:01.123Z\tpush\t-\troot@moon\tsha256:0\n"
    (box(queue) / f"{ID}-test.job").write_bytes(text() + forged)

    admission.admit(queue)

    assert people.who() == queue.job(queue.find(ID)).who
    assert b"moon" not in Path(queue.file(queue.find(ID))).read_bytes()


# --- known already ---------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["wait", "hold", "run", "done"])
def test_the_same_job_once_more_is_one_job(queue: Queue, push: Push, state: str) -> None:
    id = push()
    data, _ = queue.head(queue.find(id))
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        if state == "done":
            hold.finish("ok", 0)
        elif state != "wait":
            hold.move(state)

    (box(queue) / f"{id}-test.job").write_bytes(data)
    count = admission.admit(queue)

    assert (0, []) == (count, os.listdir(box(queue)))
    assert [state] == [found.state for found in queue.every()]


def test_the_same_id_asking_something_else_is_refused(queue: Queue, push: Push) -> None:
    id = push()
    (box(queue) / f"{id}-test.job").write_bytes(text(id, script="#!/bin/false\n"))

    admission.admit(queue)

    [reason] = reasons(queue).values()
    assert "is taken by a job that asks something else" in reason
    assert "wait" == queue.find(id).state


def test_one_id_under_two_names_is_one_job(queue: Queue) -> None:
    for called in ("a", "b"):
        (box(queue) / f"{ID}-{called}.job").write_bytes(text(called=called))

    count = admission.admit(queue)

    assert (1, 1) == (count, len(reasons(queue)))
    assert [] == list(fsck.check(queue, [ID]))


def test_a_job_is_not_lost_where_the_machine_does_not_know_whom_it_asks_now(queue: Queue) -> None:
    (box(queue) / f"{ID}-test.job").write_bytes(text(script='(approve "Go?" f ("no-one"))'))

    count = admission.admit(queue)

    assert (1, [], {}) == (count, os.listdir(box(queue)), reasons(queue))


@pytest.mark.parametrize(("script", "said"), [(SCRIPT, 0), ("#!/bin/false\n", 1)])
def test_a_job_that_was_pruned_is_not_run_again(queue: Queue, script: str, said: int) -> None:
    sha256 = asked.parse(text()).sha256
    tomb = trace.Record(trace.stamp(0), "prune", ID, (sha256, "test"))
    (Path(queue.path) / "pruned.tab").write_bytes(trace.render(tomb))
    (box(queue) / f"{ID}-test.job").write_bytes(text(script=script))

    count = admission.admit(queue)

    assert (0, [], said) == (count, os.listdir(box(queue)), len(reasons(queue)))


# --- refused ---------------------------------------------------------------------------------


def test_what_is_refused_is_kept_with_the_reason_and_written_down(queue: Queue) -> None:
    (box(queue) / f"{ID}-test.job").write_bytes(b"nonsense")

    reason = refused(queue)

    assert reason.startswith(f"{ID}-test.job: ")
    [found] = queue.names("bad")
    assert (ID, b"nonsense") == (found.id, Path(queue.file(found)).read_bytes())
    [log] = (Path(queue.path) / "log").iterdir()
    assert ["refuse"] == [record.kind for record in trace.records(log.read_bytes())]


@pytest.mark.parametrize(
    ("file", "data", "reason"),
    [
        (f"{ID}-other.job", text(), "its job section has name 'test', its file 'other'"),
        (f"{ID[:-1]}0-test.job", text(), "its job section has id"),
        ("test.job", text(), "its name is not ID-NAME.job"),
        ("-rf", text(), "its name is not ID-NAME.job"),
        ("a\nb", text(), "its name is not ID-NAME.job"),
        ("\udcff", text(), "its name is not ID-NAME.job"),
        (f"50-0000000001-{ID}-test.job", text(), "its name is not ID-NAME.job"),
        (f"{ID}-test.job", b"", "found nothing"),
        (f"{ID}-test.job", SCRIPT.encode(), "expected a mark"),
        (f"{ID}-test.job", text()[:-5], ""),
        (f"{ID}-test.job", text().replace(b"#!", b"#!\n" + b"#" * (1 << 20)), "over 1048576 bytes"),
        (f"{ID}-test.job", b"\0" * 100, ":1:1: "),
        (f"{ID}-test.job", text().replace(b'"test"', b'"test"\nx.y = 1'), "x"),
    ],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_job_is_refused(queue: Queue, file: str, data: bytes, reason: str) -> None:
    if data == text()[:-5]:
        data = data.replace(b"sh", b"nothing-known")
    (box(queue) / file).write_bytes(data)

    assert reason in refused(queue)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: p.symlink_to("/etc/passwd"),
                                  lambda p: os.link("/etc/hostname", p)])  # fmt: skip
def test_what_is_no_file_of_its_own_is_refused(
    queue: Queue, make: Callable[[Path], None], tmp_path: Path
) -> None:
    try:
        make(box(queue) / f"{ID}-test.job")
    except OSError:  # another file system, or a kernel that protects hard links
        (tmp_path / "x").touch()
        os.link(tmp_path / "x", box(queue) / f"{ID}-test.job")

    assert refused(queue)


def test_one_that_is_refused_does_not_stop_the_others(queue: Queue, drop: Push) -> None:
    first = drop()
    (box(queue) / f"{ID}-test.job").mkdir()
    (box(queue) / "nonsense").touch()
    last = drop()

    count = admission.admit(queue)

    assert (2, [first, last]) == (count, [found.id for found in queue.names("wait")])
    assert 2 == len(reasons(queue))


def test_two_bad_files_of_one_name_are_told_apart(queue: Queue) -> None:
    for data in (b"one", b"two"):
        (box(queue) / f"{ID}-test.job").write_bytes(data)
        admission.admit(queue)

    found = queue.names("bad")
    assert {b"one", b"two"} == {Path(queue.file(each)).read_bytes() for each in found}


def test_a_temporary_name_is_left_alone(queue: Queue) -> None:
    (box(queue) / ".1234.abcd").write_bytes(b"half")

    assert 0 == admission.admit(queue)
    assert [".1234.abcd"] == os.listdir(box(queue))
    assert set() == admission.waiting(queue)


# --- cuts ------------------------------------------------------------------------------------


def test_a_cut_before_the_drop_was_removed_makes_no_second_job(queue: Queue, drop: Push) -> None:
    id = drop()
    path = box(queue) / f"{id}-test.job"
    data = path.read_bytes()
    admission.admit(queue)
    path.write_bytes(data)  # as if it had never been removed

    assert [] == list(fsck.check(queue, [id]))
    manager.tick(queue)

    assert ["wait"] == [found.state for found in queue.every()]


def test_a_cut_before_the_reason_was_followed_by_the_move(queue: Queue) -> None:
    path = box(queue) / f"{ID}-test.job"
    path.write_bytes(b"nonsense")
    why = Path(queue.path) / "bad" / f"{path.name}.{path.stat().st_ino}.why"
    why.write_text("said before\n")

    admission.admit(queue)

    assert "said before\n" == why.read_text()
    assert [ID] == [found.id for found in queue.names("bad")]
    assert name.parse("bad", f"{path.name}.{why.name.split('.')[-2]}")


class Failing(files.Directory):
    """A directory whose first sync fails, when a name is in it already."""

    failures = 1

    def sync(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync()


def test_a_disk_that_fails_costs_no_job_and_gives_no_number_twice(queue: Queue, drop: Push) -> None:
    ids = [drop(), drop()]
    queue._directories["wait"] = Failing(os.path.join(queue.path, "wait"))

    with pytest.raises(OSError):
        admission.admit(queue)
    admission.admit(queue)

    assert [] == os.listdir(os.path.join(queue.path, "bad"))
    assert ids == sorted(found.id for found in queue.names("wait"))
    assert [] == list(fsck.check(queue, ids))
