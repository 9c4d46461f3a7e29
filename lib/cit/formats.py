"""Complaints about what people write: job files, their sections, queue.toml.

What is right is said in formats/*.toml; tools/formats makes tables.py of it, schema.py
compares, and here each complaint gets its line and column.
"""

from __future__ import annotations

import re
from collections import namedtuple
from itertools import islice

from cit import schema, section, toml, wording
from cit.errors import Bad
from cit.section import Section
from cit.tables import KINDS, NEEDED, RECORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NamedTuple

    class Job(NamedTuple):
        sections: list[Section]
        head: dict[str, Any]  # the `job` section, decoded
else:
    Job = namedtuple("Job", "sections head")

MOST = 100  # complaints about one file: whoever has more begins with these
FILLED: tuple[str, ...] = tuple(KINDS["job"].schema["filled"])

_RECORD = (
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
    rb"\t([a-z][a-z0-9-]{0,31})\t(-|[a-z0-9]+(?:\.[a-z0-9]+)*)((?:\t[^\t]*)*)"
)
_STAGE_NAME = KINDS["program"].schema["properties"]["stage"]["items"]["properties"]["name"]
_STAGE = re.compile(
    r"{0}:(?:[ \t]+{0})*[ \t]*(?:\[[^\]]*\][ \t]*)?(?:#.*)?".format(_STAGE_NAME["pattern"]).encode()
)
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r"


# --- whole files ------------------------------------------------------------------------------


def check(data: bytes, kind: str = "job") -> list[Bad]:
    """The complaints about a file, at most MOST of them, in the order of lines.

    A job may be in any form that cit-push takes; the text of its program is not looked
    into here. A file of another kind is one TOML text, such as `queue`.
    """
    try:
        if kind != "job":
            bads = complaints(kind, toml.loads(data, 1, KINDS[kind].cap), data)
        else:
            bads = _complaints(sections(data), {}, filled=False)
        return sorted(islice(bads, MOST), key=_place)
    except Bad as bad:
        return _with_others(data, bad)


def _with_others(data: bytes, first: Bad) -> list[Bad]:
    """All that is wrong with the keys of a plain file, of which sections() raised the first."""
    try:
        value = toml.loads(data, 1, KINDS["plain"].cap)
    except Bad:
        return [first]
    bads = sorted(islice(complaints("plain", value, data), MOST), key=_place)
    told = (str(first), *_place(first))
    return bads if told in ((str(bad), *_place(bad)) for bad in bads) else [first]


def _place(bad: Bad) -> tuple[int, int]:
    return bad.line, bad.column


def read(data: bytes, *, filled: bool = False) -> Job:
    """The sections and the decoded head of a job in any form that cit-push takes.

    With `filled`, as cit-push makes it: a job file, with the keys that cit-push fills in
    (id, name, queue). Raises Bad, the first complaint.
    """
    job = Job(sections(data), {})
    if filled and not data.startswith(b"%%"):
        raise Bad("expected a mark such as '%% job 1 toml'", 1, 1)
    for bad in _complaints(job.sections, job.head, filled=filled):
        raise bad
    return job


