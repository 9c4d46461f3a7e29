"""What `make` offers, and what it installs to do so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
MAKEFILE = (TOP / "Makefile").read_text()
PROMISED = [
    *("help", "demo", "test", "check", "lint", "bench", "soak", "test-vm", "man", "completion"),
    *("formats", "install", "uninstall", "clean"),
]


def test_help_lists_what_is_promised_each_with_its_purpose() -> None:
    done = subprocess.run(["make", "-sC", TOP], capture_output=True, text=True)

    assert (0, "") == (done.returncode, done.stderr)
    listed = [re.fullmatch(r"  make ([a-z-]+) +\S.*", line) for line in done.stdout.splitlines()]
    assert set(PROMISED) == {match[1] for match in listed if match}
    assert all(listed)


def test_every_target_that_makes_no_file_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)

    assert phony
    assert sorted(PROMISED) == sorted(phony[1].split())


@pytest.mark.parametrize("program", sorted(set(re.findall(r"@((?:\w+/)+\w+)", MAKEFILE))))
def test_what_make_calls_is_there(program: str) -> None:
    assert (TOP / program).stat().st_mode & 0o111


def test_every_package_is_in_a_group_and_has_a_probe() -> None:
    lines = (TOP / "tools" / "packages.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]

    assert [] == [row for row in rows if len(row) != 3]
    asked = set(" ".join(re.findall(r"setup packages ([a-z ]+)", MAKEFILE)).split())
    assert asked == {group for group, _, _ in rows}


def test_every_python_package_has_its_version() -> None:
    lines = (TOP / "tests" / "requirements.txt").read_text().splitlines()

    wrong = [line for line in lines if not re.fullmatch(r"#.*|[\w-]+==[\d.]+", line)]

    assert [] == wrong


def test_set_up_says_what_to_ask_for_where_it_may_not_install(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "setup").write_text((TOP / "tools" / "setup").read_text())
    (tools / "packages.txt").write_text("# x\ncore no-such-a no-such-a\ncore sh sh\nx y y\n")
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    for program in (tools / "setup", tmp_path / "id"):
        program.chmod(0o755)

    done = subprocess.run(
        [tools / "setup", "packages", "core"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )

    assert 0 == done.returncode
    assert "setup: missing; an administrator would run: apt-get install no-such-a\n" == done.stderr
