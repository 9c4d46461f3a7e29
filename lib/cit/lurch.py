"""The text of programs: the s-expressions of Lurch, read and written.

A tree is made of Nodes. Strings are double quoted with OCaml's escapes; bytes that are
not UTF-8 are held as surrogates (errors="surrogateescape") and written as \\ddd, so that
any argument of a command survives. `null`, `t` and `f` are symbols here: what a symbol
means is the business of program.py. Comments run from `;` to the end of the line.

`write` is canonical: reading what it wrote gives the same tree, and writing that again
gives the same text. Nothing here recurses deeper than DEPTH.
"""

from __future__ import annotations

from collections import namedtuple

from cit.errors import Bad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NamedTuple

    class Node(NamedTuple):
        kind: str  # LIST, STRING, SYMBOL or NUMBER
        value: Any  # a tuple of Nodes, a str, a str, an int or float
        line: int = 0  # from 1; 0 where no text was read
        column: int = 0
else:
    Node = namedtuple("Node", "kind value line column", defaults=(0, 0))

LIST, STRING, SYMBOL, NUMBER = "list", "string", "symbol", "number"
DEPTH = 200  # lists within lists
FORMS = 50_000  # lists and atoms of a text: what is read in well under a second
WIDTH = 79  # of a written line, where the atoms allow it
INDENT = 60  # at most: a line a piece and 400 blanks before it would be 100 times the text
DIGITS = 40  # of a number; longer ones are no number anybody means
SHOWN = 400  # a longer line is not shown with its error

_BLANK = " \t\r\f"
_ENDS = _BLANK + '\n()";'
_NUMERIC = frozenset("0123456789+-.eE")
_ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", "b": b"\b", " ": b" ", "\\": b"\\",
            '"': b'"', "'": b"'"}  # fmt: skip
_WRITTEN = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\\": "\\\\", '"': '\\"'}


def string(text: str) -> Node:
    return Node(STRING, text)


def symbol(name: str) -> Node:
    return Node(SYMBOL, name)


def number(value: float) -> Node:
    return Node(NUMBER, value)


def form(*items: Node) -> Node:
    return Node(LIST, items)


def read(text: str) -> Node:
    """The one expression that `text` holds. Raises Bad with line, column and the line."""
    text = _sound(text)
    at, line, start = 0, 1, 0  # start: where the line begins
    forms = 0
    stack: list[tuple[int, int, list[Node]]] = []  # the open lists: line, column, outer items
    opened: list[int] = []
    items: list[Node] = []
    while at < len(text):
        c = text[at]
        if c == "\n":
            at += 1
            line, start = line + 1, at
        elif c in _BLANK:
            at += 1
        elif c == ";":
            at = text.find("\n", at)
            if at < 0:
                break
        elif c == ")":
            if not stack:
                raise _bad(text, at, "')' without its '('")
            opened.pop()
            begun, column, outer = stack.pop()
            outer.append(Node(LIST, tuple(items), begun, column))
            items = outer
            at += 1
        elif items and not stack:
            raise _bad(text, at, "one expression expected, but another begins here")
        elif forms == FORMS:
            raise _bad(text, at, f"more than {FORMS} lists and atoms")
        elif c == "(":
            if len(stack) == DEPTH:
                raise _bad(text, at, f"nested more than {DEPTH} deep")
            forms += 1
            opened.append(at)
            stack.append((line, at - start + 1, items))
            items = []
            at += 1
        elif c == '"':
            value, end = _string(text, at)
            forms += 1
            items.append(Node(STRING, value, line, at - start + 1))
            broken = text.count("\n", at, end)
            if broken:
                line, start = line + broken, text.rindex("\n", at, end) + 1
            at = end
        else:
            end = _atom_end(text, at)
            kind, atom = _atom(text, at, end)
            forms += 1
            items.append(Node(kind, atom, line, at - start + 1))
            at = end
    if opened:
        raise _bad(text, opened[-1], "'(' without its ')'")
    if not items:
        raise _bad(text, len(text), "an expression expected, but the text ends")
    return items[0]


