"""What a job that has begun waits for, in words: an answer, an instant, another job, a person."""

from __future__ import annotations

from cit import name, others, trace
from cit.errors import Failure
from cit.job import column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.job import Job, Question
    from cit.name import Name
    from cit.queue import Queue

SHOWN = 60  # characters of a comment
PAUSE = ".pause"
_SLEEPS = {
    "check": "checks again at {}: not there yet",
    "retry": "tries again at {}",
    "wait": "waits until {}",
}


def told(queue: Queue, found: Name) -> Job:
    """What the end of a laid-by job says, or all of it where that does not tell what it awaits."""
    job = queue.tail(found)
    return job if job.parked and (job.asks or job.waits or job.parked.awaits) else queue.job(found)


def sentences(queue: Queue, found: Name, job: Job, now: float) -> list[str]:
    """A sentence without its subject for each thing; what a person withholds comes first."""
    said = [held(job)] if job.withheld(now) else []
    said += [asks(found, question) for question in job.asks.values()]
    said += [
        _SLEEPS.get(_step(queue, found, job, run), "pauses until {}").format(instant)
        for run, instant in job.waits.items() if _sleeps(job, run)
    ]  # fmt: skip
    if job.parked:
        said += [awaits(queue, what, called, found) for what, called in job.parked.awaits]
        if job.parked.awaits and job.parked.until:
            said[-1] += f", until {job.parked.until}"
    return said


def _step(queue: Queue, found: Name, job: Job, run: str) -> str:
    """The step that waits; "" where it is not known."""
    by = run
    if run.endswith(PAUSE):
        # Between two attempts, or looks, of the run that has these below it: BY.BODY.2.pause.
        by = run.removesuffix(PAUSE).rpartition(".")[0].rpartition(".")[0]
    known = job.runs.get(by)
    if known or by == run:
        return known.step if known else ""
    # It may have begun a thousand attempts ago: where it begins a trace, so at its beginning.
    begun = trace.only(queue.head(found)[1], "begin")
    return next((column(record, 0) for record in begun if record.run == by), "")


def _sleeps(job: Job, run: str) -> bool:
    """Whether a run waits for its instant, and for nothing that may come before."""
    if run in job.awaiting:
        return False
    known = job.runs.get(run)
    if known:
        return known.step != "await"
    # Earlier versions did not write down with each wait what it is for.
    told = bool(job.awaiting) or not (job.parked and job.parked.awaits)
    return bool(job.waits[run]) and told


def held(job: Job) -> str:
    """`held by alice until ...: why`."""
    hold = job.hold
    if hold is None:
        return ""
    until, why = column(hold, 3), column(hold, 1)
    text = f"held by {column(hold, 0)}"
    return text + (f" until {until}" if until else "") + (f": {why}" if why else "")


def asks(found: Name, question: Question) -> str:
    """`asks 'deploy?' (cit-answer ID.1.2 yes|no), until ..., else no`."""
    values = "yes|no" if question.verb == "approve" else "VALUE"
    comment = question.comment
    shown = comment if len(comment) <= SHOWN else comment[:SHOWN] + "..."
    text = f"asks '{shown}' (cit-answer {found.id}.{question.run} {values})"
    if question.who:
        text += f", of {', '.join(question.who)}"
    if question.deadline:
        text += f", until {question.deadline}, else {question.default or 'nothing'}"
    return text


def awaits(queue: Queue, what: str, called: str, own: Name) -> str:
    """`awaits job build (01k..., run)`."""
    if what == "artefact":
        job, _, artefact = called.partition("/")
        return f"awaits artefact '{artefact}' of a job '{job}'"
    try:
        other = others.find(queue, what, called, own.id)
    except Failure:
        other = None
    if other is None:
        return f"awaits job {called}, which is not there yet"
    return f"awaits job {other.name} ({other.id}, {other.state})"


def due(found: Name) -> str:
    """What the name of a parked job says, for where nothing else does."""
    if found.due == name.FOR_ANSWER:
        return "waits for an answer"
    if found.due == name.FOR_OTHERS:
        return "waits for another job"
    return f"waits until {trace.stamp(found.due)}"
