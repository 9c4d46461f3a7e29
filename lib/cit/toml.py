"""TOML: decoded only after its caps, complained about at its place, and written.

The decoder recurses with the nesting and is quadratic in the length of a dotted
key, so both are measured on the text before it sees any. What is decoded here comes
from strangers: whatever the decoder does not like is bad data, never a bug.
"""

from __future__ import annotations

import re

from cit.errors import Bad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Path = tuple[str | int, ...]

CAP = 16 << 10  # bytes of one text, unless its kind says otherwise
NESTING = 16  # brackets and braces open at once
KEY_DEPTH = 8  # parts of a dotted key

# A string that is not ended swallows the rest, where the decoder stops as well: without
# that, looking for the ends of many such strings would take quadratic time.
_TOKEN = r"""
    (?P<string> \"{3} (?:[^\\]|\\(?:.|\Z))*? (?:\"{3,5}|\Z)
              | '{3} .*? (?:'{3,5}|\Z)
              | \" (?:[^\"\\\n]|\\.)* (?:\"|\n|\Z)
              | ' [^'\n]* (?:'|\n|\Z))
  | (?P<comment> \#[^\n]*)
  | (?P<word> [^\s\"'\#\[\]{}.,=]+)
  | (?P<space> [^\S\n]+)
  | (?P<mark> .)
"""


def loads(body: bytes, line: int = 1, cap: int = CAP) -> dict[str, Any]:
    """The value of a text whose first line is line `line` of its file. Raises Bad."""
    if len(body) > cap:
        raise Bad(f"over {cap} bytes of TOML", line, 1)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        place = _place(body[: error.start].decode(), line)
        shown = _line(body.decode("utf-8", "replace"), place[0] - line)
        raise Bad("expected UTF-8", *place, shown) from None
    value = _simple(text)
    if value is not None:
        return value
    _measure(text, line)
    decode = _decoder()
    try:
        return decode(text)
    except RecursionError:
        raise Bad("nested too deep", line, 1) from None
    except ValueError as error:
        raise _located(str(error), text, line) from None


def dumps(value: dict[str, Any]) -> bytes:
    """A text of this value: strings, numbers, booleans, lists, and dictionaries of them.

    Raises TypeError for anything else.
    """
    return "".join(_tables(value, ())).encode()


def finder(text: str, line: int = 1) -> Callable[[Path], tuple[int, int, str]]:
    """A function from the path of a key to its line, its column and the text of its line.

    `line` is the file's number of the first line of the text, which must be valid
    TOML. A key that is not found is at the nearest key around it, or at the line above
    the text: its mark.
    """
    found = _places(text)

    def find(path: Path) -> tuple[int, int, str]:
        while path and path not in found:
            path = path[:-1]
        if not path:
            return max(line - 1, 1), 1, ""
        number, column = _place(text[: found[path]], line)
        return number, column, _line(text, number - line)

    return find


def part(text: str, key: str) -> str:
    """Of a valid text only the tables `[key]`, `[[key]]` and those in them, at their lines.

    All other lines are empty. An empty text where `key` is written in another way.
    """
    kept, last, keeps = [], 0, False
    for at, name in _headers(text):
        lines = text[last:at]
        kept.append(lines if keeps else "\n" * lines.count("\n"))
        last, keeps = at, name == key
    kept.append(text[last:] if keeps else "")
    found = "".join(kept)
    return found if found.strip() else ""


def _headers(text: str) -> Iterator[tuple[int, str]]:
    """Where the line of each header of a table begins, and the first part of its key."""
    start = depth = 0
    within = ""  # the line: nothing yet, a header, or anything else
    for token in _tokens(text):
        mark = token[0]
        if token.lastgroup in ("space", "comment"):
            continue
        if mark == "\n":
            if not depth:
                start, within = token.end(), ""
        elif not within:
            within = "header" if mark == "[" else "value"
        elif within == "header" and mark != "[":
            yield start, _key(mark)
            within = "named"
        elif within == "value" and token.lastgroup == "mark":
            depth += (mark in "[{") - (mark in "]}")


def _simple(text: str) -> dict[str, Any] | None:
    """The value of a text in the plainest TOML, None where it may be anything more.

    Most job sections are: importing the decoder takes a third of the time in which a
    command starts, and decoding with it ten times as long.
    """
    value: dict[str, Any] = {}
    table = value
    for line in text.split("\n"):
        if not line or (line[0] == "#" and line.isprintable()):
            continue
        key, equals, right = line.partition(" = ")
        if not equals:
            if line[0] + line[-1] != "[]":
                return None
            key, table = line[1:-1], value
        if key in table or not key.isascii() or not key.replace("-", "_").isidentifier():
            return None
        item = _plain(right) if equals else {}
        if item is None:
            return None
        table[key] = item
        if not equals:
            table = item
    return value


