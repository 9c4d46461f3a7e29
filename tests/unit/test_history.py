"""What is taken over from a job that is done again, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cit import history
from cit.history import Taken
from cit.stages import Named
from cit.trace import Record
from cit.wants import (
    Ask,
    Await,
    Begin,
    End,
    Exec,
    Isolation,
    Outcome,
    Reply,
    Sleep,
    Spawn,
    Up,
    ended,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEN = "2026-11-21T20:37:01.123Z"
JOB = "01kak5jzc2v8e9j7m3t0q4w6xy"
BUILDERS = ("none", "chroot", "docker")
NONE = Isolation("none", "", "here", "1.1")


def trace(text: str) -> list[Record]:
    """`begin 1.1 exec`, a line each, as records; fields are words."""
    lines = [line.split() for line in text.strip().splitlines()]
    return [Record(WHEN, kind, run, tuple(fields)) for kind, run, *fields in lines]


def runs(records: list[Record]) -> list[str]:
    return list(dict.fromkeys(record.run for record in records))


def command(run: str) -> Exec:
    return Exec(run, ("/a",), (), None, None, NONE)


WHOLE = trace("""
    begin 1 isolate
    begin 1.1 none
    up 1.1 here
    end 1.1 ok 0
    begin 1.2 sequence
    begin 1.2.1 exec
    log 1.2.1 out hello
    data 1.2.1 tests 12
    usage 1.2.1 rusage 1
    end 1.2.1 ok 0
    begin 1.2.2 retry
    begin 1.2.2.1.1 exec
    end 1.2.2.1.1 failed 3
    begin 1.2.2.1.1.pause pause
    wait 1.2.2.1.1.pause later
    end 1.2.2.1.1.pause ok 0
    begin 1.2.2.1.2 exec
    end 1.2.2.1.2 ok 0
    end 1.2.2 ok 0
    begin 1.2.10 exec
    end 1.2.10 failed 1
    end 1.2 failed 1
    down 1.1
    end 1 failed 1