def sections(data: bytes) -> list[Section]:
    """The sections of a job file, or those that a plain file of another form stands for.

    A script begins with `#!`, a Lurch program with `(`, a text of stages with `NAME:`
    (after blanks and comments), and anything else is one TOML file of kind `plain`. A made
    section is at line 0, so that the first line of its body is line 1 of the file. Raises
    Bad.
    """
    start = data[: section.ASKED_CAP].lstrip()
    if not start:
        raise Bad("expected a job, found nothing", 1, 1)
    if start.startswith(b"%%"):
        if len(section.split(data)[0]) > section.ASKED_CAP:
            raise Bad(f"over {section.ASKED_CAP} bytes above the trace", 1, 1)
        return section.parse(data)
    if len(data) > section.ASKED_CAP:
        raise Bad(f"over {section.ASKED_CAP} bytes", 1, 1)
    if is_program(data):
        return [_made("job", "toml", b""), _made("program", program_format(data), data)]
    try:
        value = settings(data, "plain")
    except Bad:
        if b"=" in next(iter(start.splitlines())) or start.startswith((b"[", b"#")):
            raise
        forms = "a script with '#!', a Lurch program with '(', stages with 'NAME:', a job file"
        keys = "a key 'program' or tables [[stage]]"
        raise Bad(f"expected a job: {forms} with '%%', or TOML with {keys}", 1, 1) from None
    if ("program" in value) == ("stage" in value):
        message = "key 'program' is missing, or tables [[stage]]"
        if "stage" in value:
            message = "expected a key 'program' or tables [[stage]], found both"
        raise Bad(message, *toml.finder(data.decode())(("stage", 0)))
    made = _program(data, value)
    return [_made("job", "toml", toml.dumps(value)), made]


def is_program(data: bytes) -> bool:
    """Whether a file is a program by its content, and not TOML or sections."""
    return data.startswith(b"#!") or program_format(data) != "sh"


def program_format(text: bytes) -> str:
    """`lurch` or `stages` by the first line that is no comment, else `sh`."""
    if _first(text, b";").lstrip().startswith(b"("):
        return "lurch"
    script = text.lstrip().startswith(b"#!")
    return "stages" if not script and _STAGE.fullmatch(_first(text, b"#").rstrip()) else "sh"


def _first(text: bytes, comment: bytes) -> bytes:
    """The first line that is neither blank nor a comment."""
    lines = (line for line in text.splitlines() if line.strip())
    return next((line for line in lines if not line.lstrip().startswith(comment)), b"")


def _program(data: bytes, value: dict[str, Any]) -> Section:
    """The program section of a plain file, taken out of its value."""
    if "stage" in value:
        part = {"stage": value.pop("stage")}
        text = toml.part(data.decode(), "stage")
        if text and toml.loads(text.encode(), 1, len(data) + 1) == part:
            blank = len(text) - len(text.lstrip("\n"))  # lines of other keys, left empty
            made = _made("program", "toml", text[blank:].encode())
            return made._replace(line=blank)
        # Not written as tables: then its lines are lost.
        return _made("program", "toml", toml.dumps(part))
    text = value.pop("program")
    made = _made("program", program_format(text.encode()), text.encode())
    # Its lines are those of the file where it stands there as it is, without escapes.
    at = data.find(text.encode())
    line = data.count(b"\n", 0, at) + 1 if at >= 0 else toml.finder(data.decode())(("program",))[0]
    return made._replace(line=line - 1)


# --- one text ---------------------------------------------------------------------------------


def settings(text: bytes, kind: str, line: int = 1) -> dict[str, Any]:
    """The checked value of a TOML text of this kind. Raises Bad, the first complaint.

    `line` is the file's number of the first line of the text.
    """
    value = toml.loads(text, line, KINDS[kind].cap)
    for bad in complaints(kind, value, text, line):
        raise bad
    return value


def defaults(kind: str) -> dict[str, Any]:
    """The values of the keys of this kind that have one by default, a new table each time."""
    properties = KINDS[kind].schema["properties"]
    return {key: part["default"] for key, part in properties.items() if "default" in part}


def complaints(kind: str, value: object, text: bytes, line: int = 1) -> Iterator[Bad]:
    """What is wrong with the decoded value of a text of this kind, in the order of its keys."""
    find = None
    for path, message in schema.complaints(KINDS[kind].schema, value):
        find = find or toml.finder(text.decode(), line)
        yield Bad(message, *find(path))


