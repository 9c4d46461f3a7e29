"""Stages as the form of a program."""

from __future__ import annotations

from cit import lurch, program, stageform, walk
from cit.stageform import Ground
from cit.stages import Stage
from cit.steps import Steps
from cit.wants import OK, Exec, Node, Up

STEPS = Steps()


def bare(node: Node) -> Node:
    """Without the places in the text."""
    return node._replace(line=0, column=0, children=tuple(map(bare, node.children)))


def test_printed_as_lurch_stages_are_the_same_program() -> None:
    stages = [
        Stage("a", 1, 1, script="echo \"$who\" '\\'"),
        Stage("b", 3, 1, ("a",), script="#!/bin/bash\nx", final=True),
    ]
    form = stageform.program(stages, Ground(("chroot", "host"), ("who",)))

    printed = lurch.write(form)

    assert bare(program.load(form, STEPS)) == bare(program.parse(printed, STEPS))


def test_all_parts_of_a_stage_have_its_place() -> None:
    form = stageform.make(Stage("a", 7, 3, ("b",), "x"), Ground(("none", "")))

    look, places = [form], set()
    while look:
        node = look.pop()
        places.add((node.line, node.column))
        look += node.value if node.kind == lurch.LIST else ()

    assert {(7, 3)} == places


def test_a_matrix_and_the_variables_of_the_job_are_in_the_environment() -> None:
    stage = Stage("a", 1, 1, script="x", matrix={"v": ["1", "${w}"]})
    form = stageform.program([stage], Ground(("none", ""), ("w", "who", "not.one")))
    walking = walk.walk(program.load(form, STEPS), STEPS, {"w": "W", "who": "me"})

    answer, given = None, []
    while True:
        try:
            want = walking.send(answer)
        except StopIteration:
            break
        answer = "h" if isinstance(want, Up) else OK if isinstance(want, Exec) else None
        given += [want.env] if isinstance(want, Exec) else []

    assert [("w=W", "who=me", "v=1"), ("w=W", "who=me", "v=W")] == given
