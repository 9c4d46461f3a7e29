"""Finding a way to isolate, and who can pass where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cit import isolation

USER = (54321, 54322)


def test_a_way_to_isolate_is_found_by_its_name() -> None:
    way = isolation.find("none")

    assert way and way.HELP.startswith("none: ")


@pytest.mark.parametrize("name", ["nope", "", "../none", "none.py", "os", "__init__", "no ne"])
def test_a_name_that_is_no_way_to_isolate_finds_nothing(name: str) -> None:
    assert None is isolation.find(name)


@pytest.mark.parametrize("name", ["none", "chroot"])
def test_every_way_has_what_the_contract_asks(name: str) -> None:
    way = isolation.find(name)

    asked = {"HELP", "check", "missing", "up", "ensure", "down", "enter"}
    assert asked <= set(dir(way))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
def test_the_first_closed_directory_on_the_way_is_named(public: Path) -> None:
    path = public / "a/b/c"
    path.mkdir(parents=True)
    assert "" == isolation.barred(str(path), USER)

    (public / "a").chmod(0o700)
    assert str(public / "a") == isolation.barred(str(path), USER)

    os.chown(public / "a", -1, USER[1])
    assert str(public / "a") == isolation.barred(str(path), USER)
    (public / "a").chmod(0o710)
    assert "" == isolation.barred(str(path), USER)

    os.chown(public / "a/b", *USER)
    (public / "a/b").chmod(0o600)
    assert str(public / "a/b") == isolation.barred(str(path), USER)


def test_the_end_of_the_way_itself_may_be_closed(public: Path) -> None:
    (public / "a").mkdir(mode=0o700)

    assert "" == isolation.barred(str(public / "a"), USER)
