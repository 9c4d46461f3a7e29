"""The README is true: its blocks marked ```sh tour and ```sh more are run, in their order."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
README = [
    pytest.param(path.read_text(), id=path.name) for path in [TOP / "README.md"] if path.exists()
]


def tour(text: str, kinds: str = "tour") -> list[str]:
    """The commands of the tour, or of blocks of these kinds; a text for each block."""
    return re.findall(rf"^```sh (?:{kinds})\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(blocks: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    """Run the blocks in one shell, as they are typed: in a directory with the examples."""
    (where / "examples").symlink_to(TOP / "examples")
    environment = {name: text for name, text in os.environ.items() if name != "CIT_START"}
    return subprocess.run(
        ["sh", "-eux", "-c", "\n".join(blocks)],
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_wrong_line_of_a_tour_is_found(tmp_path: Path) -> None:
    text = "```sh\nexit 3\n```\n```sh tour\ntest -d examples\n```\n```sh tour\nfalse\ntrue\n```\n"

    blocks = tour(text)
    ended = run(blocks, tmp_path)

    assert ["test -d examples\n", "false\ntrue\n"] == blocks
    assert 1 == ended.returncode
    assert ended.stderr.endswith("+ false\n")


@pytest.mark.parametrize("text", README)
def test_what_the_readme_says_runs_to_its_end(text: str, tmp_path: Path) -> None:
    blocks = tour(text, "tour|more")
    assert len(blocks) > 1, "no block ```sh tour"

    ended = run(blocks, tmp_path)

    assert 0 == ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("text", README)
def test_the_tour_is_ten_lines(text: str) -> None:
    commands = [
        line
        for block in tour(text)
        for line in block.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]

    assert len(commands) <= 10
