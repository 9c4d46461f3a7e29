"""Open questions: what the jobs of a queue ask of people."""

from __future__ import annotations

import os
import sys
import time
from collections import namedtuple

from cit import config, listing, people, sight, table, terminal, trace, wishes
from cit.errors import MISSING, USAGE, Failure
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, NamedTuple

    from cit.job import Job
    from cit.name import Name

    class Line(NamedTuple):
        """A question. Times are stamps, "" is: for as long as it takes."""

        run: str  # ID.RUN, as cit-answer takes it
        verb: str
        deadline: str
        default: str
        who: str  # who is named; else the owner of the queue, and who pushed the job
        name: str
        comment: str
        queue: str
else:
    Line = namedtuple("Line", "run verb deadline default who name comment queue")

# Jobs that have begun. One in `wait` is on its way to a runner, which parks it again.
STATES = ("park", "hold", "run")
HEADER = ("RUN", "ASKS", "LEFT", "ELSE", "WHO", "NAME", "COMMENT")


def open_(queue: Queue, words: Sequence[str]) -> Iterator[Line]:
    """The open questions of a queue, or of the jobs that these words stand for.

    Jobs that are not for the caller to read are passed over.
    """
    states = (*STATES, "wait") if words else STATES
    for seen in listing.Listing(queue, states, words):
        found = seen.name
        if words and not any(sight.means(word, found.id, found.name) for word in words):
            continue
        try:
            job = queue.job(found)
        except FileNotFoundError:
            continue  # it goes on
        except Failure:
            continue
        who = ",".join(those(queue, found, job))
        for ask in job.asks.values():
            # Without a deadline the default of an approval is never taken.
            default = ask.default if ask.deadline or ask.verb != "approve" else ""
            yield Line(f"{found.id}.{ask.run}", ask.verb, ask.deadline, default,
                       ",".join(ask.who) or who, found.name, ask.comment, queue.path)  # fmt: skip


def those(queue: Queue, found: Name, job: Job) -> tuple[str, ...]:
    """Who may answer where nobody is named: the owner of the queue, and who pushed the job.

    Of one that was spawned, who pushed the one that spawned it.
    """
    may = people.who(queue.owner), job.who, wishes.behalf(queue, found.id, job, found)
    return tuple(dict.fromkeys(filter(None, may)))


def tell(args: Mapping[str, Any]) -> Iterator[str]:
    """What `cit-ls --asking` prints. Raises Failure."""
    if any(args[key] for key in ("mine", "state", "status", "name")):
        raise Failure(USAGE, "--asking: only with JOB, --queue, -n, --json, -0")
    queue = Queue(os.path.abspath(args["queue"]) if args["queue"] else config.queue())
    queue.look()
    strange = unknown(queue, args["jobs"]) if args["jobs"] else ""
    if strange:
        raise Failure(MISSING, f"no job '{strange}' in '{queue.path}'")
    limit = sys.maxsize if args["number"] is None else args["number"]
    lines = [line for _, line in zip(range(limit), open_(queue, args["jobs"]), strict=False)]
    if terminal.there(1) and not args["json"] and not args["null"]:
        shown = screen(lines, time.time(), terminal.width(1))
        yield from (f"{line}\n" for line in shown)
        return
    form = "json" if args["json"] else "\0" if args["null"] else "\n"
    yield from (record(line, form) for line in lines)


def unknown(queue: Queue, words: Sequence[str]) -> str:
    """The first of these words that stands for no job of the queue; "" where each does."""
    wanted = listing.Wanted(listing.ORDER, words, None)
    for seen in listing.Listing(queue, listing.ORDER, words):
        wanted(seen.name)
    return wanted.missing[0] if wanted.missing else ""


def record(line: Line, form: str) -> str:
    """The line for a program: `json`, or fields between tabs that end with `form`."""
    if form != "json":
        return table.tabbed(line[:-1], form)
    import json

    id, _, run = line.run.partition(".")
    fields = {key: value or None for key, value in line._asdict().items()}
    return json.dumps({"id": id, **fields, "run": run, "who": line.who.split(",")}) + "\n"


def screen(lines: Sequence[Line], now: float, width: int) -> list[str]:
    """The lines for a person: columns below a header, and how long there is time."""
    cells = [
        (
            line.run,
            line.verb,
            table.age(trace.seconds(line.deadline) - now) if line.deadline else "",
            line.default if line.deadline else "",
            line.who,
            line.name,
            line.comment,
        )
        for line in lines
    ]
    return table.lines(cells, width, (2,), header=HEADER, spare=(4,))
