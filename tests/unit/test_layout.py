"""A new queue, and who may do what in it."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path

import pytest

from cit import layout
from cit.errors import Failure
from cit.queue import Queue


def modes(path: Path) -> dict[str, int]:
    return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.iterdir()}


def made(path: Path, **settings: object) -> Path:
    layout.create(str(path), {"name": "main", **settings})
    return path


def test_a_queue_of_ones_own_is_closed_to_others(tmp_path: Path) -> None:
    queue = made(tmp_path / "q")

    assert 0o700 == stat.S_IMODE(queue.stat().st_mode)
    assert {0o700} == {mode for name, mode in modes(queue).items() if name != "queue.toml"}


@pytest.mark.parametrize(
    ("readers", "top", "state"), [("owner", 0o711, 0o700), ("group", 0o2751, 0o2750),
                                  ("all", 0o755, 0o755)],
)  # fmt: skip
def test_who_may_push_can_put_things_in_and_see_nothing_there(
    tmp_path: Path, readers: str, top: int, state: int
) -> None:
    queue = made(tmp_path / "q", push=["*"], readers=readers)

    seen = modes(queue)
    assert top == stat.S_IMODE(queue.stat().st_mode)
    assert (0o1733, 0o1733) == (seen.pop("in"), seen.pop("answers"))
    assert 0o644 == seen.pop("queue.toml")
    assert {state} == set(seen.values())


def test_modes_do_not_hang_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        queue = made(tmp_path / "q", push=["*"], readers="all")
    finally:
        os.umask(before)

    assert (0o1733, 0o755) == (modes(queue)["in"], modes(queue)["done"])


def test_a_queue_is_never_made_over_another(tmp_path: Path) -> None:
    queue = made(tmp_path / "q", slots=3)

    with pytest.raises(Failure, match="already") as raised:
        made(tmp_path / "q", slots=5)

    assert 1 == raised.value.code
    assert 3 == Queue(str(queue)).setting("slots")


def test_one_whose_making_was_cut_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "q" / "wait").mkdir(parents=True)

    queue = made(tmp_path / "q")

    assert "main" == Queue(str(queue)).setting("name")


def test_directories_above_it_are_made_and_private(tmp_path: Path) -> None:
    made(tmp_path / "a" / "b" / "q")

    assert 0o700 == stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    queue = Queue(str(made(tmp_path / "q")))

    assert ("main", ["owner"], "owner", "owner", "push") == tuple(
        queue.setting(key) for key in ("name", "push", "readers", "none", "start")
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to a group of others: needs root")
def test_where_a_group_may_read_all_is_of_the_group_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    os.chown(tmp_path / "q", -1, grp.getgrnam("daemon").gr_gid)

    queue = Queue(str(made(tmp_path / "q", readers="group")))
    day = Path(queue._day("2026-11-21").path)

    groups = {entry.group() for entry in Path(queue.path).iterdir() if entry.name in layout.STATES}
    assert ({"daemon"}, "daemon") == (groups, day.group())
    assert 0o2750 == stat.S_IMODE(day.stat().st_mode)
    assert os.stat(queue.path).st_mode & stat.S_ISGID


def test_the_group_that_is_named_reads(tmp_path: Path) -> None:
    mine = grp.getgrgid(os.getgid()).gr_name

    layout.create(str(tmp_path / "q"), {"name": "main"}, mine)

    assert "group" == Queue(str(tmp_path / "q")).setting("readers")
    assert (mine, 0o2750) == ((tmp_path / "q" / "done").group(), modes(tmp_path / "q")["done"])


@pytest.mark.parametrize(
    ("given", "group", "why"),
    [({}, "no-such", "no group 'no-such'"), ({"readers": "all"}, None, "readers 'group'")],
)
def test_a_group_that_cannot_read_makes_no_queue(
    tmp_path: Path, given: dict[str, object], group: str | None, why: str
) -> None:
    with pytest.raises(Failure, match=why) as raised:
        layout.create(str(tmp_path / "q"), given, group or grp.getgrgid(os.getgid()).gr_name)

    assert (2, False) == (raised.value.code, (tmp_path / "q").exists())
