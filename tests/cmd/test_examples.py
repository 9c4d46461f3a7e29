"""The examples are what they say: jobs that are accepted, and do what their comments promise."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SUFFIXES = (".job", ".lurch", ".sh", ".stages", ".toml")
JOBS = sorted(path for path in EXAMPLES.iterdir() if path.suffix in SUFFIXES)
Cit = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.name)
def test_an_example_is_a_job(path: Path, cit: Cit) -> None:
    assert (0, "", "") == cit("check", path)


def test_the_script_counts_and_reports_how_far(cit: Cit) -> None:
    ran = cit("run", "--set", "upto=2", EXAMPLES / "count.sh")

    assert (0, "1\n2\n", "") == ran
    code, out, _ = cit("cut", "count", "data")
    assert (0, ["data", "1", "counted", "2"]) == (code, out.rstrip("\n").split("\t")[1:])


@pytest.mark.parametrize(("options", "said"), [([], "world"), (["--set", "who=you"], "you")])
def test_the_greeting_is_for_whom_it_is_set(options: list[str], said: str, cit: Cit) -> None:
    assert (0, f"hello {said}\n", "") == cit("run", *options, EXAMPLES / "greet.toml")


def test_the_second_attempt_finds_what_the_first_one_left(cit: Cit) -> None:
    for program in ("bwrap", "busybox"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")

    assert (0, "ash works\nsh works\n", "") == cit("run", EXAMPLES / "matrix.lurch")

    _, out, _ = cit("cut", "matrix", "end")
    ends = [line.split("\t")[2:4] for line in out.splitlines()]
    assert ["1.2.1.1.1.1.1", "failed"] in ends
    assert ["1.2.1.1.1.1.2", "ok"] in ends


def test_the_stages_that_a_stage_makes_run_as_well(cit: Cit) -> None:
    code, out, err = cit("run", EXAMPLES / "build.stages")

    assert (0, ["hallo world!", "hello world!"], "") == (code, sorted(out.splitlines()), err)
    _, out, _ = cit("cut", "build", "end")
    ends = [line.split("\t")[2:4] for line in out.splitlines()]
    assert all([run, "ok"] in ends for run in ("1.2.s1", "1.2.s2", "1.7"))


def test_the_cells_of_a_matrix_are_tried_and_counted(cit: Cit) -> None:
    for program in ("bwrap", "busybox"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")

    code, out, err = cit("run", EXAMPLES / "stages.toml")

    *greetings, count = out.splitlines()
    assert (0, "3 greetings", "") == (code, count, err)
    assert ["hallo world!", "hello world!", "salut world!"] == sorted(greetings)


def test_the_commands_of_the_crontab_are_accepted() -> None:
    lines = (EXAMPLES / "crontab").read_text().splitlines()
    commands = [
        shlex.split(part.partition(">")[0])
        for line in lines
        if not line.startswith("#")
        for part in re.findall(r"\bcit-.*?(?= && |$)", line)
    ]

    assert len(commands) == 5
    for name, *arguments in commands:
        module = importlib.import_module("cit.cmd." + name.removeprefix("cit-"))
        # A wrong one leaves, which fails the test and shows why.
        module.parser().parse_args(arguments)
