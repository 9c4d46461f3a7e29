"""Records: the lines of a trace, `TIME <tab> KIND <tab> RUN <tab> ...`.

Text is escaped so that output of a job can imitate neither a mark nor a record: a
field holds no tab, newline, carriage return or other control character. Bytes that
are not UTF-8 survive (surrogateescape at the edge). A line that was torn by a crash
is ended by the next writer with TEAR; since that byte is a control it stands in no
whole record, and a line that ends so is never read as one.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import NamedTuple

    class Record(NamedTuple):
        time: str
        kind: str
        run: str
        fields: tuple[str, ...] = ()
else:
    Record = namedtuple("Record", "time kind run fields", defaults=((),))

TEAR = b"\x18\n"
FEW = 4  # kinds that are quicker looked for than read
LINE_CAP = 64 << 10  # bytes of a log line in one record; longer ones go on in the next

_NAMES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"}
_ESCAPES = {ord(c): e for c, e in _NAMES.items()} | {
    n: f"\\x{n:02x}" for n in [*range(32), 127] if chr(n) not in _NAMES
}
_RAW = {e[1]: c for c, e in _NAMES.items()}
_HEX = set("0123456789abcdef")
_BYTES = {n: e.encode() for n, e in _ESCAPES.items()}
_PLAIN = bytes(n for n in range(256) if n not in _ESCAPES or n == 10)


def render(record: Record) -> bytes:
    """One line, with its newline. An empty field is written `-`."""
    fields = ["\\x2d" if f == "-" else (f or "-").translate(_ESCAPES) for f in record.fields]
    line = "\t".join([record.time, record.kind, record.run, *fields])
    return line.encode("utf-8", "surrogateescape") + b"\n"


def parse(line: bytes) -> Record | None:
    """The record of one line, with or without its newline; None if it is not whole."""
    return _parsed(line.decode("utf-8", "surrogateescape").removesuffix("\n"))


def _parsed(text: str) -> Record | None:
    time, *words = text.split("\t")
    if len(words) < 2 or len(time) != 24 or text[-1] == "\x18":
        return None
    kind, run, *fields = words
    if kind == "log":
        # The text of a log record is what was printed: a lone `-` there is a dash.
        fields = [unescape(field) for field in fields]
    else:
        fields = [_field(field) for field in fields]
    return Record(time, kind, run, tuple(fields))


def records(data: bytes) -> Iterator[Record]:
    """The whole records of a trace, in order; its mark, torn lines and an unended one are not."""
    for line in data.split(b"\n")[:-1]:
        record = parse(line)
        if record:
            yield record


def escape(text: str) -> str:
    """Text as it stands in a field."""
    return text.translate(_ESCAPES)


def unescape(text: str) -> str:
    """The text of a field; the inverse of escape()."""
    if "\\" not in text:
        return text
    first, *rest = text.split("\\")
    parts, literal = [first], False
    for part in rest:
        if literal:
            # The backslash before this part was the second of a pair.
            parts.append(part)
            literal = False
        elif not part:
            parts.append("\\")
            literal = True
        elif part[0] == "x" and set(part[1:3]) <= _HEX and len(part) > 2:
            parts.append(chr(int(part[1:3], 16)) + part[3:])
        else:
            parts.append(_RAW.get(part[0], "\\" + part[0]) + part[1:])
    return "".join(parts)


def log(time: str, run: str, stream: str, lines: bytes) -> bytes:
    """Log records of whole lines of output, all at one time.

    Works on the chunk and not on its lines: output of a job comes by the megabyte.
    """
    lead = f"{time}\tlog\t{run}\t{stream}\t".encode()
    text = escape_bytes(lines.removesuffix(b"\n"))
    return lead + text.replace(b"\n", b"\n" + lead) + b"\n"


def escape_bytes(text: bytes) -> bytes:
    """Output of a job as it stands in log records; newlines are kept."""
    special = set(text.translate(None, _PLAIN))
    if 92 in special:
        text = text.replace(b"\\", b"\\\\")
    for byte in special - {92}:
        text = text.replace(bytes([byte]), _BYTES[byte])
    return text


def unescape_bytes(text: bytes) -> bytes:
    """The inverse of escape_bytes(): what was printed, from the text of log records."""
    if b"\\" not in text:
        return text
    if b"\\0" in text:
        return b"\\".join(map(_unescape_part, text.split(b"\\\\")))
    # A pair of backslashes is one that was printed; it waits as a byte that stands in no
    # record, and what is left of backslashes begins an escape.
    return _unescape_part(text.replace(b"\\\\", b"\0")).replace(b"\0", b"\\")


def _unescape_part(text: bytes) -> bytes:
    for byte, escaped in _BYTES.items():
        if byte != 92 and escaped in text:
            text = text.replace(escaped, bytes([byte]))
    return text


def stamp(seconds: float) -> str:
    """Seconds since 1970 as UTC with milliseconds, 24 characters: `2026-11-21T20:37:01.123Z`."""
    whole = int(seconds // 1)
    # A float is a little beside a millisecond: cut off there, seconds() would not be the inverse.
    thousandths = int((seconds - whole) * 1000 + 0.1)
    return f"{_second(whole)}.{min(thousandths, 999):03d}Z"


def seconds(time: str) -> float:
    """The inverse of stamp(). Raises ValueError."""
    year, month, day = int(time[0:4]), int(time[5:7]), int(time[8:10])
    clock = int(time[11:13]) * 3600 + int(time[14:16]) * 60 + int(time[17:19])
    return _days(year, month, day) * 86400 + clock + int(time[20:23]) / 1000


def day(seconds: float) -> str:
    """The date in UTC: `2026-11-21`."""
    return _second(int(seconds // 1))[:10]


_last = (0, "1970-01-01T00:00:00")


def _second(whole: int) -> str:
    global _last
    if whole == _last[0]:
        return _last[1]
    days, clock = divmod(whole, 86400)
    # The proleptic Gregorian calendar, counted in eras of 400 years from 1 March 0000.
    era, at = divmod(days + 719468, 146097)
    year = (at - at // 1460 + at // 36524 - at // 146096) // 365
    rest = at - (365 * year + year // 4 - year // 100)
    month = (5 * rest + 2) // 153
    date = rest - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    hours, minutes = divmod(clock // 60, 60)
    text = f"{year:04d}-{month:02d}-{date:02d}T{hours:02d}:{minutes:02d}:{clock % 60:02d}"
    _last = (whole, text)
    return text


def _days(year: int, month: int, date: int) -> int:
    year -= month <= 2
    era, at = divmod(year, 400)
    rest = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + date - 1
    return era * 146097 + at * 365 + at // 4 - at // 100 + rest - 719468


def _field(text: str) -> str:
    return "" if text == "-" else unescape(text)


def only(data: bytes, *kinds: str) -> Iterable[Record]:
    """The records of these kinds in the bytes of a trace; much faster than records()."""
    lines = data.split(b"\n")[:-1]
    if "log" not in kinds:
        # Nearly all of a long trace, and told apart by one comparison.
        lines = [line for line in lines if line[24:29] != b"\tlog\t"]
        if len(kinds) > FEW:
            return _read(b"\n".join(lines), kinds)
    return _sought(lines, kinds)


def _sought(lines: Iterable[bytes], kinds: Iterable[str]) -> Iterator[Record]:
    marks = tuple(f"\t{kind}\t".encode() for kind in kinds)
    for line in lines:
        if line.startswith(marks, 24):
            record = parse(line)
            if record:
                yield record


def _read(data: bytes, kinds: Iterable[str]) -> list[Record]:
    """The records of these kinds, none of which is `log`, out of lines without the last newline.

    Nearly all of a hundred thousand end in one of a few ways, each of which is taken apart once.
    """
    found: list[Record] = []
    known: dict[str, tuple[str, ...]] = {}
    same = {kind: kind for kind in kinds}  # one object for all of a kind: less memory, and hashed
    for text in data.decode("utf-8", "surrogateescape").split("\n"):
        words = text.split("\t", 3)
        if len(words) < 4:
            record = _parsed(text)
            if record and record.kind in same:
                found.append(record)
            continue
        time, kind, run, rest = words
        if kind in same and len(time) == 24 and text[-1] != "\x18":
            fields = known.get(rest)
            if fields is None:
                fields = known[rest] = tuple(map(_field, rest.split("\t")))
            found.append(Record(time, same[kind], run, fields))
    return found
