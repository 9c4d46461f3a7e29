"""The workspace of a job: made, shared with a stranger, and put away."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cit import bundle
from cit.errors import Bad
from cit.workspace import Workspace

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"


def content(space: Workspace, name: str) -> bytes:
    return Path(space.file(name)).read_bytes()


# --- what a job did to its own rights -----------------------------------------------------------


def test_a_job_that_took_its_own_rights_away_can_be_gone_on_with(base: Path) -> None:
    first = Workspace(str(base), "x", ID, None)
    os.close(first.make("1.data", b"", 0o600))
    os.chmod(first.path, 0)

    again = Workspace(str(base), "x", ID, None)

    os.close(again.make("1.data", b"", 0o600))
    assert 0o700 == stat.S_IMODE(Path(again.path).stat().st_mode)
    again.remove("1.data")
    again.close()


def test_what_a_killed_runner_had_made_is_swept_away_and_nothing_of_other_jobs(base: Path) -> None:
    first, other = (Workspace(str(base), "x", id, None) for id in (ID, ID[:-1] + "0"))
    for space in (first, other):
        os.close(space.make("1.data", b"", 0o600))

    first.sweep()

    assert [f"{ID[:-1]}0.1.data"] == os.listdir(first.files)
    for space in (first, other):
        space.close()


# --- its life --------------------------------------------------------------------------------


def test_it_is_a_private_directory_below_its_name(base: Path, space: Workspace) -> None:
    assert str(base / "x" / ID) == space.path
    for path in (base, base / "x", base / "x" / ID):
        assert 0o700 == stat.S_IMODE(path.stat().st_mode)


def test_one_in_which_nothing_was_left_goes_with_its_job(base: Path) -> None:
    Workspace(str(base), "x", ID, None).close()

    assert [] == os.listdir(base / "x")


def test_one_in_which_something_was_left_stays(base: Path) -> None:
    space = Workspace(str(base), "x", ID, None)
    (Path(space.path) / "result").touch()

    space.close()

    assert ["result"] == os.listdir(base / "x" / ID)


def test_another_attempt_finds_what_the_first_one_made(base: Path) -> None:
    first = Workspace(str(base), "x", ID, None)
    (Path(first.path) / "half").touch()
    first.close()

    second = Workspace(str(base), "x", ID, None)

    assert ["half"] == os.listdir(second.path)
    second.close()


def test_jobs_of_one_name_come_and_go_without_minding_each_other(base: Path) -> None:
    def one(number: int) -> None:
        for turn in range(200):
            Workspace(str(base), "x", f"{ID[:20]}{number:02d}{turn:04d}", None).close()

    pids = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                one(number)
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)

    assert [0] * 4 == [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


# --- files in it -----------------------------------------------------------------------------


def test_a_file_is_made_with_its_bytes_and_can_be_read(space: Workspace) -> None:
    fd = space.make("1.script", b"#!/bin/sh\n", 0o700)

    assert b"#!/bin/sh\n" == os.pread(fd, 100, 0) == content(space, "1.script")
    assert 0o700 == stat.S_IMODE(os.fstat(fd).st_mode)
    os.close(fd)
    space.remove("1.script")


def test_a_file_is_made_instead_of_what_the_job_put_there(
    space: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_bytes(b"whole")
    Path(space.file("1.script")).symlink_to(tmp_path / "victim")

    os.close(space.make("1.script", b"new", 0o700))

    assert (b"whole", b"new") == ((tmp_path / "victim").read_bytes(), content(space, "1.script"))
    space.remove("1.script")


def test_to_remove_what_the_job_removed_or_replaced_is_fine(space: Workspace) -> None:
    Path(space.file("a")).mkdir()

    space.remove("a", "b")

    assert Path(space.file("a")).is_dir()


def test_files_that_the_job_brings_lie_in_it(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brought").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)

    space.unpack(bundle.pack(["brought"]))

    assert b"1" == (Path(space.path) / "brought").read_bytes()


def test_files_that_cannot_be_unpacked_are_bad_data(space: Workspace) -> None:
    with pytest.raises(Bad, match="cannot be unpacked"):
        space.unpack(b"")


def test_its_size_is_that_of_all_files_in_it_and_beside_it(
    space: Workspace, tmp_path: Path
) -> None:
    before = space.size("none")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "x").write_bytes(os.urandom(50_000))
    (Path(space.path) / "d").mkdir()
    (Path(space.path) / "d" / "x").write_bytes(os.urandom(100_000))
    (Path(space.path) / "loop").symlink_to(".")

    assert 100_000 <= space.size("none") - before < 140_000
    assert 150_000 <= space.size(str(tmp_path / "beside")) - before < 200_000


# --- data ------------------------------------------------------------------------------------


# --- another user's --------------------------------------------------------------------------


@pytest.fixture
def shared(workspaces: str) -> Iterator[Workspace]:
    """A workspace that root made for somebody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = Workspace(os.path.join(workspaces, "unit"), "x", ID, (61998, 61998))
    yield made
    made.remove("1.script")
    made.close()
    shutil.rmtree(os.path.join(workspaces, "unit"))


def test_he_can_reach_it_and_nobody_else_can_look(shared: Workspace) -> None:
    seen = {path: os.stat(path) for path in (shared.parent, shared.path)}

    assert [(0, 0o711), (61998, 0o700)] == [
        (status.st_uid, stat.S_IMODE(status.st_mode)) for status in seen.values()
    ]


def test_what_is_made_in_it_is_his(shared: Workspace) -> None:
    os.close(shared.make("1.script", b"x", 0o700))

    assert 61998 == os.stat(shared.file("1.script")).st_uid


def test_whatever_the_umask_he_can_reach_it(workspaces: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    before = os.umask(0o077)
    try:
        space = Workspace(os.path.join(workspaces, "masked"), "x", ID, (61998, 61998))
    finally:
        os.umask(before)

    for path in (os.path.join(workspaces, "masked"), space.parent):
        assert 0o711 == stat.S_IMODE(os.stat(path).st_mode)
    space.close()
    shutil.rmtree(os.path.join(workspaces, "masked"))


def test_one_whose_making_was_cut_is_given_to_him(workspaces: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    base = os.path.join(workspaces, "cut")
    os.makedirs(os.path.join(base, "x", ID), 0o700)

    space = Workspace(base, "x", ID, (61998, 61998))

    assert 61998 == os.stat(space.path).st_uid
    space.close()
    shutil.rmtree(base)


def test_files_are_unpacked_with_his_rights_alone(
    shared: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another job of his may turn a directory into a link to elsewhere at any moment.
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    body = bundle.pack(["d"])
    mine = Path(shared.path) / "d"
    mine.mkdir(0o755)

    with pytest.raises(Bad, match="denied"):
        shared.unpack(body)
    nothing = list(mine.iterdir())
    mine.rmdir()
    shared.unpack(body)

    assert [] == nothing
    assert (61998, 61998) == (mine.stat().st_uid, (mine / "x").stat().st_uid)
    (mine / "x").unlink()
    mine.rmdir()
