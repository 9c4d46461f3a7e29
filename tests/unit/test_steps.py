"""The steps of the command language, each told by the wants it leads to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cit.wants import Outcome, ended

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


def test_the_condition_decides_which_step_runs(tell: Tell) -> None:
    assert tell("(if (no-op 0) (no-op 0) (no-op 2))")[3:] == [
        "begin 1.2 no-op",
        "end 1.2 ok 0",
        "end 1 ok 0",
        "ok 0",
    ]
    assert tell("(if (no-op 1) (no-op 0) (no-op 2))")[3:] == [
        "begin 1.3 no-op",
        "end 1.3 failed 2",
        "end 1 failed 2",
        "failed 2",
    ]


def test_a_condition_that_was_stopped_decides_nothing(tell: Tell) -> None:
    text = '(isolate (none) (if (exec "/p") (no-op 0) (no-op 0)))'

    lines = tell(text, {"exec 1.2.1": ended("cancelled")})

    assert lines[-5:] == [
        "end 1.2.1 cancelled 130",
        "end 1.2 cancelled 130",
        "down 1.1 handle-1.1",
        "end 1 cancelled 130",
        "cancelled 130",
    ]


def test_for_runs_its_body_for_each_value(tell: Tell) -> None:
    text = '(isolate (none) (for v ("a" "b") (sequence (exec "/p" ("-${v}") ))))'

    assert [line for line in tell(text) if line.startswith("exec")] == [
        "exec 1.2.1.1.1 in 1.1: /p -a",
        "exec 1.2.1.2.1 in 1.1: /p -b",
    ]


def test_for_stops_at_the_first_failure(tell: Tell) -> None:
    text = '(isolate (none) (for v ("a" "b" "c") (exec "${v}")))'

    lines = tell(text, {"exec 1.2.1.2": ended("failed", code=4)})

    assert lines[-4:] == [
        "end 1.2 failed 4",
        "down 1.1 handle-1.1",
        "end 1 failed 4",
        "failed 4",
    ]


def test_for_of_no_values_is_ok(tell: Tell) -> None:
    assert tell("(for v () (no-op 1))") == ["begin 1 for", "end 1 ok 0", "ok 0"]


def test_the_inner_variable_of_a_name_wins_and_values_may_use_the_outer(tell: Tell) -> None:
    text = """
    (isolate (none)
      (for v ("a" "b")
        (sequence (for v ("${v}1" "${v}2") (exec "${v}")) (exec "${v}"))))"""

    commands = [line.split(": ")[1] for line in tell(text) if line.startswith("exec")]

    assert commands == ["a1", "a2", "a", "b1", "b2", "b"]


def test_break_leaves_the_innermost_loop(tell: Tell) -> None:
    text = '(for a ("1" "2") (sequence (for b ("1" "2") (break 1)) (no-op 0)))'

    assert [line for line in tell(text) if line.startswith("begin")] == [
        "begin 1 for",
        "begin 1.1.1 sequence",
        "begin 1.1.1.1 for",
        "begin 1.1.1.1.1.1 break",
        "begin 1.1.1.2 no-op",
        "begin 1.1.2 sequence",
        "begin 1.1.2.1 for",
        "begin 1.1.2.1.1.1 break",
        "begin 1.1.2.2 no-op",
    ]


def test_break_leaves_several_loops_or_the_program(tell: Tell) -> None:
    text = '(sequence (for a ("1" "2") (for b ("1" "2") (break {}))) (no-op 3))'

    assert tell(text.format(2))[-1] == "failed 3"
    assert tell(text.format(3))[-1] == "ok 0"


def test_a_break_passes_through_whatever_is_no_loop(tell: Tell) -> None:
    text = """
    (for v ("a" "b")
      (isolate (none) (retry (if (no-op 0) (sequence (break 1) (no-op 1)) (no-op 2)) 3)))"""

    assert tell(text)[-9:] == [
        "begin 1.1.1.2.1.1.2.1 break",
        "end 1.1.1.2.1.1.2.1 ok 0",
        "end 1.1.1.2.1.1.2 ok 0",
        "end 1.1.1.2.1.1 ok 0",
        "end 1.1.1.2 ok 0",
        "down 1.1.1.1 handle-1.1.1.1",
        "end 1.1.1 ok 0",
        "end 1 ok 0",
        "ok 0",
    ]


def test_retry_runs_until_it_is_ok(tell: Tell) -> None:
    text = '(isolate (none) (retry (exec "/p") 3))'

    lines = tell(text, {"exec 1.2.1.1": ended("failed", code=1)})

    assert lines[5:] == [
        "begin 1.2.1.1 exec",
        "exec 1.2.1.1 in 1.1: /p",
        "end 1.2.1.1 failed 1",
        "begin 1.2.1.2 exec",
        "exec 1.2.1.2 in 1.1: /p",
        "end 1.2.1.2 ok 0",
        "end 1.2 ok 0",
        "down 1.1 handle-1.1",
        "end 1 ok 0",
        "ok 0",
    ]


@pytest.mark.parametrize(
    ("on", "outcome", "count"),
    [
        ("", ended("failed", code=9), 3),
        ("", ended("timeout"), 3),
        ("", ended("lost"), 1),
        ("", ended("denied"), 1),
        ("", ended("cancelled"), 1),
        ("(lost)", ended("lost"), 3),
        ("(lost)", ended("failed", code=9), 1),
        ("(lost memory 9)", ended("failed", code=9), 3),
        ("(lost memory 9)", ended("memory"), 3),
        ("(cancelled)", ended("cancelled"), 1),
    ],
)
def test_retry_tries_again_only_the_failures_that_it_names(
    tell: Tell, on: str, outcome: Outcome, count: int
) -> None:
    lines = tell(f'(isolate (none) (retry (exec "/p") 3 {on}))', {"exec": outcome})

    assert sum(line.startswith("exec") for line in lines) == count
