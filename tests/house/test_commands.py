"""What all commands have in common, and what they load before they begin."""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cit.options import Parser

TOP = Path(__file__).resolve().parents[2]
LIB = TOP / "lib"
NAMES = sorted(
    path.stem.replace("_", "-")
    for path in (LIB / "cit" / "cmd").glob("*.py")
    if path.name != "__init__.py"
)
STUBS = sorted(path.name.removeprefix("cit-") for path in (TOP / "bin").glob("cit-*"))
STUB = """\
#!/usr/bin/python3 -ISXutf8
import os, sys; sys.path.append(os.path.realpath(__file__ + "/../../lib"))
from cit.main import start
start("{name}")
"""
PYTHON = ["/usr/bin/python3", "-ISXutf8"]

# What a command may load of the standard library before it begins; with each comes
# what it imports itself. Everything else is imported in the function that needs it.
AT_START = {
    "__future__",
    "argparse",
    "collections.abc",
    "errno",
    "gc",
    "fcntl",
    "functools",
    "os",
    "re",
    "stat",
    "struct",
    "time",
}
# Those that make, check or seal jobs hash them.
HASHING = ("answer", "append", "check", "hold", "note", "program", "push", "queue", "stop")
ALSO_AT_START = {name: {"hashlib"} for name in HASHING}
ALSO_AT_START["run"] = {"hashlib", "importlib", "select", "signal"}
# The commands of which a person or cron starts thousands, and what they may load
# besides while they do their work on an empty queue. A TOML decoder is read once.
OFTEN = {"push": {"hashlib", "importlib.util", "tomllib"}, "ls": {"tomllib"}, "logs": {"tomllib"}}
# What runs jobs is not for those who only push them or look at them. (cit-push asks an
# isolation whether it understands what the job wants of it, and so loads that one.)
NEVER = ("cit.runner", "cit.manager", "cit.supervise", "cit.hierarchy", "cit.cgroup")


def parser(name: str) -> argparse.ArgumentParser:
    module = importlib.import_module(f"cit.cmd.{name.replace('-', '_')}")
    made = module.parser()
    assert isinstance(made, argparse.ArgumentParser)
    return made


def parsers(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of its sub-commands."""
    yield top
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


# --- stubs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUBS)
def test_a_stub_differs_from_the_others_by_its_name_only(name: str) -> None:
    stub = TOP / "bin" / f"cit-{name}"

    assert STUB.format(name=name) == stub.read_text()
    assert stub.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", NAMES)
def test_a_command_has_a_stub(name: str) -> None:
    assert name in STUBS


# --- conventions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_of_a_command_is_its_name_and_purpose(name: str) -> None:
    source = (LIB / "cit" / "cmd" / f"{name.replace('-', '_')}.py").read_text()
    first = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]

    assert re.fullmatch(rf"cit-{name} - [a-z].*[^.]", first), first


@pytest.mark.parametrize("name", NAMES)
def test_a_command_parses_its_arguments_in_the_common_way(name: str) -> None:
    top = parser(name)

    assert f"cit-{name}" == top.prog
    for each in parsers(top):
        assert isinstance(each, Parser), f"{each.prog}: make it with cit.options.Parser"
        for action in each._actions:
            if isinstance(action, argparse._SubParsersAction):
                continue
            assert action.help, f"{each.prog}: {action.dest} has no help"


@pytest.mark.parametrize("name", NAMES)
def test_help_and_version_work_without_a_queue(
    name: str, cit: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = cit(name, "--help")
    assert (0, "") == (code, err)
    assert out.startswith(f"usage: cit-{name}")

    code, out, err = cit(name, "--version")
    assert (0, "") == (code, err)
    assert re.fullmatch(rf"cit-{name} \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_a_usage_error_in_one_voice(
    name: str, cit: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = cit(name, "--no-such-option")

    assert (2, "") == (code, out)
    assert err.startswith(f"cit-{name}: ")
    assert err.endswith(f"see cit-{name} -h\n")


def test_a_letter_means_the_same_in_every_command() -> None:
    meanings: dict[str, set[str]] = {}
    for name in NAMES:
        for each in parsers(parser(name)):
            for action in each._actions:
                short = [o for o in action.option_strings if not o.startswith("--")]
                long = [o for o in action.option_strings if o.startswith("--")]
                for letter in short:
                    meanings.setdefault(letter, set()).update(long[:1])

    assert {} == {letter: long for letter, long in meanings.items() if len(long) > 1}


# --- start-up --------------------------------------------------------------------------------


@functools.cache
def loaded(*modules: str) -> frozenset[str]:
    """All modules that are there after these are imported, in a fresh interpreter."""
    imports = "".join(f"import {module}\n" for module in modules)
    program = f"import json, sys\nsys.path.append({str(LIB)!r})\n{imports}"
    program += "print(json.dumps(list(sys.modules)))\n"
    done = subprocess.run([*PYTHON, "-c", program], check=True, capture_output=True)
    return frozenset(json.loads(done.stdout))


@pytest.mark.parametrize("name", NAMES)
def test_a_command_loads_only_what_is_allowed_at_start(name: str) -> None:
    found = loaded("cit.main", f"cit.cmd.{name.replace('-', '_')}")

    allowed = loaded(*sorted(AT_START | ALSO_AT_START.get(name, set())))

    assert set() == {m for m in found - allowed if m != "cit" and not m.startswith("cit.")}


@pytest.mark.parametrize("name", [name for name in OFTEN if name in NAMES])
def test_a_frequent_command_loads_little_while_it_works(
    name: str, cit: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, err = cit("queue", "init")
    assert (0, "") == (code, err)
    script = tmp_path / "job"
    script.write_text("#!/bin/true\n")
    arguments = {"push": [script], "ls": [], "logs": ["no-such-job"]}[name]

    ended = subprocess.run(
        [*PYTHON, "-Ximporttime", TOP / "bin" / f"cit-{name}", *arguments],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", ended.stderr, re.MULTILINE)

    assert "cit.main" in names
    allowed = loaded(*sorted(AT_START | OFTEN[name]))
    assert set() == {m for m in set(names) - allowed if m != "cit" and not m.startswith("cit.")}
    assert [] == [m for m in names if m.startswith(NEVER)]
