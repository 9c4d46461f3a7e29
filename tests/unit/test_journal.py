"""A job's file, open for appending: torn lines, hashes, and a disk that is full for a while."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from cit import files, journal


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[files.Directory]:
    opened = files.Directory(str(tmp_path))
    yield opened
    opened.close()


def test_what_is_added_is_there_after_a_flush(directory: files.Directory, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"one\n")
    log = journal.Journal(directory, "x")

    log.add(b"two\n")
    before = (tmp_path / "x").read_bytes()
    log.flush()

    assert (b"one\n", b"one\ntwo\n") == (before, (tmp_path / "x").read_bytes())
    log.close()


def test_the_hash_is_of_all_bytes_also_of_those_not_written_yet(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"one\n")
    log = journal.Journal(directory, "x")

    log.add(b"two\n")

    assert hashlib.sha256(b"one\ntwo\n").hexdigest() == log.digest()
    assert 8 == log.size
    log.close()


@pytest.mark.parametrize("size", [journal.PIECE - 1, journal.PIECE, journal.PIECE + 1])
def test_a_long_file_is_hashed_whole_and_its_head_is_a_piece(
    directory: files.Directory, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size - 1) + b"\n"
    (tmp_path / "x").write_bytes(data)

    log = journal.Journal(directory, "x")

    assert hashlib.sha256(data).hexdigest() == log.digest()
    assert (size, data[: journal.PIECE]) == (log.size, log.head)
    log.close()


@pytest.mark.parametrize("torn", [b"t", b"2026-11-21T20:37:01.123Z\tend\t1\tfailed\t12", b"\x18"])
def test_a_torn_line_is_ended_first(
    directory: files.Directory, tmp_path: Path, torn: bytes
) -> None:
    (tmp_path / "x").write_bytes(b"one\n" + torn)
    log = journal.Journal(directory, "x")

    log.add(b"two\n")
    log.flush()

    assert b"one\n" + torn + b"\x18\ntwo\n" == (tmp_path / "x").read_bytes()
    assert hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest() == log.digest()
    log.close()


def test_what_the_disk_could_not_take_is_written_when_there_is_room_again(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"one\n")
    log = journal.Journal(directory, "x")
    lines = b"".join(b"line %d\n" % n for n in range(1000))
    log.add(lines)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            log.flush()
        cut = (tmp_path / "x").stat().st_size
        log.add(b"last\n")
        with pytest.raises(OSError, match="too large"):
            log.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    log.sync()

    assert 4096 == cut
    assert b"one\n" + lines + b"last\n" == (tmp_path / "x").read_bytes()
    assert hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest() == log.digest()
    log.close()


def test_a_failed_sync_is_no_want_of_space_that_one_waits_for(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").touch()
    log = journal.Journal(directory, "x")
    here, there = os.pipe()
    os.dup2(there, log.fd)  # what cannot be synced stands for a disk that fails

    with pytest.raises(OSError) as failed:
        files.patiently(log.sync)

    assert errno.EIO == failed.value.errno
    for fd in (here, there):
        os.close(fd)
    log.close()


def test_a_journal_goes_with_its_file_where_that_is_moved(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"")
    log = journal.Journal(directory, "x")
    os.rename(tmp_path / "x", tmp_path / "y")

    log.add(b"one\n")
    log.sync()

    assert b"one\n" == (tmp_path / "y").read_bytes()
    log.close()


def test_a_link_is_no_journal(directory: files.Directory, tmp_path: Path) -> None:
    (tmp_path / "y").touch()
    (tmp_path / "x").symlink_to("y")

    with pytest.raises(OSError, match="symbolic links"):
        journal.Journal(directory, "x")
