"""Walking programs: runs and their names, stops, breaks, branches, variables, cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import program, walk
from cit.steps import Steps
from cit.walk import expand
from cit.wants import ALL, OK, STEPS, Arg, Begin, Do, Fork, Join, Leave, Node, Outcome, ended

Tell = Callable[..., list[str]]

HELLO = """
(isolate (chroot "busybox")
  (sequence
    (exec "/bin/sleep" ("10") () null)
    (exec "/bin/echo" ("hello world!") () null)))"""


def test_the_hello_program_wants_what_the_manual_says(tell: Tell) -> None:
    assert tell(HELLO) == [
        "begin 1 isolate",
        "begin 1.1 chroot",
        "up 1.1 chroot busybox",
        "end 1.1 ok 0",
        "begin 1.2 sequence",
        "begin 1.2.1 exec",
        "exec 1.2.1 in 1.1: /bin/sleep 10",
        "end 1.2.1 ok 0",
        "begin 1.2.2 exec",
        "exec 1.2.2 in 1.1: /bin/echo hello world!",
        "end 1.2.2 ok 0",
        "end 1.2 ok 0",
        "down 1.1 handle-1.1",
        "end 1 ok 0",
        "ok 0",
    ]


def test_a_stop_before_the_start_is_the_outcome_of_all(tell: Tell) -> None:
    stop = ended("cancelled")

    assert tell(HELLO, {"begin 1": stop}) == [
        "begin 1 isolate",
        "end 1 cancelled 130",
        "cancelled 130",
    ]


def test_a_stop_between_steps_ends_the_parents_and_takes_the_isolation_down(tell: Tell) -> None:
    lines = tell(HELLO, {"begin 1.2.2": ended("cancelled")})

    assert lines[lines.index("begin 1.2.2 exec") :] == [
        "begin 1.2.2 exec",
        "end 1.2.2 cancelled 130",
        "end 1.2 cancelled 130",
        "down 1.1 handle-1.1",
        "end 1 cancelled 130",
        "cancelled 130",
    ]


def test_a_stop_in_the_middle_of_a_command_ends_the_parents(tell: Tell) -> None:
    lines = tell(HELLO, {"exec 1.2.1": ended("cancelled")})

    assert lines[-5:] == [
        "end 1.2.1 cancelled 130",
        "end 1.2 cancelled 130",
        "down 1.1 handle-1.1",
        "end 1 cancelled 130",
        "cancelled 130",
    ]


def test_a_job_over_its_time_ends_so(tell: Tell) -> None:
    assert tell(HELLO, {"begin 1.2.1": ended("timeout")})[-1] == "timeout 124"


def test_a_refused_run_decides_nothing(tell: Tell) -> None:
    lines = tell("(if (no-op 0) (no-op 0) (no-op 0))", {"begin 1.1": ended("timeout")})

    assert lines[1:] == ["begin 1.1 no-op", "end 1.1 timeout 124", "end 1 timeout 124",
                         "timeout 124"]  # fmt: skip


def test_a_script_is_a_single_run(tell: Tell) -> None:
    assert tell(program.script("#!/bin/true", ("chroot", "host"))) == [
        "begin 1 script",
        "up 1 chroot host",
        "exec 1 in 1: ",
        "end 1 ok 0",
        "down 1 handle-1",
        "ok 0",
    ]


def test_a_script_whose_isolation_fails_does_not_run(tell: Tell) -> None:
    lines = tell(program.script("true"), {"up 1": ended("setup")})

    assert lines == ["begin 1 script", "up 1 none", "end 1 setup 125", "setup 125"]


def test_a_script_that_was_stopped_is_put_away(tell: Tell) -> None:
    lines = tell(program.script("true"), {"exec 1": ended("cancelled")})

    assert lines[-3:] == ["end 1 cancelled 130", "down 1 handle-1", "cancelled 130"]


def test_a_lost_run_ends_lost(tell: Tell) -> None:
    assert tell(program.script("true"), {"exec 1": ended("lost")})[-1] == "lost 123"


def test_a_lost_run_is_run_again_where_the_job_asks_for_it(tell: Tell) -> None:
    text = '(isolate (none) (exec "/p"))'

    lines = tell(text, {"exec 1.2": [ended("lost"), ended("lost")]}, again=2)

    assert lines[4:] == [
        "begin 1.2 exec",
        "exec 1.2 in 1.1: /p",
        "end 1.2 lost 123",
        "begin 1.2 exec attempt 2",
        "exec 1.2 in 1.1: /p",
        "end 1.2 lost 123",
        "begin 1.2 exec attempt 3",
        "exec 1.2 in 1.1: /p",
        "end 1.2 ok 0",
        "down 1.1 handle-1.1",
        "end 1 ok 0",
        "ok 0",
    ]


def test_a_lost_run_is_not_run_for_ever(tell: Tell) -> None:
    lines = tell('(isolate (none) (exec "/p"))', {"exec 1.2": [ended("lost")] * 2}, again=1)

    assert [line for line in lines if line.startswith("begin 1.2")] == [
        "begin 1.2 exec",
        "begin 1.2 exec attempt 2",
    ]
    assert lines[-1] == "lost 123"


def test_a_walk_that_is_dropped_yields_nothing_more() -> None:
    walking = walk.walk(program.parse(HELLO, Steps()), Steps())
    for answer in [None, None, None, "handle", None, None]:
        walking.send(answer)

    walking.close()


# Steps that only a test has: a loop, a way out of it, and branches side by side.


def _loop(call: Any) -> Any:
    outcome = OK
    for turn in (1, 2):
        try:
            outcome = yield Do(0, (turn,), {"turn": str(turn)})
        except Leave as leave:
            left = leave.outcome
            if left.leave == ALL:
                raise
            return left._replace(leave=left.leave - 1)
    return outcome


def _out(call: Any) -> Any:
    yield from ()
    return OK._replace(leave=2)


def _together(call: Any) -> Any:
    worst = OK
    for child in call.args["steps"]:
        yield Fork(Do(child))
    for _ in call.args["steps"]:
        _, outcome = yield Join()
        worst = max(worst, outcome, key=lambda o: o.code)
    return worst


def _tidy(call: Any) -> Any:
    try:
        outcome = yield Do(0)
    except Leave:
        yield Do(1, cleanup=True)
        raise
    yield Do(1, cleanup=True)
    return outcome


CHILDREN = (Arg("steps", STEPS, "children"),)
OURS = {
    "loop": SimpleNamespace(ARGS=CHILDREN, run=_loop),
    "out": SimpleNamespace(ARGS=(), run=_out),
    "together": SimpleNamespace(ARGS=CHILDREN, run=_together),
    "tidy": SimpleNamespace(ARGS=CHILDREN, run=_tidy),
}


def load(text: str) -> tuple[Node, dict[str, Any]]:
    steps = {**Steps(), **OURS}
    return program.parse(text, steps), steps


def wants(text: str, **answers: Any) -> list[str]:
    """The Begins and Ends of a program with the steps above."""
    tree, steps = load(text)
    walking = walk.walk(tree, steps)
    lines, answer = [], None
    try:
        while True:
            want: Any = walking.send(answer)
            name = type(want).__name__.lower()
            step = want.step if name == "begin" else want.outcome.status
            lines.append(f"{name} {want.run} {step}")
            answer = answers.get(f"{name}_{want.run}".replace(".", "_"))
    except StopIteration as stop:
        return [*lines, stop.value.status]


def test_an_iteration_is_a_component_of_the_name() -> None:
    assert wants("(loop (sequence (no-op 0)))") == [
        "begin 1 loop",
        "begin 1.1.1 sequence",
        "begin 1.1.1.1 no-op",
        "end 1.1.1.1 ok",
        "end 1.1.1 ok",
        "begin 1.1.2 sequence",
        "begin 1.1.2.1 no-op",
        "end 1.1.2.1 ok",
        "end 1.1.2 ok",
        "end 1 ok",
        "ok",
    ]


def test_a_break_leaves_as_many_loops_as_it_says_and_every_run_ends() -> None:
    assert wants("(sequence (loop (loop (sequence (out) (no-op 1)))) (no-op 0))") == [
        "begin 1 sequence",
        "begin 1.1 loop",
        "begin 1.1.1.1 loop",
        "begin 1.1.1.1.1.1 sequence",
        "begin 1.1.1.1.1.1.1 out",
        "end 1.1.1.1.1.1.1 ok",
        "end 1.1.1.1.1.1 ok",
        "end 1.1.1.1 ok",
        "end 1.1 ok",
        "begin 1.2 no-op",
        "end 1.2 ok",
        "end 1 ok",
        "ok",
    ]


def test_a_break_out_of_more_loops_than_there_are_ends_the_program() -> None:
    lines = wants("(sequence (loop (out)) (no-op 1))")

    assert lines[-4:] == ["end 1.1.1.1 ok", "end 1.1 ok", "end 1 ok", "ok"]


def test_a_stop_is_not_a_break() -> None:
    lines = wants("(sequence (loop (no-op 0)) (no-op 1))", begin_1_1_1_2=ended("cancelled"))

    assert lines[-4:] == ["end 1.1.1.2 cancelled", "end 1.1 cancelled", "end 1 cancelled",
                          "cancelled"]  # fmt: skip


def test_what_tidies_up_runs_after_a_stop() -> None:
    lines = wants("(tidy (no-op 0) (no-op 0))", begin_1_1=ended("cancelled"))

    assert lines == [
        "begin 1 tidy",
        "begin 1.1 no-op",
        "end 1.1 cancelled",
        "begin 1.2 no-op",
        "end 1.2 ok",
        "end 1 cancelled",
        "cancelled",
    ]


def test_all_that_is_below_a_clean_up_is_clean_up() -> None:
    tree, steps = load("(tidy (no-op 0) (sequence (no-op 0)))")

    begins = [want for want in walk.walk(tree, steps) if isinstance(want, Begin)]

    assert [begin.run for begin in begins if begin.cleanup] == ["1.2", "1.2.1"]


def test_branches_run_one_after_another_where_each_want_is_answered_at_once() -> None:
    assert wants("(together (no-op 0) (no-op 7) (no-op 0))") == [
        "begin 1 together",
        "begin 1.1 no-op",
        "end 1.1 ok",
        "begin 1.2 no-op",
        "end 1.2 failed",
        "begin 1.3 no-op",
        "end 1.3 ok",
        "end 1 failed",
        "failed",
    ]


def test_branches_go_on_side_by_side_in_any_order() -> None:
    tree, steps = load('(isolate (none) (together (exec "a") (exec "b") (exec "c")))')
    walking = walk.walk(tree, steps)
    answer: Any = None
    ended_, running = [], []
    answers = iter([("1.2.3", OK), ("1.2.1", ended("failed", code=3)), ("1.2.2", OK)])
    while True:
        try:
            want = walking.send(answer)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            break
        name = type(want).__name__
        if want is None:
            answer = next(answers)
        elif name == "Exec":
            running.append(want.run)
            answer = walk.LATER
        else:
            if name == "End":
                ended_.append(want.run)
            answer = "h" if name == "Up" else None

    assert running == ["1.2.1", "1.2.2", "1.2.3"]
    assert ended_ == ["1.1", "1.2.3", "1.2.1", "1.2.2", "1.2", "1"]
    assert outcome.code == 3


def test_ten_thousand_steps_cost_well_under_a_second() -> None:
    row = "(no-op 0)" * 50
    text = ("(sequence " + row) * 190 + "(no-op 0)" + ")" * 190
    steps = Steps()
    tree = program.parse(text, steps)
    begun = time.process_time()

    count = sum(1 for _ in walk.walk(tree, steps))

    assert count == 2 * (190 + 190 * 50 + 1)
    assert time.process_time() - begun < 2  # 0.06 s on a machine that is not busy


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${a}", "1"),
        ("x${a}y${b}z", "x1y2z"),
        ("${no} ${a}", "${no} 1"),
        ("${v_${a}}", "deep"),
        ("${v_${no}}", "${v_${no}}"),
        ("${no_${a}}", "${no_1}"),
        ("${a", "${a"),
        ("${${a}", "${1"),
        ("a}b${a}}", "a}b1}"),
        ("$a $${a} {a}", "$a $1 {a}"),
        ("${quote}", "${a}"),
        ("${}", "${}"),
    ],
)
def test_variables_are_put_in(text: str, value: str) -> None:
    variables = {"a": "1", "b": "2", "v_1": "deep", "quote": "${a}"}

    assert expand(text, variables) == value


@given(st.text(st.sampled_from("${}ab")))
def test_a_text_without_known_variables_stays_as_it_is(text: str) -> None:
    assert expand(text, {}) == text


@pytest.mark.parametrize("text", ["${" * 500_000, "${" * 300_000 + "}" * 300_000, "${a}" * 60_000])
def test_putting_variables_in_costs_no_more_than_the_length(text: str) -> None:
    begun = time.process_time()

    expand(text, {"a": "1"})

    assert time.process_time() - begun < 3


def test_every_string_of_a_step_has_its_variables_put_in_but_not_a_script(tell: Tell) -> None:
    text = """
    (isolate (chroot "${t}")
      (sequence (exec "${p}" ("-${p}") ("A=${p}")) (script "echo ${p}")))"""
    steps = Steps()
    wanted = []
    walking = walk.walk(program.parse(text, steps), steps, {"t": "host", "p": "x"})
    want = next(walking)
    with pytest.raises(StopIteration):
        while True:
            assert want
            wanted.append(want)
            answer = {"Up": "h", "Exec": OK}.get(type(want).__name__)
            want = walking.send(answer)

    execs: list[Any] = [want for want in wanted if type(want).__name__ == "Exec"]
    assert [(e.argv, e.env, e.script) for e in execs] == [
        (("x", "-x"), ("A=x",), None),
        (("/bin/sh",), (), "echo ${p}"),
    ]
    assert execs[0].isolation.spec == "host"


def test_a_list_that_grows_without_end_does_not_start(tell: Tell) -> None:
    """Or a program of a megabyte would want ten gigabytes of whoever runs it."""
    words = '"${v}" ' * (walk.ALL_CAP // walk.CAP + 1)

    lines = tell(f'(isolate (none) (exec "/p" ({words})))', variables={"v": "x" * walk.CAP})

    assert lines[-1] == "nostart 126"


def test_a_string_that_grows_without_end_does_not_start(tell: Tell) -> None:
    big = "x" * (walk.CAP // 2 + 1)

    lines = tell('(isolate (none) (exec "/p" ("${v}${v}")))', variables={"v": big})

    assert lines[-1] == "nostart 126"
