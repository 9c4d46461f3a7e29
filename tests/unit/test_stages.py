"""Stages: how they are written, and which of them run after which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cit import program, stages, walk
from cit.errors import Bad
from cit.stages import Ground
from cit.steps import Steps
from cit.wants import (
    OK,
    Begin,
    Exec,
    Node,
    Outcome,
    Up,
    ended,
)

Tell = Callable[..., list[str]]
STEPS = Steps()
FAILED = ended("failed", code=3)
MANY = '"v" '


GROUND = Ground(("none", ""))


def load(text: str, kind: str = "stages", ground: Ground = GROUND) -> Node:
    return program.parse(text, STEPS, read=stages.reader(kind, ground))


def bare(node: Node) -> Node:
    """Without the places in the text."""
    return node._replace(line=0, column=0, children=tuple(map(bare, node.children)))


def same(text: str, other: str, kind: str = "stages") -> None:
    assert bare(load(text, kind)) == bare(program.parse(other, STEPS))


def side_by_side(
    tree: Node, answers: dict[str, Any], pick: Callable[[list[str]], str], **more: Any
) -> tuple[Outcome, list[str], int]:
    """Walk with several commands at a time; `pick` says which of those that run ends next.

    `answers` are by run: of an Exec its Outcome, of a Begin that is refused as well. The
    outcome, the runs that began or were refused, sorted, and the most commands at a time.
    """
    walking = walk.walk(tree, STEPS, **more)
    answer: Any = None
    running: list[str] = []
    seen, most = [], 0
    while True:
        try:
            want = walking.send(answer)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome, sorted(seen), most
        if want is None:
            run = pick(running)
            running.remove(run)
            answer = (run, answers.get(run, OK))
        elif isinstance(want, Exec):
            running.append(want.run)
            most = max(most, len(running))
            answer = walk.LATER
        elif isinstance(want, Begin):
            refused = answers.get(f"begin {want.run}")
            seen.append(f"{want.run} refused" if refused and not want.cleanup else want.run)
            answer = None if want.cleanup else refused
        else:
            answer = "handle" if isinstance(want, Up) else None


def first(running: list[str]) -> str:
    return running[0]


def bodies(text: str, answers: dict[str, Any], pick: Callable[[list[str]], str] = first) -> str:
    """The runs of the stages of a Lurch program that began, and the outcome."""
    outcome, runs, _ = side_by_side(program.parse(text, STEPS), answers, pick)
    began = [run for run in runs if run.split()[0].count(".") == 2]
    return f"{' '.join(began)}: {outcome.status} {outcome.code}"


def around(*rows: str) -> str:
    return f"(isolate (none) (stages {' '.join(rows)}))"


# --- which run -------------------------------------------------------------------------------


def test_a_stage_begins_when_those_it_needs_are_ok(tell: Tell) -> None:
    lines = tell('(stages (stage "a" ("b") (no-op)) (stage "b" () (no-op)))')

    assert lines == [
        "begin 1 stages",
        "begin 1.2 stage",
        "begin 1.2.1 no-op",
        "end 1.2.1 ok 0",
        "end 1.2 ok 0",
        "begin 1.1 stage",
        "begin 1.1.1 no-op",
        "end 1.1.1 ok 0",
        "end 1.1 ok 0",
        "end 1 ok 0",
        "ok 0",
    ]


def test_no_stages_are_ok(tell: Tell) -> None:
    assert tell("(stages)")[-1] == "ok 0"


FAN = around('(stage "a" () (exec "a"))', '(stage "b" () (exec "b"))',
             '(stage "c" ("a") (exec "c"))', '(stage "d" ("c" "b") (exec "d"))',
             '(stage "e" ("b") (exec "e"))')  # fmt: skip


def test_a_stage_that_fails_stops_only_what_needs_it() -> None:
    told = bodies(FAN, {"1.2.1.1": FAILED})

    assert told == "1.2.1 1.2.2 1.2.5: failed 3"


def test_a_stage_that_was_not_run_stops_what_needs_it_too(tell: Tell) -> None:
    lines = tell(FAN, {"exec 1.2.1.1": FAILED})

    assert not [line for line in lines if "1.2.3" in line or "1.2.4" in line]


def test_the_outcome_is_that_of_the_first_by_place() -> None:
    told = bodies(FAN, {"1.2.1.1": FAILED, "1.2.2.1": ended("timeout")}, lambda runs: runs[-1])

    assert told == "1.2.1 1.2.2: failed 3"


def test_a_failure_that_is_allowed_stops_nothing() -> None:
    text = around('(stage "a" () (exec "a") t)', '(stage "b" ("a") (exec "b"))')

    assert bodies(text, {"1.2.1.1": FAILED}) == "1.2.1 1.2.2: ok 0"


def test_as_many_run_side_by_side_as_there_are_slots() -> None:
    rows = [f'(stage "s{n}" () (exec "x"))' for n in range(9)]

    most = [
        side_by_side(program.parse(around(*slots, *rows), STEPS), {}, first)[2]
        for slots in ([], ["2"], ["1"], ["20"], ["null"])
    ]

    assert most == [4, 2, 1, 9, 4]


def test_what_comes_last_runs_after_a_failure_and_in_its_own_order() -> None:
    text = around('(stage "z" ("y" "a") (exec "z") f t)', '(stage "y" () (exec "y") f t)',
                  '(stage "a" () (exec "a"))', '(stage "b" ("a") (exec "b"))')  # fmt: skip
    tree, order = program.parse(text, STEPS), []

    def pick(running: list[str]) -> str:
        order.append(running[0])
        assert len(running) == 1
        return running[0]

    outcome, _, _ = side_by_side(tree, {"1.2.3.1": FAILED, "1.2.2.1": ended("signal", signal=9)},
                                 pick)  # fmt: skip

    assert order == ["1.2.3.1", "1.2.2.1", "1.2.1.1"]
    # y has failed as well, and stands before a.
    assert outcome.code == 137


def test_what_comes_last_runs_after_a_stop() -> None:
    text = around('(stage "a" () (exec "a"))', '(stage "b" ("a") (exec "b"))',
                  '(stage "z" () (exec "z") f t)')  # fmt: skip

    told = bodies(text, {"1.2.1.1": ended("cancelled"), "begin 1.2.2": ended("cancelled")})

    assert told == "1.2.1 1.2.3: cancelled 130"


def test_of_a_program_that_was_stopped_nothing_else_begins() -> None:
    rows = [f'(stage "{name}" () (exec "x"))' for name in "abc"]
    stop = ended("cancelled")

    told = bodies(around("1", *rows), {"1.2.1.1": stop, "begin 1.2.2": stop, "begin 1.2.3": stop})

    assert told == "1.2.1 1.2.2 refused 1.2.3 refused: cancelled 130"


def test_a_stage_that_a_person_stopped_was_not_allowed_to_fail() -> None:
    text = around('(stage "a" () (exec "a") t)', '(stage "b" ("a") (exec "b"))')

    assert bodies(text, {"1.2.1.1": ended("cancelled")}) == "1.2.1: cancelled 130"


def test_a_stop_counts_more_than_a_failure_before_it() -> None:
    told = bodies(FAN, {"1.2.1.1": FAILED, "1.2.2.1": ended("cancelled")})

    assert told == "1.2.1 1.2.2: cancelled 130"


def test_a_break_ends_its_own_stage(tell: Tell) -> None:
    text = ('(sequence (stages (stage "a" () (sequence (break 9) (no-op 1))) '
            '(stage "b" ("a") (no-op))) (no-op 5))')  # fmt: skip

    lines = tell(text)

    assert "begin 1.1.2 stage" in lines
    assert lines[-1] == "failed 5"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ('(stages (stage "a" () (no-op)) (stage "a" () (no-op)))', 32,
         "'stages': a second stage 'a'"),
        ('(stages (stage "a" ("bulid") (no-op)) (stage "build" () (no-op)))', 9,
         "'stages': stage 'a' needs 'bulid': no stage 'bulid'; is it 'build'?"),
        ('(stages (stage "a" ("a") (no-op)))', 9, "'stages': stages in a circle: a needs a"),
        ('(stages (stage "x" ("b") (no-op)) (stage "a" ("b") (no-op)) (stage "b" ("a") (no-op)))',
         35, "'stages': stages in a circle: a needs b needs a"),
        ('(stages (stage "a" ("z") (no-op)) (stage "z" () (no-op) f t))', 9,
         "'stages': stage 'a' needs 'z': 'z' comes last, so nothing can need it"),
        ('(stages (stage "a b" () (no-op)))', 9,
         "'stages': no name of a stage: 'a b'; it has at most 64 letters, digits, '.', '_' and "
         "'-', beginning with a letter or digit"),
        ('(stages (no-op))', 9, "'stages': 'no-op' is no stage"),
        ('(sequence (stage "a" () (no-op)))', 11, "'stage' outside 'stages'"),
        ('(stages 0 (stage "a" () (no-op)))', 9, "'stages': 'slots' is at least 1"),
        (f'(matrix "x" ({MANY * 1001}) (no-op))', 13, "'matrix': over 1000 values"),
        (f'(matrix x ({MANY * 32}) (matrix y ({MANY * 32}) (no-op)))', 142,
         "'matrix': over 1000 cells in all"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_with_its_place(text: str, column: int, message: str) -> None:
    with pytest.raises(Bad) as caught:
        program.parse(text, STEPS)

    assert (1, column, message) == (caught.value.line, caught.value.column, str(caught.value))


# --- matrix ----------------------------------------------------------------------------------


def test_a_matrix_runs_all_of_its_cells_whatever_becomes_of_them(tell: Tell) -> None:
    text = '(isolate (none) (matrix "py" ("3.10" "3.11" "3.12") (exec "py${py}")))'

    lines = tell(text, {"exec 1.2.1.2": FAILED, "exec 1.2.1.3": ended("timeout")})

    assert [line for line in lines if line.startswith("exec")] == [
        "exec 1.2.1.1 in 1.1: py3.10",
        "exec 1.2.1.2 in 1.1: py3.11",
        "exec 1.2.1.3 in 1.1: py3.12",
    ]
    assert lines[-1] == "failed 3"


def test_the_cells_of_a_matrix_run_side_by_side() -> None:
    values = " ".join(f'"{n}"' for n in range(9))
    text = f'(isolate (none) (matrix v ({values}) (exec "x") {{}}))'

    most = [side_by_side(program.parse(text.format(slots), STEPS), {}, first)[2]
            for slots in ("", "3")]  # fmt: skip

    assert most == [4, 3]


def test_a_matrix_without_values_is_ok(tell: Tell) -> None:
    assert tell("(matrix v () (no-op 1))")[-1] == "ok 0"


def test_a_break_ends_its_own_cell(tell: Tell) -> None:
    lines = tell('(for i ("1") (sequence (matrix v ("a" "b") (break 1)) (no-op 4)))')

    assert "begin 1.1.1.1.1.2 break" in lines or "begin 1.1.1.1.2 break" in lines
    assert lines[-1] == "failed 4"
