"""How long runners worked on a job, by the records of its trace.

A stint goes from a claim to the last sign of life of who claimed the job: its `park` or its
`result`, or, where it was cut off, the last record that it wrote. What lies between two stints
is nobody's work. While a command runs, its usage is written down every few seconds; so a cut
hides few.

The stamps are those of a clock that may be set. What a command ran, as its usage says, was
measured by one that nobody sets, so that counts where it is known. Where only stamps are, one
that is earlier than that before it adds nothing.
"""

from __future__ import annotations

from collections import namedtuple

from cit import trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import NamedTuple

    from cit.job import Job
    from cit.trace import Record

    class Stint(NamedTuple):
        began: str  # a stamp
        until: str  # a stamp: the last sign of life
        worked: float  # seconds
        cut: bool  # somebody else had to go on with it

    Known = tuple[float, str, str]  # seconds of a stint at a stamp, and a stamp after that
else:
    Stint = namedtuple("Stint", "began until worked cut")

_ASIDE = ("answer", "note")  # like hold, release and stop: of people, also where nobody works


def stints(records: Iterable[Record], now: float | None = None) -> list[Stint]:
    """The stints of a job, in their order. The last one may go on: then it lasts until `now`.

    One that is held goes on until its command has ended.
    """
    found: list[Stint] = []
    began = seen = held = ""
    sure, mark = 0.0, ""  # the seconds of this stint at a stamp, by the best that is known
    starts: dict[str, Known] = {}  # of the runs that have not ended
    for record in records:
        kind = record.kind
        # Nearly all of a long trace: their stamps are read when they are needed.
        if kind == "begin":
            seen, held = record.time, held and _ran_on(held)
            starts[record.run] = sure, mark, seen
        elif kind == "end":
            seen, held = record.time, held and _ran_on(held)
            starts.pop(record.run, None)
        elif kind == "claim":
            if began:
                worked = sure + _between(mark, seen)
                found.append(Stint(began, seen, worked, cut=held != "release"))
            began = seen = mark = record.time
            sure, held = 0.0, ""
            starts.clear()
        elif not began or kind in _ASIDE:
            continue
        elif kind in ("park", "result"):
            worked = sure + _between(mark, record.time)
            found.append(Stint(began, record.time, worked, cut=False))
            began = ""
        elif kind == "hold":
            held = kind
        elif kind in ("release", "stop"):
            held = held and "release"
        else:
            seen, held = record.time, held and _ran_on(held)
            wall = _wall(record)
            if wall is not None:
                start = _start(starts.get(record.run), sure + _between(mark, seen) - wall)
                sure, mark = start + wall, seen
                starts[record.run] = start, "", ""
    if began:
        last = _between(mark, seen) if now is None else max(now - trace.seconds(mark), 0)
        found.append(Stint(began, seen, sure + last, cut=False))
    return found


def spent(records: Iterable[Record], now: float | None = None) -> float:
    """Seconds that runners worked on a job, until `now` where one of them still does.

    Not those in which it was parked or held, or had lost its runner.
    """
    return sum(stint.worked for stint in stints(records, now))


def worked(
    told: Job, records: Callable[[], Iterable[Record]], now: float | None = None
) -> float | None:
    """spent(), of a finished job as its last runner added it up; None where it was never claimed.

    `told` may be the end of a job alone; `records` is only called where that does not say.
    """
    wall = told.usage[1] if told.finished and len(told.usage) > 1 else ""
    if _decimal(wall):
        return float(wall)
    found = stints(records(), now)
    return sum(stint.worked for stint in found) if found else None


def gaps(found: Sequence[Stint], *, cut: bool) -> float:
    """Seconds between stints in which a job had lost its runner, or else had been laid aside."""
    pairs = zip(found, found[1:], strict=False)
    return sum(_between(one.until, other.began) for one, other in pairs if one.cut == cut)


def _ran_on(held: str) -> str:
    """Who goes on after a release had not laid the job by."""
    return "" if held == "release" else held


def _start(known: Known | None, otherwise: float) -> float:
    """When a command started, in seconds of its stint."""
    return known[0] + _between(*known[1:]) if known else max(otherwise, 0)


def _wall(record: Record) -> float | None:
    """For how long a command has run, where a record says that."""
    if record.kind != "usage" or record.run == "-" or len(record.fields) < 2:
        return None
    return float(record.fields[1]) if _decimal(record.fields[1]) else None


def _decimal(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdecimal()


def _between(since: str, until: str) -> float:
    return max(trace.seconds(until) - trace.seconds(since), 0) if since and until else 0.0
