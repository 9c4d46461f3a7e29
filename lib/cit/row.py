"""What a line of a list says of a job; the job's file is read for it, and no other."""

from __future__ import annotations

import os
from collections import namedtuple

from cit import (
    job,
    machine,
    name,
    pending,
    people,
    plan,
    progress,
    section,
    sight,
    stints,
    table,
    toml,
    trace,
)
from cit.amount import human_duration
from cit.errors import Bad, Failure
from cit.job import column
from cit.sight import AWAY, GONE, HIDDEN, OUTBOX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import NamedTuple

    from cit.job import Job
    from cit.name import Name
    from cit.queue import Queue
    from cit.sight import Seen
    from cit.trace import Record

    class Row(NamedTuple):
        id: str
        state: str
        since: str  # a stamp: when it came into that state
        name: str
        user: str = ""
        builder: str = ""
        status: str = ""  # of a finished job
        took: str = ""  # seconds that runners worked on it, so far
        reason: str = ""
        queue: str = ""
        allowed: str = ""  # names of its stages that failed and may, with commas
else:
    Row = namedtuple(
        "Row",
        "id state since name user builder status took reason queue allowed",
        defaults=("", "", "", "", "", "", ""),
    )

BEGINNING = ("push", "admit", "claim")  # kinds of records
SOME = 3  # stages that are named of those that failed and may
UNSURE = "as far as you can see"
HEADER = ("ID", "STATE", "AGE", "TOOK", "NAME", "USER", "BUILDER", "QUEUE", "REASON")


def read(seen: Seen, now: float) -> Row:
    """The line of a job, which is read for it."""
    found, queue = seen.name, seen.queue
    if queue is None or found.state in (HIDDEN, GONE):
        reason = {OUTBOX: "for ", AWAY: "queue is away: ", HIDDEN: "queue shows nothing: "}
        why = reason[found.state] + seen.path if found.state in reason else ""
        made = trace.stamp(name.made(found.id))
        return Row(found.id, found.state, made, found.name, people.who(), reason=why,
                   queue=seen.path)  # fmt: skip
    try:
        return _ROWS[found.state](queue, found, now)
    except FileNotFoundError:
        # It moved since the directory was read.
        return read(sight.pushed(seen.path, {found.id: found.name})[0], now)
    except Failure:
        made = trace.stamp(name.made(found.id))
        return Row(found.id, found.state, made, found.name, reason="not yours to read",
                   queue=queue.path)  # fmt: skip


def _begun(queue: Queue, found: Name) -> Job:
    """What the beginning of its trace says of a job."""
    data = queue.head(found)[1]
    # Its first lines: most of what a head may hold is log.
    return job.fold(trace.only(data, *BEGINNING))


def _dropped(queue: Queue, found: Name, now: float) -> Row:
    directory, file = queue.where(found)
    status = os.stat(os.path.join(directory.path, file), follow_symlinks=False)
    reason = ""
    if found.state == "bad":
        reason = refusal(queue, found)
    since = trace.stamp(status.st_ctime if found.state == "bad" else status.st_mtime)
    user = people.who(status.st_uid)
    return Row(found.id, found.state, since, found.name, user, reason=reason, queue=queue.path)


def refusal(queue: Queue, found: Name) -> str:
    """Why admission refused a job."""
    directory, file = queue.where(found)
    try:
        with open(os.path.join(directory.path, file + ".why"), "rb") as why:
            text = why.read(4096).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    # The name of the file comes first, as in other complaints.
    return " ".join(text.split()).partition(": ")[2]


def _waiting(queue: Queue, found: Name, now: float) -> Row:
    asked, happened = queue.head(found)
    told = job.fold(trace.only(happened, *BEGINNING))
    since, reason = told.pushed, ""
    if found.state == "wait":
        reason = "the queue is paused" if queue.paused else never(asked, machine.this)
    if found.state == "hold":
        end = queue.tail(found)
        if end.hold:
            since, reason = end.hold.time, pending.held(end)
    if found.state == "park":
        end = pending.told(queue, found)
        since = end.hold.time if end.hold and end.withheld(now) else since
        since = end.parked.time if end.parked else since
        reason = "; ".join(pending.sentences(queue, found, end, now)) or pending.due(found)
    return Row(found.id, found.state, since, found.name, told.who, reason=reason, queue=queue.path)


def never(asked: bytes, here: Callable[[list[str]], plan.Machine]) -> str:
    """What a job needs that this machine will never have; "" where it can run.

    `asked` is the part of its file above the trace, `here` tells what the machine has.
    """
    if b"needs" not in asked:
        return ""
    try:
        body = section.find(section.parse(asked), "job")
        needs = toml.loads(body.body, body.line + 1).get("needs") if body else None
        return plan.missing(needs, here(plan.tools(needs))) if isinstance(needs, dict) else ""
    except (Bad, ValueError):
        return ""  # what an earlier version took is no reason to list nothing


