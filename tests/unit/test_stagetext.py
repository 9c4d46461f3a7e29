"""Stages as a text, in the manner of make."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cit import lurch, program, stageform, stagetext
from cit.errors import Bad
from cit.stageform import Ground
from cit.steps import Steps
from cit.wants import Node

STEPS = Steps()


def read(text: str) -> lurch.Node:
    return stageform.program(stagetext.read(text), Ground(("none", "")))


def load(text: str) -> Node:
    return program.parse(text, STEPS, read=read)


def bare(node: Node) -> Node:
    """Without the places in the text."""
    return node._replace(line=0, column=0, children=tuple(map(bare, node.children)))


def test_a_text_is_a_program_that_could_have_been_written() -> None:
    text = """\
# everything
all: test

build:
\tmake all

\t  make more   # not a comment of ours
test: build [allow_failure, timeout=1m30s]
  ./test
clean: [finally]
    rm -r out
"""
    other = r"""
        (stages
          (stage "all" ("test") (no-op))
          (stage "build" ()
            (isolate (none)
              (script "#!/bin/sh -e\nmake all\n\n  make more   # not a comment of ours\n")))
          (stage "test" ("build") (isolate (none) (script "#!/bin/sh -e\n./test\n" () 90)) t)
          (stage "clean" () (isolate (none) (script "#!/bin/sh -e\nrm -r out\n")) f t))"""

    assert bare(program.parse(other, STEPS)) == bare(load(text))


@pytest.mark.parametrize(
    ("indented", "script"),
    [
        ("    a\n    b\n", "a\nb\n"),
        ("\ta\n\tb\n", "a\nb\n"),
        (" a\n   b\n  c\n", "a\n  b\n c\n"),
        ("  a\n\tb\n", "  a\n\tb\n"),
        ("  a\r\n  b\r\n", "a\nb\n"),
        ("\n  a\n\n  b\n\n\n", "a\n\nb\n"),
        ("  a\n# not of the script\n  # of it\n  b\n", "a\n# of it\nb\n"),
    ],
)
def test_indentation_is_what_all_lines_have_in_common(indented: str, script: str) -> None:
    [stage] = load(f"s:\n{indented}").children

    assert stage.children[0].children[1].args["text"] == "#!/bin/sh -e\n" + script


def test_a_script_may_name_its_interpreter() -> None:
    [stage] = load("s:\n    #!/usr/bin/python3\n    if 1:\n        print()\n").children

    text = stage.children[0].children[1].args["text"]
    assert text == "#!/usr/bin/python3\nif 1:\n    print()\n"


@pytest.mark.parametrize("text", ["s:\n", "s:\n\n   \n", "s:\n  # only this\n", "s: # nothing"])
def test_a_stage_without_commands_does_nothing(text: str) -> None:
    [stage] = load(text).children

    assert stage.children[0].step == "no-op"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a:\nb\n", 2, 1, "expected 'NAME: NEEDS', or a command, which is indented"),
        ("\n  echo\n", 2, 3, "a command before the first stage"),
        ("a: b ${c}\nb:\n", 1, 6,
         "expected the name of a stage, at most 64 letters, digits, '.', '_' and '-', beginning "
         "with a letter or digit, found '${c}'"),
        ("a: [x]\n", 1, 4,
         "unknown option 'x', known are allow_failure, finally, timeout=DURATION"),
        ("a: [finaly]\n", 1, 4, "unknown option 'finaly', did you mean 'finally'?"),
        ("a: [timeout=x]\n", 1, 4, 'timeout: expected a duration such as "10m" or "1h30m"'),
        ("a: [finally\n", 1, 4, "'[' without its ']'"),
        ("a: [finally] b\n", 1, 14, "expected nothing after the ']'"),
        ("a:\nb: c\n", 2, 1, "'stages': stage 'b' needs 'c': no stage 'c'"),
        ("a:\n\na:\n", 3, 1, "'stages': a second stage 'a'"),
        ("", 1, 1, "expected a stage such as 'build:', found none"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_text_is_said_at_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(Bad) as caught:
        load(text)

    assert (line, column, message) == (caught.value.line, caught.value.column, str(caught.value))


LINES = st.lists(
    st.one_of(
        st.from_regex(r"\A[a-c]:( [a-d]){0,2}( \[[a-z_=, ]{0,15}\]?)?\Z"),
        st.sampled_from(["  echo", "\techo", "", "#", "a: [finally]", "a: b [timeout=1m]"]),
        st.text(max_size=8),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=300)
@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]))
def test_any_text_is_stages_or_bad_data(lines: list[str], end: str) -> None:
    text = end.join(lines)

    try:
        tree = load(text)
    except Bad as bad:
        assert 1 <= bad.line <= text.count("\n") + 1
    else:
        assert bare(tree) == bare(program.parse(lurch.write(read(text)), STEPS))


@pytest.mark.parametrize(
    "text",
    [
        "a:\n" * 300_000,
        "".join(f"s{n}:\n" for n in range(200_000)),
        "a: " + "b " * 500_000,
        "a: " + "[" * 1_000_000,
        "a: [" + "x " * 500_000 + "]",
        "a" * 1_000_000 + ":",
        "a:\n" + "  " * 500_000 + "x",
        "a:\n" + "  x\n" * 250_000,
        "a:\n" + "\n" * 1_000_000,
        "".join(f"s{n}: {' '.join(f's{m}' for m in range(max(0, n - 200), n))}\n"
                for n in range(1000))[:1_000_000],
        "".join(f"s{n}: s{(n + 1) % 1000}\n" for n in range(1000)),
    ],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()

    try:
        load(text)
    except Bad as bad:
        assert bad.line

    assert time.process_time() - begun < 2  # under 1 s on a machine that is not busy
