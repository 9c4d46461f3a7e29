"""The words of complaints."""

from __future__ import annotations

import time
from datetime import date

import pytest

from cit import wording


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x", '"x"'),
        ("x" * 61, f'"{"x" * 60}..."'),
        ("a\x1b[2J\n", r'"a\x1b[2J\x0a"'),
        (True, "true"),
        (3.5, "3.5"),
        (10**20, "a very large number"),
        ([1, 2], "a list of 2"),
        ({}, "a table"),
        (date(2026, 11, 21), "a date or a time"),
    ],
)
def test_what_was_found_is_short_and_harmless(value: object, shown: str) -> None:
    assert shown == wording.found(value)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (["timeout", "finally"], "unknown option 'finaly', did you mean 'finally'?"),
        (["x", "b"], "unknown option 'finaly', known are b, x"),
        ([], "unknown option 'finaly', none is known here"),
    ],
)
def test_of_an_unknown_word_it_is_said_which_was_meant(known: list[str], told: str) -> None:
    assert told == wording.unknown("option", "finaly", known)


def test_what_is_similar_to_a_long_word_is_found_soon() -> None:
    begun = time.process_time()

    near = wording.nearest("x" * 1_000_000, ["x" * 60, "y"])

    assert "x" * 60 == near
    assert time.process_time() - begun < 2  # a millisecond, on a machine that is not busy


@pytest.mark.parametrize(("words", "told"), [("a", "a"), ("ab", "a or b"), ("abc", "a, b or c")])
def test_a_choice_is_told_as_people_do(words: str, told: str) -> None:
    assert told == wording.either(words)
