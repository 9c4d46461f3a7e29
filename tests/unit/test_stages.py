"""Stages: which of them run after which, and which cannot run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import program, walk
from cit.errors import Bad
from cit.steps import Steps
from cit.wants import OK, Begin, Exec, Node, Outcome, Up, ended

Tell = Callable[..., list[str]]
STEPS = Steps()
FAILED = ended("failed", code=3)
MANY = '"v" '


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


# --- stages that stages make -----------------------------------------------------------------


def asks(*texts: str) -> Outcome:
    return OK._replace(stages=texts)


MAKER = around('(stage "a" () (exec "a"))', '(stage "b" ("a") (exec "b"))',
               '(stage "c" () (exec "c"))')  # fmt: skip


def made(tree: str, answers: dict[str, Any], pick: Callable[[list[str]], str] = first) -> str:
    """The runs of commands in what was made, and the outcome with its reason."""
    outcome, runs, _ = side_by_side(program.parse(tree, STEPS), answers, pick)
    began = [run for run in runs if "s" in run and run.endswith(".1")]
    return f"{' '.join(began)}: {outcome.status} {outcome.reason}".rstrip()


def test_a_stage_makes_others_which_are_named_after_it(tell: Tell) -> None:
    lines = tell(MAKER, {"exec 1.2.1.1": asks("x: y\n echo x\ny:\n echo y\n")})

    begun = [line for line in lines if line.endswith(" stage")]
    assert begun == [f"begin 1.2.{name} stage" for name in ("1", "3", "1.s2", "2", "1.s1")]
    assert "exec 1.2.1.s1.1 in 1.1: " in lines


def test_what_was_made_can_make_more() -> None:
    answers = {"1.2.1.1": asks("x:\n echo\n"), "1.2.1.s1.1": asks("y: x b\n echo\n")}

    # Of b it is certain that it is there, of x that it is over.
    assert made(MAKER, answers) == "1.2.1.s1.1 1.2.1.s1.s1.1: ok"


def test_what_was_made_can_be_needed_by_those_that_come_after_its_maker() -> None:
    answers = {"1.2.1.1": asks("x:\n echo\n"), "1.2.2.1": asks("y: x c a\n echo\n")}

    assert made(MAKER, answers) == "1.2.1.s1.1 1.2.2.s1.1: ok"


def test_of_others_it_cannot_be_known_whether_they_are_there() -> None:
    answers = {"1.2.1.1": asks("x:\n echo\n"), "1.2.3.1": asks("y: x\n echo\n")}

    told = {made(MAKER, answers, pick) for pick in (first, lambda runs: runs[-1])}

    reason = "stage 'c' asks for more stages: line 1: stage 'y' needs 'x': no stage 'x'"
    assert told == {f"1.2.1.s1.1: setup {reason}"}


def test_two_may_make_stages_of_one_name_which_neither_sees() -> None:
    answers = {"1.2.1.1": asks("x:\n echo\n"), "1.2.3.1": asks("x:\n echo\ny: x\n echo\n")}

    assert made(MAKER, answers) == "1.2.1.s1.1 1.2.3.s1.1 1.2.3.s2.1: ok"


def test_of_two_of_one_name_nobody_can_need_one() -> None:
    text = around('(stage "a" () (exec "a"))', '(stage "b" () (exec "b"))',
                  '(stage "c" ("a" "b") (exec "c"))')  # fmt: skip
    answers = {"1.2.1.1": asks("x:\n"), "1.2.2.1": asks("x:\n"), "1.2.3.1": asks("\n\ny: x\n")}

    assert made(text, answers).endswith(
        ": setup stage 'c' asks for more stages: line 3: stage 'y' needs 'x': "
        "there are two stages 'x'"
    )


def test_what_a_failed_stage_made_is_not_run_but_what_comes_last_is() -> None:
    text = "x:\n echo\ndown: [finally]\n echo\n"

    told = made(MAKER, {"1.2.1.1": FAILED._replace(stages=(text,))})

    assert told == "1.2.1.s2.1: failed"


def test_what_was_made_to_come_last_runs_after_a_stop() -> None:
    stop = ended("cancelled")
    tree = program.parse(around('(stage "a" () (exec "a"))'), STEPS)

    _, runs, _ = side_by_side(
        tree, {"1.2.1.1": stop._replace(stages=("down: [finally]\n x\n",))}, first
    )

    assert "1.2.1.s1.1" in runs


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("x y\n", "line 1: expected 'NAME: NEEDS', or a command, which is indented"),
        ("x:\nb:\n", "line 2: a second stage 'b'"),
        ("x: y\ny: x\n", "line 1: stages in a circle: x needs y needs x"),
        ("x: nope\n", "line 1: stage 'x' needs 'nope': no stage 'nope'"),
        ("x: [timeout=never]\n",
         'line 1: timeout: expected a duration such as "10m" or "1h30m"'),
        ("".join(f"x{n}:\n" for n in range(1001)), "line 1001: over 1000 stages"),
        ("# nothing\n", "line 1: expected a stage such as 'build:', found none"),
    ],
)  # fmt: skip
def test_a_stage_that_asks_for_what_cannot_be_has_failed(text: str, wrong: str) -> None:
    told = bodies(MAKER, {"1.2.1.1": asks(text)})
    reason = made(MAKER, {"1.2.1.1": asks(text)})

    assert told == "1.2.1 1.2.3: setup 125"
    assert reason == f": setup stage 'a' asks for more stages: {wrong}"


def test_what_comes_last_makes_nothing() -> None:
    text = around('(stage "z" () (exec "z") f t)')

    assert made(text, {"1.2.1.1": asks("x:\n")}) == (
        ": setup stage 'z' asks for more stages, and comes last"
    )


def test_of_several_texts_it_is_told_which_is_wrong() -> None:
    text = around('(stage "a" () (sequence (exec "a") (exec "b")))')

    told = made(text, {"1.2.1.1.1": asks("x:\n"), "1.2.1.1.2": asks("\ny: z\n")})

    assert told.endswith(" line 2 of text 2: stage 'y' needs 'z': no stage 'z'")


def test_what_stages_make_is_bounded_with_all_that_comes_of_it() -> None:
    class Always(dict[str, Outcome]):
        def get(self, run: str, default: Any = None) -> Any:
            name = run.replace(".", "_")
            texts = [f"{name}_{n}:\n e\n" for n in (1, 2, 3)]
            return None if run.startswith("begin") else asks(*texts)

    text = around('(stage "a" () (exec "a"))')
    outcome, runs, _ = side_by_side(program.parse(text, STEPS), Always(), first)

    stages_ = [run for run in runs if run.startswith("1.2.1.s") and not run.endswith(".1")]
    assert 300 < len(stages_) <= 1000
    assert outcome.status == "setup"


def test_the_stages_of_an_attempt_that_is_repeated_do_not_count() -> None:
    text = around('(stage "a" () (retry (exec "a") 2))')
    answers = {
        "1.2.1.1.1.1": FAILED._replace(stages=("x:\n e\n",)),
        "1.2.1.1.1.2": asks("x:\n e\n"),
    }

    assert made(text, answers) == "1.2.1.s1.1: ok"


def test_the_stages_of_a_matrix_are_taken_in_the_order_of_its_cells() -> None:
    text = around('(stage "a" () (matrix v ("1" "2") (exec "a")))')
    answers = {"1.2.1.1.1.1": asks("x:\n"), "1.2.1.1.1.2": asks("y: x\ny2:\n e\n")}

    told = {made(text, answers, pick) for pick in (first, lambda runs: runs[-1])}

    assert told == {"1.2.1.s1.1 1.2.1.s2.1 1.2.1.s3.1: ok"}


def test_what_is_made_runs_where_its_maker_does(tell: Tell) -> None:
    text = '(stages (stage "a" () (isolate (chroot "busybox") (script "e"))))'

    lines = tell(text, {"exec 1.1.1.2": asks("x:\n e\n")})

    assert "up 1.1.s1.1.1 chroot busybox" in lines


def test_what_is_made_has_the_variables(tell: Tell) -> None:
    tree = program.parse(around('(stage "a" () (script "e"))'), STEPS)
    wants = walk.walk(tree, STEPS, {"who": "me", "a.b": "no"})
    answer, env = None, ()
    while not env:
        want = wants.send(answer)
        answer = "h" if isinstance(want, Up) else None
        if isinstance(want, Exec):
            env = want.env
            answer = asks("x:\n e\n")

    assert env == ("who=me",)


# --- in any order ----------------------------------------------------------------------------

NAMES = [f"n{n}" for n in range(7)]


@st.composite
def plans(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Stages that need earlier ones, in Lurch, and how their commands end."""
    rows, answers = [], {}
    statuses = st.sampled_from([*[OK] * 9, FAILED, ended("timeout"), ended("cancelled")])
    for place, name in enumerate(NAMES):
        final = draw(st.integers(0, 5)) == 0
        needs = draw(st.lists(st.sampled_from(NAMES[:place]), max_size=2)) if place else []
        flags = f"{draw(st.sampled_from('ttff'))} {'t' if final else 'f'}"
        body = draw(st.sampled_from(['(exec "x")', '(matrix v ("1" "2") (exec "x"))']))
        rows.append(f'(stage "{name}" ({" ".join(f"{chr(34)}{n}{chr(34)}" for n in needs)}) '
                    f"{body} {flags})")  # fmt: skip
        for run in (f"1.2.{place + 1}.1{cell}" for cell in ("", ".1.1", ".1.2")):
            text = draw(st.sampled_from(["", "", "x: y\n e\ny:\n e\n", f"z: {name}\n e\n", "z:\n",
                                         "f: [finally]\n e\n", "z: x\n e\n", "bad\n"]))  # fmt: skip
            answers[run] = draw(statuses)._replace(stages=(text,) if text else ())
    return around(*rows), answers


@given(plan=plans(), seeds=st.tuples(st.randoms(), st.randoms()))
def test_the_order_in_which_commands_end_decides_nothing(
    plan: tuple[str, dict[str, Any]], seeds: tuple[Any, Any]
) -> None:
    text, answers = plan
    try:
        tree = program.parse(text, STEPS)
    except Bad:
        return

    told = [side_by_side(tree, answers, seed.choice)[:2] for seed in seeds]
    told.append(side_by_side(tree, answers, first)[:2])

    assert told[0] == told[1] == told[2]
