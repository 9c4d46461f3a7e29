"""A new queue, and who may do what in it."""

from __future__ import annotations

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
    ("readers", "top", "state"), [("owner", 0o711, 0o700), ("group", 0o751, 0o2750),
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
