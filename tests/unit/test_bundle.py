"""Files that a job brings along: packed the same every time, unpacked without trust."""

from __future__ import annotations

import base64
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import bundle
from cit.errors import Bad, Failure

Member = tuple[str, bytes | str | None, bytes]  # name, content or goal of a link, type


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, empty."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Where things are unpacked."""
    path = tmp_path / "there"
    path.mkdir()
    return path


def archive(*members: Member) -> bytes:
    """The body of a section with exactly these members, whatever they are."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as made:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(content, str):
                info.linkname = content
            elif content is not None:
                info.size = len(content)
            made.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return base64.encodebytes(data.getvalue())


def file(name: str, content: bytes = b"") -> Member:
    return name, content, tarfile.REGTYPE


def link(name: str, goal: str) -> Member:
    return name, goal, tarfile.SYMTYPE


def tree(path: Path) -> list[str]:
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


# --- there and back --------------------------------------------------------------------------


def test_files_directories_and_links_come_back(here: Path, there: Path) -> None:
    (here / "d" / "empty").mkdir(parents=True)
    (here / "d" / "a b").write_bytes(bytes(range(256)))
    (here / "d" / "link").symlink_to("a b")
    (here / "run").write_bytes(b"#!/bin/sh\n")
    (here / "run").chmod(0o755)

    bundle.unpack(bundle.pack(["d", "run"]), str(there))

    assert ["d", "d/a b", "d/empty", "d/link", "run"] == tree(there)
    assert bytes(range(256)) == (there / "d" / "a b").read_bytes()
    assert "a b" == os.readlink(there / "d" / "link")
    assert (True, False) == (os.access(there / "run", os.X_OK), os.access(there / "d/a b", os.X_OK))


def test_the_current_directory_comes_back_without_a_name(here: Path, there: Path) -> None:
    (here / "x").write_bytes(b"1")

    bundle.unpack(bundle.pack(["."]), str(there))

    assert ["x"] == tree(there)


def test_equal_files_make_equal_bytes(here: Path) -> None:
    (here / "x").write_bytes(b"1")
    first = bundle.pack(["x"])
    os.utime(here / "x", (1, 1))
    (here / "x").chmod(0o600)

    assert first == bundle.pack(["x"])


@pytest.mark.parametrize("path", ["{outside}", "../out/x"])
def test_names_that_lead_out_lose_what_leads_there(here: Path, there: Path, path: str) -> None:
    outside = here.parent / "out" / "x"
    outside.parent.mkdir()
    outside.write_bytes(b"1")

    bundle.unpack(bundle.pack([path.format(outside=outside)]), str(there))

    assert ["x"] == tree(there)


def test_the_directory_above_comes_by_its_name(here: Path, there: Path) -> None:
    (here / "x").touch()
    (here / "sub").mkdir()
    os.chdir(here / "sub")

    bundle.unpack(bundle.pack([".."]), str(there))

    assert ["here", "here/sub", "here/x"] == tree(there)


def test_what_is_neither_file_directory_nor_link_is_left_out(here: Path, there: Path) -> None:
    (here / "d").mkdir()
    os.mkfifo(here / "d" / "fifo")
    for unwanted in ("__pycache__", ".git"):
        (here / "d" / unwanted).mkdir()

    bundle.unpack(bundle.pack(["d"]), str(there))

    assert ["d"] == tree(there)


def test_a_file_that_is_not_there_is_said(here: Path) -> None:
    with pytest.raises(Failure, match="cannot open 'x': no such file") as raised:
        bundle.pack(["x"])

    assert 66 == raised.value.code


@pytest.mark.parametrize("goal", ["/etc/passwd", "../x", "d/../../x"])
def test_a_link_that_leads_out_is_refused_when_packed(here: Path, goal: str) -> None:
    (here / "d").mkdir()
    (here / "l").symlink_to(goal)

    with pytest.raises(Failure, match=f"cannot pack link 'l': it leads out, to '{goal}'") as raised:
        bundle.pack(["."])

    assert 65 == raised.value.code


def test_files_that_no_job_can_hold_are_refused_with_both_sizes(here: Path) -> None:
    (here / "big").write_bytes(os.urandom(1 << 20))

    with pytest.raises(Failure, match="cannot pack 'big': .* is 1.4M, .* at most 1M"):
        bundle.pack(["big"])


def test_files_that_nobody_could_unpack_are_refused_before_they_are_read(here: Path) -> None:
    with open(here / "big", "wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(Failure, match=f"cannot pack 'big': over {bundle.CAP} bytes"):
        bundle.pack(["big"])


# --- distrust --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        [file("/etc/x")],
        [file("../x")],
        [file("d/../../x")],
        [link("l", "/etc")],
        [link("l", "..")],
        [link("d/l", "../../x")],
        [link("l", "d"), file("l/x")],
        [link("d", "."), link("l", "d/.."), file("l/x")],
        [("x", "here", tarfile.LNKTYPE)],
        [("x", None, tarfile.FIFOTYPE)],
        [("x", None, tarfile.CHRTYPE)],
        [file("x", b"1"), file("x/y", b"2")],
        [("x", None, tarfile.DIRTYPE), file("x", b"2")],
        [file("x" * 300)],
        [file("d/" * 3000 + "x")],
    ],
    ids=lambda members: " ".join(name[:20] for name, _, _ in members),
)
def test_what_would_lead_out_or_cannot_be_is_refused(
    members: list[Member], there: Path, tmp_path: Path
) -> None:
    with pytest.raises(Bad):
        bundle.unpack(archive(*members), str(there))

    assert ["a scratch"] == os.listdir(tmp_path.parent)
    assert ["there"] == os.listdir(tmp_path)


def test_a_link_is_not_written_through(there: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"whole")

    bundle.unpack(archive(link("x", "y"), file("x", b"new")), str(there))

    assert b"new" == (there / "x").read_bytes()
    assert not (there / "x").is_symlink()
    assert ["x"] == tree(there)


def test_what_a_cut_left_half_unpacked_is_made_anew(there: Path) -> None:
    body = archive(file("x", b"whole"), link("l", "x"), ("d", None, tarfile.DIRTYPE), file("d/y"))
    (there / "x").write_bytes(b"wh")
    (there / "l").symlink_to("x")

    bundle.unpack(body, str(there))

    assert b"whole" == (there / "l").read_bytes()
    assert ["d", "d/y", "l", "x"] == tree(there)


def zeros(count: int) -> bytes:
    """An archive with one file of so many bytes."""
    info = tarfile.TarInfo("big")
    info.size = count
    return info.tobuf() + b"\0" * count


def extended(count: int) -> bytes:
    """An archive with one name of so many bytes."""
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    info.size = count
    return info.tobuf() + b"\0" * count


@pytest.mark.parametrize("make", [zeros, extended])
def test_a_bomb_is_refused_before_it_fills_disk_or_memory(
    make: Callable[[int], bytes], there: Path
) -> None:
    cap = 1 << 20
    body = base64.encodebytes(gzip.compress(make(cap + 2 * bundle.PIECE), 1))

    with pytest.raises(Bad, match=f"over {cap} bytes"):
        bundle.unpack(body, str(there), cap)

    assert 3 * cap > sum(512 + path.stat().st_size for path in there.rglob("*"))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"not base64!", b"AAAA", base64.encodebytes(b"not gzip"),
        base64.encodebytes(gzip.compress(b"not tar" * 100)), archive(file("x", b"1" * 999))[:60],
        base64.encodebytes(gzip.compress(tarfile.TarInfo("x").tobuf()[:300])),
    ],
    ids=range(7),  # not their bytes, which have the time in them
)  # fmt: skip
def test_what_is_no_archive_is_bad_data(body: bytes, there: Path) -> None:
    with pytest.raises(Bad, match="cannot be unpacked"):
        bundle.unpack(body, str(there))