def records(lines: Iterator[bytes], line: int = 1) -> Iterator[Bad]:
    """What is wrong with the lines of a trace; torn ones are as they should be."""
    for number, text in enumerate(lines, line):
        match = re.fullmatch(_RECORD, text.removesuffix(b"\n"))
        if match:
            kind = match[1].decode()
            columns = RECORDS.get(kind, ())
            needed = NEEDED.get(kind, len(columns))
            if match[3].count(b"\t") >= needed:
                continue
            words = " ".join([*columns[:needed], *(f"[{word}]" for word in columns[needed:])])
            message = f"expected the columns {words} after RUN, found {match[3].count(b'	')}"
        elif text.endswith(b"\x18\n") or not text.endswith(b"\n"):
            continue
        else:
            message = "expected a record: TIME, KIND and RUN, separated by tabs"
        yield Bad(message, number, 1, text[:400].rstrip(b"\n").decode("utf-8", "replace"))


# --- job files --------------------------------------------------------------------------------


def _complaints(found: list[Section], head: dict[str, Any], *, filled: bool) -> Iterator[Bad]:
    """What is wrong with a job; `head` becomes the value of its job section."""
    seen: dict[str, Section] = {}
    for part in found:
        kind = KINDS.get(part.kind)
        if kind is None or not kind.formats:
            continue
        mark = _mark(part)
        if part.version != kind.version:
            known = f"only {kind.version} is known"
            message = f"unknown version {part.version} of '{part.kind}', {known}"
            yield Bad(message, *mark)
        elif part.format not in kind.formats:
            names = wording.either(f"'{name}'" for name in kind.formats)
            yield Bad(f"unknown format '{part.format}', expected {names}", *mark)
        else:
            yield from _body(part, head, filled=filled)
        for key in part.attrs:
            if key not in kind.attributes and key != "nonl":
                yield Bad(wording.unknown("attribute", key, kind.attributes), *mark)
        if part.kind in seen and not kind.many:
            yield Bad(
                f"second section '{part.kind}', the first is in line {seen[part.kind].line}", *mark
            )
        if "trace" in seen:
            yield Bad(f"section '{part.kind}' below the trace, which must be the last", *mark)
        seen.setdefault(part.kind, part)
    for name in ("job", "program"):
        if name not in seen:
            near = wording.nearest(name, [part.kind for part in found if part.kind not in KINDS])
            if near:
                message = f"unknown section '{near}', did you mean '{name}'?"
                yield Bad(message, *_mark(section.find(found, near) or found[0]))
            else:
                yield Bad(f"no section '{name}'", *_mark(found[0]))
    if found[0].kind != "job" and "job" in seen:
        yield Bad("expected the section 'job' first", *_mark(found[0]))


def _body(part: Section, head: dict[str, Any], *, filled: bool) -> Iterator[Bad]:
    line = part.line + 1
    if part.kind == "job":
        try:
            head.update(toml.loads(part.body, line, KINDS["job"].cap))
        except Bad as bad:
            yield bad
            return
        yield from complaints("job", head, part.body, line)
        for key in FILLED if filled else ():
            if key not in head:
                yield Bad(f"key '{key}' is missing", *_mark(part))
    elif part.kind == "trace":
        yield from records((text + b"\n" for text in part.body.split(b"\n")[:-1]), line)
    elif part.kind == "files":
        for number, text in enumerate(part.body.split(b"\n"), line):
            if text.translate(None, _BASE64):
                shown = text[:400].decode("utf-8", "replace")
                yield Bad("expected a gzip-compressed tar in base64", number, 1, shown)
                return
    elif part.kind == "program" and not part.body.strip():
        yield Bad("expected a program, found nothing", *_mark(part))
    elif part.kind == "program" and part.format == "toml":
        try:
            value = toml.loads(part.body, line, KINDS["program"].cap)
        except Bad as bad:
            yield bad
            return
        yield from complaints("program", value, part.body, line)


def _mark(part: Section) -> tuple[int, int, str]:
    attrs = "".join(f" {key}={text}" if text else f" {key}" for key, text in part.attrs.items())
    return (
        max(part.line, 1),
        1,
        f"%% {part.kind} {part.version} {part.format}{attrs}" if part.line else "",
    )


def _made(kind: str, form: str, body: bytes) -> Section:
    return Section(kind, 1, form, {}, body, 0)
