"""A job folded from its records: what became of it."""

from __future__ import annotations

from cit import job, trace
from cit.trace import Record

T = [f"2026-11-21T20:37:{second:02d}.000Z" for second in range(20)]


def test_of_no_records_nothing_is_known() -> None:
    told = job.fold([])

    assert ("", 0, 0, "", "") == (told.who, told.number, told.attempt, told.status, told.seal)


def test_a_whole_life() -> None:
    told = job.fold(
        [
            Record(T[0], "push", "-", ("alice@laptop", "sha256:12")),
            Record(T[1], "admit", "-", ("queue@host", "7")),
            Record(T[2], "claim", "-", ("host", "99", "boot", "1", "0.1")),
            Record(T[3], "begin", "1", ("exec", "1")),
            Record(T[4], "usage", "1", ("cgroup2", "0.5", "-")),
            Record(T[5], "end", "1", ("failed", "3", "")),
            Record(T[6], "usage", "-", ("cgroup2", "0.6")),
            Record(T[7], "result", "-", ("failed", "3")),
            Record(T[8], "seal", "-", ("host", "sha256:34")),
        ]
    )

    assert (T[0], T[1], T[2], T[7]) == (told.pushed, told.admitted, told.claimed, told.finished)
    assert ("alice@laptop", "sha256:12", 7) == (told.who, told.sha256, told.number)
    assert ("host", "99", "boot", 1) == (told.host, told.pid, told.boot, told.attempt)
    assert ("failed", "3", "sha256:34") == (told.status, told.code, told.seal)
    assert ("cgroup2", "0.6") == told.usage
    run = told.runs["1"]
    assert ("exec", T[3], T[5], "failed", "3") == (
        run.step, run.began, run.ended, run.status, run.code,
    )  # fmt: skip
    assert ("cgroup2", "0.5", "-") == run.usage


def test_the_innermost_run_that_has_not_ended_is_the_open_one() -> None:
    told = job.fold(
        [
            Record(T[0], "begin", "1", ("sequence", "1")),
            Record(T[1], "begin", "1.1", ("exec", "1")),
            Record(T[2], "end", "1.1", ("ok", "0", "")),
            Record(T[3], "begin", "1.2", ("exec", "1")),
        ]
    )

    assert ["1.2"] == [run.path for run in told.open]


def test_a_run_that_begins_again_is_open_again() -> None:
    told = job.fold(
        [
            Record(T[0], "begin", "1", ("exec", "1")),
            Record(T[1], "end", "1", ("lost", "123", "")),
            Record(T[2], "begin", "1", ("exec", "2")),
        ]
    )

    assert [("2", "")] == [(run.attempt, run.status) for run in told.open]


def test_the_last_claim_counts() -> None:
    claims = [Record(T[n], "claim", "-", ("host", str(n), "boot", str(n))) for n in (1, 2)]

    told = job.fold(claims)

    assert ("2", 2, T[2]) == (told.pid, told.attempt, told.claimed)


def test_a_later_value_of_a_name_replaces_the_earlier() -> None:
    told = job.fold(
        [Record(T[0], "data", "1.1", ("n", "1")), Record(T[1], "data", "1.2", ("n", "2"))]
    )

    assert {"n": ("1.2", "2")} == told.data


def test_acts_and_notes_are_kept_in_order() -> None:
    kinds = ["hold", "note", "release", "stop", "note"]

    told = job.fold([Record(T[n], kind, "-", ("a@b",)) for n, kind in enumerate(kinds)])

    assert ["hold", "release", "stop"] == [act.kind for act in told.acts]
    assert [T[1], T[4]] == [note.time for note in told.notes]


def test_a_seal_binds_only_what_is_above_it() -> None:
    told = job.fold(
        [Record(T[0], "seal", "-", ("a", "sha256:1")), Record(T[1], "result", "-", ("ok", "0"))]
    )

    assert "" == told.seal


def test_what_is_cut_short_or_unknown_does_no_harm() -> None:
    kinds = ("push", "admit", "claim", "begin", "end", "usage", "data", "result", "seal", "later")

    told = job.fold([Record(T[0], kind, "1") for kind in kinds])

    assert ("", 0, 0) == (told.who, told.number, told.attempt)


def test_numbers_that_are_none_are_nought() -> None:
    for text in ("", "x", "-1", "1.5", "²", "٣"):
        told = job.fold([Record(T[0], "admit", "-", ("a", text))])

        assert 0 == told.number


# --- what it waits for -----------------------------------------------------------------------


def at(second: int, kind: str, run: str, *fields: str) -> Record:
    return Record(f"2026-11-21T20:37:{second:02d}.000Z", kind, run, fields)


def test_a_question_is_open_until_it_is_answered_or_its_run_ends() -> None:
    asks = [at(1, "ask", run, "approve", "go?", "no", "", "alice,@ops") for run in ("1", "2", "3")]

    told = job.fold([*asks, at(2, "answer", "1", "bob@x", "yes"), at(3, "end", "2", "ok", "0")])

    assert ["3"] == list(told.asks)
    assert ("approve", "go?", "no", "", ("alice", "@ops")) == told.asks["3"][1:]
    assert ["1"] == [answer.run for answer in told.answers]
    assert {} == job.fold([*asks, at(2, "result", "-", "cancelled", "130")]).asks


def test_who_is_held_until_an_instant_is_not_held_after_it() -> None:
    hold = at(1, "hold", "-", "bob@x", "later", "token", "2026-11-21T20:38:00.000Z")
    for_ever = at(2, "hold", "-", "bob@x")
    release = at(3, "release", "-", "bob@x")
    then = trace.seconds("2026-11-21T20:38:00.000Z")

    assert [True, False] == [job.fold([hold]).withheld(now) for now in (then - 1, then)]
    assert job.fold([hold, for_ever]).withheld(then)
    assert not job.fold([hold, for_ever, release]).withheld(then - 1)


def test_only_a_stop_of_the_whole_job_is_its_stop() -> None:
    told = job.fold([at(1, "stop", "1.2", "bob@x"), at(2, "hold", "-", "bob@x")])

    assert (None, "hold") == (told.stop, told.hold and told.hold.kind)
    assert job.fold([at(1, "stop", "-", "bob@x")]).stop


def test_where_a_job_was_laid_by_counts_until_it_is_claimed_again() -> None:
    park = at(1, "park", "-", "", "job build, artefact build/tree")

    told = job.fold([park])

    assert told.parked and ("", (("job", "build"), ("artefact", "build/tree"))) == told.parked[1:]
    assert job.fold([park, at(2, "claim", "-", "host")]).parked is None