def _plain(text: str) -> Any:
    """A string, a number, a truth or a list of strings; None where it may be anything more."""
    if text.isdecimal() and text.isascii() and (text[0] != "0" or text == "0"):
        return int(text) if len(text) < 10 else None
    if text in ("true", "false"):
        return text == "true"
    if text == "[]":
        return []
    strings = [text]
    if text[:2] == '["' and text[-1] == "]":
        strings = text[1:-1].replace('", "', '"\n"').split("\n")
    for string in strings:
        if len(string) < 2 or not string[0] == string[-1] == '"' or string.count('"') != 2:
            return None
        if "\\" in string or not string.isprintable():
            return None
    plain = [string[1:-1] for string in strings]
    return plain[0] if text[0] == '"' else plain


def _decoder() -> Callable[[str], dict[str, Any]]:
    # The compiled one is five times faster; it is not part of Python.
    try:
        import tomli as decoder
    except ImportError:
        import tomllib as decoder
    loads: Callable[[str], dict[str, Any]] = decoder.loads
    return loads


def _located(message: str, text: str, line: int) -> Bad:
    match = re.search(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$", message)
    if not match:
        return Bad(message[:1].lower() + message[1:], line, 1)
    message = message[:1].lower() + message[1 : match.start()]
    number, column = _place(text.rstrip("\n"), 1)
    if match[1]:
        number, column = int(match[1]), int(match[2])
    return Bad(message, line + number - 1, column, _line(text, number - 1))


def _place(before: str, line: int) -> tuple[int, int]:
    """Line and column of what follows this text, whose first line is `line`."""
    return line + before.count("\n"), len(before) - before.rfind("\n")


def _line(text: str, index: int) -> str:
    return text.split("\n")[index][:400]


def _tokens(text: str) -> Iterator[re.Match[str]]:
    return re.finditer(_TOKEN, text, re.S | re.X)


def _measure(text: str, line: int) -> None:
    """Raise Bad where brackets nest too deep or a key has too many parts."""
    if text.count("[") + text.count("{") <= NESTING and text.count(".") < KEY_DEPTH:
        return
    depth = dots = 0
    for token in _tokens(text):
        if token.lastgroup in ("string", "word", "space"):
            continue
        mark = token[0]
        # Only keys have more than one dot outside of strings.
        dots = dots + 1 if mark == "." else 0
        depth += (mark in "[{") - (mark in "]}")
        if depth > NESTING or dots >= KEY_DEPTH:
            number, column = _place(text[: token.start()], line)
            what = f"a key of over {KEY_DEPTH} parts"
            if depth > NESTING:
                what = f"nested over {NESTING} deep"
            raise Bad(what, number, column, _line(text, number - line))


def _places(text: str) -> dict[Path, int]:
    """Where each key, and each item of an array, of this valid text stands."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}  # of arrays of tables: the index of the last
    table: Path = ()
    current: Path = ()
    opened: list[tuple[str, Path]] = []  # brackets of values, and the path they are the value of
    key: list[str] | None = []  # the key being read; None while a value is
    start = header = 0
    for token in _tokens(text):
        mark, at = token[0], token.start()
        if token.lastgroup in ("space", "comment"):
            continue
        if token.lastgroup in ("string", "word"):
            if key is None:
                found.setdefault(current, at)
            else:
                start = start if key else at
                key.append(_key(mark))
        elif mark == "\n":
            if opened:
                continue
            if header and key:
                table = _header(key, header, counts)
                found.setdefault(table, start)
            key, header, current = [], 0, table
        elif key is not None and not opened and mark == "[":
            header += 1
        elif key is not None and mark == "=":
            for part in key:
                current += (part,)
                found.setdefault(current, start)
            key = None
        elif key is None and mark in "[{":
            found.setdefault(current, at)
            opened.append((mark, current))
            key = [] if mark == "{" else None
            current += (0,) if mark == "[" else ()
        elif mark == "," and opened:
            bracket, base = opened[-1]
            key = [] if bracket == "{" else None
            last = current[len(base)] if bracket == "[" else 0
            current = base + ((int(last) + 1,) if bracket == "[" else ())
        elif mark in "]}" and opened:
            current, key = opened.pop()[1], None
    return found


def _header(key: list[str], brackets: int, counts: dict[Path, int]) -> Path:
    """The path of the table that a header opens: `[a.b]` has one bracket, `[[a.b]]` two."""
    path: Path = ()
    for part in key[:-1]:
        path += (part,)
        path += (counts[path],) if path in counts else ()
    path += (key[-1],)
    if brackets == 2:
        counts[path] = counts.get(path, -1) + 1
    return path + ((counts[path],) if path in counts else ())


def _key(token: str) -> str:
    # A key with escapes is left as it is, and so is found nowhere: the place is the table's.
    return token[1:-1] if token[0] in "\"'" else token


def _tables(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    if path and (not value or not all(isinstance(v, dict) for v in value.values())):
        yield f"[{'.'.join(map(_written_key, path))}]\n"
    for key, item in value.items():
        if not isinstance(item, dict):
            yield f"{_written_key(key)} = {_written(item)}\n"
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _tables(item, (*path, key))


def _written_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _written(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{_written_key(k)} = {_written(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise TypeError(f"cannot write a {type(value).__name__} in TOML")


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c, c) for c in text) + '"'


_ESCAPES = {chr(n): f"\\u{n:04x}" for n in (*range(32), 127)} | {
    "\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"
}  # fmt: skip