def _sound(text: str) -> str:
    """Surrogates stand for bytes that are not UTF-8, and only for those."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _bad(text, error.start, "a character that no text can hold") from None


def _bad(text: str, at: int, message: str) -> Bad:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    shown = text[start : end if end >= 0 else len(text)]
    line = text.count("\n", 0, at) + 1
    return Bad(message, line, at - start + 1, shown if len(shown) <= SHOWN else "")


def _atom_end(text: str, at: int) -> int:
    end = at
    while end < len(text) and text[end] not in _ENDS:
        end += 1
    return end


def _atom(text: str, at: int, end: int) -> tuple[str, str | int | float]:
    """A number, or else a symbol; what begins like a number must be one."""
    atom = text[at:end]
    if not atom.isprintable():
        while text[at].isprintable():
            at += 1
        raise _bad(text, at, f"unexpected character {ascii(text[at])}")
    if atom[0].isalpha():
        return SYMBOL, atom
    if not atom.lstrip("+-")[:2].lstrip(".")[:1].isdigit():
        return SYMBOL, atom
    if len(atom) > DIGITS:
        raise _bad(text, at, f"a number of more than {DIGITS} digits")
    value: int | float
    try:
        # int() also reads 1_000 and the digits of other scripts: those are not numbers here.
        if not _NUMERIC.issuperset(atom):
            raise ValueError
        value = float(atom) if any(c in ".eE" for c in atom) else int(atom)
    except ValueError:
        raise _bad(text, at, f"bad number '{atom}'") from None
    if value in (float("inf"), float("-inf")):
        raise _bad(text, at, f"number too large '{atom}'")
    return NUMBER, value


def _string(text: str, at: int) -> tuple[str, int]:
    """The value of the string whose quote is at `at`, and where the text goes on."""
    begun, at, quote = at, at + 1, -1
    parts: list[bytes] = []
    while True:
        if quote < at:  # looked for again only when passed, or long strings cost their square
            quote = text.find('"', at)
            if quote < 0:
                raise _bad(text, begun, "string without its closing quote")
        slash = text.find("\\", at, quote)
        if slash < 0 and not parts:
            return text[at:quote], quote + 1
        stop = quote if slash < 0 else slash
        parts.append(text[at:stop].encode("utf-8", "surrogateescape"))
        if slash < 0:
            return b"".join(parts).decode("utf-8", "surrogateescape"), quote + 1
        value, at = _escape(text, slash)
        parts.append(value)


def _escape(text: str, at: int) -> tuple[bytes, int]:
    """The bytes that the escape at `at` means, and where the text goes on."""
    c = text[at + 1 : at + 2]
    if c in _ESCAPES:
        return _ESCAPES[c], at + 2
    if c == "\n":  # a string goes on in the next line, without its indentation
        at += 2
        while text[at : at + 1] in (" ", "\t"):
            at += 1
        return b"", at
    if c == "u":
        return _unicode(text, at)
    skip, count, base = {"x": (2, 2, 16), "o": (2, 3, 8)}.get(c, (1, 3, 10))
    digits = text[at + skip : at + skip + count]
    try:
        if len(digits) != count or not (digits.isascii() and digits.isalnum()):
            raise ValueError
        return bytes([int(digits, base)]), at + skip + count
    except ValueError:
        raise _bad(text, at, "bad escape in a string") from None


def _unicode(text: str, at: int) -> tuple[bytes, int]:
    end = text.find("}", at, at + 10)
    digits = text[at + 3 : end]
    try:
        if end < 0 or text[at + 2] != "{" or not (digits.isascii() and digits.isalnum()):
            raise ValueError
        return chr(int(digits, 16)).encode(), end + 1
    except (ValueError, OverflowError):  # UnicodeEncodeError, of a surrogate, is a ValueError
        raise _bad(text, at, "bad escape in a string") from None


def write(tree: Node) -> str:
    """The canonical text, without a final newline. Raises Bad on a tree nested too deep."""
    out: list[str] = []
    _write(tree, 0, 0, out)
    return "".join(out)


def _write(node: Node, column: int, depth: int, out: list[str]) -> int:
    """Append the text of a node that begins at `column`; the column where it ends.

    One line where it is short and no list within a list within it; else a line an item.
    Atoms and empty lists stay on the line of the atom before them, as in the manual's
    `() null`.
    """
    line = _line(node, column)
    if line:
        out.append(line)
        return column + len(line)
    if depth == DEPTH:
        raise Bad(f"nested more than {DEPTH} deep", node.line, node.column)
    indent = min(column + 2, INDENT)
    out.append("(")
    column += 1
    joins = False  # whether an atom may go on in this line
    for place, item in enumerate(node.value):
        atomic = item.kind != LIST or not item.value
        text = _flat(item) if atomic else ""
        if joins and atomic and column + len(text) < WIDTH:
            out.append(" ")
            column += 1
        elif place:
            out.append("\n" + " " * indent)
            column = indent
        if atomic:
            out.append(text)
            column += len(text)
        else:
            column = _write(item, column, depth + 1, out)
        joins = atomic
    out.append(")")
    return column + 1


def _line(node: Node, column: int) -> str:
    """The node as one line; empty if that is too long or hides its structure."""
    if node.kind != LIST or not node.value:
        return _flat(node)
    if any(item.value for part in _lists(node.value) for item in _lists(part.value)):
        return ""
    line = _flat(node)
    return line if column + len(line) <= WIDTH else ""


def _lists(items: Iterable[Node]) -> list[Node]:
    return [item for item in items if item.kind == LIST]


def _flat(node: Node) -> str:
    if node.kind == LIST:
        return "(" + " ".join(map(_flat, node.value)) + ")"
    if node.kind == STRING:
        return _quote(node.value)
    return repr(node.value) if node.kind == NUMBER else str(node.value)


def _quote(value: str) -> str:
    if value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return '"' + "".join(map(_written, _sound(value))) + '"'


def _written(c: str) -> str:
    if c in _WRITTEN:
        return _WRITTEN[c]
    if c.isprintable():
        return c
    point = ord(c)
    if point < 0x80:
        return f"\\{point:03d}"
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\{point - 0xDC00:03d}"
    return f"\\u{{{point:x}}}"
