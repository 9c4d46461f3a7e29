"""The file of a job, open for reading: what was asked, and the records below that.

Of a trace nearly all is log, and it may have any length. So whoever wants to know about a
job reads the beginning, the end or the records of some kinds, and never the whole.
"""

from __future__ import annotations

import os

from cit import files, job, section, tables, trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = 64 << 10  # bytes: most jobs are asked in less
KINDS = tuple(kind for kind in tables.RECORDS if kind != "log")


def head(fd: int) -> tuple[bytes, bytes]:
    """What was asked, and the beginning of the trace."""
    data = files.read(fd, HEAD)
    asked, happened = section.split(data)
    if not happened and len(data) == HEAD:
        data = files.read(fd, section.ASKED_CAP + HEAD)
        asked, happened = section.split(data)
    return asked, happened


def tail(fd: int, *, finished: bool) -> job.Job:
    """What the last bytes tell: of a job that is finished all from its `result` on."""
    size, step = os.fstat(fd).st_size, 8 << 10
    while True:
        start = max(size - step, 0)
        happened = _happened(files.read(fd, step, start), whole=start == 0)
        if start == 0 or b"\tresult\t-\t" in happened or not finished:
            return job.fold(trace.records(happened))
        step *= 8


def _happened(data: bytes, *, whole: bool) -> bytes:
    """The whole lines of the trace in the last bytes of a job's file, or in all of them."""
    asked, happened = section.split(data)
    return happened if happened or whole else asked.partition(b"\n")[2]


def records(fd: int, *kinds: str) -> Iterator[trace.Record]:
    """The records of these kinds, in the order of the file, read in pieces."""
    # What was asked may hold the records of another job, as text: they are passed over.
    rest, offset = b"", len(head(fd)[0])
    while True:
        data = os.pread(fd, 1 << 20, offset)
        if not data:
            return
        offset += len(data)
        whole, cut, rest = (rest + data).rpartition(b"\n")
        yield from trace.only(whole + cut, *kinds)


def claims(fd: int) -> int:
    """How many claims there are, or more; no line is taken apart, so that log costs little."""
    # In what was printed a tab is escaped.
    sought, count, rest, offset = b"\tclaim\t-\t", 0, b"", len(head(fd)[0])
    while data := os.pread(fd, 1 << 20, offset):
        offset += len(data)
        data = rest + data
        count += data.count(sought)
        rest = data[1 - len(sought) :]
    return count
