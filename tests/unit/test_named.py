"""Runs by name: which one a name of a stage or cell stands for, and what is told where none."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cit import asked, job, lurch, named, replay, shown, trace, walk
from cit.errors import MISSING, Ambiguous, Failure
from cit.program import load
from cit.steps import Steps
from cit.trace import Record
from cit.wants import Begin, End, Exec, Up, ended

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
PROGRAM = """
(stages
  (stage "build" () (no-op))
  (stage "test" ("build")
    (matrix "py" ("3.10" "3.11") (matrix "image" ("debian:12" "bsd") (no-op))))
  (stage "2" ("test") (for "py" ("3.12") (no-op)))
  (stage "late" ("2") (no-op)))
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Step


def record(kind: str, run: str, *fields: str) -> Record:
    return Record("2026-11-21T20:37:04.000Z", kind, run, fields)


def ran(
    program: str, until: str = "", failed: Mapping[str, str] = {}
) -> tuple[bytes, list[Record]]:
    """What a job with this program asks, and its trace up to the begin of a run.

    Its commands ended with these statuses, by run, and with `ok` else.
    """
    data = asked.compose(program.encode(), ID, "main", "x", {}).data
    steps = Steps()
    walking = walk.walk(load(lurch.read(program), steps), steps)
    records: list[Record] = []
    answer: object = None
    going = True
    try:
        while True:
            want = walking.send(answer)
            answer = None
            going = going and not (isinstance(want, Begin) and want.run == until)
            if not going:
                answer = walk.LATER
                if want is None:
                    break
            elif isinstance(want, Begin):
                records.append(record("begin", want.run, want.step, "1"))
            elif isinstance(want, End):
                records.append(record("end", want.run, *replay.fields(want.outcome)))
            elif isinstance(want, Up):
                answer = "none"
                records.append(record("up", want.run, answer))
            elif isinstance(want, Exec):
                status = failed.get(want.run, "ok")
                answer = ended(status, signal=9 if status == "signal" else 0)
    except StopIteration:
        pass
    return data, records


def values(count: int, lead: str = "") -> str:
    return " ".join(f'"{lead}{n}"' for n in range(count))


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("build", "1.1"),
        ("test", "1.2"),
        ("py=3.10", "1.2.1.1.1"),
        ("test:py=3.11", "1.2.1.1.2"),
        ("py=3.10:image=debian:12", "1.2.1.1.1.1.1"),
        ("test:py=3.11:image=bsd", "1.2.1.1.2.1.2"),
        ("2", "1.3"),
        ("2:py=3.12", "1.3.1.1.1"),
        ("py=3.12", "1.3.1.1.1"),
    ],
)
def test_a_name_stands_for_the_run_of_a_stage_or_cell(name: str, run: str) -> None:
    assert run == named.run(name, ID, *ran(PROGRAM))


def test_a_name_that_may_be_several_is_refused_with_those_that_it_may_be() -> None:
    with pytest.raises(Ambiguous) as failure:
        named.run("image=debian:12", ID, *ran(PROGRAM))

    several = "test:py=3.10:image=debian:12, test:py=3.11:image=debian:12"
    expected = f"'image=debian:12' is not unique in job '{ID}': {several}"
    assert (MISSING, expected) == (failure.value.code, str(failure.value))


def test_a_run_is_called_after_what_it_is_in_and_looked_up_again_where_that_was_made() -> None:
    data, records = ran('(stages (stage "a" () (matrix "v" ("x" "y") (no-op))))')
    seen: list[int] = []

    def look() -> tuple[bytes, list[Record]]:
        seen.append(len(records))
        return data, records

    called = named.Names(look)
    runs = ["1.1", "1.1.1", "1.1.1.1.2", "1.1.1.1.2.7", "1", "-", "1.1.s1.1", "1.1.s1.1", "1.1.1"]

    names = ["a", "a", "a:v=y", "a:v=y", "1", "-", "1.1.s1.1", "1.1.s1.1", "a"]
    assert names == [called(run) for run in runs]
    assert 2 == len(seen)


def test_in_a_program_that_cannot_be_read_runs_are_called_by_their_paths() -> None:
    called = named.Names(lambda: (b"nonsense", []))

    assert ["1.2", "1.s1"] == [called("1.2"), called("1.s1")]


@pytest.mark.parametrize(
    ("failed", "allowed"),
    [
        ({"1.2.1.1": "failed"}, ["lint"]),
        ({"1.2.2.1": "timeout"}, []),
        ({"1.2.1.1": "cancelled"}, []),
        ({"1.2.3.1.1.1.1.1": "failed", "1.2.1.1": "signal"}, ["lint", "late:v=x:docs"]),
        ({"1.2.3.1.1.1.1.1": "failed", "1.2.3.1.1.2.1.1": "failed"},
         ["late:v=x:docs", "late:v=y:docs"]),
        ({}, []),
    ],
)  # fmt: skip
def test_the_stages_that_failed_and_may_are_named(
    failed: dict[str, str], allowed: list[str]
) -> None:
    may = """
        (isolate (none) (stages
          (stage "lint" () (exec "x") t)
          (stage "test" () (exec "x"))
          (stage "late" () (for "v" ("x" "y") (stages (stage "docs" () (exec "x") t))))))
    """

    assert allowed == named.allowed(*ran(may, failed=failed))


