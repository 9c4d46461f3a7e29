"""The stored programs of a queue in a list: their versions, and the newest run of each."""

from __future__ import annotations

from cit import programs, runs, table
from cit.runs import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cit.queue import Queue

COLUMNS = ("name", "last_run", "last_start", "last_stop", "last_code", "version")


def lines(queue: Queue, form: str) -> Iterator[str]:
    """A line for each program, in the order of the alphabet. A person gets times in UTC.

    `form` is `json`, `screen` for a person, or what ends a line of fields between tabs.
    """
    known = {called: programs.versions(queue, called) for called in programs.names(queue)}
    newest = runs.last(queue, known)
    rows = {called: newest.get(called, Row("", "")) for called in known}
    if form == "screen":
        cells = [_cells(called, row, max(known[called])) for called, row in rows.items()]
        header = [word.upper().replace("_", " ") for word in COLUMNS]
        yield from (f"{line}\n" for line in table.lines(cells, right=(4, 5), header=header))
        return
    for called, row in rows.items():
        versions = sorted(known[called])
        values = (called, row.id, row.started, row.stopped, row.code, versions[-1])
        if form == "json":
            yield _object(values, versions)
        else:
            yield table.tabbed(["" if value is None else str(value) for value in values], form)


def _cells(called: str, row: Row, version: int) -> list[str]:
    started, stopped = table.moment(row.started), table.moment(row.stopped, row.started)
    code = "" if row.code is None else str(row.code)
    return [called, row.id, started, stopped, code, str(version)]


def _object(values: Sequence[object], versions: list[int]) -> str:
    import json

    fields = {key: None if value == "" else value
              for key, value in zip(COLUMNS, values, strict=True)}  # fmt: skip
    return json.dumps(fields | {"versions": versions}) + "\n"
