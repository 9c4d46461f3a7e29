"""How long runners worked on a job: from each claim to the last sign of life of who made it."""

from __future__ import annotations

import pytest

from cit import job, stints, trace
from cit.stints import Stint
from cit.trace import Record

START = 1795293421.0


def stamp(seconds: float) -> str:
    return trace.stamp(START + seconds)


def at(seconds: float, kind: str, run: str = "-", *fields: str) -> Record:
    return Record(stamp(seconds), kind, run, fields)


def beat(seconds: float, wall: float, run: str = "1") -> Record:
    return at(seconds, "usage", run, "rusage", f"{wall:.3f}")


def gaps(records: list[Record], *, cut: bool) -> float:
    return stints.gaps(stints.stints(records), cut=cut)


CLAIM, BEGIN = at(0, "claim"), at(0, "begin", "1", "exec", "1")


def test_who_was_never_claimed_was_never_worked_on() -> None:
    records = [at(0, "push"), at(1, "admit"), at(9, "result", "-", "expired", "130")]

    assert [] == stints.stints(records)
    assert stints.worked(job.fold(records), lambda: records) is None


def test_what_ran_before_a_kill_counts_until_its_last_record() -> None:
    records = [CLAIM, BEGIN, beat(0.5, 0.5), beat(2.5, 2.5), at(9, "claim"), beat(12, 3)]

    assert [
        Stint(stamp(0), stamp(2.5), 2.5, cut=True),
        Stint(stamp(9), stamp(12), 3, cut=False),
    ] == stints.stints(records)
    assert (5.5, 6.5) == (stints.spent(records), gaps(records, cut=True))


def test_each_of_several_kills_adds_what_ran_before_it() -> None:
    records = [
        record
        for claim in (0, 100, 200)
        for record in (at(claim, "claim"), at(claim, "begin", "1"), beat(claim + 10, 10))
    ]

    assert 30 == stints.spent(records)


def test_a_park_ends_a_stint_and_what_people_write_after_it_is_nobodys_work() -> None:
    records = [
        CLAIM, at(0, "begin", "1", "approve", "1"), at(0.25, "ask", "1"), at(0.5, "park"),
        at(5, "answer", "1", "bob@x", "no"), at(6, "claim"), at(6.25, "end", "1", "refused", "1"),
        at(6.5, "result", "-", "refused", "1"), at(60, "note", "-", "bob@x", "why?"),
    ]  # fmt: skip

    assert 1 == stints.spent(records)
    assert 1 == stints.worked(job.fold(records), lambda: records)
    assert (0, 5.5) == (gaps(records, cut=True), gaps(records, cut=False))


def test_what_ran_on_after_a_hold_counts_as_work_and_what_lay_there_does_not() -> None:
    records = [
        CLAIM, BEGIN, at(2, "hold", "-", "alice@x"), at(12, "end", "1", "ok", "0", ""),
        at(20, "hold", "-", "bob@x"), at(30, "release", "-", "bob@x"), at(31, "claim"),
        at(32, "begin", "2", "exec", "1"),
    ]  # fmt: skip

    assert 13 == stints.spent(records)
    assert (0, 19) == (gaps(records, cut=True), gaps(records, cut=False))


@pytest.mark.parametrize(
    "wishes",
    [
        [at(2, "hold", "-", "bob@x")],
        [at(2, "hold", "-", "bob@x"), at(3, "release", "-", "bob@x"), beat(4, 4)],
    ],
    ids=["held still", "released long before"],
)
def test_who_was_killed_while_it_was_held_did_not_lay_the_job_aside(wishes: list[Record]) -> None:
    records = [CLAIM, BEGIN, *wishes, at(9, "claim")]

    assert stints.stints(records)[0].cut


def test_until_now_only_a_stint_lasts_that_is_not_over() -> None:
    records = [CLAIM, BEGIN, beat(2, 2), at(9, "claim"), at(9, "begin", "2", "exec", "1")]

    assert 2 + 4 == stints.spent(records, START + 13)
    assert 3 == stints.spent([CLAIM, at(3, "park")], START + 13)


def test_a_clock_that_was_set_while_a_command_ran_changes_nothing() -> None:
    for moved in (-86400, 86400):
        set_ = [beat(5, 5), beat(10 + moved, 10), at(10 + moved, "end", "1"), at(20, "claim")]

        assert 10 == stints.spent([CLAIM, BEGIN, *set_])


def test_a_clock_that_was_set_between_begin_and_first_usage_changes_nothing() -> None:
    for moved in (-86400, 86400):
        assert 3 == stints.spent([CLAIM, at(1, "begin", "1"), beat(moved, 2), at(0, "claim")])


def test_a_clock_that_was_set_while_commands_ran_side_by_side_changes_little() -> None:
    for moved in (-86400, 86400):
        records = [
            CLAIM, BEGIN, at(1, "begin", "2", "exec", "1"), beat(5, 5), beat(5, 4, "2"),
            beat(10 + moved, 10), beat(10 + moved, 9, "2"), at(20, "claim"),
        ]  # fmt: skip

        assert 10 == stints.spent(records)


def test_a_clock_that_was_set_back_takes_nothing_away() -> None:
    records = [at(100, "claim"), at(50, "begin", "1", "wait", "1"), at(0, "claim"), beat(1, 1)]

    assert [0, 1] == [stint.worked for stint in stints.stints(records)]
    assert 1 == stints.spent(records, START - 100)
    assert 0 == gaps([at(100, "claim"), at(50, "claim")], cut=True)


def test_the_last_runner_of_a_finished_job_has_added_it_up() -> None:
    records = [CLAIM, at(5, "usage", "-", "rusage", "0.017"), at(9, "result", "-", "ok", "0")]

    assert 0.017 == stints.worked(job.fold(records), lambda: 1 / 0)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("wall", ["-", "", "1e9", "nan", "-3", "²"])
def test_a_usage_that_says_no_wall_is_a_sign_of_life_like_any_other(wall: str) -> None:
    records = [CLAIM, BEGIN, at(4, "usage", "1", "cgroup2", wall), at(9, "claim")]

    assert 4 == stints.spent(records)
