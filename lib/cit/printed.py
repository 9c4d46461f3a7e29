"""What a job printed: out of its log records, as it was or as a person reads it.

Logs come by the hundred megabytes, so the work is done on blocks of lines that have their
time, run and stream in common, and not on lines. The text of a record has no control
characters, only escapes of them: that makes both cutting and showing cheap.
"""

from __future__ import annotations

import re
from collections import namedtuple

from cit import table, trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NamedTuple

    class Block(NamedTuple):
        time: bytes
        run: bytes
        stream: bytes  # out, err, or cit for what the runner says
        more: bool  # the last line goes on in a later record
        text: bytes  # as in the records; a newline between lines and none at the end

    class Look(NamedTuple):
        raw: bool = False  # the bytes that were printed, and nothing else
        color: bool = False
        times: str = "none"  # none, relative, absolute
        start: float = 0  # seconds since 1970: what relative times count from
        runs: bool | None = False  # say which run; None is not yet
        aligned: bool = False  # for a terminal; else with tabs
        apart: bool = False  # err and cit go to descriptor 2
        called: Callable[[str], str] = str  # what a run is called
else:
    Block = namedtuple("Block", "time run stream more text")
    Look = namedtuple(
        "Look",
        "raw color times start runs aligned apart called",
        defaults=(False, False, "none", 0, False, False, False, str),
    )

WIDEST = 40  # columns of the name of a run

# Lines that begin alike. Nothing in it is tried twice: the repetitions give nothing back.
_BLOCK = re.compile(
    rb"^(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)\tlog"
    rb"\t([^\t\n]+)\t([^\t\n+]+)(\+?)\t).*\n(?:\1.*\n)*+",
    re.MULTILINE,
)
_TORN = re.compile(rb"^.*\x18\n", re.MULTILINE)
_SGR = re.compile(rb"\\x1b(\[[0-9;:]{0,60}m)")
# In UTF-8: the controls of Latin 1, and what ends a line or turns the direction of writing.
_HARMFUL = re.compile(
    rb"\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbb\xbf"
)
# The beginning of a character of which the rest is missing.
_CUT = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
_RESET = b"\x1b[0m"
_DIM = b"\x1b[2m"
_COLORS = {b"err": b"\x1b[31m", b"cit": b"\x1b[36m"}


def blocks(data: bytes) -> Iterator[Block]:
    """The log records in some whole lines of a trace, in order."""
    if trace.TEAR in data:
        data = _TORN.sub(b"", data)
    for match in _BLOCK.finditer(data):
        lead, time, run, stream, more = match.groups()
        text = match[0][len(lead) : -1].replace(b"\n" + lead, b"" if more else b"\n")
        yield Block(time, run, stream, bool(more), text)


def count(found: list[Block]) -> int:
    """How many lines some blocks end."""
    return sum(block.text.count(b"\n") + 1 for block in found if not block.more)


def last(found: list[Block], lines: int) -> list[Block]:
    """The last lines of some blocks; one that is not ended yet counts as one."""
    kept: list[Block] = []
    # By run and stream: whether what stands above goes on in a line that is kept.
    goes_on: dict[tuple[bytes, bytes], bool] = {}
    for block in reversed(found):
        whose = (block.run, block.stream)
        if block.more and goes_on.get(whose):
            kept.append(block)
        elif lines <= 0 or (block.more and whose in goes_on):
            goes_on[whose] = False
            if lines <= 0 and not any(goes_on.values()):
                break
        else:
            texts = block.text.split(b"\n")
            kept.append(block._replace(text=b"\n".join(texts[-lines:])))
            goes_on[whose] = len(texts) <= lines
            lines -= len(texts)
    return kept[::-1]


def shown(text: bytes, *, color: bool) -> bytes:
    """The text of log records for a person: harmless, and every control character visible.

    A tab stays one, the carriage return before the end of a line is dropped, and where
    `color` is wanted the sequences that set colours work, each until the end of its line.
    """
    if b"\\" in text:
        text = text.replace(b"\\\\", b"\0").replace(b"\\t", b"\t").replace(b"\\r\n", b"\n")
        text = text.removesuffix(b"\\r")
        if color and b"\\x1b[" in text:
            text = _SGR.sub(b"\x1b\\1", text)
            lines = text.split(b"\n")
            text = b"\n".join([s + _RESET if b"\x1b" in s else s for s in lines])
        text = text.replace(b"\0", b"\\")
    return text if text.isascii() else _harmless(text)


def _harmless(text: bytes) -> bytes:
    try:
        text.decode()
        if not _HARMFUL.search(text):
            return text
    except UnicodeDecodeError:
        pass
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    # Colours that were let through are kept: they are the only controls in here.
    parts = ("\x1b".join(map(table.visible, line.split("\x1b"))) for line in lines)
    return "\n".join(parts).encode()


