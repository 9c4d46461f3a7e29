"""The steps of the command language, each told by the wants it leads to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cit import program, replay, walk
from cit.steps import Steps
from cit.wants import OK, Ask, Await, Begin, Down, End, Exec, Outcome, Reply, Spawn, Up, ended

if TYPE_CHECKING:
    from cit.wants import Want

Tell = Callable[..., list[str]]
Record = tuple[str, str, tuple[str, ...]]


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


def test_retry_waits_between_attempts_twice_as_long_each_time(tell: Tell) -> None:
    lines = tell("(retry (no-op 1) 4 () 10)")

    assert [line for line in lines if not line.startswith("end")] == [
        "begin 1 retry",
        "begin 1.1.1 no-op",
        "begin 1.1.1.pause pause",
        "sleep 1.1.1.pause 10",
        "begin 1.1.2 no-op",
        "begin 1.1.2.pause pause",
        "sleep 1.1.2.pause 20",
        "begin 1.1.3 no-op",
        "begin 1.1.3.pause pause",
        "sleep 1.1.3.pause 40",
        "begin 1.1.4 no-op",
        "failed 1",
    ]


@pytest.mark.parametrize(
    ("back_off", "slept"),
    [("1000", [1000, 2000, 3600, 3600]), ("7200", [7200] * 4), ("0.5", [0.5, 1.0, 2.0, 4.0])],
)
def test_a_back_off_grows_up_to_an_hour_or_what_was_asked(
    tell: Tell, back_off: str, slept: list[float]
) -> None:
    lines = tell(f"(retry (no-op 1) 5 null {back_off})")

    assert [line.split()[2] for line in lines if line.startswith("sleep")] == list(map(str, slept))


def test_who_has_looked_long_looks_less_often(tell: Tell) -> None:
    looks = 1000
    not_yet = {f"exec 1.2.1.{look}": ended("failed", code=75) for look in range(1, looks)}

    lines = tell('(isolate (none) (check (exec "/p") 10))', not_yet)

    slept = [float(line.split()[2]) for line in lines if line.startswith("sleep")]
    assert [10] * 59 + [20] * 60 + [30] == slept[:120]
    assert [140] * 60 + [150] * (looks - 1 - 839) == slept[779:]


def test_retry_does_not_wait_before_the_first_attempt_nor_after_the_last(tell: Tell) -> None:
    assert not [line for line in tell("(retry (no-op 0) 5 () 10)") if "pause" in line]
    assert not [line for line in tell("(retry (no-op 1) 1 () 10)") if "pause" in line]
    assert not [line for line in tell("(retry (no-op 1) 2 (9) 10)") if "pause" in line]


@pytest.mark.parametrize("status", ["cancelled", "timeout"])
def test_a_pause_that_did_not_end_well_is_the_end_of_the_retry(tell: Tell, status: str) -> None:
    lines = tell("(retry (no-op 1) 3 () 10)", {"sleep 1.1.1.pause": ended(status)})

    assert [line.split()[:3] for line in lines[-3:-1]] == [
        ["end", "1.1.1.pause", status],
        ["end", "1", status],
    ]


def test_a_pause_sleeps_so_many_seconds(tell: Tell) -> None:
    assert tell("(pause 2.5)") == ["begin 1 pause", "sleep 1 2.5", "end 1 ok 0", "ok 0"]
    assert tell("(pause 0)")[1] == "sleep 1 0"


def test_a_wait_sleeps_until_its_calendar_comes(tell: Tell) -> None:
    assert tell("(wait (0 30) (3) () null (1 7))")[1:3] == [
        "sleep 1 ((0, 30), (3,), (), (), (1, 7))",
        "end 1 ok 0",
    ]
    assert tell("(wait)")[1] == "sleep 1 ((), (), (), (), ())"


@pytest.mark.parametrize("text", ["(pause 5)", "(wait)"])
def test_a_sleep_that_is_stopped_ends_the_program(tell: Tell, text: str) -> None:
    lines = tell(f"(sequence {text} (no-op))", {"sleep 1.1": ended("cancelled")})

    assert lines[2:] == ["sleep 1.1" + lines[2][9:], "end 1.1 cancelled 130", "end 1 cancelled 130",
                         "cancelled 130"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("(approve)", "ask 1 approve no for ever: "),
        ('(approve "Go?")', "ask 1 approve no for ever: Go?"),
        ('(approve null "Go?")', "ask 1 approve no for ever: Go?"),
        ('(approve 60 "Go?" t)', "ask 1 approve yes 60: Go?"),
        ('(approve 60.5 "Go?" f ("alice" "@ops"))', "ask 1 approve no 60.5 alice @ops: Go?"),
        ('(approve "Go?" null ("@ops"))', "ask 1 approve no for ever @ops: Go?"),
    ],
)
def test_an_approval_is_asked_for(tell: Tell, text: str, asked: str) -> None:
    assert tell(text) == ["begin 1 approve", asked, "end 1 ok 0", "ok 0"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("no", "alice@host"), "alice@host said no"),
        (Reply("no", "alice@host", "not on a Friday"), "alice@host said no: not on a Friday"),
        (Reply("no", ""), "nobody answered in time"),
        (Reply("maybe", "alice@host"), "alice@host said no"),
    ],
)
def test_what_is_not_approved_is_denied_with_who_and_why(reply: Reply, reason: str) -> None:
    walking = walk.walk(program.parse("(approve)", Steps()), Steps())
    wants = [next(walking), walking.send(None)]

    assert isinstance(wants[1], Ask)
    assert walking.send(reply) == End("1", ended("denied", reason))


def test_without_an_answer_in_time_the_default_of_an_approval_counts(tell: Tell) -> None:
    assert tell("(approve 1 null t)", {"ask": Reply("yes", "")})[-1] == "ok 0"
    assert tell("(approve 1 null f)", {"ask": Reply("no", "")})[-1] == "denied 130"


def test_who_is_denied_can_do_something_else(tell: Tell) -> None:
    lines = tell('(if (approve "Go?") (no-op 1) (no-op 2))', {"ask": Reply("no", "alice")})

    assert lines[-1] == "failed 2"


def test_the_comment_of_an_approval_takes_variables(tell: Tell) -> None:
    lines = tell('(for v ("1.0") (approve "Release ${v}?"))')

    assert "ask 1.1.1 approve no for ever: Release 1.0?" in lines


def test_let_asks_for_a_value_and_its_step_has_it(tell: Tell) -> None:
    text = '(isolate (none) (let v "1" "Which?" (exec "/p" ("-${v}"))))'

    assert tell(text, {"ask": Reply("2 3", "alice")})[5:9] == [
        "ask 1.2 let 1 for ever: Which?",
        "begin 1.2.1 exec",
        "exec 1.2.1 in 1.1: /p -2 3",
        "end 1.2.1 ok 0",
    ]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("(let v null null (no-op 3))", "ask 1 let  for ever: "),
        ('(let "v" "1" "Which?" (no-op 3) 60 ("@ops"))', "ask 1 let 1 60 @ops: Which?"),
    ],
)
def test_most_of_a_let_can_be_left_out_and_it_ends_as_its_step(
    tell: Tell, text: str, asked: str
) -> None:
    lines = tell(text)

    assert (asked, "failed 3") == (lines[1], lines[-1])


def test_an_answered_value_is_data_and_nothing_is_looked_for_in_it(tell: Tell) -> None:
    text = '(isolate (none) (let a "" "" (let b "${a}" "" (exec "/p" ("${a}" "${b}")))))'

    lines = tell(text, {"ask 1.2": Reply("${b}", "alice"), "ask 1.2.1": Reply("x", "alice")})

    assert "exec 1.2.1.1 in 1.1: /p ${b} x" in lines


@pytest.mark.parametrize("text", ["(approve)", "(let v null null (no-op))"])
def test_a_question_that_is_stopped_ends_the_program(tell: Tell, text: str) -> None:
    lines = tell(f"(for x (\"1\" \"2\") {text})", {"ask 1.1.1": ended("cancelled")})

    assert lines[-3:] == ["end 1.1.1 cancelled 130", "end 1 cancelled 130", "cancelled 130"]


@pytest.mark.parametrize(
    ("text", "spawned"),
    [
        ('(spawn "test build")', "spawn 1.1 test build newest"),
        ('(spawn "test build" null)', "spawn 1.1 test build newest"),
        ('(spawn "test build" 3)', "spawn 1.1 test build 3"),
    ],
)
def test_spawn_has_both_spellings_and_reports_the_job(
    tell: Tell, text: str, spawned: str
) -> None:
    lines = tell(f'(sequence {text} (await job "${{data.spawned}}"))')

    assert (spawned, "await 1.2 job job-of-1.1 None") == (lines[2], lines[5])


@pytest.mark.parametrize("status", ["limited", "cancelled", "nostart"])
def test_a_spawn_that_failed_says_so(tell: Tell, status: str) -> None:
    assert tell('(spawn "x")', {"spawn": ended(status)})[-1].split()[0] == status


@pytest.mark.parametrize(
    ("text", "awaited"),
    [
        ('(await job "build")', "await 1 job build None"),
        ('(await "job" "build" 60)', "await 1 job build 60"),
        ('(await artefact "build/a/tree" 1.5)', "await 1 artefact build/a/tree 1.5"),
    ],
)
@pytest.mark.parametrize("outcome", [ended("ok"), ended("failed", code=4), ended("timeout")])
def test_await_ends_as_what_it_waits_for(
    tell: Tell, text: str, awaited: str, outcome: Outcome
) -> None:
    assert tell(text, {"await": outcome})[1:] == [
        awaited,
        f"end 1 {outcome.status} {outcome.code}",
        f"{outcome.status} {outcome.code}",
    ]


@pytest.mark.parametrize(
    "text", ['(await job "${v}")', '(await artefact "build/${v}")', '(await artefact "${v}")']
)
def test_what_a_variable_makes_of_a_name_is_looked_at_before_it_is_awaited(
    tell: Tell, text: str
) -> None:
    lines = tell(f'(for v ("") {text})')

    assert lines[-1] == "nostart 126"
    assert not [line for line in lines if line.startswith("await")]


@pytest.mark.parametrize(
    "leaf",
    ['(pause 5)', "(wait)", '(approve "Go?")', '(spawn "p")', '(await job "j")', "(no-op)"],
)
def test_what_waits_may_stand_wherever_a_step_may(tell: Tell, leaf: str) -> None:
    text = """
    (sequence {0} (if {0} {0} (no-op 9)) (for v ("1" "2") {0}) (retry {0} 2)
      (let v "" "" {0}) (isolate (none) {0}))"""

    lines = tell(text.format(leaf))

    assert lines[-1] == "ok 0"
    assert sum(line.startswith("begin") for line in lines) == 15


def test_a_loop_leaves_a_component_for_the_turn() -> None:
    turning = [name for name, step in Steps().items() if getattr(step, "TURNS", False)]

    assert {"for", "retry"} <= set(turning)


EVERY = """
(sequence
  (approve 60 "Go?" f ("alice"))
  (let v "1" "Which?" (isolate (none) (retry (exec "/p" ("${v}")) 3 () 10)))
  (wait (0) (3)) (pause 5)
  (spawn "p" 2) (await job "${data.spawned}" 60)
  (for w ("a" "b") (if (approve) (no-op) (break 1)))
  (sequence))"""

USUAL = {Up: "handle", Ask: Reply("yes", "bob"), Spawn: "its-id", Exec: OK, Await: OK}


def records(want: Want, answer: object) -> list[Record]:
    """What a runner writes down of an answered want."""
    if isinstance(want, Begin):
        return [("begin", want.run, (want.step, str(want.attempt)))]
    if isinstance(want, Up):
        return [("up", want.run, (str(answer),))]
    if isinstance(want, Down):
        return [("down", want.run, ())]
    if isinstance(want, Ask) and isinstance(answer, Reply):
        return [("answer", want.run, (answer.who, answer.value, answer.reason))]
    if isinstance(want, Spawn):
        return [("spawn", want.run, (str(answer), want.program, str(want.version)))]
    if isinstance(want, End):
        told = [("data", want.run, pair) for pair in want.outcome.data]
        return [*told, ("end", want.run, replay.fields(want.outcome))]
    return []


def perform(old: replay.Replay, answers: dict[str, object]) -> tuple[list[Want], list[Record]]:
    """The wants of EVERY, and what is written down of those that are not in the old trace."""
    walking = walk.walk(program.parse(EVERY, Steps()), Steps())
    wants, written = [], []
    answer: object = None
    while True:
        try:
            want = walking.send(answer)
        except StopIteration:
            old.settle()
            return wants, written
        assert want is not None
        wants.append(want)
        found = old.find(want)
        if found:
            answer = found[0]
            continue
        old.settle()
        answer = answers.get(f"{type(want).__name__} {want.run}", USUAL.get(type(want)))
        written += records(want, answer)


def test_what_waits_and_asks_goes_on_from_any_record_of_its_trace() -> None:
    answers: dict[str, object] = {
        "Exec 1.2.1.2.1.1": ended("failed", code=1),
        "Exec 1.2.1.2.1.2": ended("failed", code=1),
        "Ask 1.2": Reply("2", "bob"),
        "Ask 1.7.2.1": Reply("no", "bob", "enough"),
    }
    wants, trace = perform(replay.Replay([]), answers)
    lost = 0

    for cut in range(len(trace) + 1):
        # A command that was cut off is lost: that is another story, and another test.
        if trace[cut - 1][0] == "begin" and trace[cut - 1][2][0] == "exec":
            lost += 1
            continue
        again, added = perform(replay.Replay(trace[:cut]), answers)
        # Data before a cut end are told again.
        assert (wants, trace) == (again, list(dict.fromkeys(trace[:cut] + added)))
    assert 3 == lost
    assert {"Ask", "Sleep", "Spawn", "Await"} <= {type(want).__name__ for want in wants}
