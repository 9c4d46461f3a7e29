"""Imports and removals of stored programs killed at their system calls."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import harness
from harness import Home

KILLS = harness.size(24, 1000)  # of an import; half as many of a removal
TEXTS = ("#!/bin/sh\necho {}\n", "(isolate (none) (exec \"/bin/echo\" (\"{}\") () null))\n")


def on_disk(home: Home) -> dict[int, tuple[str, str]]:
    """The suffix and the text of each number that is taken."""
    found: dict[int, tuple[str, str]] = {}
    for path in (home.queue / "programs" / "hello").glob("[0-9]*"):
        number = int(path.stem)
        assert number not in found, "a number was taken twice"
        found[number] = (path.suffix, path.read_text())
    return found


def test_an_import_killed_anywhere_leaves_no_version_or_a_whole_one(
    home: Home, rng: random.Random, figure: Callable[[str], None], tmp_path: Path
) -> None:
    log, counter = tmp_path / "strace", itertools.count()
    given: set[str] = set()

    def text() -> bytes:
        number = next(counter)
        given.add(TEXTS[number % 2].format(number))
        return TEXTS[number % 2].format(number).encode()

    first = home.run("cit-program", "import", "hello", under=harness.strace(log), input=text())
    told = {int(first.out): text_of(home, int(first.out))}
    chances = harness.points(log, str(home.path))
    kills = 0
    for point in harness.choose(chances, KILLS, rng):
        inject = f"inject={point.syscall}:signal=KILL:when={point.number}"
        made = text()
        ended = home.run("cit-program", "import", "hello",
                         under=harness.strace(log, "-e", inject), input=made)  # fmt: skip
        kills += harness.killed(log)
        if ended.out.endswith("\n"):
            told[int(ended.out)] = made.decode()

        found = on_disk(home)
        assert {text for _, text in found.values()} <= given, point
        assert told.items() <= {number: text for number, (_, text) in found.items()}.items(), point

    last = int(home.run("cit-program", "import", "hello", input=text()).out)
    assert list(range(1, last + 1)) == sorted(on_disk(home)), "a number was passed over"
    assert [] == list((home.queue / "programs" / "hello").glob(".*"))
    assert kills >= KILLS * 0.6, "most of the chosen system calls did not come"
    figure(f"{kills} kills of import at {len(chances)} places")


def text_of(home: Home, version: int) -> str:
    return home.must("cit-program", "export", "hello", "--version", str(version))


def test_a_removal_killed_anywhere_is_one_or_none_and_its_number_stays_taken(
    home: Home, rng: random.Random, figure: Callable[[str], None], tmp_path: Path
) -> None:
    log = tmp_path / "strace"
    seen: dict[int, str] = {}  # what a number was ever found to be
    home.run("cit-program", "import", "hello", input=b"#!/bin/sh\n")
    home.run("cit-program", "rm", "hello", under=harness.strace(log))
    chances = harness.points(log, str(home.path))
    kills = 0
    for number, point in enumerate(harness.choose(chances, KILLS // 2, rng)):
        text = f"#!/bin/sh\necho {number}\n"
        version = int(home.run("cit-program", "import", "hello", input=text.encode()).out)
        inject = f"inject={point.syscall}:signal=KILL:when={point.number}"
        home.run("cit-program", "rm", "hello", under=harness.strace(log, "-e", inject))
        kills += harness.killed(log)

        exported = home.run("cit-program", "export", "hello")
        assert (exported.code, exported.out) in [(0, text), (66, "")], point
        for taken, (suffix, _) in on_disk(home).items():
            assert seen.setdefault(taken, suffix) == suffix, point
        assert seen.setdefault(version, ".sh") == ".sh"

    assert kills >= KILLS // 2 * 0.6, "most of the chosen system calls did not come"
    figure(f"{kills} kills of rm at {len(chances)} places")
