"""The checker sees what is wrong, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import fsck, held, name, trace
from cit.name import Name
from cit.queue import Queue

Push = Callable[..., str]
ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
TIME = "2026-11-21T20:37:01.123Z"


@pytest.fixture
def done(queue: Queue, push: Push) -> Path:
    """The file of a finished job."""
    hold = held.take(queue, queue.find(push()))
    assert hold
    with hold:
        hold.record("begin", "1", "script", "1")
        hold.record("end", "1", "ok", "0", "")
        hold.finish("ok", 0)
        return Path(queue.file(hold.name))


@pytest.fixture
def waiting(queue: Queue, push: Push) -> Path:
    """The file of a job that waits."""
    return Path(queue.file(queue.find(push())))


def edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def complaint(queue: Queue, *ids: str) -> str:
    """The only complaint."""
    [found] = fsck.check(queue, ids)
    return found


# --- in order --------------------------------------------------------------------------------


def test_a_new_queue_is_in_order(queue: Queue) -> None:
    assert [] == list(fsck.check(queue))


def test_a_queue_with_jobs_in_all_states_is_in_order(
    queue: Queue, done: Path, push: Push, drop: Push
) -> None:
    ids = [push() for _ in range(3)]
    for id, state in zip(ids, ("hold", "run"), strict=False):
        hold = held.take(queue, queue.find(id))
        assert hold
        with hold:
            hold.move(state)
    ids.append(drop())
    (Path(queue.path) / "in" / "nonsense").touch()
    (Path(queue.path) / "in" / ".1.2").touch()

    assert [] == list(fsck.check(queue, ids))


@pytest.mark.parametrize("torn", [b"2026", f"{TIME}\tend\t1\tok\t0".encode()])
def test_a_torn_line_of_a_job_that_is_not_done_is_allowed(
    queue: Queue, waiting: Path, torn: bytes
) -> None:
    with open(waiting, "ab") as file:
        file.write(torn)

    assert [] == list(fsck.check(queue))


def test_what_was_pruned_is_somewhere(queue: Queue) -> None:
    tomb = trace.Record(TIME, "prune", ID, ("12", "x"))
    (Path(queue.path) / "pruned.tab").write_bytes(trace.render(tomb))

    assert [] == list(fsck.check(queue, [ID]))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: p.symlink_to("/etc/passwd")])
def test_what_strangers_drop_is_not_opened(queue: Queue, make: Callable[[Path], None]) -> None:
    make(Path(queue.path) / "in" / f"{ID}-x.job")

    assert [] == list(fsck.check(queue))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: p.write_bytes(b"other")])
def test_what_strangers_drop_under_a_known_id_is_no_matter(
    queue: Queue, waiting: Path, make: Callable[[Path], None]
) -> None:
    found = name.parse("wait", waiting.name)
    assert found
    make(Path(queue.path) / "in" / name.drop(found.id, found.name))

    assert [] == list(fsck.check(queue))


# --- out of order ----------------------------------------------------------------------------


def test_an_acknowledged_job_that_is_nowhere(queue: Queue) -> None:
    assert f"{ID}: acknowledged, and nowhere to be found" == complaint(queue, ID)


def test_a_job_in_two_states(queue: Queue, waiting: Path) -> None:
    shutil.copy(waiting, waiting.parents[1] / "run")

    assert "is in wait and run at once" in complaint(queue)


def test_a_job_done_on_two_days(queue: Queue, done: Path) -> None:
    (done.parents[1] / "2020-01-01").mkdir()
    shutil.copy(done, done.parents[1] / "2020-01-01")

    assert "is in done and done at once" in complaint(queue)


def test_two_jobs_of_one_number(queue: Queue, waiting: Path, push: Push) -> None:
    second = queue.find(push())
    path = Path(queue.file(second))
    path.rename(path.with_name(name.queued(50, 1, second.id, second.name)))

    found = list(fsck.check(queue))

    assert any("has the admission number 1 of" in line for line in found)
    assert any("was admitted as 2" in line for line in found)


@pytest.mark.parametrize("file", ["README", f"{ID}-x.job", "50-0000000001-x.job"])
def test_a_file_that_is_no_job(queue: Queue, file: str) -> None:
    (Path(queue.path) / "wait" / file).touch()

    assert f"wait/{file}: is no job's name" == complaint(queue)


def test_a_file_that_is_no_finished_job(queue: Queue, done: Path) -> None:
    (done.parent / "README").touch()

    assert f"done/{done.parent.name}/README: is no job's name" == complaint(queue)


def test_what_was_asked_has_changed(queue: Queue, waiting: Path) -> None:
    edit(waiting, b"/bin/true", b"/bin/evil")

    assert "what it asks is not what was pushed" in complaint(queue)


def test_what_was_asked_cannot_be_read(queue: Queue, waiting: Path) -> None:
    edit(waiting, b"%% program 1 sh", b"%% program 9 sh")

    assert complaint(queue).startswith(f"wait/{waiting.name}:")


def test_an_empty_file(queue: Queue, waiting: Path) -> None:
    waiting.write_bytes(b"")

    assert "found nothing" in complaint(queue)


def test_a_file_under_a_name_that_is_not_its_own(queue: Queue, waiting: Path) -> None:
    waiting.rename(waiting.with_name(waiting.name.replace("-test.", "-other.")))

    assert "its name is not that of its job section" in complaint(queue)


def test_a_job_without_a_trace(queue: Queue, waiting: Path) -> None:
    data = waiting.read_bytes()
    waiting.write_bytes(data[: data.index(b"%% trace")])

    assert f"wait/{waiting.name}: has no trace" == complaint(queue)


def test_a_run_that_began_twice(queue: Queue, done: Path) -> None:
    line = next(line for line in done.read_bytes().splitlines() if b"\tbegin\t" in line)
    edit(done, line, line + b"\n" + line)

    found = list(fsck.check(queue))

    assert any("attempt 1 of run 1 begins twice" in line for line in found)


def test_a_job_that_is_done_without_a_result(queue: Queue, waiting: Path) -> None:
    found = name.parse("wait", waiting.name)
    assert found
    day = Path(queue.path) / "done" / "2026-11-21"
    day.mkdir()
    waiting.rename(day / name.drop(found.id, found.name))

    lines = list(fsck.check(queue))

    assert any("is done and has no result" in line for line in lines)
    assert any("is done and has no seal" in line for line in lines)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\tok\t0", b"\tok\t1"), (b"sha256:", b"sha256:0"), (b"/bin/true", b"/bin/evil")],
)
def test_bytes_that_have_changed_since_they_were_sealed(
    queue: Queue, done: Path, old: bytes, new: bytes
) -> None:
    edit(done, old, new)

    assert any("its seal does not fit its bytes" in line for line in fsck.check(queue))


@pytest.mark.parametrize("line", [f"{TIME}\tnote\t-\ta\tb\n".encode(), b"2026", b"\x18\n"])
def test_bytes_after_the_seal(queue: Queue, done: Path, line: bytes) -> None:
    with open(done, "ab") as file:
        file.write(line)

    assert any("seal" in line for line in fsck.check(queue))


def test_all_jobs_are_looked_at_after_one_that_is_broken(
    queue: Queue, waiting: Path, done: Path
) -> None:
    waiting.write_bytes(b"\0")
    edit(done, b"\tok\t0", b"\tok\t1")

    assert 2 <= len(list(fsck.check(queue, [ID]))) - 1


def test_a_job_that_moves_meanwhile_is_no_matter(queue: Queue, push: Push) -> None:
    id = push()
    checking = fsck.check(queue, [id])
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        hold.move("run")

    assert [] == list(checking)
    assert isinstance(queue.find(id), Name)


@pytest.mark.parametrize("counter", [None, "1\n", "x"])
def test_a_number_that_would_be_given_again(
    queue: Queue, waiting: Path, counter: str | None
) -> None:
    number = Path(queue.path) / "number"
    number.unlink()
    if counter is not None:
        number.write_text(counter)

    assert ["number: 1 is in use, and would be given again"] == list(fsck.check(queue))


class Moving(Queue):
    """A queue in which a runner takes each job that waits just after it was looked at."""

    def head(self, found: Name) -> tuple[bytes, bytes]:
        data = super().head(found)
        if found.state == "wait":
            self.take(found, "run")
        return data


def test_a_job_that_moves_meanwhile_is_in_order(queue: Queue, waiting: Path) -> None:
    assert [] == list(fsck.check(Moving(queue.path)))
