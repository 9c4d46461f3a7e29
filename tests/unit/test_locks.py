"""Locks of a queue: held as long as their holder lives, and by nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cit
from cit import locks

LIB = str(Path(cit.__file__).parents[1])


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[locks.Locks, locks.Locks]]:
    """Two openings of one file: as good as two processes."""
    path = str(tmp_path / "locks")
    with locks.Locks(path) as one, locks.Locks(path) as other:
        yield one, other


def in_a_child(act: Callable[[], bool]) -> int:
    """What a forked child makes of it: 1 for yes, 0 for no."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = int(act())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_file_is_private(tmp_path: Path) -> None:
    locks.Locks(str(tmp_path / "locks")).close()

    assert 0o600 == (tmp_path / "locks").stat().st_mode & 0o777


def test_a_byte_is_held_by_one(two: tuple[locks.Locks, locks.Locks]) -> None:
    one, other = two

    assert (True, False) == (one.hold(7), other.hold(7))
    assert (True, False) == (other.held(7), one.held(7))


@pytest.mark.parametrize("byte", [1, 9_999_999_999, locks.SLOTS, locks.SLOTS + 4095, locks.MANAGER])
def test_every_other_byte_stays_free(two: tuple[locks.Locks, locks.Locks], byte: int) -> None:
    one, other = two

    one.hold(byte)

    assert not other.hold(byte)
    assert other.hold(byte + 1)
    assert other.hold(byte - 1)


@pytest.mark.parametrize("byte", [1, 9_999_999_999, locks.SLOTS, locks.MANAGER])
def test_all_can_see_that_a_byte_is_held(tmp_path: Path, byte: int) -> None:
    path = str(tmp_path / "locks")
    with locks.Locks(path) as one, locks.Locks(path) as other:
        one.hold(byte)
        one.hold(byte + 1)  # which the kernel tells together with the first
        other.hold(byte + 3)

        assert [False, True, True, False, True] == [
            locks.shown(path, each) for each in range(byte - 1, byte + 4)
        ]

    assert not locks.shown(path, byte)


ELSEWHERE = """
import os, sys
from cit import locks
paths = ["one/locks", "other/locks"]
with locks.Locks(paths[0]) as one, locks.Locks(paths[1]):
    one.hold(7)
    same = len({os.stat(path).st_ino for path in paths}) == 1
    print(same, *(locks.shown(path, 7) for path in paths))
"""


@pytest.mark.usefixtures("system")
def test_a_file_of_the_same_number_on_another_file_system_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    mounts = "mkdir one other && mount -t tmpfs cit one && mount -t tmpfs cit other"
    words = ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh", sys.executable, "-c"]

    ended = subprocess.run([*words, ELSEWHERE], cwd=tmp_path, env={"PYTHONPATH": LIB},
                           capture_output=True, text=True, check=True)  # fmt: skip

    assert "True True False" == ended.stdout.strip()


def test_of_a_file_that_is_not_there_nothing_is_known(tmp_path: Path) -> None:
    assert locks.shown(str(tmp_path / "locks"), 1) is None


def test_who_holds_a_byte_may_take_it_again(two: tuple[locks.Locks, locks.Locks]) -> None:
    one, other = two
    one.hold(7)

    assert one.hold(7)

    one.release(7)
    assert other.hold(7)


def test_who_lets_go_lets_go_of_that_byte_only(two: tuple[locks.Locks, locks.Locks]) -> None:
    one, other = two
    one.hold(7)
    one.hold(8)

    one.release(7)

    assert (True, False) == (other.hold(7), other.hold(8))


def test_another_opening_that_is_closed_takes_no_lock_with_it(tmp_path: Path) -> None:
    path = str(tmp_path / "locks")
    with locks.Locks(path) as one, locks.Locks(path) as other:
        one.hold(7)
        locks.Locks(path).close()

        assert not other.hold(7)


def test_a_process_that_dies_lets_go(two: tuple[locks.Locks, locks.Locks], tmp_path: Path) -> None:
    one, _ = two

    held = in_a_child(lambda: locks.Locks(str(tmp_path / "locks")).hold(7))

    assert 1 == held
    assert one.hold(7)


def test_a_command_that_is_executed_holds_nothing(
    two: tuple[locks.Locks, locks.Locks], tmp_path: Path
) -> None:
    one, other = two
    one.hold(7)
    pipe = subprocess.PIPE
    with subprocess.Popen(["/bin/cat"], bufsize=0, stdin=pipe, stdout=pipe, close_fds=False) as cat:
        assert cat.stdin and cat.stdout
        cat.stdin.write(b"x")
        cat.stdout.read(1)  # descriptors are closed a moment after the parent goes on
        one.close()
        taken = other.hold(7)
        cat.stdin.close()
    one.fd = os.open(os.devnull, os.O_RDONLY)  # for the fixture to close

    assert taken


def test_a_lock_is_not_taken_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "locks").symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match="symbolic links"):
        locks.Locks(str(tmp_path / "locks"))
