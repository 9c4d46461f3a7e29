"""The runs of a name: what became of each job of it, the newest first.

A job belongs to a name if it is called so, or if it was started from the stored program
of that name. A job's own name is made from that of its program, so the names of files
say which jobs are worth opening.
"""

from __future__ import annotations

from collections import namedtuple

from cit import job, name, section, stints, table, toml, trace, usage
from cit.amount import human_duration, human_size
from cit.errors import MISSING, Failure
from cit.queue import WAY, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import Any, NamedTuple

    from cit.job import Job
    from cit.name import Name
    from cit.queue import Queue
    from cit.trace import Record
    from cit.usage import Usage

    class Row(NamedTuple):
        """Times are stamps; "" and None are: not yet, or not known."""

        id: str
        created: str
        started: str = ""  # when it was first claimed
        stopped: str = ""
        code: int | None = None
        user: float | None = None  # seconds of CPU
        sys: float | None = None
        mem_peak: int | None = None  # bytes
        status: str = ""  # how it ended, else its state
        version: int | None = None  # of the stored program that it was started from
        took: float | None = None  # seconds that runners worked on it, as far as it is written down
else:
    Row = namedtuple(
        "Row",
        "id created started stopped code user sys mem_peak status version took",
        defaults=("", "", None, None, None, None, "", None, None),
    )

HEADER = (
    "ID", "CREATED", "STARTED", "STOPPED", "CODE", "TOOK", "USR", "SYS", "MEMORY", "STATUS",
    "VERSION",
)  # fmt: skip


def find(
    queue: Queue, called: str, states: Collection[str] = WAY, statuses: Collection[str] = ()
) -> Iterator[Row]:
    """The runs of a name that are in these states, or ended so; the newest first.

    A job is read when its turn comes. Raises Failure(MISSING) where nothing of that name
    ever ran and no program is called so.
    """
    if next(_find(queue, called), None) is None:
        from cit import programs  # not for whoever finds what he looks for

        if called not in programs.names(queue):
            raise Failure(MISSING, f"no program and no job '{called}' in '{queue.path}'")
    rows = _find(queue, called, states)
    return (row for row in rows if not statuses or row.status in statuses)


def _find(queue: Queue, called: str, states: Collection[str] = WAY) -> Iterator[Row]:
    simple = name.simplify(called)
    jobs = _jobs(queue, {simple}).get(simple, {})
    some = {id: found for id, found in jobs.items() if found.state in states}
    yield from _rows(queue, some, "" if called == simple else called)


def last(queue: Queue, names: Iterable[str]) -> dict[str, Row]:
    """The newest run of each of the stored programs of these names that has one."""
    simple = {called: name.simplify(called) for called in names}
    jobs = _jobs(queue, set(simple.values()))
    rows = {called: next(_rows(queue, jobs.get(simple[called], {}), called), None)
            for called in simple}  # fmt: skip
    return {called: row for called, row in rows.items() if row}


def lines(rows: Iterable[Row], form: str, *, color: bool = False) -> Iterator[str]:
    """The lines of a list of runs. A person gets times in UTC.

    `form` is `json`, `screen` for a person, or what ends a line of fields between tabs.
    """
    if form == "screen":
        yield from _screen(list(rows), color=color)
        return
    for row in rows:
        if form == "json":
            values = row._asdict().items()
            yield _object({key: None if value == "" else value for key, value in values})
        else:
            yield table.tabbed([_plain(value) for value in row], form)


def _screen(rows: Sequence[Row], *, color: bool) -> Iterator[str]:
    cells = [
        (
            row.id,
            table.moment(row.created),
            table.moment(row.started, row.created),
            table.moment(row.stopped, row.created),
            _plain(row.code),
            "" if row.took is None else human_duration(row.took),
            "" if row.user is None else human_duration(row.user),
            "" if row.sys is None else human_duration(row.sys),
            "" if row.mem_peak is None else human_size(row.mem_peak),
            row.status,
            _plain(row.version),
        )
        for row in rows
    ]

    right, paint = (4, 5, 6, 7, 8, 10), table.painter(9) if color else None
    for text in table.lines(cells, 0, right, paint, HEADER):
        yield text + "\n"


def _jobs(queue: Queue, names: set[str]) -> dict[str, dict[str, Name]]:
    """The jobs of these names, each in the highest state it was seen in."""
    found: dict[str, dict[str, Name]] = {}
    for state in WAY:
        for day, file in listed(queue, state):
            # Nearly all belong to others: told by the end of the name, before it is parsed.
            for called in names:
                if f"-{called}{name.SUFFIX}" in file:
                    parsed = name.parse(state, file, day)
                    if parsed and parsed.name == called:
                        found.setdefault(called, {})[parsed.id] = parsed
    return found


def _rows(queue: Queue, jobs: dict[str, Name], program: str) -> Iterator[Row]:
    """The rows of those jobs that this program was started as; of all where it is empty."""
    for id in sorted(jobs, reverse=True):
        for _ in range(2):
            try:
                source, happened = _head(queue, jobs[id])
                if not program or source.get("program") == program:
                    yield _row(queue, jobs[id], source, happened)
                break
            except FileNotFoundError:
                moved = queue.now(id)  # since the directory was read
                if moved is None:
                    break  # pruned
                jobs[id] = moved


def _head(queue: Queue, found: Name) -> tuple[dict[str, Any], bytes]:
    """The origin that a job says it has, and the beginning of its trace."""
    try:
        asked, happened = queue.head(found)
        part = section.find(section.parse(asked), "job")
        source = toml.loads(part.body).get("origin") if part and b"origin" in part.body else {}
    except Failure:
        return {}, b""  # not ours to read, or not what a job looks like
    return source if isinstance(source, dict) else {}, happened


def _row(queue: Queue, found: Name, source: dict[str, Any], happened: bytes) -> Row:
    version = source.get("version")
    row = Row(found.id, trace.stamp(name.made(found.id)), status=found.state,
              version=version if isinstance(version, int) else None)  # fmt: skip
    claim = next(iter(trace.only(happened, "claim")), None)
    if claim is None and found.state != "done":
        return row
    end = queue.tail(found) if found.state == "done" else None
    records: list[Record] = []
    if end is None or not end.usage:
        # Not over yet: what its runs took so far. (Or notes hide what is above the result.)
        records = queue.records(found)
        end = job.fold(records)
    took = stints.worked(end, lambda: records)
    row = row._replace(took=None if took is None else round(took, 3))
    spent = usage.parse(end.usage) if end.usage else _so_far(end)
    row = row._replace(started=claim.time if claim else "")
    if spent:
        row = row._replace(user=spent.user, sys=spent.sys, mem_peak=spent.mem_peak)
    if found.state != "done":
        return row
    code = int(end.code) if end.code.isascii() and end.code.isdecimal() else None
    return row._replace(stopped=end.finished, code=code, status=end.status)


def _so_far(folded: Job) -> Usage | None:
    parts = (usage.parse(run.usage) for run in folded.runs.values() if run.usage)
    return usage.merge(part for part in parts if part)


def _object(values: dict[str, object]) -> str:
    import json

    return json.dumps(values) + "\n"


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    return "" if value is None else str(value)
