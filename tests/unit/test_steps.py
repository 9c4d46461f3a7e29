"""The steps of the command language, each told by the wants it leads to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cit.wants import ended

Tell = Callable[..., list[str]]


def test_a_no_op_ends_with_its_code(tell: Tell) -> None:
    assert tell("(no-op)") == ["begin 1 no-op", "end 1 ok 0", "ok 0"]
    assert tell("(no-op 7)") == ["begin 1 no-op", "end 1 failed 7", "failed 7"]


def test_a_sequence_stops_at_the_first_failure(tell: Tell) -> None:
    assert tell("(sequence (no-op 0) (no-op 3) (no-op 0))") == [
        "begin 1 sequence",
        "begin 1.1 no-op",
        "end 1.1 ok 0",
        "begin 1.2 no-op",
        "end 1.2 failed 3",
        "end 1 failed 3",
        "failed 3",
    ]


def test_an_empty_sequence_is_ok(tell: Tell) -> None:
    assert tell("(sequence)") == ["begin 1 sequence", "end 1 ok 0", "ok 0"]


def test_an_isolation_that_fails_is_the_outcome_and_nothing_runs_in_it(tell: Tell) -> None:
    lines = tell('(isolate (docker "image") (exec "/p"))', {"up 1.1": ended("setup")})

    assert lines == [
        "begin 1 isolate",
        "begin 1.1 docker",
        "up 1.1 docker image",
        "end 1.1 setup 125",
        "end 1 setup 125",
        "setup 125",
    ]


def test_the_nearest_isolation_wins_and_each_is_taken_down(tell: Tell) -> None:
    text = """
    (isolate (none)
      (sequence
        (exec "/outer")
        (isolate (chroot "host") (sequence (exec "/inner")))
        (exec "/outer")))"""

    lines = tell(text)

    assert [line for line in lines if line.split()[0] in ("up", "exec", "down")] == [
        "up 1.1 none",
        "exec 1.2.1 in 1.1: /outer",
        "up 1.2.2.1 chroot host",
        "exec 1.2.2.2.1 in 1.2.2.1: /inner",
        "down 1.2.2.1 handle-1.2.2.1",
        "exec 1.2.3 in 1.1: /outer",
        "down 1.1 handle-1.1",
    ]


def test_an_isolation_is_taken_down_after_a_failure(tell: Tell) -> None:
    lines = tell('(isolate (none) (exec "/p"))', {"exec 1.2": ended("failed", code=9)})

    assert lines[-4:] == [
        "end 1.2 failed 9",
        "down 1.1 handle-1.1",
        "end 1 failed 9",
        "failed 9",
    ]


def test_a_stop_while_the_isolation_is_built_runs_nothing(tell: Tell) -> None:
    lines = tell('(isolate (none) (exec "/p"))', {"up 1.1": ended("cancelled")})

    assert lines[-3:] == ["end 1.1 cancelled 130", "end 1 cancelled 130", "cancelled 130"]


@pytest.mark.parametrize(
    ("text", "argv"),
    [("#!/usr/bin/env python3\n", ""), ("echo hi", "/bin/sh"), ("", "/bin/sh")],
)
def test_a_script_names_its_interpreter_or_is_one_for_sh(
    tell: Tell, text: str, argv: str
) -> None:
    written = text.replace("\n", "\\n")

    lines = tell(f'(isolate (none) (script "{written}"))')

    assert f"exec 1.2 in 1.1: {argv}" in lines