def _running(queue: Queue, found: Name, now: float) -> Row:
    told, end = _begun(queue, found), queue.tail(found)
    since = end.claimed or told.claimed
    reason = progress.steps(end.open, (), _names(queue, found)) if end.open else ""
    if end.asks or end.withheld(now):
        reason = "; ".join(pending.sentences(queue, found, end, now))
    host = end.host or told.host
    there = sight.at_work(queue, found, host)
    took = _took(queue, found, end, None if there is False else now)
    if there is False:
        reason = "no runner holds it"
    elif there is None and host:
        old = human_duration(int(sight.silent(queue, found, now)))
        reason = "; ".join(filter(None, (reason, f"{UNSURE}, its last record is {old} old")))
    return Row(found.id, "run", since or told.pushed, found.name, told.who, host,
               took=took, reason=reason, queue=queue.path)  # fmt: skip


def _took(queue: Queue, found: Name, end: Job, now: float | None = None) -> str:
    """Seconds that runners worked on a job, of whose file `end` is read; until `now` or its end."""

    def records() -> Iterable[Record]:
        # A running job may have printed anything by now; nearly all were claimed but once.
        if now is not None and (end.attempt == 1 or queue.claims(found) == 1):
            return trace.only(queue.head(found)[1], "claim")
        return queue.records(found)

    worked = stints.worked(end, records, now)
    return "" if worked is None else f"{worked:.3f}"


def _names(queue: Queue, found: Name) -> Callable[[str], str]:
    """What its runs are called, as far as the program has them written out."""
    asked = queue.head(found)[0]
    if b"stage" not in asked:
        return str
    from cit import named  # reads the program

    return named.Names(lambda: (asked, ()))


def _done(queue: Queue, found: Name, now: float) -> Row:
    told, end = _begun(queue, found), queue.tail(found)
    took = _took(queue, found, end)
    stopped = stop(end)
    names = _names(queue, found) if stopped and stopped.run != "-" else str
    return Row(found.id, "done", end.finished, found.name, told.who, end.host or told.host,
               end.status, took, ending(end, names), queue.path,
               job.listed(end.allowed))  # fmt: skip


def stop(end: Job) -> Record | None:
    """The wish to which a job that was cancelled owes its end: of all of it, else of a run."""
    stops = [act for act in end.acts if act.kind == "stop"]
    found = end.stop or (stops[-1] if stops else None)
    return found if end.status == "cancelled" else None


def ending(end: Job, called: Callable[[str], str] = str) -> str:
    """More about how a job ended than its status says. `called` tells the names of runs."""
    stopped = stop(end)
    if stopped:
        who, why, run = column(stopped, 0), column(stopped, 1), stopped.run
        name = called(run) if run != "-" else ""
        what = f"{'run' if name == run else 'stage'} {name} was " if name else ""
        return f"{what}stopped by {who}" + (f": {why}" if why else "")
    if end.status == "expired":
        return "nobody started it in time"
    if end.status == "signal" and end.code.isdecimal():
        return f"signal {int(end.code) - 128}"
    if end.status == "ok" and end.allowed:
        return allowed(end.allowed)
    return f"exit {end.code}" if end.status == "failed" else ""


def allowed(names: Sequence[str]) -> str:
    """`2 failures allowed: docs, lint`."""
    some = [*names[:SOME], *([f"and {len(names) - SOME} more"] if len(names) > SOME else [])]
    return f"{len(names)} failure{'s' * (len(names) > 1)} allowed: {', '.join(some)}"


_ROWS = {
    "in": _dropped,
    "bad": _dropped,
    "wait": _waiting,
    "hold": _waiting,
    "park": _waiting,
    "run": _running,
    "done": _done,
}


def record(row: Row, form: str) -> str:
    """The line for a program: `json`, or fields between tabs that end with `form`."""
    if form != "json":
        return table.tabbed(row, form)
    import json

    fields = {key: value or None for key, value in row._asdict().items()}
    fields["took"] = float(row.took) if row.took else None
    return json.dumps(fields) + "\n"


def screen(rows: Sequence[Row], now: float, width: int, *, color: bool) -> list[str]:
    """The lines for a person: columns below a header, ages for stamps."""
    several = len({row.queue for row in rows}) > 1
    cells = [
        (
            row.id,
            row.status or row.state,
            table.age(now - trace.seconds(row.since)) if row.since else "",
            table.age(float(row.took)) if row.took else "",
            row.name,
            row.user.partition("@")[0],
            row.builder,
            row.queue if several else "",
            row.reason,
        )
        for row in rows
    ]

    paint = table.painter(1) if color else None
    # Who made a job and where it ran is in cit-show; why it does not run is wanted here.
    return table.lines(cells, width, (2, 3), paint, HEADER, spare=(6, 5))
