"""Every command, format, step and isolation is in the manual, and the manual says what is true."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
MAN = TOP / "man"
LIB = TOP / "lib" / "cit"
PAGES = sorted(MAN.glob("*.[1-8]"))
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"]


# From the day it is there, everything must be.
COMPLETE = (MAN / "cit.7").exists()


def members(folder: str) -> list[str]:
    """The modules of a package, by the names that people use."""
    found = sorted(path.stem for path in (LIB / folder).glob("*.py"))
    return [name.rstrip("_").replace("_", "-") for name in found if name != "__init__"]


def described(names: list[str], pattern: str) -> list[str]:
    """All of `names`; but as long as there is no cit(7), those whose page there is."""
    if COMPLETE:
        return names
    return [name for name in names if (MAN / pattern.format(name)).exists()]


COMMANDS = described(members("cmd"), "cit-{}.1")
KINDS = sorted(path.stem for path in (TOP / "formats").glob("*.toml"))
STEPS = described([name for name in members("steps") if name != "script"], "cit-program.5")
ISOLATIONS = described(members("isolate"), "cit-program.5")


def page(name: str) -> str:
    path = MAN / f"cit-{name}.1"
    assert path.is_file(), f"write man/{path.name}: tools/man {name} prints its beginning"
    return plain(path.read_text())


def plain(text: str) -> str:
    """The source of a page without the escapes that only typesetting needs."""
    return text.replace("\\-", "-").replace("\\&", "").replace("\\(aq", "'").replace("\\(dq", '"')


def section(text: str, title: str) -> list[str]:
    """The lines of one section of a page."""
    _, _, rest = text.partition(f"\n.Sh {title}\n")
    return re.split(r"\n\.Sh ", rest)[0].splitlines()


def flags(lines: list[str]) -> set[str]:
    """All options that lines of mdoc show: `.It Fl n , Fl -number Ar N` shows -n and --number."""
    found = set()
    for line in lines:
        if not line.startswith("."):
            continue
        in_flag = False
        for word in shlex.split(line[1:].replace("'", "\\'")):
            if word == "Fl":
                in_flag = True
            elif re.fullmatch(r"[A-Z][a-z]", word):
                in_flag = False
            elif in_flag and re.fullmatch(r"[\w-]+", word):
                found.add("-" + word)
    return found


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def parser_of(name: str) -> argparse.ArgumentParser:
    made = importlib.import_module(f"cit.cmd.{name.replace('-', '_')}").parser()
    assert isinstance(made, argparse.ArgumentParser)
    return made


def arguments(name: str) -> list[argparse.Action]:
    """What a command takes, in all its sub-commands, but for what is hidden."""
    return [
        action
        for each in parsers(parser_of(name))
        for action in each._actions
        if action.help != argparse.SUPPRESS
    ]


# --- commands --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_the_sections_in_their_order(name: str) -> None:
    titles = re.findall(r"^\.Sh (.+)$", page(name), re.MULTILINE)

    assert SECTIONS == [title for title in titles if title in SECTIONS]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_names_the_command_as_its_module_does(name: str) -> None:
    module = importlib.import_module(f"cit.cmd.{name.replace('-', '_')}")
    purpose = (module.__doc__ or "").partition("\n")[0].partition(" - ")[2]

    assert [f".Nm cit-{name}", f".Nd {purpose}"] == section(page(name), "NAME")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_page_are_those_of_the_parser(name: str) -> None:
    taken = {spelling for action in arguments(name) for spelling in action.option_strings}
    # Said once, in cit(7): they are the same everywhere.
    common = {"-h", "--help", "--version"}

    items = [line for line in section(page(name), "OPTIONS") if line.startswith(".It ")]

    assert taken - common == flags(items) - common


@pytest.mark.parametrize("name", COMMANDS)
def test_a_synopsis_shows_every_option_argument_and_sub_command(name: str) -> None:
    lines = section(page(name), "SYNOPSIS")
    text = "\n".join(lines).lower()

    missing = []
    for action in arguments(name):
        if isinstance(action, argparse._SubParsersAction):
            words = list(action.choices)
        elif action.option_strings:
            if set(action.option_strings) & {"-h", "--help", "--version"}:
                continue
            missing += [] if set(action.option_strings) & flags(lines) else [action.option_strings]
            continue
        else:
            words = [str(action.metavar or action.dest)]
        missing += [[w] for w in words if not re.search(rf"\b{re.escape(w.lower())}\b", text)]

    assert [] == missing


def example_commands(name: str) -> list[list[str]]:
    """The cit commands in the EXAMPLES of a page, as argument lists."""
    found = []
    for line in section(page(name), "EXAMPLES"):
        line = re.sub(r"^(\.Dl |\.D1 )?(\$ )?", "", line)
        for part in re.split(r" \| | && |; ", line):
            if re.match(r"cit-[a-z]", part):
                words = shlex.split(part, comments=True)
                # After `--` stands a command of somebody else's.
                cut = [i for i, word in enumerate(words) if re.match(r"\d?[<>]|--$", word)]
                found.append(words[: cut[0]] if cut else words)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_page_are_accepted_by_the_commands(name: str) -> None:
    examples = example_commands(name)

    assert examples, "no example"
    for words in examples:
        # A wrong one leaves, which fails the test and shows why.
        parser_of(words[0].removeprefix("cit-")).parse_args(words[1:])


# --- formats, steps, isolations -------------------------------------------------------------------


def entries(pattern: str) -> str:
    """The headings and list items of the pages that match."""
    lines = [line for path in MAN.glob(pattern) for line in plain(path.read_text()).splitlines()]
    return "\n".join(line for line in lines if re.match(r"\.(Ss|It|Sh|Nm) ", line))


@pytest.mark.parametrize("kind", described(KINDS, "cit-job.5"))
def test_a_format_is_in_the_manual(kind: str) -> None:
    assert re.search(rf"(?<![\w-]){kind}(?![\w-])", entries("*.5"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_format_is_in_the_description_of_the_formats(kind: str) -> None:
    text = (TOP / "docs" / "formats.md").read_text()

    assert re.search(rf"^#+ .*\b{kind}\b", text, re.MULTILINE)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_in_the_manual(step: str) -> None:
    assert re.search(rf"(?<![\w-]){step}(?![\w-])", entries("cit-program.5"))


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_an_isolation_is_in_the_manual(isolation: str) -> None:
    assert re.search(rf"(?<![\w-]){isolation}(?![\w-])", entries("*.[57]"))


def test_the_description_of_the_formats_and_the_tables_are_current() -> None:
    made = subprocess.run([TOP / "tools" / "formats", "--check"], capture_output=True, text=True)

    assert (0, "") == (made.returncode, made.stdout + made.stderr)


# --- all pages -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_mandoc_finds_nothing_wrong(path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("no mandoc")

    lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", path], capture_output=True, text=True)

    assert "" == lint.stdout


@pytest.mark.parametrize("path", PAGES if COMPLETE else [], ids=lambda path: path.name)
def test_a_page_refers_only_to_pages_that_are_there(path: Path) -> None:
    references = re.findall(r"^\.Xr (cit\S*) (\d)", path.read_text(), re.MULTILINE)

    assert [] == [f"{n}.{s}" for n, s in references if not (MAN / f"{n}.{s}").is_file()]
