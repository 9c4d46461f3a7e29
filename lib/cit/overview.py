"""Several queues at a glance, also those that cannot be reached."""

from __future__ import annotations

from cit.errors import Failure
from cit.job import column
from cit.queue import Queue
from cit.trace import escape

COLUMNS = ("queue", "state", "wait", "hold", "run", "done", "reason")


def row(path: str) -> list[str]:
    """A queue's path, state and counts, and why it is in that state: texts as in COLUMNS."""
    shown = escape(path)
    try:
        queue = Queue(path)
    except Failure as failure:
        return [shown, "away", "", "", "", "", str(failure)]
    seen = queue.readable
    counts = [str(len(queue.names(state))) if seen else "-" for state in COLUMNS[2:6]]
    paused = queue.paused
    if not paused:
        return [shown, "active", *counts, ""]
    why = column(paused, 1)
    return [shown, "paused", *counts, f"by {column(paused, 0)}" + (f": {why}" if why else "")]
