"""A job, folded from the records of its trace: what became of it so far."""

from __future__ import annotations

from collections import namedtuple

from cit import trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple

    from cit.trace import Record

    class Question(NamedTuple):
        """What a run asks a person. Times are stamps, "" is: for as long as it takes."""

        run: str
        verb: str  # approve or let
        comment: str
        default: str
        deadline: str
        who: tuple[str, ...]  # users and @groups who may answer; () is those of the job

    class Parked(NamedTuple):
        time: str
        until: str
        awaits: tuple[tuple[str, str], ...]  # ("job", ID or name), ("artefact", JOB/ARTEFACT)
else:
    Question = namedtuple("Question", "run verb comment default deadline who")
    Parked = namedtuple("Parked", "time until awaits")

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
        self._runs: dict[str, Run] = {}
        self._steps: list[Record] = []  # what happened to runs, not folded yet
        self.status = self.code = ""
        self.allowed: tuple[str, ...] = ()  # names of its stages that failed and may
        self.usage: tuple[str, ...] = ()
        self.data: dict[str, tuple[str, str]] = {}
        self.notes: list[Record] = []
        self.acts: list[Record] = []
        self.answers: list[Record] = []
        self.asks: dict[str, Question] = {}  # by run: not answered, and the run not ended
        self.waits: dict[str, str] = {}  # until when, by runs that have not ended
        self.awaiting: set[str] = set()  # those of them that wait for what may come before
        self.parked: Parked | None = None  # since it was last claimed
        self.seal = ""

    def add(self, record: Record) -> None:
        fold = _FOLDS.get(record.kind)
        if fold:
            fold(self, record)

    @property
    def runs(self) -> dict[str, Run]:
        """The runs that have begun, by path.

        Folded when they are asked for: who goes on with a job after a hundred thousand of them
        asks for none.
        """
        for record in self._steps:
            _STEPS[record.kind](self._runs, record)
        self._steps.clear()
        return self._runs

    @property
    def open(self) -> list[Run]:
        """The innermost runs that have begun and not ended, in the order in which they began."""
        begun = {run.path: run for run in self.runs.values() if not run.ended}
        above = set()
        for path in begun:
            while path := path.rpartition(".")[0]:
                above.add(path)
        return [run for run in begun.values() if run.path not in above]

    @property
    def hold(self) -> Record | None:
        """What holds it back, if its time is not over; None where it was released since."""
        acts = [act for act in self.acts if act.kind != "stop"]
        return acts[-1] if acts and acts[-1].kind == "hold" else None

    @property
    def stop(self) -> Record | None:
        """The last wish that the whole job be stopped."""
        stops = [act for act in self.acts if act.kind == "stop" and act.run == "-"]
        return stops[-1] if stops else None

    def withheld(self, now: float) -> bool:
        """Whether a person holds it back at that instant."""
        until = column(self.hold, 3) if self.hold else ""
        return self.hold is not None and not (until and now >= trace.seconds(until))


def fold(records: Iterable[Record]) -> Job:
    """The job that these records tell of; kinds it does not know are passed over."""
    job, folds = Job(), _FOLDS
    for record in records:
        fold = folds.get(record.kind)
        if fold:  # as in add(), and not a call more for each of a hundred thousand
            fold(job, record)
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
    job.parked = None


def _begin(job: Job, record: Record) -> None:
    job._steps.append(record)


def _ask(job: Job, record: Record) -> None:
    verb, comment, default, deadline, who = (column(record, at) for at in range(5))
    names = tuple(filter(None, who.split(",")))
    job.asks[record.run] = Question(record.run, verb, comment, default, deadline, names)


def _answer(job: Job, record: Record) -> None:
    job.answers.append(record)
    job.asks.pop(record.run, None)


def _wait(job: Job, record: Record) -> None:
    job.waits[record.run] = column(record, 0)
    if awaited(record):
        job.awaiting.add(record.run)


def _park(job: Job, record: Record) -> None:
    job.parked = Parked(record.time, column(record, 0), awaited(record))


def awaited(record: Record) -> tuple[tuple[str, str], ...]:
    """What a `park` or `wait` record says is awaited: pairs of `job` or `artefact`, and a name."""
    things = (thing.strip().partition(" ") for thing in column(record, 1).split(","))
    return tuple((what, _plain(name)) for what, _, name in things if name)


def listed(names: Iterable[str]) -> str:
    """Names as a column holds several."""
    return ",".join(name.replace("%", "%25").replace(",", "%2C") for name in names)


def _plain(text: str) -> str:
    return text.replace("%20", " ").replace("%2C", ",").replace("%25", "%")


def _end(job: Job, record: Record) -> None:
    job.asks.pop(record.run, None)
    job.waits.pop(record.run, None)
    job._steps.append(record)


def _usage(job: Job, record: Record) -> None:
    if record.run == "-":
        job.usage = record.fields
    else:
        job._steps.append(record)


def _run_began(runs: dict[str, Run], record: Record) -> None:
    runs[record.run] = Run(record.run, column(record, 0), column(record, 1), record.time)


def _run_ended(runs: dict[str, Run], record: Record) -> None:
    run = runs.get(record.run)
    if run:
        run.ended = record.time
        run.status, run.code, run.signal = (column(record, at) for at in range(3))


def _run_used(runs: dict[str, Run], record: Record) -> None:
    if record.run in runs:
        runs[record.run].usage = record.fields


def _data(job: Job, record: Record) -> None:
    job.data[column(record, 0)] = (record.run, column(record, 1))


def _note(job: Job, record: Record) -> None:
    job.notes.append(record)
    job.seal = ""  # each note is followed by a seal of its own


def _act(job: Job, record: Record) -> None:
    job.acts.append(record)


def _result(job: Job, record: Record) -> None:
    job.finished, job.status, job.code = record.time, column(record, 0), column(record, 1)
    job.allowed = tuple(_plain(name) for name in column(record, 2).split(",") if name)
    job.asks, job.waits = {}, {}
    job.seal = ""


def _seal(job: Job, record: Record) -> None:
    job.seal = column(record, 1)


_STEPS = {"begin": _run_began, "end": _run_ended, "usage": _run_used}
_FOLDS = {
    "push": _push,
    "admit": _admit,
    "claim": _claim,
    "begin": _begin,
    "ask": _ask,
    "answer": _answer,
    "wait": _wait,
    "park": _park,
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
