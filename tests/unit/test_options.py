"""The arguments of a command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cit.errors import USAGE, Failure
from cit.options import Parser

LIB = Path(__file__).resolve().parents[2] / "lib"


def test_a_usage_error_is_a_failure_that_says_where_help_is() -> None:
    parser = Parser("cit-x")

    with pytest.raises(Failure) as failed:
        parser.parse_args(["--no"])

    assert (USAGE, "unrecognized arguments: --no; see cit-x -h") == (
        failed.value.code,
        str(failed.value),
    )


def test_an_error_of_a_sub_command_names_the_help_of_that() -> None:
    parser = Parser("cit-x")
    parser.add_subparsers(dest="verb").add_parser("do").add_argument("what")

    with pytest.raises(Failure, match="required: what; see cit-x do -h$"):
        parser.parse_args(["do"])


def test_long_options_are_never_abbreviated_not_even_below() -> None:
    parser = Parser("cit-x")
    parser.add_argument("--verbose", action="store_true")
    below = parser.add_subparsers(dest="verb").add_parser("do")
    below.add_argument("--quickly", action="store_true")

    for arguments in (["--verb", "do"], ["do", "--quick"]):
        with pytest.raises(Failure, match="unrecognized arguments"):
            parser.parse_args(arguments)


def test_making_and_using_a_parser_loads_neither_shutil_nor_locale() -> None:
    program = f"""
import sys
sys.path.append({str(LIB)!r})
from cit.options import Parser
parser = Parser("cit-x")
parser.add_argument("--number", type=int, choices=[1, 2], help="a number")
parser.add_subparsers(dest="verb").add_parser("do").add_argument("what")
parser.parse_args(["--number", "1", "do", "it"])
sys.exit("shutil" in sys.modules or "locale" in sys.modules)
"""

    done = subprocess.run([sys.executable, "-IS", "-c", program], check=False)

    assert 0 == done.returncode
