"""Sections: a job file is a list of them, each a mark line and the lines below it.

    %% KIND VERSION FORMAT [key=value ...]

A line of a body that begins with `%%` is written with one more `%`, so a mark is
never part of a body and a body is never read as a mark: two percent signs and
something that is not a third one is always a mark. A body that does not end in a
newline has the attribute `nonl`, and the newline that the file needs is dropped
again when it is read. All is bytes: a body may hold anything.
"""

from __future__ import annotations

import re
from collections import namedtuple

from cit.errors import Bad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple

    class Section(NamedTuple):
        kind: str
        version: int
        format: str
        attrs: dict[str, str]
        body: bytes
        line: int = 0
else:
    Section = namedtuple("Section", "kind version format attrs body line", defaults=(0,))

ASKED_CAP = 1 << 20  # bytes: everything above the trace
TRACE = b"%% trace 1 tab\n"

_WORD = r"[a-z][a-z0-9-]{0,31}"
_ATTRS = r"(?: [a-z][a-z0-9-]*(?:=[!-~]*)?)*"
_MARK = re.compile(rf"%% ({_WORD}) ([1-9][0-9]{{0,3}}) ({_WORD})({_ATTRS})")


def parse(data: bytes) -> list[Section]:
    """The sections of a file, in order. `line` of each is that of its mark, from 1.

    Raises Bad where a mark is expected or malformed.
    """
    sections: list[Section] = []
    mark: Section | None = None
    body: list[bytes] = []
    for number, line in enumerate(_lines(data), 1):
        if line.startswith(b"%%") and not line.startswith(b"%%%"):
            if mark:
                sections.append(_close(mark, body))
            mark, body = _mark(line, number), []
        elif mark is None:
            raise Bad(
                "expected a mark such as '%% job 1 toml'", number, 1, _text(line.rstrip(b"\n"))
            )
        else:
            body.append(line[1:] if line.startswith(b"%%%") else line)
    if mark is None:
        raise Bad("expected a mark such as '%% job 1 toml', found nothing", 1, 1)
    sections.append(_close(mark, body))
    return sections


def render(sections: Iterable[Section]) -> bytes:
    """The bytes of a file that holds these sections; parse() of it gives them back."""
    parts: list[bytes] = []
    for section in sections:
        attrs = {k: v for k, v in section.attrs.items() if k != "nonl"}
        body = section.body
        if body and not body.endswith(b"\n"):
            attrs["nonl"] = ""
            body += b"\n"
        words = [section.kind, str(section.version), section.format]
        words += [f"{key}={value}" if value else key for key, value in attrs.items()]
        parts.append(f"%% {' '.join(words)}\n".encode())
        if body.startswith(b"%%"):
            body = b"%" + body
        parts.append(body.replace(b"\n%%", b"\n%%%"))
    return b"".join(parts)


def split(data: bytes) -> tuple[bytes, bytes]:
    """What was asked, and what happened: the bytes above the trace, and from its mark on.

    The second is empty where nothing happened yet. A mark cannot stand in a body,
    so looking for it is exact.
    """
    if data.startswith(b"%% trace "):
        return b"", data
    at = data.find(b"\n%% trace ")
    return (data, b"") if at < 0 else (data[: at + 1], data[at + 1 :])


def find(sections: Iterable[Section], kind: str) -> Section | None:
    """The first section of that kind."""
    return next((section for section in sections if section.kind == kind), None)


def _lines(data: bytes) -> list[bytes]:
    # Not splitlines(): a carriage return or a form feed in a body ends no line.
    lines = data.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _mark(line: bytes, number: int) -> Section:
    text = _text(line.rstrip(b"\n"))
    match = _MARK.fullmatch(text)
    if not match:
        raise Bad("expected '%% KIND VERSION FORMAT [key=value ...]'", number, 1, text)
    attrs = {}
    for word in match[4].split():
        key, _, value = word.partition("=")
        attrs[key] = value
    return Section(match[1], int(match[2]), match[3], attrs, b"", number)


def _close(mark: Section, lines: list[bytes]) -> Section:
    body = b"".join(lines)
    if "nonl" in mark.attrs and body.endswith(b"\n"):
        body = body[:-1]
    return mark._replace(body=body)


def _text(line: bytes) -> str:
    return line[:400].decode("utf-8", "replace")
