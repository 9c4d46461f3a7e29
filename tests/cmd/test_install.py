"""make install and make uninstall."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["make", "-sC", TOP, *arguments], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr), done
    return done


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/of mine")
    return tmp_path / "opt" / "of mine"


def test_what_is_installed_works_and_is_compiled(installed: Path) -> None:
    environment = {"PATH": f"{installed / 'bin'}:/usr/bin:/bin"}

    done = subprocess.run(["cit", "push", "--version"], env=environment, capture_output=True)

    assert (0, b"") == (done.returncode, done.stderr)
    assert done.stdout.startswith(b"cit-push ")
    modules = list((installed / "lib" / "cit" / "lib").rglob("*.py"))
    compiled = list((installed / "lib" / "cit" / "lib").rglob("*.pyc"))
    assert len(modules) == len(compiled) > 10


def test_every_command_is_installed_with_its_completion(installed: Path) -> None:
    programs = sorted(path.name for path in (TOP / "bin").iterdir())

    assert programs == sorted(path.name for path in (installed / "bin").iterdir())
    completions = installed / "share" / "bash-completion" / "completions"
    assert programs == sorted(path.name for path in completions.iterdir())
    pages = installed / "share" / "man"
    assert sorted(path.name for path in (TOP / "man").glob("*.[1-8]")) == sorted(
        path.name for path in pages.rglob("*.[1-8]")
    )


def test_the_commands_run_with_the_python_that_was_asked_for(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to("/usr/bin/python3")

    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr", f"PYTHON={python}")

    stub = tmp_path / "usr" / "lib" / "cit" / "bin" / "cit-push"
    assert f"#!{python} -ISXutf8\n" == stub.read_text().splitlines(keepends=True)[0]


def test_installing_again_leaves_nothing_of_the_old(installed: Path, tmp_path: Path) -> None:
    before = tree(installed)
    (installed / "lib" / "cit" / "lib" / "cit" / "gone.py").write_text("")

    make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/of mine")

    assert before == tree(installed)


def test_uninstall_leaves_only_what_is_not_its_own(installed: Path, tmp_path: Path) -> None:
    (installed / "bin" / "cit-mine").write_text("#!/bin/sh\n")
    manual = installed / "share" / "man" / "man1"
    manual.mkdir(parents=True, exist_ok=True)
    (manual / "other.1").write_text("")

    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/opt/of mine")

    files = [path for path in installed.rglob("*") if not path.is_dir()]
    assert {"cit-mine", "other.1"} == {path.name for path in files}
    assert not (installed / "lib" / "cit").exists()


@pytest.mark.parametrize("target", ["install", "uninstall"])
def test_a_directory_that_is_not_ours_is_left_alone(tmp_path: Path, target: str) -> None:
    other = tmp_path / "usr" / "lib" / "cit" / "precious"
    other.parent.mkdir(parents=True)
    other.write_text("x")

    done = subprocess.run(
        ["make", "-sC", TOP, target, f"DESTDIR={tmp_path}", "PREFIX=/usr"],
        capture_output=True,
        env={**os.environ},
    )

    assert 0 != done.returncode
    assert "x" == other.read_text()