@pytest.mark.parametrize(
    ("program", "name", "told"),
    [
        (PROGRAM, "tset", "no stage 'tset' in job '{}'; it has build, test, 2, late"),
        (PROGRAM, "", "no stage '' in job '{}'; it has build, test, 2, late"),
        (PROGRAM, "1.2", "no stage '1.2' in job '{}'; it has build, test, 2, late"),
        (PROGRAM, "test:build", "no stage 'test:build' in job '{}'; it has build, test, 2, late"),
        ('(stages (stage "a" () (for "b" ("c") (no-op))))', "b=d",
         "no cell 'b=d' in job '{}'; it has a:b=c"),
        ("(no-op)", "a\x1bb", "no stage 'a\\x1bb' in job '{}', which has none"),
        ("(no-op)", "py=1", "no cell 'py=1' in job '{}', which has none"),
    ],
)  # fmt: skip
def test_a_name_that_there_is_not_is_refused_with_those_that_there_are(
    program: str, name: str, told: str
) -> None:
    with pytest.raises(Failure) as failure:
        named.run(name, ID, *ran(program))

    assert (MISSING, told.format(ID)) == (failure.value.code, str(failure.value))


def test_of_many_names_the_nearest_is_told() -> None:
    stages = " ".join(f'(stage "number-{n}" () (no-op))' for n in range(1, 21))

    with pytest.raises(Failure, match=r"; is it 'number-17'\?$"):
        named.run("numbr-17", ID, *ran(f"(stages {stages})"))
    with pytest.raises(Failure, match="has number-1, .*, number-12, and 8 more$"):
        named.run("xyz", ID, *ran(f"(stages {stages})"))


def test_a_stage_that_has_not_begun_is_known_where_it_is_written() -> None:
    data, records = ran(PROGRAM, until="1.1")

    assert "1.4" == named.run("late", ID, data, records)
    assert "1.2.1.1.2" == named.run("py=3.11", ID, data, records)
    assert "1.2.1.1.2.1.1" == named.run("py=3.11:image=debian:12", ID, data, records)


def test_a_cell_is_known_once_its_value_is() -> None:
    program = '(stages (stage "a" () (for "v" ("${x}" "y") (no-op))))'

    assert "1.1.1.1.1" == named.run("v=${x}", ID, *ran(program))
    with pytest.raises(Failure, match="no cell 'v=y' .*, which has none"):
        named.run("v=y", ID, *ran(program, until="1.1"))


def test_loops_in_loops_are_named_as_far_as_that_is_cheap() -> None:
    many = values(1000)
    program = f'(for "a" ({many}) (for "b" ({many}) (for "c" ({many}) (no-op))))'
    data, records = ran(program, until="1")

    assert 1000 <= len(named.labels(named.read(data, records))) <= 2 * shown.MOST
    assert "1.1.1000" == named.run("a=999", ID, data, records)


class Counted(Steps):
    """The steps, and how many were asked for."""

    asked = 0

    def __getitem__(self, name: str) -> Step:
        self.asked += 1
        return super().__getitem__(name)


def test_a_loop_around_much_is_looked_into_as_far_as_that_is_cheap() -> None:
    program = f'(for "a" ({values(1000)}) (sequence {"(no-op) " * 1000}))'
    steps = Counted()

    found = shown.labels(load(lurch.read(program), steps), {}, steps)

    assert (1000, True) == (len(found), steps.asked < 3 * shown.MOST)


def test_loops_in_turns_that_have_begun_are_named_no_further() -> None:
    inner = f'(if (no-op) (no-op) (for "b" ({values(2000)}) (no-op)))'
    data, records = ran(f'(for "a" ({values(60, "${x}")}) {inner})')

    found = named.labels(named.read(data, records))

    assert "a=${x}59" == named.joined(found["1.1.60"])
    assert len(found) <= shown.MOST + len(records)


def test_a_long_value_is_cut_in_a_name() -> None:
    data, records = ran(f'(for "a" ("{"x" * 100_000}") (no-op))')

    assert "1.1.1" == named.run("a=" + "x" * (shown.LONGEST - 2), ID, data, records)


def test_of_very_many_stages_that_failed_and_may_as_many_are_named_as_a_line_has() -> None:
    program = f'(for "v" ({values(500, "x" * 180)}) (stages (stage "a" () (exec "x") t)))'
    failed = {f"1.2.1.{turn}.1.1": "failed" for turn in range(1, 501)}
    data, records = ran(f"(isolate (none) {program})", failed=failed)

    found = named.allowed(data, records)

    assert f"v={'x' * 180}0:a" == found[0]
    assert trace.LINE_CAP // 2 < len(job.listed(found)) <= trace.LINE_CAP


def test_where_only_the_path_tells_runs_apart_it_is_told() -> None:
    program = '(for "v" ("x" "x" "y") (stages (stage "a" () (no-op))))'

    with pytest.raises(Ambiguous, match="not unique .*: 1.1.1.1, 1.1.2.1, v=y:a$"):
        named.run("a", ID, *ran(program))
