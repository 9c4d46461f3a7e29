"""The last run of a name: what a job is told of the one before it."""

from __future__ import annotations

from cit import job, name, sight, trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.name import Name
    from cit.queue import Queue

# It costs a look through `done/`, so it is done for a job whose text has one of these.
MENTIONS = (b"${last.", b"CIT_LAST_")
BOUND = 1 << 16  # characters of all values together: what is handed on from run to run


def find(queue: Queue, found: Name) -> dict[str, str]:
    """`last.id`, `last.result`, `last.code` and `last.NAME` for what it reported as data.

    Of the newest job of that name that has ended and is older than this one; {} if none.
    """
    before = _newest(queue, found)
    if before is None:
        return {}
    told = job.fold(queue.records(before))
    facts = {"id": before.id, "result": told.status, "code": told.code}
    facts |= {key: value for key, (run, value) in told.data.items() if run != "-"}
    if sum(map(len, facts.values())) > BOUND:
        facts = {key: facts[key] for key in ("id", "result", "code")}
    return {f"last.{key}": value for key, value in facts.items()}


def _newest(queue: Queue, found: Name) -> Name | None:
    end = f"-{found.name}{name.SUFFIX}"
    best = ("", "")
    for day, file in sight.listed(queue, "done"):
        if file.endswith(end) and best[0] < file[:26] < found.id and len(file) == 26 + len(end):
            best = (file[:26], day)
    return name.parse("done", best[0] + end, best[1]) if best[0] else None


def recorded(records: list[trace.Record]) -> dict[str, str]:
    """What an earlier claim wrote down of it."""
    return {r.fields[0]: job.column(r, 1) for r in records
            if r.kind == "data" and r.run == "-" and r.fields}  # fmt: skip
