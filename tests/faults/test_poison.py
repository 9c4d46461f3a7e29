"""What anybody who may push can put into `in/`, and what the queue makes of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import harness
import pytest
from harness import Home

PATIENCE = 2.0  # seconds for a tick, whatever it finds


def job(home: Home, line: str = "", program: str = "%% program 1 sh\n#!/bin/true\n") -> bytes:
    """A job as cit-push would have made it, with one more line in its TOML."""
    id = harness.ulid()
    text = f'%% job 1 toml\nid = "{id}"\nqueue = "queue"\nname = "poison"\n{line}\n{program}'
    return text.encode()


def named(data: bytes) -> str:
    """The file name that goes with the id in a job."""
    return f"{data.partition(b'id = ')[2][1:27].decode()}-poison.job"


def fifo(home: Home, into: Path) -> None:
    os.mkfifo(into / named(job(home)))


def directory(home: Home, into: Path) -> None:
    (into / named(job(home))).mkdir()
    (into / named(job(home)) / "below").mkdir(parents=True)


def symlink(home: Home, into: Path) -> None:
    data = job(home)
    (home.place / "elsewhere").write_bytes(data)
    (into / named(data)).symlink_to(home.place / "elsewhere")
    (into / named(job(home))).symlink_to("/dev/zero")


def hard_link(home: Home, into: Path) -> None:
    data = job(home)
    (home.place / "secret").write_bytes(data)
    (into / named(data)).hardlink_to(home.place / "secret")


def sparse(home: Home, into: Path) -> None:
    data = job(home)
    with (into / named(data)).open("wb") as file:
        file.write(data)
        file.truncate(2 << 30)


def nul_bytes(home: Home, into: Path) -> None:
    for data in (job(home, 'user = "a\0b"'), job(home).replace(b"poison", b"poi\0son")):
        (into / named(data)).write_bytes(data)
    (into / named(job(home))).write_bytes(b"\0" * 4096)


def empty(home: Home, into: Path) -> None:
    (into / named(job(home))).touch()


def dotted_key(home: Home, into: Path) -> None:
    data = job(home, ".".join(["a"] * 32_000) + " = 1")
    (into / named(data)).write_bytes(data)


def nested(home: Home, into: Path) -> None:
    deep = 100_000
    lurch = f"%% program 1 lurch\n{'(' * deep}{')' * deep}\n"
    for data in (
        job(home, f"vars = {'[' * deep}{']' * deep}"),
        job(home, program=lurch),
        job(home, program=f"%% program 1 lurch\n{'(sequence ' * deep}{')' * deep}\n"),
    ):
        (into / named(data)).write_bytes(data)


def another_id(home: Home, into: Path) -> None:
    (into / named(job(home))).write_bytes(job(home))


def no_program(home: Home, into: Path) -> None:
    data = job(home, program="")
    (into / named(data)).write_bytes(data)


def unknown_key(home: Home, into: Path) -> None:
    data = job(home, 'prioritty = "9"')
    (into / named(data)).write_bytes(data)


def strange_names(home: Home, into: Path) -> None:
    id = harness.ulid()
    for name in (
        b"-rf", b"--help", b"a\nb.job", b"\xff\xfe.job", b"x...job", b"*.job", b"$(touch x).job",
        f"{id}-..job".encode(), f"{id}-a\nb.job".encode(), f"{id}-\x1b[31m.job".encode(),
        f"{id}-{'x' * 200}.job".encode(), f"{id}.job".encode(), b"x" * 255,
    ):  # fmt: skip
        with open(os.path.join(os.fsencode(into), name), "wb") as file:
            file.write(job(home))


POISONS = [
    fifo, directory, symlink, hard_link, sparse, nul_bytes, empty, dotted_key, nested, another_id,
    no_program, unknown_key, strange_names,
]  # fmt: skip


@pytest.mark.parametrize("poison", POISONS)
def test_poison_is_refused_with_a_reason_and_stops_nobody(
    home: Home, poison: Callable[[Home, Path], None]
) -> None:
    into = home.queue / "in"
    before = home.push(2)
    poison(home, into)
    put = {path for path in into.iterdir()} - {c.path for c in home.copies() if c.id in before}
    after = home.push(2)

    begin = time.monotonic()
    first = home.run("cit-queue", "tick")
    took = time.monotonic() - begin
    again = home.run("cit-queue", "tick")

    assert took < PATIENCE
    assert (first.code, again.code) == (0, 0)
    left = {path for path in put if os.path.lexists(path)}
    refused = [path for path in (home.queue / "bad").iterdir() if path.suffix != ".why"]
    reasons = [path for path in (home.queue / "bad").iterdir() if path.suffix == ".why"]
    assert len(put) == len(left) + len(refused)
    assert sorted(f"{path.name}.why" for path in refused) == sorted(path.name for path in reasons)
    assert all(path.read_text(errors="replace").strip() for path in reasons)
    # What was left where it is was told in the first tick, and only there.
    assert bool(left) <= bool(first.err)
    assert again.err == ""
    home.must("cit-run", "-j", "1")
    assert list(home.executions()) == sorted(home.executions())
    assert [] == harness.complaints(home, before + after)


def test_a_sparse_file_is_refused_unread(home: Home) -> None:
    sparse(home, home.queue / "in")

    begin = time.monotonic()
    home.must("cit-queue", "tick")

    assert time.monotonic() - begin < PATIENCE
    assert not list((home.queue / "wait").iterdir())


def test_writing_to_a_dropped_file_after_its_admission_changes_nothing(home: Home) -> None:
    [id] = home.push(1)
    [drop] = [copy.path for copy in home.copies()]
    with drop.open("r+b") as mine:
        home.must("cit-queue", "tick")
        [admitted] = [copy.path for copy in home.copies()]
        asked = admitted.read_bytes()

        mine.write(b"%% job 1 toml\nname = 'other'\n" + b"x" * 1000)
        mine.flush()
        os.fsync(mine.fileno())

        assert asked == admitted.read_bytes()
        assert os.fstat(mine.fileno()).st_ino != admitted.stat().st_ino
    home.settle()
    assert [] == harness.complaints(home, [id])


def test_a_file_that_grows_while_it_is_admitted_is_copied_as_one_of_its_states(
    home: Home,
) -> None:
    into = home.queue / "in"
    for _ in range(20):
        data = job(home)
        with (into / named(data)).open("wb", buffering=0) as mine:
            ticking = home.start("cit-queue", "tick")
            for at in range(0, len(data), 16):
                mine.write(data[at : at + 16])
            ticking.wait(timeout=60)

    home.settle()

    done = [copy for copy in home.copies() if copy.state == "done"]
    bad = [path for path in (home.queue / "bad").iterdir() if path.suffix != ".why"]
    assert 20 == len(done) + len(bad)
    home.must("cit-queue", "fsck")
