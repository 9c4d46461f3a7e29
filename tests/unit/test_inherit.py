"""A workspace that begins as a copy of another one: whole, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cit.workspace import Workspace

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
OLD = "01kak5jzc2v8e9j7m3t0q4w6xx"


@pytest.fixture
def old(base: Path) -> Path:
    path = base / "x" / OLD
    (path / "a b").mkdir(parents=True)
    (path / "a b" / "file").write_text("old")
    os.link(path / "a b" / "file", path / "same")
    (path / "run").write_text("#!/bin/sh\n")
    (path / "run").chmod(0o755)
    (path / "link").symlink_to("/etc/passwd")
    (path / ".hidden").touch()
    os.utime(path / "run", (1, 1))
    return path


def test_the_copy_is_as_the_first_one_was(space: Workspace, old: Path) -> None:
    space.inherit(str(old))

    new = Path(space.path)
    assert sorted(os.listdir(old)) == sorted(os.listdir(new))
    assert "old" == (new / "a b" / "file").read_text()
    assert (new / "same").samefile(new / "a b" / "file")
    assert "/etc/passwd" == os.readlink(new / "link")
    status = (new / "run").stat()
    assert (0o755, 1) == (stat.S_IMODE(status.st_mode), status.st_mtime)
    assert 0o700 == stat.S_IMODE(new.stat().st_mode)


def test_what_is_done_to_the_copy_is_not_done_to_the_first_one(
    space: Workspace, old: Path
) -> None:
    space.inherit(str(old))

    (Path(space.path) / "a b" / "file").write_text("new")
    (Path(space.path) / "run").unlink()

    assert "old" == (old / "a b" / "file").read_text()
    assert (old / "run").exists()


def test_a_workspace_in_which_something_was_done_is_left_as_it_is(
    space: Workspace, old: Path
) -> None:
    space.inherit(str(old))
    (Path(space.path) / "run").unlink()

    space.inherit(str(old))

    assert not (Path(space.path) / "run").exists()


def test_half_of_a_copy_by_a_runner_that_was_killed_is_made_anew(
    space: Workspace, old: Path
) -> None:
    half = Path(space.file("copy"))
    half.mkdir()
    (half / "torn").write_text("o")

    space.inherit(str(old))

    assert not (Path(space.path) / "torn").exists()
    assert [] == list(Path(space.files).iterdir())


def test_a_first_one_that_cannot_be_copied_leaves_nothing(
    space: Workspace, base: Path
) -> None:
    with pytest.raises(OSError, match="No such file"):
        space.inherit(str(base / "x" / "nowhere"))

    assert [] == os.listdir(space.path)
    assert [] == os.listdir(space.files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has jobs that are another user")
def test_it_is_copied_with_the_rights_of_the_jobs_user(workspaces: str) -> None:
    space = Workspace(workspaces, "x", ID, (61999, 61999))
    first = Workspace(workspaces, "x", OLD, (61999, 61999))
    (Path(first.path) / "own").touch()
    os.chown(Path(first.path) / "own", 61999, 61999)

    space.inherit(first.path)
    (Path(first.path) / "roots").touch(0o600)
    Path(space.path, "own").unlink()

    with pytest.raises(OSError, match="cannot open .*roots.* Permission denied"):
        space.inherit(first.path)
    assert [] == os.listdir(space.path)
    assert [] == [name for name in os.listdir(space.files) if name.startswith(ID)]
    (Path(first.path) / "roots").unlink()
    space.inherit(first.path)
    status = (Path(space.path) / "own").stat()
    assert (61999, 61999) == (status.st_uid, status.st_gid)
    assert (61999, 0o700) == (
        Path(space.path).stat().st_uid, stat.S_IMODE(Path(space.path).stat().st_mode),
    )  # fmt: skip
    space.close()
    first.close()
