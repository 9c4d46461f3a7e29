"""Files appear whole or not at all, and nothing of a stranger is followed."""

from __future__ import annotations

import os
import resource
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cit import files


@contextmanager
def room(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[files.Directory]:
    opened = files.Directory(str(tmp_path))
    yield opened
    opened.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- publish ---------------------------------------------------------------------------------


def test_what_is_published_is_whole_and_private(directory: files.Directory, tmp_path: Path) -> None:
    directory.publish("x", b"a\0b")

    assert [tmp_path / "x"] == list(tmp_path.iterdir())
    assert (b"a\0b", 0o600, 1) == (
        (tmp_path / "x").read_bytes(), mode(tmp_path / "x"), (tmp_path / "x").stat().st_nlink,
    )  # fmt: skip


def test_a_published_mode_is_what_was_asked_whatever_the_umask(
    directory: files.Directory, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        directory.publish("x", b"", 0o644)
    finally:
        os.umask(before)

    assert 0o644 == mode(tmp_path / "x")


def test_nothing_is_published_over_a_name_that_is_there(
    directory: files.Directory, tmp_path: Path
) -> None:
    directory.publish("x", b"first")

    with pytest.raises(FileExistsError):
        directory.publish("x", b"second")

    assert b"first" == (tmp_path / "x").read_bytes()
    assert ["x"] == os.listdir(tmp_path)


def test_a_dangling_link_is_a_name_that_is_there(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").symlink_to("elsewhere")

    with pytest.raises(FileExistsError):
        directory.publish("x", b"")

    assert not (tmp_path / "elsewhere").exists()


def test_a_write_that_fails_leaves_no_name(directory: files.Directory, tmp_path: Path) -> None:
    with room(1000), pytest.raises(OSError, match="too large"):
        directory.publish("x", b"x" * 1001)

    assert [] == os.listdir(tmp_path)


def test_a_directory_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    box = files.Directory(str(tmp_path / "box"))
    (tmp_path / "box").rmdir()

    with pytest.raises(OSError, match=r"such file|permitted"):
        box.publish("x", b"")

    box.close()


def test_a_file_is_replaced_whole(directory: files.Directory, tmp_path: Path) -> None:
    directory.replace("number", b"1\n")
    directory.replace("number", b"2\n", 0o640)

    assert b"2\n" == (tmp_path / "number").read_bytes()
    assert (0o640, ["number"]) == (mode(tmp_path / "number"), os.listdir(tmp_path))


def test_a_replacement_that_fails_leaves_the_old_file(
    directory: files.Directory, tmp_path: Path
) -> None:
    directory.replace("number", b"1\n")

    with room(4), pytest.raises(OSError, match="too large"):
        directory.replace("number", b"12345\n")

    assert b"1\n" == (tmp_path / "number").read_bytes()


def test_what_an_earlier_replacement_left_is_in_nobodys_way(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / f".number.{os.getpid()}").write_bytes(b"a cut one, much longer")

    directory.replace("number", b"1\n")

    assert b"1\n" == (tmp_path / "number").read_bytes()


# --- names -----------------------------------------------------------------------------------


def test_names_that_begin_with_a_dot_are_not_listed(
    directory: files.Directory, tmp_path: Path
) -> None:
    for file in (".x", "a", "b"):
        (tmp_path / file).touch()

    assert {"a", "b"} == set(directory.names())


def test_to_remove_what_is_gone_is_fine(directory: files.Directory) -> None:
    directory.remove("x")


def test_a_file_of_ours_is_not_opened_through_a_link(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").symlink_to("/etc/passwd")

    with pytest.raises(OSError, match="symbolic links"):
        directory.open("x")


def test_a_file_is_moved_with_its_bytes(directory: files.Directory, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    directory.publish("x", b"bytes")
    target = files.Directory(str(tmp_path / "to"))

    files.move(directory, "x", target, "y")

    assert b"bytes" == (tmp_path / "to" / "y").read_bytes()
    assert ["to"] == os.listdir(tmp_path)
    target.close()


def test_a_directory_is_made_with_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files.make_directory(str(tmp_path / "d"), 0o1733)
    finally:
        os.umask(before)

    assert 0o1733 == mode(tmp_path / "d")


def test_a_directory_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    files.make_directory(str(tmp_path / "d"), 0o700)
    files.make_directory(str(tmp_path / "d"), 0o755)

    assert 0o700 == mode(tmp_path / "d")


# --- strangers' files ------------------------------------------------------------------------


def test_a_plain_file_of_a_stranger_is_read_whole(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"12345")

    data, status = files.read_untrusted(directory, "x", 5)

    assert (b"12345", os.getuid()) == (data, status.st_uid)


def test_a_file_over_the_cap_is_refused_without_being_read(
    directory: files.Directory, tmp_path: Path
) -> None:
    (tmp_path / "x").touch()
    os.truncate(tmp_path / "x", 1 << 41)

    with pytest.raises(ValueError, match="larger than 1000 bytes"):
        files.read_untrusted(directory, "x", 1000)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(
    directory: files.Directory, tmp_path: Path, make: type[None]
) -> None:
    make(tmp_path / "x")

    with pytest.raises(ValueError, match="not a regular file"):
        files.read_untrusted(directory, "x", 1000)


def test_a_link_to_a_file_is_refused(directory: files.Directory, tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("/etc/passwd")

    with pytest.raises(OSError, match="symbolic links"):
        files.read_untrusted(directory, "x", 1000)


def test_a_file_with_two_names_is_refused(directory: files.Directory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"of somebody else")
    os.link(tmp_path / "secret", tmp_path / "x")

    with pytest.raises(ValueError, match="more than one name"):
        files.read_untrusted(directory, "x", 1000)


# --- lines -----------------------------------------------------------------------------------


def test_lines_are_appended(tmp_path: Path) -> None:
    files.append(str(tmp_path / "log"), b"one\n", 0o640)
    files.append(str(tmp_path / "log"), b"two\n", 0o640)

    assert (b"one\ntwo\n", 0o640) == ((tmp_path / "log").read_bytes(), mode(tmp_path / "log"))


def test_a_torn_line_is_ended_before_the_next_one_and_never_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntw")

    files.append(str(log), b"three\n", 0o600)

    assert b"one\ntw\x18\nthree\n" == log.read_bytes()


def test_nothing_is_appended_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match="symbolic links"):
        files.append(str(tmp_path / "log"), b"one\n", 0o600)

    assert not (tmp_path / "other").exists()


def test_a_mark_is_made_and_then_renewed(tmp_path: Path) -> None:
    files.touch(str(tmp_path / "tick"))
    os.utime(tmp_path / "tick", (0, 0))

    files.touch(str(tmp_path / "tick"))

    assert time.time() - (tmp_path / "tick").stat().st_mtime < 60
