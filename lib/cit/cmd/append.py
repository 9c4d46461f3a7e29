"""cit-append - append a record to a job that nobody runs"""

from __future__ import annotations

import re

from cit import held, locate, manager, people, wishes
from cit.errors import DENIED, DONE, LATER, NO, USAGE, Failure
from cit.options import Parser
from cit.tables import RECORDS
from cit.trace import LINE_CAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.job import Job

# What says nothing about the course of the job, so that replaying it stays the same.
KINDS = ("note", "data")
FILLED = ("who", "token")  # by us; a token tells apart what came through answers/


def parser() -> Parser:
    p = Parser(
        "cit-append",
        description="Append one record to a job of a queue of yours, under its lock.",
    )
    p.add_argument("file", metavar="FILE", help="file of a job, or its id")
    p.add_argument("kind", choices=KINDS, help="kind of the record")
    p.add_argument("run", metavar="RUN", help="run that it is about; - is the whole job")
    p.add_argument("fields", nargs="*", metavar="FIELD", help="columns after RUN, but for who")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    fields = _fields(args.kind, args.run, args.fields)
    queue, found = locate.job(args.file)
    queue.own(": cit-note asks him")
    if found.state in ("in", "bad"):
        raise Failure(DENIED, f"job '{found.id}' is not admitted")
    if args.kind == "note" and found.state == "done":
        # A note there is followed by a seal: the tick does both, or the next one does.
        wishes.send(queue, found, "note", args.fields[0], args.run)
        manager.tick(queue)
        return DONE
    hold = held.take(queue, found)
    if hold is None:
        raise Failure(LATER, f"job '{found.id}' is held by a runner: cit-note asks that one")
    with hold:
        job = hold.read()
        refused = _refusal(job, args.kind, args.run)
        if refused:
            raise Failure(NO, f"job '{found.id}': {refused}")
        hold.record(args.kind, args.run, *fields)
        hold.sync()
    return DONE


def _fields(kind: str, run: str, fields: list[str]) -> list[str]:
    """The columns after RUN. Raises Failure(USAGE)."""
    if not re.fullmatch(r"-|[a-z0-9]+(\.[a-z0-9]+)*", run):
        raise Failure(USAGE, f"expected a run such as 1.2.2, or -, found '{run}'")
    columns = [column for column in RECORDS[kind] if column not in FILLED]
    if len(fields) != len(columns):
        names = " ".join(column.upper() for column in columns)
        raise Failure(USAGE, f"expected {kind} RUN {names}, found {len(fields)} fields after RUN")
    if sum(map(len, fields)) > LINE_CAP:
        raise Failure(USAGE, f"expected at most {LINE_CAP} characters")
    given = {"who": people.who(), "token": "", **dict(zip(columns, fields, strict=True))}
    return [given[column] for column in RECORDS[kind]]


def _refusal(job: Job, kind: str, run: str) -> str:
    """Why this record may not follow; "" where it may."""
    if run != "-" and run not in job.runs:
        return f"has no run '{run}'"
    if kind == "note" and not job.status:
        return ""
    if job.status:
        return f"has ended, and only notes can follow its {job.status}"
    if run != "-" and job.runs[run].ended:
        return f"run '{run}' has ended"
    return ""
