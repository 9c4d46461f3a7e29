from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import table

TEXTS = st.text(max_size=30)


# --- harmless --------------------------------------------------------------------------------


@given(TEXTS | st.binary(max_size=30).map(lambda b: b.decode("utf-8", "surrogateescape")))
def test_visible_text_has_no_controls_and_turns_nothing_around(text: str) -> None:
    shown = table.visible(text)

    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown if c != "\t")
    turning = {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"}
    assert not turning & {unicodedata.bidirectional(c) for c in shown}


@given(st.text(st.sampled_from("aZ09.,-+<|~\u00e9\u00df\u0416\u05d0\u0e01\u65e5\uff21\u20ac\u2603\U0001f600")))
def test_visible_leaves_what_is_harmless_alone(text: str) -> None:
    assert text == table.visible(text)


def test_visible_names_what_it_replaces() -> None:
    assert "\\x1b[2J\\n\\r\\x9b\\u202e\\xff\t|" == table.visible("\x1b[2J\n\r\x9b\u202e\udcff\t|")


# --- ages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86399, "23h"),
        (86400, "1d"),
        (14 * 86400 - 1, "13d"),
        (14 * 86400, "2w"),
        (103 * 604800, "103w"),
        (104 * 604800, "1y"),
        (10 * 365.25 * 86400, "10y"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, expected: str) -> None:
    assert expected == table.age(seconds)


# --- columns ---------------------------------------------------------------------------------


def test_columns_line_up_and_empty_ones_are_left_out() -> None:
    rows = [("a", "", "7", "x"), ("long", "", "1234", "y")]

    assert ["a        7  x", "long  1234  y"] == table.lines(rows, right=(2,))


def test_a_header_stands_above_the_columns_that_are_there() -> None:
    lines = table.lines([("a", "", "7")], right=(2,), header=("ID", "NO", "SIZE"))

    assert ["ID  SIZE", "a      7"] == lines
    assert [] == table.lines([], header=("ID",))


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    lines = table.lines([("日本", "x"), ("e\u0301abc", "x"), ("abcd", "x")])

    assert ["日本  x", "e\u0301abc  x", "abcd  x"] == lines


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1), st.integers(1, 60))
def test_only_the_last_cell_is_cut_to_the_width(rows: list[tuple[str, str]], columns: int) -> None:
    lines = table.lines(rows, columns)

    assert len(rows) == len(lines)
    first = max(table.width(table.cell(row[0])) for row in rows)
    for line, row in zip(lines, rows, strict=True):
        assert line.startswith(table.cell(row[0]).rstrip()) or not any(r[1] for r in rows)
        if columns - first - len(table.GAP) >= 8 and any(r[1] for r in rows):
            assert table.width(line) <= columns


def test_a_narrow_terminal_leaves_out_what_can_be_spared_before_it_cuts() -> None:
    rows = [("id", "alice", "node1", "the disk of the queue is full"), ("id", "bob", "", "")]

    def first(columns: int) -> str:
        return table.lines(rows, columns, spare=(2, 1))[0]

    assert "id  alice  node1  the disk of the queue is full" == first(50)
    assert "id  alice  node1  the disk of the queue i…" == first(42)
    assert "id  alice  the disk of the queue is…" == first(36)
    assert "id  the disk of the queu…" == first(25)
    short = [("id", "bob", "node1", "short")]
    assert ["id  bob  node1  short"] == table.lines(short, 21, spare=(2,))


def test_what_is_cut_ends_in_an_ellipsis() -> None:
    assert "abcdef…" == table.cut("abcdefghij", 7)
    assert "abcdefg" == table.cut("abcdefg", 7)
    assert "日本…" == table.cut("日本語です", 6)
    assert "" == table.cut("abc", 0)


def test_paint_is_given_row_column_and_padded_text() -> None:
    seen = []

    def paint(row: int, column: int, text: str) -> str:
        seen.append((row, column, text))
        return f"<{text}>"

    lines = table.lines([("a", "b"), ("cc", "")], paint=paint)

    assert ["<a >  <b>", "<cc>"] == lines
    assert [(0, 0, "a "), (0, 1, "b"), (1, 0, "cc")] == seen


def test_style_adds_colours_only_where_there_are_some() -> None:
    assert "\x1b[1;31mx\x1b[0m" == table.style("x", "bold", "red")
    assert "x" == table.style("x", "") == table.style("x")


# --- records ---------------------------------------------------------------------------------


@given(st.lists(TEXTS, min_size=1))
def test_a_record_is_one_line_whatever_its_fields_hold(fields: list[str]) -> None:
    line = table.tabbed(fields)

    assert line.endswith("\n") and 1 == line.count("\n")
    assert len(fields) == len(line.split("\t"))


def test_an_empty_field_is_a_dash() -> None:
    assert "a\t-\tb\\tc\0" == table.tabbed(("a", "", "b\tc"), "\0")
