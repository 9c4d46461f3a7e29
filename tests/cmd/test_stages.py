"""Stages as jobs: what runs side by side, what comes last, and what a stage asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest


class Ended(Protocol):
    code: int
    out: str
    err: str


class Cit(Protocol):
    def __call__(self, command: str, *arguments: str | Path, input: str | bytes = b"") -> Ended: ...


def run(cit: Cit, tmp_path: Path, text: str, *options: str) -> Ended:
    path = tmp_path / "job.stages"
    path.write_text(text)
    return cit("run", *options, path)


def ends(cit: Cit) -> dict[str, str]:
    """How each run ended."""
    rows = [line.split("\t") for line in cit("cut", "job", "end").out.splitlines()]
    return {row[2]: row[3] for row in rows}


def test_stages_that_need_nothing_of_each_other_run_at_the_same_time(
    cit: Cit, tmp_path: Path
) -> None:
    # Each waits for what the other does: one after the other they would wait for ever.
    text = "a: [timeout=20s]\n  mkfifo x; cat x\nb: [timeout=20s]\n" \
           "  until test -p x; do sleep 0.01; done; echo hello > x\n"  # fmt: skip

    ended = run(cit, tmp_path, text)

    assert (0, "hello\n", "") == (ended.code, ended.out, ended.err)


def test_what_comes_last_runs_after_the_time_of_the_job(cit: Cit, tmp_path: Path) -> None:
    text = "a:\n  sleep 100\nb: a\n  echo no\nz: [finally]\n  echo last\n"

    ended = run(cit, tmp_path, text, "--limit", "time=300ms", "--limit", "grace=0")

    assert (124, "last\n") == (ended.code, ended.out)
    assert ["timeout", "ok", "timeout"] == [ends(cit)[name] for name in ("1.1", "1.3", "1")]


@pytest.mark.parametrize("asks", ["b: nope", "b", "a:"])
def test_a_stage_that_asks_for_what_cannot_be_is_told_why(
    cit: Cit, tmp_path: Path, asks: str
) -> None:
    text = f"a:\n  echo '{asks}' >> $CIT_STAGES\nc: a\n  echo no\n"

    ended = run(cit, tmp_path, text)

    assert "" == ended.out
    assert "stage 'a' asks for more stages: line 1: " in ended.err
    assert {"1.1": "ok", "1": "setup"}.items() <= ends(cit).items()


def test_the_suffix_of_a_text_of_stages_is_not_in_the_name(cit: Cit, tmp_path: Path) -> None:
    ended = run(cit, tmp_path, "a:\n  echo $who\n", "--set", "who=me")

    assert (0, "me\n") == (ended.code, ended.out)
    rows = [line.split("\t")[1:4] for line in cit("cut", "job", "--list").out.splitlines()]
    assert ["program", "1", "stages"] in rows


NESTED = """
slots = 2
[[stage]]
name = "a"
matrix = { x = ["1", "2", "3"] }
run = "echo begin; sleep 0.2; echo end"
[[stage]]
name = "b"
matrix = { x = ["1", "2", "3"] }
run = "echo begin; sleep 0.2; echo end"
"""


def test_the_slots_of_a_job_bound_all_its_commands_together(cit: Cit, tmp_path: Path) -> None:
    (tmp_path / "nested.toml").write_text(NESTED)

    ended = cit("run", tmp_path / "nested.toml")

    running, most = 0, 0
    for line in ended.out.splitlines():
        running += 1 if line == "begin" else -1
        most = max(most, running)
    assert (0, 2) == (ended.code, most)
