"""TOML: the quick reader reads what the decoder reads, and what is written is read back."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import toml
from cit.errors import Bad

KEYS = st.one_of(st.sampled_from(["a", "b", "a-b", "1", "a.b", "é", '"a"', "", "true"]))
VALUES = st.sampled_from(
    ['"x"', '""', '"a # b"', '"\\n"', "'x'", "0", "7", "007", "1_0", "-1", "true", "True", "[]",
     '["a", "b"]', '["a","b"]', '["a", 1]', '["a, b"]', "[[]]", "{}", "", "1.5", '"é"', '"\t"',
     '"x" # c', '"""x"""', '"a" "b"', "٣", '["a", "b']
)  # fmt: skip
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("{}={}".format, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.sampled_from(["", "a", "]", "# a comment", "#\x01", "\t# x", " ", "\r"]),
)
TEXTS = st.text(max_size=20)
TREES = st.recursive(
    st.one_of(TEXTS, st.integers(-(2**62), 2**62), st.booleans(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(LINES, max_size=6).map("\n".join))
def test_the_quick_reader_reads_what_the_decoder_reads_or_nothing(text: str) -> None:
    quick = toml._simple(text)

    if quick is not None:
        assert tomllib.loads(text) == quick


def test_an_ordinary_head_needs_no_decoder() -> None:
    text = 'id = "01k"\nn = 5\n\n# c\nlist = ["a", "b"]\n[limits]\ntime = "10m"\nall = true\n'

    assert tomllib.loads(text) == toml._simple(text)


@given(st.dictionaries(TEXTS, TREES, max_size=4))
def test_what_is_written_is_read_back(value: dict[str, object]) -> None:
    assert value == tomllib.loads(toml.dumps(value).decode())


def test_a_date_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="cannot write a date"):
        toml.dumps(tomllib.loads("a = 1979-05-27"))


def test_every_key_and_item_has_its_place() -> None:
    text = "\n".join(
        [
            'a = 1 # "x" = 2',
            "b.c = [ 1,",
            "  2, [3] ]",
            '"d e" = { f = 1, g = { h = 2 } }',
            "[t.u]",
            "v = '''",
            "[no.table]",
            "'''",
            "[[w]]",
            "x = 1",
            "[[w]]",
            "x = 2",
            "[w.y]",
            "z = 3",
        ]
    )
    places = {
        ("a",): (1, 1),
        ("b", "c"): (2, 1),
        ("b", "c", 1): (3, 3),
        ("b", "c", 2, 0): (3, 7),
        ("d e",): (4, 1),
        ("d e", "g", "h"): (4, 24),
        ("t", "u", "v"): (6, 1),
        ("w", 0, "x"): (10, 1),
        ("w", 1, "x"): (12, 1),
        ("w", 1, "y", "z"): (14, 1),
    }

    found = {path: toml.finder(text)(path)[:2] for path in places}

    assert places == found


def test_a_key_that_is_not_found_is_at_its_table_or_above_the_text() -> None:
    text = '[t]\n"\\u0061" = 1\n'

    assert (7, 2, "[t]") == toml.finder(text, 7)(("t", "a"))
    assert (6, 1, "") == toml.finder(text, 7)(("nowhere",))


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a = 1\na = 2\n", 11, 6, "cannot overwrite a value"),
        ("a = 1\nb\n", 11, 2, "expected '=' after a key in a key/value pair"),
        ("a = 1\nb = [ # c\n\n", 11, 10, "invalid value"),
        ("\n\na = 1979-13-27\n", 12, 9, "expected newline or end of document after a statement"),
    ],
)
def test_what_the_decoder_refuses_has_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(Bad) as caught:
        toml.loads(text.encode(), 10)

    assert message == str(caught.value).lower()
    assert (line, column) == (caught.value.line, caught.value.column)


def test_text_that_is_not_utf_8_has_its_place() -> None:
    with pytest.raises(Bad, match="expected UTF-8") as caught:
        toml.loads(b'a = 1\nb = "\xff"\n')

    assert (2, 6) == (caught.value.line, caught.value.column)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 1\n[[s]]\nb = 2\n[t]\nc = 3\n", "\n[[s]]\nb = 2\n"),
        ("[[s]]\n[s.x] # y\n[t]\n[[s]]\n", "[[s]]\n[s.x] # y\n\n[[s]]\n"),
        (' [["s"]]\nb = """\n[t]\n"""\n', ' [["s"]]\nb = """\n[t]\n"""\n'),
        ("[[s]]\nb = [\n[1],\n[2]]\n[t]\n", "[[s]]\nb = [\n[1],\n[2]]\n"),
        ("[[s]]\r\nb = {c = [1]}\r\n[t]\r\n", "[[s]]\r\nb = {c = [1]}\r\n"),
        ("s = [{}]\n", ""),
        ("[t]\ns = 1\n", ""),
        ("[t.s]\n", ""),
        ("", ""),
    ],
)
def test_the_tables_of_a_key_are_cut_out_at_their_lines(text: str, found: str) -> None:
    assert found == toml.part(text, "s")
