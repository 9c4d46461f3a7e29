"""Several queues at a glance, also those that cannot be reached."""

from __future__ import annotations

import time

from cit import table, terminal
from cit.errors import Failure
from cit.job import column
from cit.queue import Queue
from cit.trace import escape, seconds, stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COUNTED = ("wait", "hold", "park", "run", "done")
COLUMNS = ("queue", "state", *COUNTED, "reason", "ticked")


def lines(paths: Iterable[str], *, as_json: bool) -> Iterator[str]:
    """A line for each queue, for programs or for a terminal."""
    rows = [row(path) for path in paths]
    if as_json:
        import json

        yield from (json.dumps(dict(zip(COLUMNS, each, strict=True))) + "\n" for each in rows)
    elif terminal.there():
        now, head = time.time(), [word.upper() for word in COLUMNS]
        for each in rows:
            each[-1] = f"{table.age(now - seconds(each[-1]))} ago" if each[-1] else ""
        yield from (f"{line}\n" for line in table.lines([head, *rows], right=range(2, 7)))
    else:
        yield from map(table.tabbed, rows)


def row(path: str) -> list[str]:
    """A queue's path, state and counts, why it is in that state, and when its manager was there.

    Texts as in COLUMNS; the last is a stamp, "" where it is not known.
    """
    shown = escape(path)
    try:
        queue = Queue(path)
    except Failure as failure:
        return [shown, "away", *[""] * len(COUNTED), str(failure), ""]
    seen = queue.readable
    counts = [str(len(queue.names(state))) if seen else "-" for state in COUNTED]
    ticked = stamp(queue.ticked) if queue.ticked else ""
    paused = queue.paused
    if not paused:
        return [shown, "active", *counts, "", ticked]
    why = column(paused, 1)
    said = f"by {column(paused, 0)}" + (f": {why}" if why else "")
    return [shown, "paused", *counts, said, ticked]
