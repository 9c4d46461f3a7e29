"""Ids and the names of files: what sorts how, and what is no job's name."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, strategies

from cit import name

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
MOMENTS = strategies.integers(0, (1 << 48) - 1)
RANDOM = strategies.binary(min_size=10, max_size=10)


@given(MOMENTS, RANDOM)
def test_an_id_is_one_and_tells_when_it_was_made(moment: int, random: bytes) -> None:
    id = name.make(moment, random)

    assert name.is_id(id)
    assert moment == round(name.made(id) * 1000)


@given(MOMENTS, RANDOM, MOMENTS, RANDOM)
def test_ids_sort_by_time_and_then_by_what_is_random(
    first: int, one: bytes, second: int, other: bytes
) -> None:
    ids = name.make(first, one), name.make(second, other)

    assert ((first, one) < (second, other)) == (ids[0] < ids[1])


@pytest.mark.parametrize(
    "text",
    [
        "", ID[:25], ID + "0", ID.upper(), "8" + ID[1:], ID[:25] + "u", ID[:25] + "l",
        ID[:25] + "\n", ID[:25] + "é",
    ],
)  # fmt: skip
def test_what_is_no_id(text: str) -> None:
    assert not name.is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "-rf", "_x", ".hidden", "Hello", "a b", "a/b", "a\n", "a\0", "é", "a\u0660",
        "x" * 65,
    ],
)  # fmt: skip
def test_what_is_no_name(text: str) -> None:
    assert not name.is_name(text)


@pytest.mark.parametrize("text", ["a", "0", "x" * 64, "a.b_c-d", "a..", "a-", "a.job"])
def test_what_is_a_name(text: str) -> None:
    assert name.is_name(text)


@given(strategies.text())
def test_any_text_can_be_made_a_name(text: str) -> None:
    assert name.is_name(name.simplify(text))


@given(strategies.from_regex(r"[a-z0-9]([a-z0-9._-]?[a-z0-9._]){0,30}", fullmatch=True))
def test_a_name_stays_as_it_is(text: str) -> None:
    assert text == name.simplify(text)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Hello World", "hello-world"), ("C++ unit tests", "c-unit-tests"), ("...", "job"),
        ("", "job"), ("-rf", "rf"), ("../etc/passwd", "etc-passwd"), ("x" * 70, "x" * 64),
    ],
)  # fmt: skip
def test_a_name_is_made_of_what_people_call_things(text: str, made: str) -> None:
    assert made == name.simplify(text)


def test_a_drop_says_id_and_name() -> None:
    found = name.parse("in", name.drop(ID, "a-b.c"))

    assert found == name.Name("in", f"{ID}-a-b.c.job", ID, "a-b.c")


@pytest.mark.parametrize("state", ["wait", "hold", "run"])
def test_a_queued_file_says_priority_and_number_too(state: str) -> None:
    found = name.parse(state, name.queued(7, 42, ID, "x"))

    assert found == name.Name(state, f"07-0000000042-{ID}-x.job", ID, "x", 7, 42)


def test_a_parked_file_says_when_it_is_due() -> None:
    found = name.parse("park", f"1796000000-50-0000000003-{ID}-x.job")

    assert found is not None
    assert (1796000000, 50, 3, ID, "x") == (
        found.due, found.priority, found.number, found.id, found.name,
    )  # fmt: skip


def test_a_refused_file_is_told_apart_by_its_inode() -> None:
    found = name.parse("bad", f"{ID}-x.job.1234")

    assert found == name.Name("bad", f"{ID}-x.job.1234", ID, "x")


def test_file_names_sort_as_jobs_come_first() -> None:
    order = [(1, 900), (50, 2), (50, 10), (50, 9_999_999_999), (99, 1)]

    files = [name.queued(priority, number, ID, "x") for priority, number in order]

    assert files == sorted(files)


@pytest.mark.parametrize(
    ("state", "file"),
    [
        ("in", ""), ("in", ".job"), ("in", f"{ID}.job"), ("in", f"{ID}-.job"), ("in", f"{ID}-x"),
        ("in", f"{ID}-X.job"), ("in", f"{ID}x.job"), ("in", f"{ID}-é.job"), ("in", f"-{ID}-x.job"),
        ("in", f"50-0000000001-{ID}-x.job"), ("in", f"{ID}-x.job.1"), ("in", f"{ID}-x\n.job"),
        ("wait", f"{ID}-x.job"), ("wait", f"5-0000000001-{ID}-x.job"),
        ("wait", f"50-000000001-{ID}-x.job"), ("wait", f"-1-0000000001-{ID}-x.job"),
        ("wait", f"50_0000000001_{ID}-x.job"), ("wait", f"50-0000000001-{ID}-x.job~"),
        ("park", f"50-0000000001-{ID}-x.job"), ("park", f"x796000000-50-0000000001-{ID}-x.job"),
        ("bad", f"{ID}-x.job"), ("bad", f"{ID}-x.job.1.why"), ("bad", f"{ID}-x.job."),
        ("done", f"50-0000000001-{ID}-x.job"),
    ],
)  # fmt: skip
def test_what_is_no_jobs_file(state: str, file: str) -> None:
    assert name.parse(state, file) is None


@given(strategies.text(), strategies.sampled_from(["in", "wait", "park", "done", "bad"]))
def test_any_file_name_can_be_looked_at(file: str, state: str) -> None:
    found = name.parse(state, file)

    assert found is None or found.file == file


@given(strategies.binary())
def test_file_names_that_are_not_text_are_no_jobs(file: bytes) -> None:
    assert name.parse("in", os.fsdecode(file)) is None
