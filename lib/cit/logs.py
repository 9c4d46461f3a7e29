"""The log of one job: read from its file, from the end of it, and while it grows.

The file is opened once. A job only moves between directories, so the descriptor stays
good from the first claim to `done/`; only what still lies in the drop box is copied by
admission, and has no log.
"""

from __future__ import annotations

import os
import re
import time

from cit import files, job, jobfile, name, printed, queue, section, trace, watch
from cit.errors import BAD, MISSING, USAGE, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from cit.name import Name
    from cit.named import Names
    from cit.printed import Block
    from cit.queue import Queue

    Wanted = Callable[[Block], bool]

PIECE = 1 << 20  # bytes read at once
RESCAN = 1.0  # seconds: how long a change can stay unseen where none is told
READABLE = queue.STATES
TURNS = ("claim", "begin", "end", "result")
# The beginning of a run of which those below it go on side by side. No log has such a line: in
# its text a tab is written in another way.
_FORK = re.compile(rb"\tbegin\t([^\t\n]+)\t(?:stages|matrix)[\t\n]")


class Log:
    """The trace of a job, open for reading."""

    def __init__(self, where: Queue, found: Name) -> None:
        """Raises Failure where there is no such job, or it may not be read."""
        self.queue, self.name = where, found
        self.fd = self._open()
        data = files.read(self.fd, PIECE)
        asked, happened = section.split(data)
        if not happened:
            asked, _ = section.split(files.read(self.fd, section.ASKED_CAP + PIECE))
        self.start = self.offset = len(asked)
        self._rest = b""
        self._names: Names | None = None
        self.skipped = False  # whether read() does not begin at the beginning

    def _open(self) -> int:
        try:
            return self.queue.open(self.name)
        except FileNotFoundError:
            pass  # it moved since it was listed
        now = self.queue.now(self.name.id)
        if now is None:
            raise Failure(MISSING, f"no job '{self.name.id}' in '{self.queue.path}'")
        self.name = now
        return self.queue.open(now)

    def read(self) -> bytes:
        """The next whole lines, about a mebibyte of them; nothing at the present end."""
        while data := os.pread(self.fd, PIECE, self.offset):
            self.offset += len(data)
            whole, cut, self._rest = (self._rest + data).rpartition(b"\n")
            if cut:
                return whole + cut
        return b""

    def pieces(self) -> Iterator[bytes]:
        """All that read() has."""
        while data := self.read():
            yield data

    def job(self) -> job.Job:
        """The job as all of its file tells it now."""
        return job.fold(jobfile.records(self.fd, *jobfile.KINDS))

    def told(self) -> tuple[bytes, list[trace.Record]]:
        """What the job asks, and its trace by now, but its log."""
        asked = files.read(self.fd, self.start)
        return asked, list(jobfile.records(self.fd, *jobfile.KINDS))

    def called(self, run: str) -> str:
        """What a run is called, after its stage or cell; its path where it is in none."""
        if self._names is None:
            from cit import named  # reads the program, for which few ask

            self._names = named.Names(self.told)
        return self._names(run)

    def head(self) -> bytes:
        """The first mebibyte of the trace."""
        return files.read(self.fd, PIECE, self.start)

    def began(self) -> float:
        """When the job was first claimed, in seconds since 1970; else when it was made."""
        for record in trace.only(self.head(), "claim"):
            return trace.seconds(record.time)
        return name.made(self.name.id)

    def has(self, run: str) -> bool:
        """Whether there are records of that run."""
        return any(record.run == run for record in jobfile.records(self.fd, "begin", "end"))

    def last(self, count: int, wanted: Wanted, pieces: int = 1 << 40) -> list[Block]:
        """The last `count` lines that are wanted; read() then goes on behind them.

        They are looked for in the last pieces only, of a mebibyte each.
        """
        self.skipped = True
        found: list[Block] = []
        for number, data in enumerate(self._backwards(), 1):
            found[:0] = [block for block in printed.blocks(data) if wanted(block)]
            # One more than is asked for: the first may have begun above.
            if printed.count(found) > count or number >= pieces:
                break
        return printed.last(found, count)

    def _backwards(self) -> Iterator[bytes]:
        """Whole lines from the present end to the beginning, a piece at a time."""
        end = os.fstat(self.fd).st_size
        self.offset, self._rest, carry = end, b"", None
        while end > self.start:
            begin = max(self.start, end - PIECE)
            data = files.read(self.fd, end - begin, begin)
            if carry is None:
                # The last line may still be in the making.
                whole, cut, self._rest = data.rpartition(b"\n")
                data, carry = whole + cut, b""
            data += carry
            carry, end = b"", begin
            if begin > self.start:
                first, cut, data = data.partition(b"\n")
                carry = first + cut
            yield data

    def close(self) -> None:
        os.close(self.fd)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def admitted(where: Queue, found: Name, tell: Callable[[Queue, str, str], None]) -> Name:
    """Wait until a job is out of the drop box. Raises Failure(BAD) where it was refused.

    `tell` is called with it every now and then.
    """
    with watch.Watch(os.path.join(where.path, "in")) as watching:
        while found.state == "in":
            tell(where, found.id, found.name)
            watching.wait(RESCAN)
            found = where.now(found.id) or where.find(found.id)
    if found.state == "bad":
        raise Failure(BAD, f"job '{found.id}' was refused: cit-why tells why")
    return found


