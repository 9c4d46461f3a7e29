"""Complaints about what people write: job files, their sections, queue.toml.

What is right is said in formats/*.toml; tools/formats makes tables.py of it, and here
is the small interpreter of those tables. It knows the keywords of JSON Schema that they
use, and in a complaint says where, what was expected and what was found.
"""

from __future__ import annotations

import re
from collections import namedtuple

from cit import amount, section, tables, toml
from cit.errors import Bad
from cit.section import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NamedTuple

    class Job(NamedTuple):
        sections: list[Section]
        head: dict[str, Any]  # the `job` section, decoded
else:
    Job = namedtuple("Job", "sections head")

FILLED: tuple[str, ...] = tuple(tables.TABLES["job"]["schema"]["filled"])

_RECORD = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
    rb"\t([a-z][a-z0-9-]{0,31})\t(-|[a-z0-9]+(?:\.[a-z0-9]+)*)((?:\t[^\t]*)*)"
)
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_SPOKEN = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}
_AMOUNTS: dict[str, Callable[[object], float]] = {
    "duration": amount.duration,
    "size": amount.size,
}


# --- whole files ------------------------------------------------------------------------------


def check(data: bytes) -> list[Bad]:
    """All complaints about a job in any form that cit-push takes, in the order of lines.

    The text of Lurch programs is not looked into here.
    """
    try:
        found = sections(data)
    except Bad as bad:
        return [bad]
    return sorted(_complaints(found, filled=False), key=lambda bad: (bad.line, bad.column))


def read(data: bytes, *, filled: bool = False) -> Job:
    """The sections and the decoded head of a job in any form that cit-push takes.

    With `filled`, the keys that cit-push fills in (id, name, queue) must be there. Raises
    Bad, the first complaint.
    """
    found = sections(data)
    for bad in _complaints(found, filled=filled):
        raise bad
    head = section.find(found, "job")
    return Job(found, toml.loads(head.body, head.line + 1) if head else {})


