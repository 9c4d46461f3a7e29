"""Expiry: which jobs have waited longer than the queue lets them.

Not by the wall clock: one that is set wrong for a minute would end all that wait. The queue
counts the seconds that its machine was up while it was not paused, in the file `served`:

    BOOT UPTIME TOTAL       the last look: which boot, its clock then, and the count
    TOTAL NUMBER            a mark: at that count this was the next admission number

So a name tells how long its job has waited, by its number, and no file is read for it.
What a look missed is not counted, which makes a job live longer.
"""

from __future__ import annotations

import os
import time

from cit import amount, kernel, name
from cit.name import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    from cit.queue import Queue

    class Served(NamedTuple):
        boot: str
        uptime: float
        total: float
        marks: list[tuple[float, int]]
else:
    from collections import namedtuple

    Served = namedtuple("Served", "boot uptime total marks")

OFTEN = 600.0  # seconds between two looks that are written down
MARKS = 100  # of the time after which jobs expire
SOME = 1000  # jobs at once: the next tick goes on


def limit(queue: Queue) -> float:
    """Seconds after which a job expires; 0 where none does."""
    value = queue.setting("expire")
    return amount.duration(value) if value else 0.0


def late(queue: Queue) -> list[Name]:
    """Jobs in `wait` that are over the limit, judged by their names; the oldest first."""
    seconds = limit(queue)
    if not seconds:
        return []
    served = _look(queue, seconds)
    first = max((number for at, number in served.marks if served.total - at >= seconds), default=0)
    if not first:
        return []
    # All digits are there, so the order of text is that of numbers.
    bound = f"{first:010d}"
    listed = os.listdir(queue.directory("wait").path)
    old = sorted((f for f in listed if f[3:13] < bound), key=lambda file: file[3:13])
    return [found for file in old[:SOME] if (found := name.parse("wait", file))]


def skip(queue: Queue) -> None:
    """Before a pause ends: write down where the clock is, or the next look counts the pause."""
    seconds = limit(queue)
    if seconds:
        _look(queue, seconds, always=True)


def _look(queue: Queue, seconds: float, always: bool = False) -> Served:
    """What has been counted up to now, written down if it is time to, or always."""
    boot = kernel.boot()
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    last = read(queue)
    if last is None:
        last = Served(boot, uptime, 0.0, [])
    passed = uptime - last.uptime if boot == last.boot else uptime
    total = last.total + (0.0 if queue.paused else max(passed, 0.0))
    marks = [*last.marks]
    new = not marks or total - marks[-1][0] >= seconds / MARKS
    if new:
        # Of those that are over the limit the newest says it for all.
        over = [mark for mark in marks if total - mark[0] >= seconds]
        marks = [*over[-1:], *marks[len(over) :], (total, queue.next_number)]
    if always or new or boot != last.boot or passed >= min(OFTEN, seconds / MARKS):
        lines = [f"{boot} {uptime:.3f} {total:.3f}", *(f"{at:.3f} {n}" for at, n in marks)]
        queue.directory(".").replace("served", "".join(f"{line}\n" for line in lines).encode())
    return Served(boot, uptime, total, marks)


def read(queue: Queue) -> Served | None:
    """What is written down; None where nothing is, or what is no count."""
    try:
        with open(os.path.join(queue.path, "served"), encoding="ascii") as file:
            first, *rest = [line.split() for line in file]
        marks = [(float(at), int(number)) for at, number in rest]
        return Served(first[0], float(first[1]), float(first[2]), marks)
    except (FileNotFoundError, ValueError, IndexError):
        return None