""")


# --- order -----------------------------------------------------------------------------------


def test_runs_stand_in_the_order_of_their_numbers_and_words_after_them() -> None:
    ordered = ["1", "1.2", "1.2.1", "1.2.2", "1.2.10", "1.2.10.1", "1.2.pause", "1.2.s2", "1.2.s10",
               "1.2.s10.1", "1.10"]  # fmt: skip

    assert ordered == sorted(reversed(ordered), key=history.order)


def test_what_stands_before_a_run_is_neither_itself_nor_below_it() -> None:
    earlier = history.before("1.2.2")

    assert earlier("1.2.1") and earlier("1.1.9") and earlier("1.2")
    assert not any(map(earlier, ["1.2.2", "1.2.2.1", "1.2.10", "1.2.s1", "1.3"]))


def test_beside_a_run_is_all_that_did_not_come_of_it() -> None:
    other = history.beside("1.2")

    assert other("1.1") and other("1") and other("1.20") and other("1.3.1")
    assert not any(map(other, ["1.2", "1.2.1", "1.2.s1", "1.2.pause"]))


@pytest.mark.parametrize(
    ("word", "known"), [("1.2.11", "1.2.1"), ("1.2.2.1", "1.2.2.1.1"), ("zz", "1")]
)
def test_runs_that_somebody_may_have_meant_are_near(word: str, known: str) -> None:
    found = history.near(word, WHOLE)

    assert known in found and 0 < len(found) <= 5


# --- which are taken over ----------------------------------------------------------------------


def test_leaves_before_the_run_are_taken_over_and_nothing_else() -> None:
    taken = history.select(WHOLE, history.before("1.2.10"), BUILDERS)

    assert ["1.2.1", "1.2.2.1.1", "1.2.2.1.1.pause", "1.2.2.1.2"] == runs(taken)
    assert ["begin", "data", "end"] == [r.kind for r in taken if r.run == "1.2.1"]
    assert set(taken) <= set(WHOLE), "they are as they were"


def test_all_other_leaves_are_taken_over_where_one_run_is_done_again_alone() -> None:
    taken = history.select(WHOLE, history.beside("1.2.2"), BUILDERS)

    assert ["1.2.1", "1.2.10"] == runs(taken)


def test_nothing_stands_before_the_first_run() -> None:
    assert [] == history.select(WHOLE, history.before("1"), BUILDERS)


@pytest.mark.parametrize("ending", ["end 1.1 lost 123", "end 1.1 cancelled 130",
                                    "end 1.1 setup 125", "data 1.1 a b"])  # fmt: skip
def test_what_the_machine_or_a_person_ended_is_done_anew(ending: str) -> None:
    records = trace(f"begin 1 sequence\nbegin 1.1 exec\n{ending}\nbegin 1.2 exec")

    assert [] == history.select(records, history.before("1.2"))


def test_what_a_job_needs_before_it_starts_it_needs_again() -> None:
    records = trace("""
        begin 0 sequence
        begin 0.1 await
        end 0.1 ok 0
        end 0 ok 0
        begin 1 sequence
        begin 1.1 exec
        end 1.1 ok 0
        begin 1.2 exec
    """)

    assert ["1.1"] == runs(history.select(records, history.before("1.2")))
    assert ["1.1"] == runs(history.select(records, history.beside("1.2")))


def test_of_several_attempts_the_last_one_counts() -> None:
    records = trace("""
        begin 1 sequence
        begin 1.1 exec 1
        data 1.1 a old
        end 1.1 lost 123
        begin 1.1 exec 2
        data 1.1 a new
        end 1.1 ok 0
        begin 1.2 exec
    """)

    taken = history.taken(history.select(records, history.before("1.2")), JOB)

    assert (Outcome("ok", data=(("a", "new"),)),) == history.find(taken, command("1.1"))


def test_a_let_keeps_its_value_while_what_is_below_it_is_done_anew() -> None:
    records = trace("""
        begin 1 let
        ask 1 let colour red
        answer 1 alice blue
        begin 1.1 exec
        end 1.1 failed 1
        end 1 failed 1
    """)

    taken = history.select(records, history.before("1.1"))

    assert ["begin", "ask", "answer"] == [record.kind for record in taken]


def test_a_stage_that_added_another_is_taken_over_with_the_stages_it_asked_for() -> None:
    records = trace("""
        begin 1 stages
        begin 1.2 script
        stage 1.2 more:
        end 1.2 ok 0
        begin 1.2.s1 script
        end 1.2.s1 failed 1
        begin 1.2.s2 sequence
        begin 1.2.s2.1 exec
        end 1.2.s2.1 ok 0
        end 1.2.s2 ok 0
        end 1 failed 1
    """)

    taken = history.taken(history.select(records, history.before("1.2.s1")), JOB)

    assert {"1.2"} == set(taken.runs)
    assert (Outcome("ok", stages=("more:",)),) == history.find(taken, command("1.2"))
    alone = history.select(records, history.beside("1.2.s1"))
    assert ["1.2", "1.2.s2.1"] == runs(alone)


# --- among stages and cells --------------------------------------------------------------------

STAGES = trace("""
    begin 1 sequence
    begin 1.1 exec
    end 1.1 ok 0
    begin 1.2 stages
    begin 1.2.2 stage
    begin 1.2.2.1 sequence
    begin 1.2.2.1.1 exec
    end 1.2.2.1.1 ok 0
    begin 1.2.2.1.2 exec
    end 1.2.2.1.2 ok 0
    end 1.2.2.1 ok 0
    end 1.2.2 ok 0
    begin 1.2.3 stage
    begin 1.2.3.1 exec
    end 1.2.3.1 failed 1
    end 1.2.3 failed 1
    begin 1.2.1 stage
    begin 1.2.1.1 exec
    end 1.2.1.1 ok 0
    end 1.2.1 ok 0
    begin 1.2.5 stage
    begin 1.2.5.1 exec
    end 1.2.5.1 ok 0
    end 1.2.5 ok 0
    begin 1.2.4 stage
    begin 1.2.4.1 exec
    end 1.2.4.1 ok 0
    end 1.2.4 ok 0
    end 1.2 ok 0
    begin 1.3 exec
    end 1.3 ok 0
    end 1 ok 0
