"""The text of programs: what is read, what is refused and where, what is written."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import lurch
from cit.errors import Bad
from cit.lurch import form, number, string, symbol

HELLO = """\
(isolate
  (chroot "busybox")
  (sequence
    (exec "/bin/sleep" ("10") () null)
    (exec "/bin/echo" ("hello world!") () null)))"""


def bare(node: lurch.Node) -> Any:
    """The tree without its places; 1 and 1.0 apart."""
    if node.kind == lurch.LIST:
        return [bare(item) for item in node.value]
    return (node.kind, repr(node.value))


def refused(text: str) -> tuple[int, int, str]:
    with pytest.raises(Bad) as caught:
        lurch.read(text)
    return caught.value.line, caught.value.column, str(caught.value)


def test_the_hello_program_of_the_manual_is_read() -> None:
    tree = lurch.read(HELLO)

    assert bare(tree) == bare(
        form(
            symbol("isolate"),
            form(symbol("chroot"), string("busybox")),
            form(
                symbol("sequence"),
                form(
                    symbol("exec"), string("/bin/sleep"), form(string("10")), form(),
                    symbol("null"),
                ),
                form(
                    symbol("exec"), string("/bin/echo"), form(string("hello world!")), form(),
                    symbol("null"),
                ),
            ),
        )
    )  # fmt: skip


def test_every_node_knows_its_place() -> None:
    tree = lurch.read('(a\n  "x\ny" (b 12))')

    places = [(n.line, n.column) for n in (tree, *tree.value, *tree.value[2].value)]
    assert places == [(1, 1), (1, 2), (2, 3), (3, 4), (3, 5), (3, 7)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a\"b\\c"', 'a"b\\c'),
        (r'"\n\t\r\b\ \'"', "\n\t\r\b '"),
        (r'"\065\x42\o103"', "ABC"),
        (r'"\195\169"', "é"),
        (r'"\u{e9}\u{1F600}"', "é\U0001f600"),
        (r'"\255"', "\udcff"),
        (r'"\000"', "\0"),
        ('"one \\\n     line"', "one line"),
        ('"two\nlines"', "two\nlines"),
        ('"; no (comment)"', "; no (comment)"),
    ],
)
def test_strings_have_the_escapes_of_ocaml(text: str, value: str) -> None:
    assert lurch.read(text) == (lurch.STRING, value, 1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-12", -12), ("+5", 5), ("1.5", 1.5), ("3.", 3.0), (".5", 0.5), ("1e3", 1000.0)],
)
def test_numbers_are_whole_or_floating(text: str, value: float) -> None:
    node = lurch.read(text)

    assert (node.kind, repr(node.value)) == (lurch.NUMBER, repr(value))


@pytest.mark.parametrize("text", ["null", "t", "no-op", "-", "...", "e5", "é", "+a", "*"])
def test_any_other_atom_is_a_symbol(text: str) -> None:
    assert lurch.read(text) == (lurch.SYMBOL, text, 1, 1)


def test_comments_run_to_the_end_of_the_line() -> None:
    tree = lurch.read("; before\n(a ; the (first\n b) ; after")

    assert bare(tree) == bare(form(symbol("a"), symbol("b")))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", (1, 1, "an expression expected, but the text ends")),
        ("; nothing\n", (2, 1, "an expression expected, but the text ends")),
        ("(a\n (b)", (1, 1, "'(' without its ')'")),
        ("(a)\n )", (2, 2, "')' without its '('")),
        ("(a)\n(b)", (2, 1, "one expression expected, but another begins here")),
        ('(a "b', (1, 4, "string without its closing quote")),
        ('"a\n \\q"', (2, 2, "bad escape in a string")),
        (r'"\256"', (1, 2, "bad escape in a string")),
        (r'"\u{d800}"', (1, 2, "bad escape in a string")),
        (r'"\u{110000}"', (1, 2, "bad escape in a string")),
        (r'"\u{}"', (1, 2, "bad escape in a string")),
        (r'"\xg0"', (1, 2, "bad escape in a string")),
        ("(a 5m)", (1, 4, "bad number '5m'")),
        ("1_000", (1, 1, "bad number '1_000'")),
        ("1e999", (1, 1, "number too large '1e999'")),
        ("9" * 5000, (1, 1, "a number of more than 40 digits")),
        ("(a b\0c)", (1, 5, "unexpected character '\\x00'")),
        ("(a\xa0b)", (1, 3, "unexpected character '\\xa0'")),
        ("(a \udc80)", (1, 4, "unexpected character '\\udc80'")),
        ("(a \ud800)", (1, 4, "a character that no text can hold")),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    text: str, place: tuple[int, int, str]
) -> None:
    assert refused(text) == place


def test_a_refusal_carries_the_text_of_its_line() -> None:
    with pytest.raises(Bad) as caught:
        lurch.read("(a\n  (b 5m)\n)")

    assert caught.value.show("x.lurch") == "x.lurch:2:6: bad number '5m'\n    (b 5m)\n       ^"


def test_lists_nest_two_hundred_deep_and_no_deeper() -> None:
    deepest = "(" * lurch.DEPTH + ")" * lurch.DEPTH

    assert lurch.read(lurch.write(lurch.read(deepest))).kind == lurch.LIST
    assert refused(f"({deepest})") == (1, 201, "nested more than 200 deep")
    assert refused("(" * 1_000_000) == (1, 201, "nested more than 200 deep")


def test_a_text_has_only_so_many_lists_and_atoms() -> None:
    most = "(" + "x " * (lurch.FORMS - 1) + ")"

    assert len(lurch.read(most).value) == lurch.FORMS - 1
    assert refused(most[:-1] + "()\n)") == (1, len(most), "more than 50000 lists and atoms")


def test_a_tree_too_deep_is_not_written() -> None:
    tree = symbol("a")
    for _ in range(5000):
        tree = form(tree)

    with pytest.raises(Bad, match="nested more than 200 deep"):
        lurch.write(tree)


@pytest.mark.parametrize(
    "text",
    [
        HELLO,
        '(isolate\n  (chroot "busybox")\n  (exec "/bin/ls" ("/bin") () null))',
        "(no-op 0)",
        "(if (no-op 0) (no-op 1) (no-op 2))",
        '(retry\n  (exec "/bin/x" ("y") () 1.5)\n  3)',
        '(let v "a" "b"\n  (sequence\n    (wait (0) (1 2) () () ())\n    (no-op 0)))',
        f'(exec "/usr/bin/docker"\n  ("{"p" * 70}")\n  () null)',
        '"\\195\\255\\001 \\u{a0}\\n\\"é"',
    ],
)
def test_the_canonical_layout_is_a_fixed_point(text: str) -> None:
    assert lurch.write(lurch.read(text)) == text


def test_many_atoms_are_wrapped() -> None:
    tree = form(*[string("argument")] * 30)

    assert max(map(len, lurch.write(tree).split("\n"))) <= 80


@pytest.mark.parametrize(
    "unit", ["()", "a ", "\\n", '\\"', "\\\n", '""', "\n", ";", "x", '"" () ', "(a) ", "1 "]
)
@pytest.mark.parametrize(("head", "tail"), [("(", ")"), ('(a "', '")'), ("(" * 199, ")" * 199)])
def test_no_text_costs_more_than_its_length(unit: str, head: str, tail: str) -> None:
    text = head + unit * ((1 << 18) // len(unit)) + tail
    begun = time.process_time()

    try:
        lurch.write(lurch.read(text))
    except Bad as error:
        assert error.line

    # A quarter of the largest program; a square of its length would take minutes.
    assert time.process_time() - begun < 5


ATOMS = st.one_of(
    st.binary().map(lambda raw: string(raw.decode("utf-8", "surrogateescape"))),
    st.text().map(string),
    st.sampled_from(["null", "t", "f", "exec", "no-op", "-", "a.b"]).map(symbol),
    st.integers(-(10**30), 10**30).map(number),
    st.floats(allow_nan=False, allow_infinity=False).map(number),
)
TREES = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=6).map(lambda x: form(*x)))


@given(TREES)
def test_what_is_written_reads_as_the_same_tree(tree: lurch.Node) -> None:
    text = lurch.write(tree)

    assert bare(lurch.read(text)) == bare(tree)
    assert lurch.write(lurch.read(text)) == text


@given(st.text(st.sampled_from('()"\\ \n;.-+e15xnuta{}\0é\udc80'), max_size=60) | st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        tree = lurch.read(text)
    except Bad as error:
        assert error.line >= 1
        assert error.column >= 1
    else:
        assert bare(lurch.read(lurch.write(tree))) == bare(tree)