def sections(data: bytes) -> list[Section]:
    """The sections of a job file, or those that a plain file of another form stands for.

    A script begins with `#!`, a Lurch program with `(` (after blanks and comments), and
    anything else is one TOML file of kind `plain`. A made section is at line 0, so that
    the first line of its body is line 1 of the file. Raises Bad.
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
    value = settings(data, "plain")
    text = value.pop("program").encode()
    # What is left of it was checked at its own places; the program's is not known.
    job = _made("job", "toml", toml.dumps(value))
    return [job, _made("program", program_format(text), text)]


def is_program(data: bytes) -> bool:
    """Whether a file is a script or a Lurch program by its content, and not TOML or sections."""
    return data.startswith(b"#!") or program_format(data) == "lurch"


def program_format(text: bytes) -> str:
    """`lurch` where the first thing that is no comment is a parenthesis, else `sh`."""
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith(b";"):
            return "lurch" if line.startswith(b"(") else "sh"
    return "sh"


# --- one text ---------------------------------------------------------------------------------


def settings(text: bytes, kind: str, line: int = 1) -> dict[str, Any]:
    """The checked value of a TOML text of this kind. Raises Bad, the first complaint.

    `line` is the file's number of the first line of the text.
    """
    value = toml.loads(text, line, tables.TABLES[kind]["cap"])
    for bad in complaints(kind, value, text, line):
        raise bad
    return value


def complaints(kind: str, value: object, text: bytes = b"", line: int = 1) -> list[Bad]:
    """What is wrong with the decoded value of a text of this kind, in the order of the schema."""
    found = []
    for path, message in _walk(tables.TABLES[kind]["schema"], value, ()):
        place = toml.place(text.decode(), path, line) if text else (line, 1, "")
        found.append(Bad(message, *place))
    return found


def records(lines: Iterator[bytes], line: int = 1) -> Iterator[Bad]:
    """What is wrong with the lines of a trace; torn ones are as they should be."""
    for number, text in enumerate(lines, line):
        match = _RECORD.fullmatch(text.removesuffix(b"\n"))
        if match:
            columns = tables.RECORDS.get(match[1].decode())
            if columns is None or match[3].count(b"\t") >= len(columns):
                continue
            words = " ".join(columns)
            message = f"expected the columns {words} after RUN, found {match[3].count(b'	')}"
        elif text.endswith(b"\x18\n") or not text.endswith(b"\n"):
            continue
        else:
            message = "expected a record: TIME, KIND and RUN, separated by tabs"
        yield Bad(message, number, 1, text[:400].rstrip(b"\n").decode("utf-8", "replace"))


def expected(schema: dict[str, Any]) -> str:
    """What a schema asks for, in words."""
    if "expected" in schema:
        return str(schema["expected"])
    if "enum" in schema:
        return _either([f'"{word}"' for word in schema["enum"]])
    if schema.get("format") == "duration":
        return 'a duration such as "10m"'
    if schema.get("format") == "size":
        return 'a size such as "64M"'
    if schema.get("type") == "integer" and "minimum" in schema and "maximum" in schema:
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    if schema.get("type") == "integer" and "minimum" in schema:
        return f"a whole number, at least {schema['minimum']}"
    return _SPOKEN[schema["type"]]


# --- job files --------------------------------------------------------------------------------


def _complaints(found: list[Section], *, filled: bool) -> Iterator[Bad]:
    seen: dict[str, Section] = {}
    for part in found:
        table = tables.TABLES.get(part.kind)
        if table is None or not table["section"]:
            continue
        mark = _mark(part)
        if part.version != table["version"]:
            message = f"version {part.version} of '{part.kind}' is not known, only {table['version']}"
            yield Bad(message, *mark)
        elif part.format not in table["formats"]:
            names = _either([f"'{name}'" for name in table["formats"]])
            yield Bad(f"unknown format '{part.format}', expected {names}", *mark)
        else:
            yield from _body(part, filled=filled)
        for key in part.attrs:
            if key not in table["attributes"] and key != "nonl":
                yield Bad(_unknown("attribute", key, table["attributes"]), *mark)
        if part.kind in seen and not table["many"]:
            yield Bad(f"second section '{part.kind}', the first is in line {seen[part.kind].line}", *mark)
        if "trace" in seen:
            yield Bad(f"section '{part.kind}' below the trace, which must be the last", *mark)
        seen.setdefault(part.kind, part)
    names = [part.kind for part in found]
    for kind in ("job", "program"):
        if kind not in seen:
            near = _near(kind, [name for name in names if name not in tables.TABLES])
            if near:
                message = f"unknown section '{near}', did you mean '{kind}'?"
                yield Bad(message, *_mark(section.find(found, near) or found[0]))
            else:
                yield Bad(f"no section '{kind}'", *_mark(found[0]))
    if found[0].kind != "job" and "job" in seen:
        yield Bad("expected the section 'job' first", *_mark(found[0]))


def _body(part: Section, *, filled: bool) -> Iterator[Bad]:
    line = part.line + 1
    if part.kind == "job":
        try:
            value = toml.loads(part.body, line, tables.TABLES["job"]["cap"])
        except Bad as bad:
            yield bad
            return
        yield from complaints("job", value, part.body, line)
        if filled:
            for key in FILLED:
                if key not in value:
                    yield Bad(f"key '{key}' is missing", *_mark(part))
    elif part.kind == "trace":
        yield from records((text + b"\n" for text in part.body.split(b"\n")[:-1]), line)
    elif part.kind == "program" and not part.body.strip():
        yield Bad("expected a program, found nothing", *_mark(part))


def _mark(part: Section) -> tuple[int, int, str]:
    attrs = "".join(f" {key}={text}" if text else f" {key}" for key, text in part.attrs.items())
    return max(part.line, 1), 1, f"%% {part.kind} {part.version} {part.format}{attrs}" if part.line else ""


def _made(kind: str, form: str, body: bytes) -> Section:
    return Section(kind, 1, form, {}, body, 0)


# --- values -----------------------------------------------------------------------------------


def _walk(schema: dict[str, Any], value: Any, path: toml.Path) -> Iterator[tuple[toml.Path, str]]:
    """Complaints about a value, each with the path of what is wrong."""
    name = schema.get("type")
    right = _is(value, name) if name else True
    if right and "format" in schema:
        right = _amount_fits(schema, value)
    elif right:
        right = _fits(schema, value)
    if not right:
        yield path, f"expected {expected(schema)}, found {_found(value)}"
    elif isinstance(value, dict):
        yield from _table(schema, value, path)
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield path, f"expected at most {schema['maxItems']} items, found {len(value)}"
        for at, item in enumerate(value):
            yield from _walk(schema.get("items", {}), item, (*path, at))


def _table(schema: dict[str, Any], value: dict[str, Any], path: toml.Path) -> Iterator[tuple[toml.Path, str]]:
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", {})
    names = schema.get("propertyNames", {})
    for key, item in value.items():
        here = (*path, key)
        if key in known:
            yield from _walk(known[key], item, here)
        elif rest is False:
            yield here, _unknown("key", key, known)
        elif not _fits(names, key):
            yield here, f"expected {names['expected']}, found {_found(key)}"
        else:
            yield from _walk(rest, item, here)
    for key in schema.get("required", ()):
        if key not in value:
            yield path, f"key '{key}' is missing"


def _is(value: object, name: str) -> bool:
    # True is an int in Python, and nowhere else.
    return isinstance(value, _TYPES[name]) and isinstance(value, bool) == (name == "boolean")


def _fits(schema: dict[str, Any], value: Any) -> bool:
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        return False
    if len(value) > schema["maxLength"] if "maxLength" in schema else False:
        return False
    return not ("minimum" in schema or "maximum" in schema) or _within(schema, value)


def _amount_fits(schema: dict[str, Any], value: object) -> bool:
    try:
        return _within(schema, _AMOUNTS[schema["format"]](value))
    except ValueError:
        return False


def _within(schema: dict[str, Any], value: float) -> bool:
    if "exclusiveMinimum" in schema and not value > schema["exclusiveMinimum"]:
        return False
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _found(value: object) -> str:
    if isinstance(value, str):
        shown = value if len(value) <= 60 else value[:60] + "..."
        return '"' + shown.replace("\n", "\\n") + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value) if abs(value) < 1e18 else "a very large number"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else "a date or a time"


def _unknown(what: str, key: str, known: Any) -> str:
    near = _near(key, known)
    if near:
        return f"unknown {what} '{key[:60]}', did you mean '{near}'?"
    if not known:
        return f"unknown {what} '{key[:60]}', none is known here"
    return f"unknown {what} '{key[:60]}', known are {', '.join(sorted(known))}"


def _near(word: str, known: Any) -> str:
    """The most similar of the known words, "" where none is similar."""
    import difflib

    # Similarity takes quadratic time, and a word from outside may be long.
    matches = difflib.get_close_matches(word[:80], list(known), 1, 0.6)
    return matches[0] if matches else ""


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