class Printer:
    """Writes blocks as they are wanted; `write` is handed a descriptor and bytes.

    What is written waits for flush() or end(), or for text of the other descriptor: in a
    log of a slow program each line is a block of its own.
    """

    def __init__(self, look: Look, write: Callable[[int, bytes], object]) -> None:
        self.look, self._write = look, write
        self._fd, self._parts = 1, list[bytes]()
        self._widest = 5  # of the runs so far
        # Of each descriptor: the run and stream whose line has not ended there.
        self._open: dict[int, tuple[bytes, bytes]] = {}
        # Of each run and stream: the bytes of a character that goes on in the next record.
        self._cut: dict[tuple[bytes, bytes], bytes] = {}

    def block(self, block: Block) -> None:
        """Print a block."""
        look = self.look
        fd = 2 if look.apart and block.stream != b"out" else 1
        if look.raw:
            self._put(fd, trace.unescape_bytes(block.text) + (b"" if block.more else b"\n"))
            return
        whose = (block.run, block.stream)
        text = shown(self._whole(block, whose), color=look.color)
        if look.color and block.stream in _COLORS:
            paint = _COLORS[block.stream]
            text = paint + text.replace(b"\n", _RESET + b"\n" + paint) + _RESET
        lead = self._lead(block)
        if lead:
            text = text.replace(b"\n", b"\n" + lead)
        if self._open.get(fd) != whose:
            # A line that somebody else began is ended first.
            text = (b"\n" if fd in self._open else b"") + lead + text
        self._open.pop(fd, None)
        if block.more:
            self._open[fd] = whose
        self._put(fd, text if block.more else text + b"\n")

    def end(self) -> None:
        """End the lines that never were."""
        for fd, whose in self._open.items():
            self._put(fd, shown(self._cut.get(whose, b""), color=False) + b"\n")
        self._open.clear()
        self.flush()

    def flush(self) -> None:
        """Write what waits to be written."""
        parts, self._parts = self._parts, []
        if parts:
            self._write(self._fd, b"".join(parts))

    def _put(self, fd: int, data: bytes) -> None:
        if fd != self._fd:
            self.flush()
            self._fd = fd
        self._parts.append(data)

    def _whole(self, block: Block, whose: tuple[bytes, bytes]) -> bytes:
        """The text of a block, of whole characters where a record ended in one."""
        text = self._cut.pop(whose, b"") + block.text
        cut = _CUT.search(text) if block.more else None
        if cut:
            self._cut[whose] = cut[0]
            text = text[: cut.start()]
        return text

    def _lead(self, block: Block) -> bytes:
        look, parts = self.look, []
        if look.times == "absolute":
            parts.append(block.time)
        elif look.times == "relative":
            passed = trace.seconds(block.time.decode()) - look.start
            parts.append((clock(passed) if look.aligned else f"{passed:.3f}").encode())
        if look.runs:
            parts.append(self._run(block.run) if look.aligned else block.run)
        if not parts:
            return b""
        if not look.aligned:
            return b"\t".join(parts) + b"\t"
        lead = b"  ".join(parts)
        return (_DIM + lead + _RESET if look.color else lead) + b"  "


    def _run(self, run: bytes) -> bytes:
        """The name of a run, as wide as the widest so far."""
        name = table.cut(table.cell(self.look.called(run.decode(errors="replace"))), WIDEST)
        self._widest = max(self._widest, table.width(name))
        return (name + " " * (self._widest - table.width(name))).encode()


class Objects(Printer):
    """Writes an object for each line, one that was told in pieces as well."""

    def __init__(self, look: Look, write: Callable[[int, bytes], object]) -> None:
        super().__init__(look, write)
        self._pieces: dict[tuple[bytes, bytes], list[Block]] = {}

    def block(self, block: Block) -> None:
        whose = (block.run, block.stream)
        if block.more:
            self._pieces.setdefault(whose, []).append(block)
            return
        first, *rest = block.text.split(b"\n")
        pieces = self._pieces.pop(whose, [])
        lines = [b"".join(piece.text for piece in pieces) + first, *rest]
        self._put(1, b"".join(self._object(block, line) for line in lines))

    def end(self) -> None:
        for pieces in self._pieces.values():
            text = b"".join(piece.text for piece in pieces)
            self._put(1, self._object(pieces[0], text, ended=False))
        self._pieces.clear()
        self.flush()

    def _object(self, block: Block, text: bytes, *, ended: bool = True) -> bytes:
        import json

        line = {
            "time": block.time.decode(),
            "run": block.run.decode(errors="replace"),
            "stream": block.stream.decode(errors="replace"),
            "text": trace.unescape_bytes(text).decode(errors="surrogateescape"),
        }
        # Lone surrogates stand for bytes that were not UTF-8, as in Python.
        return json.dumps(line if ended else line | {"ended": False}).encode() + b"\n"


def clock(seconds: float) -> str:
    """Time that passed, as a clock shows it, eleven columns: `   0:01.250`, `1:02:03.400`."""
    sign, milliseconds = "-" if seconds < 0 else "", round(abs(seconds) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    second = f"{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
    text = f"{hours}:{minutes:02d}:{second}" if hours else f"{minutes}:{second}"
    return f"{sign + text:>11}"
