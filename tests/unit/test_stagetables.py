"""Stages as tables of TOML."""

from __future__ import annotations

import time

import pytest

from cit import lurch, program, stageform, stagetables
from cit.errors import Bad
from cit.stageform import Ground
from cit.steps import Steps
from cit.wants import Node

STEPS = Steps()


def read(text: str) -> lurch.Node:
    return stageform.program(stagetables.read(text), Ground(("none", "")))


def load(text: str) -> Node:
    return program.parse(text, STEPS, read=read)


def bare(node: Node) -> Node:
    """Without the places in the text."""
    return node._replace(line=0, column=0, children=tuple(map(bare, node.children)))


def test_tables_are_a_program_that_could_have_been_written() -> None:
    text = """\
[[stage]]
name = "build"
run = ["make", "make install"]
chroot = "host"
timeout = "10m"
retry = 3

[[stage]]
name = "test"
needs = ["build"]
run = "make test"
image = "gcc:13"
retry = { attempts = 2, on = ["timeout", 75], backoff = "1m30s" }
allow_failure = true
matrix = { cc = ["gcc", "clang"], os = ["a"] }
env = { SIZE = "${data.size}", os = "mine" }

[[stage]]
name = "down"
finally = true
"""
    other = r"""
        (stages
          (stage "build" ()
            (retry
              (isolate (chroot "host") (script "#!/bin/sh -e\nmake\nmake install\n" () 600))
              3))
          (stage "test" ("build")
            (matrix "cc" ("gcc" "clang")
              (matrix "os" ("a")
                (retry
                  (isolate
                    (docker "gcc:13")
                    (script "#!/bin/sh -e\nmake test\n"
                      ("cc=${cc}" "SIZE=${data.size}" "os=mine")))
                  2 (timeout 75) 90)))
            t)
          (stage "down" () (no-op) f t))"""

    assert bare(program.parse(other, STEPS)) == bare(load(text))


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "key 'stage' is missing"),
        ("stage = []\n", 1, 1, "expected a stage, found none"),
        ("[[stage]]\nnmae = 'a'\n", 2, 1, "unknown key 'nmae', did you mean 'name'?"),
        ("[[stage]]\nrun = 'a'\n", 1, 3, "key 'name' is missing"),
        ("[[stage]]\nname = 'a'\nrun = 3\n", 3, 1,
         "expected a text or a list of lines, found 3"),
        ("[[stage]]\nname = 'a'\nrun = ['x', 3]\n", 3, 13, "expected a text, found 3"),
        ("[[stage]]\nname = 'a'\nchroot = 'host'\nimage = 'x'\n", 3, 1,
         "a stage has an 'image' or a 'chroot', not both"),
        ("[[stage]]\nname = 'a'\nretry = 0\n", 3, 1,
         "expected a number of attempts, 1 to 1000, or a table with 'attempts', 'on' and "
         "'backoff', found 0"),
        ("[[stage]]\nname = 'a'\nretry = true\n", 3, 1,
         "expected a number of attempts, 1 to 1000, or a table with 'attempts', 'on' and "
         "'backoff', found true"),
        ("[[stage]]\nname = 'a'\nretry = { attempts = 0 }\n", 3, 11,
         "expected a whole number from 1 to 1000, found 0"),
        ("[[stage]]\nname = 'a'\nretry = { on = [] }\n", 3, 1, "key 'attempts' is missing"),
        ("[[stage]]\nname = 'a'\nrun = 'x'\nretry = { attempts = 2, on = ['never'] }\n", 1, 3,
         "'retry': 'never' is no status or code of a failure"),
        ("[[stage]]\nname = 'a'\nretry = { attempts = 2, on = [1.5] }\n", 3, 1,
         "expected a status or a code, found 1.5"),
        ("[[stage]]\nname = 'a'\nmatrix = { v = [] }\n", 3, 12,
         "expected a list of texts, at least one, found a list of 0"),
        ("[[stage]]\nname = 'a'\nmatrix = { v = [3.10] }\n", 3, 17,
         "expected a text without NUL, in quotes, found 3.1"),
        ("[[stage]]\nname = 'a'\ntimeout = '5 apples'\n", 3, 1,
         'expected a duration such as "10m", found "5 apples"'),
        ("[[stage]]\nname = 'a'\n[[stage]]\nname = 'b'\nneeds = ['c']\n", 3, 3,
         "'stages': stage 'b' needs 'c': no stage 'c'"),
        ("[[stage]]\nname = 'a'\nrun = '''\n[[stage]]\n'''\n[[stage]]\nname = 'a'\n", 6, 3,
         "'stages': a second stage 'a'"),
        ("[[stage]]\nname = \n", 2, 8, "invalid value"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_tables_is_said_at_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(Bad) as caught:
        load(text)

    assert (line, column, message) == (caught.value.line, caught.value.column, str(caught.value))


def test_the_cells_of_a_matrix_are_bounded() -> None:
    values = ", ".join(f'"{n}"' for n in range(101))

    with pytest.raises(Bad, match="over 1000 cells"):
        load(f"[[stage]]\nname = 'a'\nmatrix = {{ a = [{values}], b = [{values}] }}\n")


def test_a_thousand_tables_do_not_take_long() -> None:
    script = "echo [[stage]] # " + "x" * 900
    text = "".join(f'[[stage]]\nname = "s{n}"\nrun = """\n{script}\n"""\n' for n in range(1000))
    begun = time.process_time()

    tree = load(text)

    assert len(tree.children) == 1000
    assert time.process_time() - begun < 2  # 0.2 s on a machine that is not busy
