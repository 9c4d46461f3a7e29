"""Several queues at a glance, also those that cannot be reached."""

from __future__ import annotations

from cit import table, terminal
from cit.errors import Failure
from cit.job import column
from cit.queue import Queue
from cit.trace import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COUNTED = ("wait", "hold", "park", "run", "done")
COLUMNS = ("queue", "state", *COUNTED, "reason")


def lines(paths: Iterable[str], *, as_json: bool) -> Iterator[str]:
    """A line for each queue, for programs or for a terminal."""
    rows = [row(path) for path in paths]
    if as_json:
        import json

        yield from (json.dumps(dict(zip(COLUMNS, each, strict=True))) + "\n" for each in rows)
    elif terminal.there():
        head = [word.upper() for word in COLUMNS]
        yield from (f"{line}\n" for line in table.lines([head, *rows], right=range(2, 7)))
    else:
        yield from map(table.tabbed, rows)


def row(path: str) -> list[str]:
    """A queue's path, state and counts, and why it is in that state: texts as in COLUMNS."""
    shown = escape(path)
    try:
        queue = Queue(path)
    except Failure as failure:
        return [shown, "away", *[""] * len(COUNTED), str(failure)]
    seen = queue.readable
    counts = [str(len(queue.names(state))) if seen else "-" for state in COUNTED]
    paused = queue.paused
    if not paused:
        return [shown, "active", *counts, ""]
    why = column(paused, 1)
    return [shown, "paused", *counts, f"by {column(paused, 0)}" + (f": {why}" if why else "")]
