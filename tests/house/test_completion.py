"""The shell completion is made from the parsers: what a shell offers is what a command takes."""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("completion", str(TOP / "tools" / "completion"))
    spec = importlib.util.spec_from_loader("completion", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    loader.exec_module(module)
    sys.path[:] = before
    return module


def sample() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cit-sample", allow_abbrev=False)
    parser.add_argument("-n", "--number", metavar="NUMBER", help="how many: [1]")
    parser.add_argument("--color", choices=["always", "never"], help="whether it's colour")
    parser.add_argument("--queue", metavar="QUEUE", help="the queue")
    parser.add_argument("-q", "--quiet", action="store_true", help="say less")
    parser.add_argument("--secret", help=argparse.SUPPRESS)
    parser.add_argument("jobs", metavar="JOB", nargs="*", help="jobs")
    return parser


def nested() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cit-nested", allow_abbrev=False)
    below = parser.add_subparsers()
    first = below.add_parser("first", help="the first")
    first.add_argument("--where", metavar="FILE", help="a file")
    below.add_parser("second", help="the second").add_argument("what", choices=["x", "y"])
    return parser


@pytest.fixture
def script(tool: ModuleType, tmp_path: Path) -> Path:
    commands = [tool.command("sample", sample(), "show"), tool.command("nested", nested(), "nest")]
    path = tmp_path / "cit.bash"
    path.write_text(tool.bash(commands))
    return path


def complete(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of `words`, run in the directory of the script."""
    program = """
        compopt() { :; }
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _cit
        ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", program, "bash", script, *words],
        cwd=script.parent,
        capture_output=True,
        text=True,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return set(done.stdout.splitlines())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["cit", "s"], "sample"),
        (["cit", ""], "sample nested"),
        (["cit", "sample", "--q"], "--queue --quiet"),
        (["cit-sample", "--q"], "--queue --quiet"),
        (["/usr/bin/cit-sample", "--co"], "--color"),
        (["cit-sample", "--color", ""], "always never"),
        (["cit-sample", "--color", "=", "a"], "always"),
        (["cit-sample", "--secr"], ""),
        (["cit-sample", "-n", ""], ""),
        (["cit-nested", ""], "first second"),
        (["cit", "nested", "f"], "first"),
        (["cit-nested", "first", "-"], "-h --help --where"),
        (["cit", "nested", "second", ""], "x y"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_bash_offers(script: Path, words: list[str], offered: str) -> None:
    assert set(offered.split()) == complete(script, *words)


def test_bash_offers_files_and_directories_by_the_name_of_the_value(script: Path) -> None:
    (script.parent / "a file").write_text("")
    (script.parent / "a directory").mkdir()

    assert {"a file", "a directory"} == complete(script, "cit", "nested", "first", "--where", "a")
    assert {"a directory"} == complete(script, "cit-sample", "--queue", "a")


def test_bash_offers_the_jobs_of_the_queue(script: Path, fake: object) -> None:
    assert callable(fake)
    fake("cit-ls", "#!/bin/sh\nprintf '01abc\\twaiting\\n01abd\\tdone\\n02\\tdone\\n'\n")

    assert {"01abc", "01abd"} == complete(script, "cit-sample", "-q", "01")


def test_the_scripts_are_made_and_understood_by_their_shells(tmp_path: Path) -> None:
    made = subprocess.run(
        [TOP / "tools" / "completion", tmp_path / "made"], capture_output=True, text=True
    )

    assert (0, "", "") == (made.returncode, made.stdout, made.stderr)
    assert 0 == subprocess.run(["bash", "-n", tmp_path / "made" / "cit.bash"]).returncode
    if shutil.which("zsh"):
        assert 0 == subprocess.run(["zsh", "-n", tmp_path / "made" / "_cit"]).returncode


def test_zsh_is_told_of_every_option_with_its_help(tool: ModuleType) -> None:
    commands = [tool.command("sample", sample(), "show"), tool.command("nested", nested(), "")]

    text = tool.zsh(commands)

    assert r"'--number=[how many\: \[1\]]:NUMBER: '" in text
    assert r"'--color=[whether it'\''s colour]:COLOR:(always never)'" in text
    assert "'*:JOB:_cit_jobs'" in text
    assert "--secret" not in text
    assert "_cit_nested_first() {" in text
