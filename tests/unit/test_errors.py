"""What is wrong is shown with its place."""

from __future__ import annotations

import pytest

from cit.errors import Bad


@pytest.mark.parametrize(
    ("text", "column", "shown", "caret"),
    [
        ("a b", 3, "a b", 2),
        ("\ta", 2, "\ta", 1),
        ("x" * 100, 1, "x" * 100, 0),
        ("x" * 1000, 1, "x" * 100 + "...", 0),
        ("y" * 500 + "x" + "z" * 500, 501, "..." + "y" * 50 + "x" + "z" * 49 + "...", 53),
        ("y" * 500 + "x", 501, "..." + "y" * 99 + "x", 102),
        ("y" * 200, 201, "..." + "y" * 100, 103),
    ],
)
def test_of_a_long_text_what_is_around_the_place_is_shown(
    text: str, column: int, shown: str, caret: int
) -> None:
    _, line, below = Bad("wrong", 1, column, text).show("x").split("\n")

    assert (f"  {shown}", f"  {shown[:caret]}^") == (line, _as_in(shown, below))


def _as_in(shown: str, below: str) -> str:
    """The line with the caret, its blanks those characters that stand above them."""
    lead = below.removesuffix("^")[2:]
    assert ["\t" if c == "\t" else " " for c in shown[: len(lead)]] == list(lead)
    return f"  {shown[: len(lead)]}^"