""")
NAMED = {
    "1.2.1": Named("deploy", ("build",), final=False),
    "1.2.2": Named("build", (), final=False),
    "1.2.3": Named("lint", (), final=False),
    "1.2.4": Named("tidy", (), final=True),
    "1.2.5": Named("tell", ("deploy",), final=False),
}


def kept(run: str, records: list[Record], stages: Mapping[str, Named]) -> list[str]:
    """The runs that are taken over where another is done anew with what comes after it."""
    return runs(history.select(records, history.since(run, records, stages), BUILDERS))


@pytest.mark.parametrize(
    ("run", "holds"),
    [
        ("1", []),
        ("1.1", []),
        ("1.2", ["1.1"]),
        ("1.2.2", ["1.1"]),
        ("1.2.2.1.2", ["1.1", "1.2.2.1.1"]),
        ("1.2.3", ["1.1", "1.2.2.1.1", "1.2.2.1.2", "1.2.1.1", "1.2.5.1"]),
        ("1.2.1", ["1.1", "1.2.2.1.1", "1.2.2.1.2"]),
        ("1.2.5", ["1.1", "1.2.2.1.1", "1.2.2.1.2", "1.2.1.1"]),
        ("1.3", ["1.1", "1.2.2.1.1", "1.2.2.1.2", "1.2.3.1", "1.2.1.1", "1.2.5.1", "1.2.4.1"]),
    ],
)
def test_of_stages_those_come_after_one_that_need_it_or_were_not_ok_wherever_they_stand(
    run: str, holds: list[str]
) -> None:
    assert holds == kept(run, STAGES, NAMED)


def test_a_stage_that_the_program_does_not_know_is_done_anew() -> None:
    stages = {run: stage for run, stage in NAMED.items() if run != "1.2.2"}

    assert "1.2.2.1.1" not in kept("1.2.3", STAGES, stages)


def test_without_stages_the_order_of_the_program_counts() -> None:
    assert ["1.2.1", "1.2.2.1.1", "1.2.2.1.1.pause"] == kept("1.2.2.1.2", WHOLE, {})
    assert ["1.2.1", "1.2.2.1.1"] == kept("1.2.2.1.1.pause", WHOLE, {})


def test_stages_within_a_stage_are_done_anew_with_what_needs_either() -> None:
    text = "begin 1 stages\n"
    for run, step in (("1.1", "stage"), ("1.1.1", "stages"), ("1.1.1.1", "stage"),
                      ("1.1.1.2", "stage"), ("1.2", "stage"), ("1.3", "stage")):  # fmt: skip
        text += f"begin {run} {step}\n"
    for run in ("1.1.1.1.1", "1.1.1.2.1", "1.2.1", "1.3.1"):
        text += f"begin {run} exec\nend {run} ok 0\n"
    stages = {
        "1.1": Named("a", (), final=False), "1.2": Named("b", ("a",), final=False),
        "1.3": Named("c", (), final=False),
        "1.1.1.1": Named("d", ("e",), final=False), "1.1.1.2": Named("e", (), final=False),
    }  # fmt: skip

    found = {run: kept(run, trace(text), stages) for run in ("1.1.1.1", "1.1.1.2", "1.2", "1.3")}

    assert {
        "1.1.1.1": ["1.1.1.2.1", "1.3.1"],
        "1.1.1.2": ["1.3.1"],
        "1.2": ["1.1.1.1.1", "1.1.1.2.1", "1.3.1"],
        "1.3": ["1.1.1.1.1", "1.1.1.2.1", "1.2.1"],
    } == found


def test_stages_that_another_one_made_come_after_it_and_after_those_that_they_name() -> None:
    """Two of them have one name: which is meant depends on who was there before."""
    made = ("1.1", "1.2", "1.1.s1", "1.1.s2", "1.2.s1", "1.1.s1.s1", "1.3")
    text = "begin 1 stages\n"
    for run in made:
        text += f"begin {run} stage\nbegin {run}.1 exec\nend {run}.1 ok 0\nend {run} ok 0\n"
    stages = {
        "1.1": Named("a", (), final=False), "1.2": Named("b", (), final=False),
        "1.1.s1": Named("more", (), final=False), "1.1.s2": Named("x", ("more",), final=False),
        "1.2.s1": Named("more", (), final=False),
        "1.1.s1.s1": Named("y", ("x", "b"), final=False), "1.3": Named("c", (), final=False),
    }  # fmt: skip

    anew = {run: {of for of in made if f"{of}.1" not in kept(run, trace(text), stages)}
            for run in made}  # fmt: skip

    assert {
        "1.1": {"1.1", "1.1.s1", "1.1.s2", "1.1.s1.s1"},
        "1.2": {"1.2", "1.2.s1", "1.1.s1.s1"},
        "1.1.s1": {"1.1.s1", "1.1.s2", "1.1.s1.s1"},
        "1.1.s2": {"1.1.s2", "1.1.s1.s1"},
        "1.2.s1": {"1.2.s1"},
        "1.1.s1.s1": {"1.1.s1.s1"},
        "1.3": {"1.3"},
    } == anew


def test_a_stage_that_is_done_anew_in_part_since_it_was_lost_takes_along_what_needs_it() -> None:
    records = trace("""
        begin 1 stages
        begin 1.1 stage
        begin 1.1.1 exec
        end 1.1.1 lost 123
        end 1.1 lost 123
        begin 1.2 stage
        begin 1.2.1 exec
        end 1.2.1 ok 0
        end 1.2 ok 0
        begin 1.3 stage
        begin 1.3.1 exec
        end 1.3.1 ok 0
        end 1.3 ok 0
    """)
    stages = {
        "1.1": Named("a", (), final=False), "1.2": Named("b", ("a",), final=False),
        "1.3": Named("c", (), final=False),
    }  # fmt: skip

    assert [] == kept("1.3", records, stages)


def test_of_cells_those_are_taken_over_that_were_ok() -> None:
    text = "begin 1 sequence\nbegin 1.1 matrix\n"
    for turn, status in enumerate(("ok 0", "ok 0", "failed 1", "ok 0"), 1):
        text += f"begin 1.1.1.{turn} exec\nend 1.1.1.{turn} {status}\n"
    text += "end 1.1 failed 1\nbegin 1.2 exec\nend 1.2 ok 0\n"

    assert ["1.1.1.1", "1.1.1.4"] == kept("1.1.1.2", trace(text), {})
    assert ["1.1.1.1", "1.1.1.2", "1.1.1.4"] == kept("1.1.1.3", trace(text), {})
    assert [] == kept("1.1", trace(text), {})


def test_of_cells_within_cells_each_counts_alone() -> None:
    text = "begin 1 matrix\n"
    for cell, inner in (("1.1.1", ("ok 0", "failed 1")), ("1.1.2", ("failed 1", "ok 0"))):
        text += f"begin {cell} matrix\n"
        for turn, status in enumerate(inner, 1):
            text += f"begin {cell}.1.{turn} sequence\nbegin {cell}.1.{turn}.1 exec\n"
            text += f"end {cell}.1.{turn}.1 ok 0\nend {cell}.1.{turn} {status}\n"
        text += f"end {cell} failed 1\n"

    assert ["1.1.1.1.1.1", "1.1.2.1.2.1"] == kept("1.1.2.1.1", trace(text), {})
    assert ["1.1.1.1.1.1"] == kept("1.1.2", trace(text), {})


def test_the_pause_after_an_attempt_is_no_cell_of_it() -> None:
    records = trace("""
        begin 1 retry
        begin 1.1.1 matrix
        begin 1.1.1.1.1 exec
        end 1.1.1.1.1 failed 1
        end 1.1.1 failed 1
        begin 1.1.1.pause pause
        wait 1.1.1.pause later
        end 1.1.1.pause ok 0
        begin 1.1.2 matrix
        begin 1.1.2.1.1 exec
        end 1.1.2.1.1 ok 0
    """)

    assert [] == kept("1.1.1.1.1", records, {})
    assert ["1.1.1.1.1"] == kept("1.1.1.pause", records, {})
    assert ["1.1.1.1.1", "1.1.1.pause"] == kept("1.1.2.1.1", records, {})


# --- answers -----------------------------------------------------------------------------------


def said(text: str) -> Taken:
    return history.taken(trace(text), JOB)


def test_a_command_has_its_outcome_again_with_what_it_reported() -> None:
    taken = said("""
        data 1.1 commit abc
        stage 1.1 a:
        data 1.1 empty
        end 1.1 signal 137 9
    """)

    found = history.find(taken, command("1.1"))

    told = Outcome("signal", 137, 9, data=(("commit", "abc"), ("empty", "")), stages=("a:",))
    assert (told,) == found


def test_who_answered_is_told_again() -> None:
    taken = said("ask 1.1 let colour red\nanswer 1.1 alice blue nicer")

    assert (Reply("blue", "alice", "nicer"),) == history.find(
        taken, Ask("1.1", "let", "colour", "red", None)
    )


@pytest.mark.parametrize("want", [Ask("1.1", "let", "size", "", None),
                                  Ask("1.1", "approve", "colour", "", None)])  # fmt: skip
def test_another_question_is_asked_anew(want: Ask) -> None:
    taken = said("ask 1.1 let colour red\nanswer 1.1 alice blue")

    assert history.find(taken, want) is None


def test_waiting_spawning_and_awaiting_are_over_as_they_were() -> None:
    taken = said(f"""
        end 1.1 ok 0
        end 1.2 timeout 124
        spawn 1.3 {JOB} build 2
        end 1.3 ok 0
        end 1.4 limited 122
        end 1.5 failed 7
    """)

    assert (None,) == history.find(taken, Sleep("1.1", 5))
    assert (ended("timeout"),) == history.find(taken, Sleep("1.2", 5))
    assert (JOB,) == history.find(taken, Spawn("1.3", "build", None))
    assert (ended("limited"),) == history.find(taken, Spawn("1.4", "build", None))
    assert (Outcome("failed", 7),) == history.find(taken, Await("1.5", "job", "x", None))


@pytest.mark.parametrize("end", ["", "end 1.1 lost 123", "end 1.1 well 0", "end 1.1 ok 5"])
def test_what_is_no_answer_is_none(end: str) -> None:
    taken = said(f"data 1.1 a b\n{end}")

    assert history.find(taken, command("1.1")) is None


def test_only_leaves_are_answered() -> None:
    taken = said("up 1.1 here\nend 1.1 ok 0")

    assert history.find(taken, Begin("1.1", "exec", 1, False)) is None
    assert history.find(taken, Up("1.1", "none", "")) is None
    assert history.find(taken, End("1.1", Outcome("ok"))) is None
    assert history.find(taken, command("1.2")) is None


def test_what_is_recorded_says_first_where_it_comes_from() -> None:
    taken = said("begin 1.1 exec 1\ndata 1.1 a b\nend 1.1 ok 0")

    assert [("log", ("cit", f"taken over from {JOB}")), ("data", ("a", "b"))] == history.notes(
        taken, "1.1"
    )


def test_what_an_earlier_attempt_recorded_is_not_recorded_twice() -> None:
    taken = said("data 1.1 a b\nstage 1.1 x:\nend 1.1 ok 0")
    known = trace("begin 1.1 exec\nlog 1.1 cit taken\ndata 1.1 a b\ndata 1.2 c d")

    assert [("stage", ("x:",))] == history.notes(taken, "1.1", known)[1:]


def test_approvals_are_told_apart_from_values() -> None:
    records = trace("""
        ask 1.1 let colour
        answer 1.1 alice blue
        ask 1.2 approve sure?
        answer 1.2 bob yes
        end 1.2 ok 0
    """)

    assert {"1.2": records[2:4]} == history.approvals(records)


def test_what_is_refused_is_asked_anew() -> None:
    records = trace("ask 1.2 approve sure?\nanswer 1.2 bob yes\nend 1.2 ok 0\nend 1.3 ok 0")

    taken = history.taken(records, JOB, ["1.2"])

    assert {"1.3"} == set(taken.runs)
