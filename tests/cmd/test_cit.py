"""The dispatcher: cit NAME is cit-NAME."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
Cit = Callable[..., tuple[int, str, str]]
Fake = Callable[[str, str], Path]

SHOW = '#!/bin/sh\necho "$0 <$*>"\nexit 7\n'


def test_a_command_beside_it_gets_the_arguments_unchanged(cit: Cit) -> None:
    code, out, err = cit("", "push", "--version")

    assert (0, "") == (code, err)
    assert re.fullmatch(r"cit-push \d+\.\d+\.\d+\n", out)


def test_any_program_on_the_path_called_cit_something_is_a_command(cit: Cit, fake: Fake) -> None:
    program = fake("cit-something", '#!/bin/sh\nprintf "<%s>" "$@"\nexit 7\n')

    assert (7, "<a b><><*>", "") == cit("", "something", "a b", "", "*")
    assert program.exists()


def test_the_command_beside_it_wins_over_one_on_the_path(cit: Cit, fake: Fake) -> None:
    fake("cit-push", SHOW)

    code, out, _ = cit("", "push", "--version")

    assert (0, True) == (code, out.startswith("cit-push "))


def test_c_checks_a_file(tmp_path: Path, cit: Cit) -> None:
    beside = tmp_path / "elsewhere"
    beside.mkdir()
    (beside / "cit").write_text((TOP / "bin" / "cit").read_text())
    (beside / "cit-check").write_text('#!/bin/sh\nprintf "<%s>" "$@"\nexit 65\n')
    for program in beside.iterdir():
        program.chmod(0o755)

    ended = subprocess.run([beside / "cit", "-c", "a b"], capture_output=True)

    assert (65, b"<a b>", b"") == (ended.returncode, ended.stdout, ended.stderr)


def test_it_finds_its_place_through_links_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "one link").symlink_to(TOP / "bin" / "cit")
    (tmp_path / "cit").symlink_to("one link")

    ended = subprocess.run(["./cit", "--version"], cwd=tmp_path, capture_output=True, text=True)

    assert 0 == ended.returncode
    assert re.fullmatch(r"cit \d+\.\d+\.\d+\n", ended.stdout)


@pytest.mark.parametrize("name", ["no-such", "-x", "../cit-push", "PUSH", "a b"])
def test_an_unknown_command_is_a_usage_error(cit: Cit, name: str) -> None:
    code, out, err = cit("", name)

    assert (2, "") == (code, out)
    assert f"cit: no such command: '{name}'; cit -h lists them\n" == err


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_lists_every_command_with_its_purpose(cit: Cit, arguments: list[str]) -> None:
    code, out, err = cit("", *arguments)
    commands = {
        path.stem.replace("_", "-")
        for path in (TOP / "lib" / "cit" / "cmd").glob("*.py")
        if path.name != "__init__.py"
    }

    assert (0, "") == (code, err)
    listed = [re.fullmatch(r"cit ([a-z-]+) - .*[^.\"]", line) for line in out.splitlines()]
    assert commands == {match[1] for match in listed if match}
    assert all(listed)


MAN = '#!/bin/sh\nprintf "<%s>" "$@"\n'


@pytest.mark.parametrize(("words", "page"), [([], "cit.1"), (["push"], "cit-push.1"),
                                              (["cit-push"], "cit-push.1")])
def test_help_shows_the_page_of_the_checkout(
    cit: Cit, fake: Fake, words: list[str], page: str
) -> None:
    fake("man", MAN)

    code, out, err = cit("", "help", *words)

    assert (0, "", "<", ">") == (code, err, out[0], out[-1])
    assert (TOP / "man" / page).samefile(out[1:-1])


def test_help_shows_the_page_that_was_installed_with_it(
    tmp_path: Path, cit: Cit, fake: Fake
) -> None:
    done = ["make", "-sC", TOP, "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    subprocess.run(done, check=True, capture_output=True)
    fake("man", MAN)

    ended = subprocess.run(
        [tmp_path / "usr" / "bin" / "cit", "help", "push"], capture_output=True, text=True
    )

    assert (0, "") == (ended.returncode, ended.stderr)
    page = tmp_path / "usr" / "share" / "man" / "man1" / "cit-push.1"
    assert page.samefile(ended.stdout[1:-1])


def test_help_leaves_the_page_of_another_program_to_man(cit: Cit, fake: Fake) -> None:
    fake("man", MAN)
    fake("cit-something", SHOW)

    assert (0, "<cit-something>", "") == cit("", "help", "something")


def test_there_is_no_help_for_what_is_no_command(cit: Cit, fake: Fake) -> None:
    fake("man", MAN)

    code, out, err = cit("", "help", "no-such")

    why = "cit: no such command: 'no-such'; cit -h lists them\n"
    assert (2, "", why) == (code, out, err)


def test_it_is_eighteen_lines_at_most() -> None:
    assert len((TOP / "bin" / "cit").read_text().splitlines()) <= 18
