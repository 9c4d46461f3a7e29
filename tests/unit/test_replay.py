"""Walking again with the answers of a trace: what is found, what is lost, what disagrees."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import program, replay, walk
from cit.errors import Bad
from cit.replay import Replay
from cit.steps import Steps
from cit.wants import ALL, OK, Begin, Down, End, Exec, Outcome, Up, ended

if TYPE_CHECKING:
    from cit.wants import Want

STEPS = Steps()
PROGRAM = """
(isolate (none)
  (sequence (exec "/a") (isolate (chroot "busybox") (exec "/b")) (no-op 0) (exec "/c")))"""

Trace = list[tuple[str, str, tuple[str, ...]]]


def note(trace: Trace, want: Want, answer: Any) -> None:
    """Append the record that a runner writes for an answer."""
    if isinstance(want, Begin) and answer is None:
        trace.append(("begin", want.run, (want.step, str(want.attempt))))
    elif isinstance(want, Up) and isinstance(answer, str):
        trace.append(("up", want.run, (answer,)))
    elif isinstance(want, Down):
        trace.append(("down", want.run, ()))
    elif isinstance(want, End):
        trace.append(("end", want.run, replay.fields(want.outcome)))


def usual(want: Want) -> Any:
    if isinstance(want, Up):
        return f"handle-{want.run}"
    return OK if isinstance(want, Exec) else None


def go(
    text: str,
    trace: Trace,
    answers: dict[str, Any] | None = None,
    stop_at: int = -1,
    ends: dict[int, Outcome] | None = None,
) -> tuple[list[Want], Outcome | None]:
    """Walk with the trace, append to it what is new, until the end or `stop_at` wants.

    `ends` are the outcomes of some of the commands, by the length of the trace then.
    Returns the wants that the trace did not answer.
    """
    walking = walk.walk(program.parse(text, STEPS), STEPS)
    held, new, answer, count = Replay(list(trace)), [], None, 0
    while True:
        try:
            want = walking.send(answer)
        except StopIteration as stop:
            held.settle()
            return new, stop.value
        assert want is not None
        found = held.find(want)
        if found:
            answer = found[0]
            continue
        held.settle()
        if count == stop_at:
            return new, None
        count += 1
        new.append(want)
        key = f"{type(want).__name__.lower()} {want.run}"
        answer = (answers or {}).get(key, usual(want))
        if isinstance(want, Exec):
            answer = (ends or {}).get(len(trace), answer)
        note(trace, want, answer)


def programs() -> st.SearchStrategy[str]:
    """Programs of every step, without the isolation around them."""
    leaf = st.sampled_from(['(exec "/p")', '(script "x")', "(no-op 0)", "(no-op 3)", "(break 1)"])

    def join(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        some = st.lists(inner, max_size=3).map(" ".join)
        return st.one_of(
            some.map("(sequence {})".format),
            st.tuples(inner, inner, inner).map(lambda t: f"(if {' '.join(t)})"),
            inner.map('(for v ("a" "b") {})'.format),
            inner.map("(retry {} 2)".format),
            inner.map("(retry {} 2 (lost 3))".format),
            inner.map("(isolate (none) {})".format),
        )

    return st.recursive(leaf, join, max_leaves=8)


ENDS = [ended("failed", code=3), ended("timeout"), ended("cancelled")]


@given(
    programs(),
    st.dictionaries(st.integers(0, 30), st.sampled_from(ENDS), max_size=4),
    st.lists(st.integers(1, 15), max_size=12),
)
def test_any_program_cut_off_anywhere_runs_nothing_twice_and_comes_to_its_end(
    body: str, ends: dict[int, Outcome], cuts: list[int]
) -> None:
    text = f"(isolate (none) {body})"
    trace: Trace = []
    executed: list[str] = []
    outcome = None
    while outcome is None:
        cut = cuts.pop() if cuts else -1
        new, outcome = go(text, trace, stop_at=cut, ends=ends)
        executed += [want.run for want in new if isinstance(want, Exec)]

    assert len(set(executed)) == len(executed)
    runs = [(kind, run) for kind, run, _ in trace]
    assert len(set(runs)) == len(runs)
    for opening, closing in (("begin", "end"), ("up", "down")):
        opened = {run for kind, run in runs if kind == opening}
        assert opened <= {run for kind, run in runs if kind == closing}
    assert go(text, trace) == ([], outcome)


def whole(answers: dict[str, Any] | None = None) -> Trace:
    trace: Trace = []
    go(PROGRAM, trace, answers)
    return trace


def test_a_finished_program_wants_nothing() -> None:
    trace = whole()

    assert go(PROGRAM, trace) == ([], OK)


@pytest.mark.parametrize("count", range(28))
def test_a_program_goes_on_where_it_was_parked(count: int) -> None:
    once = whole()
    trace: Trace = []
    go(PROGRAM, trace, stop_at=count)
    begun = {(kind, run) for kind, run, _ in trace}
    busy = ("begin", "1.2.1") in begun and ("end", "1.2.1") not in begun

    _, outcome = go(PROGRAM, trace)

    if not busy and outcome == OK:
        assert trace == once
    else:
        # Parked between Begin and End of an exec: whether it ran is not known.
        assert outcome == ended("lost")


@given(st.data())
def test_a_program_cut_off_anywhere_any_number_of_times_runs_nothing_twice(
    data: st.DataObject,
) -> None:
    answers = {
        key: data.draw(st.sampled_from([OK, ended("failed", code=3), ended("cancelled")]))
        for key in ("exec 1.2.1", "exec 1.2.2.2", "exec 1.2.4")
    }
    if data.draw(st.booleans()):
        answers["begin 1.2.3"] = ended("cancelled")
    if data.draw(st.booleans()):
        answers["up 1.2.2.1"] = ended("setup")
    trace: Trace = []
    executed: list[str] = []
    outcome = None
    while outcome is None:
        new, outcome = go(PROGRAM, trace, answers, data.draw(st.integers(0, 12)) or -1)
        executed += [want.run for want in new if isinstance(want, Exec)]

    assert len(set(executed)) == len(executed)
    runs = [(kind, run) for kind, run, _ in trace]
    assert len(set(runs)) == len(runs)
    ups = {run for kind, run, _ in trace if kind == "up"}
    assert ups == {run for kind, run, _ in trace if kind == "down"}
    assert {run for kind, run, _ in trace if kind == "begin"} <= {
        run for kind, run, _ in trace if kind == "end"
    }


def test_an_exec_that_began_and_did_not_end_is_lost() -> None:
    trace = whole()[: -4]
    assert trace[-1] == ("begin", "1.2.4", ("exec", "1"))

    new, outcome = go(PROGRAM, trace)

    assert not [want for want in new if isinstance(want, Exec)]
    assert outcome == ended("lost")


def test_an_exec_whose_isolation_was_not_up_yet_was_not_started() -> None:
    trace: Trace = [("begin", "1", ("script", "1"))]
    walking = walk.walk(program.script("true"), STEPS)
    held = Replay(trace)

    assert held.find(next(walking)) == (None,)  # type: ignore[arg-type]
    up = walking.send(None)
    assert up
    assert held.find(up) is None
    run = walking.send("handle")
    assert isinstance(run, Exec)
    assert held.find(run) is None


def test_answers_are_found_in_whatever_order_the_trace_has_them() -> None:
    trace = whole()

    assert go(PROGRAM, trace[::-1]) == ([], OK)


def test_the_outcome_of_an_exec_is_the_end_of_its_run() -> None:
    trace = whole({"exec 1.2.1": ended("signal", signal=9)})

    new, outcome = go(PROGRAM, trace)

    assert (new, outcome) == ([], Outcome("signal", 137, 9))


def test_a_run_that_was_refused_is_refused_again() -> None:
    trace = whole({"begin 1.2.2": ended("cancelled")})
    assert ("begin", "1.2.2", ("isolate", "1")) not in trace

    assert go(PROGRAM, trace) == ([], ended("cancelled")._replace(leave=-1))


def test_a_set_up_that_failed_is_not_tried_again() -> None:
    trace = whole({"up 1.2.2.1": ended("setup")})

    new, outcome = go(PROGRAM, trace)

    assert (new, outcome) == ([], ended("setup"))


def test_an_isolation_built_anew_takes_the_place_of_the_one_before() -> None:
    trace: Trace = [
        ("begin", "1", ("isolate", "1")),
        ("begin", "1.1", ("none", "1")),
        ("up", "1.1", ("old",)),
        ("end", "1.1", ("ok", "0", "")),
        ("up", "1.1", ("new",)),
    ]

    new, _ = go('(isolate (none) (exec "/a"))', trace)

    run = next(want for want in new if isinstance(want, Exec))
    assert run.isolation.handle == "new"


def test_each_attempt_has_answers_of_its_own() -> None:
    trace: Trace = [
        ("begin", "1", ("script", "1")),
        ("up", "1", ("first",)),
        ("end", "1", ("lost", "123", "")),
        ("down", "1", ()),
        ("begin", "1", ("script", "2")),
        ("up", "1", ("second",)),
        ("end", "1", ("failed", "4", "")),
        ("down", "1", ()),
    ]
    held = Replay(trace)
    walking = walk.walk(program.script("true"), STEPS, again=1)
    answer, handles = None, []
    with pytest.raises(StopIteration) as stop:
        while True:
            want: Any = walking.send(answer)
            if isinstance(want, Exec):
                handles.append(want.isolation.handle)
            answer = held.find(want)[0]  # type: ignore[index]

    held.settle()
    assert handles == ["first", "second"]
    assert stop.value.value == Outcome("failed", 4)


@pytest.mark.parametrize(
    ("place", "record", "message"),
    [
        (
            0,
            ("begin", "1", ("sequence", "1")),
            "the trace has 'begin 1 sequence 1' where the program has 'begin 1 isolate'",
        ),
        (
            3,
            ("end", "1.1", ("failed", "2", "")),
            "the trace has 'end 1.1 failed 2' where the program has 'end 1.1 ok 0'",
        ),
        (
            4,
            ("begin", "1.3", ("sequence", "1")),
            "the trace has 'begin 1.3 sequence 1' where the program has 'nothing more'",
        ),
        (6, ("end", "1.2.1", ("failed", "256", "")), "no such end: 'failed 256'"),
        (6, ("end", "1.2.1", ("well", "0", "")), "no such end: 'well 0'"),
        (6, ("end", "1.2.1", ()), "no such end: ''"),
        (0, ("begin", "1", ()), "the trace has 'begin 1' where the program has 'begin 1 isolate'"),
        (2, ("up", "1.1", ()), "the trace has 'up 1.1' where the program has 'up 1.1 HANDLE'"),
    ],
)
def test_a_trace_of_another_program_is_refused_with_its_line(
    place: int, record: tuple[str, str, tuple[str, ...]], message: str
) -> None:
    trace = whole()
    trace[place] = record
    held = Replay(trace, first=10)
    walking = walk.walk(program.parse(PROGRAM, STEPS), STEPS)
    answer = None

    with pytest.raises(Bad) as caught:
        while True:
            try:
                want = walking.send(answer)
            except StopIteration:
                held.settle()
                raise
            assert want
            found = held.find(want)
            assert found, "nothing was said"
            answer = found[0]

    assert (str(caught.value), caught.value.line) == (message, 10 + place)


@pytest.mark.parametrize("outcome", [OK, ended("failed", code=7), ended("signal", signal=15)])
def test_an_end_record_tells_the_outcome(outcome: Outcome) -> None:
    assert replay.outcome(replay.fields(outcome)) == outcome


def test_a_hundred_thousand_records_are_replayed_in_half_a_second() -> None:
    values = " ".join(f'"{value}"' for value in range(250))
    text = f"(for v ({values}) (sequence {'(no-op 0)' * 200}))"
    trace: Trace = []
    go(text, trace)
    assert len(trace) >= 100_000
    begun = time.process_time()

    assert ([], OK) == go(text, trace)

    assert time.process_time() - begun < 2  # 0.35 s on a machine that is not busy


@pytest.mark.parametrize("step", ['(approve null "deploy?")', '(let x "1" "which?" (no-op 0))'])
def test_who_was_stopped_and_answered_at_once_was_stopped(step: str) -> None:
    name = step[1:].split()[0]
    trace: Trace = [
        ("begin", "1", (name, "1")),
        ("ask", "1", ("approve", "deploy?", "no", "", "")),
        ("answer", "1", ("bob@laptop", "yes", "")),
        ("stop", "1", ("alice@laptop", "")),
        ("end", "1", ("cancelled", "130", "")),
    ]

    assert ([], ended("cancelled")._replace(leave=ALL)) == go(step, trace)


def test_who_was_stopped_in_what_came_after_his_answer_had_been_answered() -> None:
    step = '(let x "1" "which?" (no-op 0))'
    trace: Trace = [
        ("begin", "1", ("let", "1")),
        ("ask", "1", ("let", "which?", "1", "", "")),
        ("answer", "1", ("bob@laptop", "2", "")),
        ("end", "1.1", ("cancelled", "130", "")),
        ("end", "1", ("cancelled", "130", "")),
    ]

    assert ([], ended("cancelled")._replace(leave=ALL)) == go(step, trace)


# --- side by side ------------------------------------------------------------------------------

NARROW = """
(isolate (none) (stages 2
  (stage "a" () (exec "/1")) (stage "b" () (exec "/2"))
  (stage "f" ("a") (sequence (exec "/3") (exec "/${data.who}"))) (stage "g" ("a") (exec "/4"))
  (stage "d" () (matrix x ("1" "2" "3") (exec "/${x}") 2)) (stage "e" ("d") (no-op 0))
  (stage "z" () (exec "/${data.who}") f t)))"""


def aside(trace: Trace, turns: list[int], wanted: dict[str, str], most: int = -1) -> bool:
    """Go on, the commands ending in any order; whether it came to its end.

    Each command reports its run as `who`, and each run wants the same as ever. Cut when the
    trace has `most` records.
    """
    held, todo, settled = Replay(list(trace)), deque[Any](), False
    going: list[str] = []
    walking = walk.walk(program.parse(NARROW, STEPS), STEPS)
    answer: Any = None
    while True:
        try:
            want = walking.send(answer)
        except StopIteration:
            held.settle()
            return True
        if isinstance(want, Exec):
            assert want.argv[0] == wanted.setdefault(want.run, want.argv[0])
        if want is not None:
            found = held.find(want)
            if not found:
                todo.append(want)
            answer = found[0] if found and not held.early(want.run, found[0]) else walk.LATER
            continue
        answer = held.next()
        if answer:
            continue
        if not settled:
            held.settle()
            settled = True
        while todo and isinstance(todo[0], Exec):
            going.append(todo.popleft().run)
        if len(trace) == most:
            return False
        if todo:
            want = todo.popleft()
            answer = want.run, usual(want)
            note(trace, want, answer[1])
        else:
            run = going.pop((turns.pop() if turns else 0) % len(going))
            answer = run, OK._replace(data=(("who", run),))
            trace.append(("data", run, ("who", run)))


@given(
    st.lists(st.integers(0, 3), max_size=12),
    st.lists(st.integers(1, 20), max_size=6),
)
def test_branches_that_ended_in_any_order_go_on_from_any_record(
    turns: list[int], cuts: list[int]
) -> None:
    trace: Trace = []
    wanted: dict[str, str] = {}

    while not aside(trace, turns, wanted, len(trace) + cuts.pop() if cuts else -1):
        pass

    runs = [(kind, run) for kind, run, _ in trace if kind != "data"]
    assert len(set(runs)) == len(runs)
    again = list(trace)
    assert aside(again, [], wanted)
    assert trace == again
