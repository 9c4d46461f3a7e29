"""A job, folded from the records of its trace: what became of it so far."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cit.trace import Record

# The states of a queue in the order of a job's way; a higher one wins over a lower.
STATES = ("in", "wait", "hold", "park", "run", "done")


class Run:
    """One step of the program: the records between its `begin` and its `end`."""

    __slots__ = ("attempt", "began", "code", "ended", "path", "signal", "status", "step", "usage")

    def __init__(self, path: str, step: str, attempt: str, began: str) -> None:
        self.path, self.step, self.attempt, self.began = path, step, attempt, began
        self.ended = self.status = self.code = self.signal = ""
        self.usage: tuple[str, ...] = ()


class Job:
    """What the records say. Times are stamps as in the trace; "" is: not yet."""

    def __init__(self) -> None:
        self.who = self.sha256 = ""
        self.pushed = self.admitted = self.claimed = self.finished = ""
        self.number = 0
        self.host = self.pid = self.boot = ""
        self.attempt = 0
        self.runs: dict[str, Run] = {}
        self.status = self.code = ""
        self.usage: tuple[str, ...] = ()
        self.data: dict[str, tuple[str, str]] = {}
        self.notes: list[Record] = []
        self.acts: list[Record] = []
        self.seal = ""

    def add(self, record: Record) -> None:
        fold = _FOLDS.get(record.kind)
        if fold:
            fold(self, record)

    @property
    def open(self) -> Run | None:
        """The innermost run that has begun and not ended."""
        running = [run for run in self.runs.values() if not run.ended]
        return running[-1] if running else None


def fold(records: Iterable[Record]) -> Job:
    """The job that these records tell of; kinds it does not know are passed over."""
    job = Job()
    for record in records:
        job.add(record)
    return job


def column(record: Record, at: int) -> str:
    """A column after RUN, "" where the record is shorter: columns are only ever added."""
    return record.fields[at] if at < len(record.fields) else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


def _push(job: Job, record: Record) -> None:
    job.pushed, job.who, job.sha256 = record.time, column(record, 0), column(record, 1)


def _admit(job: Job, record: Record) -> None:
    job.admitted, job.number = record.time, _number(column(record, 1))


def _claim(job: Job, record: Record) -> None:
    job.claimed = record.time
    job.host, job.pid, job.boot = (column(record, at) for at in range(3))
    job.attempt = _number(column(record, 3))


def _begin(job: Job, record: Record) -> None:
    job.runs[record.run] = Run(record.run, column(record, 0), column(record, 1), record.time)


def _end(job: Job, record: Record) -> None:
    run = job.runs.get(record.run)
    if run:
        run.ended = record.time
        run.status, run.code, run.signal = (column(record, at) for at in range(3))


def _usage(job: Job, record: Record) -> None:
    if record.run == "-":
        job.usage = record.fields
    elif record.run in job.runs:
        job.runs[record.run].usage = record.fields


def _data(job: Job, record: Record) -> None:
    job.data[column(record, 0)] = (record.run, column(record, 1))


def _note(job: Job, record: Record) -> None:
    job.notes.append(record)
    job.seal = ""  # each note is followed by a seal of its own


def _act(job: Job, record: Record) -> None:
    job.acts.append(record)


def _result(job: Job, record: Record) -> None:
    job.finished, job.status, job.code = record.time, column(record, 0), column(record, 1)
    job.seal = ""


def _seal(job: Job, record: Record) -> None:
    job.seal = column(record, 1)


_FOLDS = {
    "push": _push,
    "admit": _admit,
    "claim": _claim,
    "begin": _begin,
    "end": _end,
    "usage": _usage,
    "data": _data,
    "note": _note,
    "hold": _act,
    "release": _act,
    "stop": _act,
    "result": _result,
    "seal": _seal,
}
