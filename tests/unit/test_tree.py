"""Removing a directory that a stranger filled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cit import tree

USER = (54321, 54321)


def as_user(path: Path) -> None:
    """Remove it as somebody whom permissions bind; in a process of its own."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(USER[1], USER[1], USER[1])
                os.setresuid(USER[0], USER[0], USER[0])
            tree.remove(str(path))
            code = 0
        finally:
            os._exit(code)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def give(path: Path) -> None:
    if os.geteuid() != 0:
        return
    for root, directories, files in os.walk(path):
        for name in (".", *directories, *files):
            os.chown(os.path.join(root, name), *USER, follow_symlinks=False)


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    tree.remove(str(tmp_path / "gone"))


def test_files_and_directories_go(tmp_path: Path) -> None:
    (tmp_path / "x/a/b/c").mkdir(parents=True)
    (tmp_path / "x/a/b/file\nname").write_text("")
    (tmp_path / "x/a" / os.fsdecode(b"\xff")).mkdir()
    os.mkfifo(tmp_path / "x/fifo")

    tree.remove(str(tmp_path / "x"))

    assert [] == list(tmp_path.iterdir())


def test_what_a_link_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("precious")
    (tmp_path / "x/deep").mkdir(parents=True)
    for link in ("x/link", "x/deep/link"):
        (tmp_path / link).symlink_to(tmp_path / "mine")

    tree.remove(str(tmp_path / "x"))

    assert "precious" == (tmp_path / "mine/file").read_text()


def test_a_link_in_its_own_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("precious")
    (tmp_path / "x").symlink_to(tmp_path / "mine")

    with pytest.raises(OSError, match="Not a directory|symbolic links"):
        tree.remove(str(tmp_path / "x"))

    assert "precious" == (tmp_path / "mine/file").read_text()


def test_directories_without_permissions_go(public: Path) -> None:
    deep = public / "x/a/b/c"
    deep.mkdir(parents=True)
    (deep / "file").write_text("")
    give(public / "x")
    if os.geteuid() == 0:
        os.chown(public, *USER)
    for path in (deep, deep.parent, deep.parent.parent, public / "x"):
        path.chmod(0o000)

    as_user(public / "x")

    assert [] == list(public.iterdir())


def test_a_tree_deeper_than_any_stack_goes(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)

    tree.remove(str(tmp_path / "x"))

    assert [] == list(tmp_path.iterdir())