def selection(run: str, streams: Sequence[str], since: bytes) -> Wanted:
    """Whether a block is of this run or one below it, of these streams, and not too old."""
    path, below = run.encode(), f"{run}.".encode()
    kinds = {stream.encode() for stream in streams}

    def wanted(block: Block) -> bool:
        return (
            block.stream in kinds
            and (not run or block.run == path or block.run.startswith(below))
            and block.time >= since
        )

    return wanted


def forked(data: bytes, run: str) -> bool:
    """Whether some lines of a trace say that things go on side by side in this run."""
    path, below = run.encode(), f"{run}.".encode()
    found = (match[1] for match in _FORK.finditer(data))
    return any(not run or each == path or each.startswith(below) for each in found)


def moment(text: str, now: float) -> str:
    """The stamp of an instant that people wrote, such as `10m`: so long ago."""
    from cit import instant  # most look at all there is

    try:
        return trace.stamp(instant.parse(text, now, past=True))
    except ValueError as error:
        raise Failure(USAGE, f"--since: {error}, found '{text}'") from None


def turn(state: job.Job, data: bytes) -> None:
    """Add to a job what some lines of its trace say of its course."""
    # Most lines are log, and there may be millions: they are not looked at one by one.
    kinds = [kind for kind in TURNS if f"\t{kind}\t".encode() in data]
    for record in trace.only(data, *kinds) if kinds else ():
        state.add(record)


def code(state: job.Job, run: str) -> int | None:
    """The exit code of a job, or of that run; None while there is none."""
    ended = state.runs[run].code if run in state.runs and state.runs[run].ended else ""
    text = ended or (state.code if state.status else "")
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() else 1


def took(where: Queue, called: str, count: int = 5) -> list[float]:
    """How many seconds the last good jobs of a name took, the newest first."""
    times: list[float] = []
    for found in reversed(where.names("done", f"-{called}.job")):
        if len(times) >= count:
            break
        if found.name != called:
            continue
        try:
            claims = list(trace.only(where.head(found)[1], "claim"))
            end = where.tail(found)
        except (Failure, FileNotFoundError):
            continue  # not ours to read, or pruned meanwhile
        if end.status == "ok" and claims:
            times.append(trace.seconds(end.finished) - trace.seconds(claims[-1].time))
    return times


def bottom(log: Log, state: job.Job, usual: float) -> str:
    """The line at the bottom of a terminal: which step runs, and how far the job may be."""
    from cit import progress, table, terminal  # most logs are read elsewhere, or have ended

    called = log.name.name
    if not state.claimed:
        return f"{called}  waits"
    took = time.time() - trace.seconds(state.claimed)
    text = progress.line(called, progress.steps(state.open, (), log.called), took, usual)
    return table.cut(table.visible(text), terminal.width(2) - 1)
