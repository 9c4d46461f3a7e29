"""The last run of a name: what a job is told of the one before it."""

from __future__ import annotations

from cit import job, name, trace
from cit.queue import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cit.name import Name
    from cit.queue import Queue

# It costs a look through `done/`, so it is done for a job whose text has one of these.
MENTIONS = (b"${last.", b"CIT_LAST_")
LOOKS = 100  # jobs of that name, of others than the same user, that are opened for it
BOUND = 1 << 16  # characters of all values together: what is handed on from run to run


def find(queue: Queue, found: Name, who: str) -> dict[str, str]:
    """`last.id`, `last.result`, `last.code` and `last.NAME` for what it reported as data.

    Of the newest job of that name by the same user that has ended and is older than this
    one; {} if none. What others' jobs report is not for him to see, nor for them to feed
    to his.
    """
    for before in _older(queue, found):
        try:
            if job.fold(trace.records(queue.head(before)[1])).who == who:
                return _facts(before, job.fold(queue.records(before)))
        except FileNotFoundError:
            continue  # pruned just now
    return {}


def _facts(before: Name, told: job.Job) -> dict[str, str]:
    facts = {"id": before.id, "result": told.status, "code": told.code}
    facts |= {key: value for key, (run, value) in told.data.items() if run != "-"}
    if sum(map(len, facts.values())) > BOUND:
        facts = {key: facts[key] for key in ("id", "result", "code")}
    return {f"last.{key}": value for key, value in facts.items()}


def _older(queue: Queue, found: Name) -> Iterator[Name]:
    """The jobs of that name that were made before it and have ended, the newest first."""
    end = f"-{found.name}{name.SUFFIX}"
    own = [(file, day) for day, file in listed(queue, "done")
           if file.endswith(end) and len(file) == 26 + len(end)
           and file[:26] < found.id]  # fmt: skip
    for file, day in sorted(own, reverse=True)[:LOOKS]:
        before = name.parse("done", file, day)
        if before:
            yield before


def recorded(records: list[trace.Record]) -> dict[str, str]:
    """What an earlier claim wrote down of it."""
    return {r.fields[0]: job.column(r, 1) for r in records
            if r.kind == "data" and r.run == "-" and r.fields}  # fmt: skip
