"""Wish something of jobs, and have it done at once where the queue is ours."""

from __future__ import annotations

import hashlib
import os
import time

from cit import home, locate, manager, people, sight, wishes
from cit.errors import AWAY, DENIED, MISSING, NO, USAGE, Failure
from cit.name import BEFORE_STAGE, Name
from cit.wishes import Wish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    from cit.job import Job, Question
    from cit.queue import Queue
    from cit.sight import Seen

    class Posed(NamedTuple):
        """A question as this user sees it."""

        queue: Queue
        name: Name
        run: str  # "" where none is named and none is open
        job: Job | None  # None where he may not read it
        question: Question | None
        sha256: str  # of what the job asks; "" where he cannot know it
else:
    from collections import namedtuple

    Posed = namedtuple("Posed", "queue name run job question sha256")


def each(
    option: str | None, queries: list[str], kind: str, text: str, more: tuple[str, ...] = ()
) -> None:
    """Ask the same of each job, `stop` also of JOB.RUN.

    Raises Failure before anything is asked, of a job unknown say.
    """
    queues = {}
    for seen, run in [_find(query, option, kind) for query in queries]:
        if seen.queue is None:
            _take_back(seen)
            continue
        wishes.send(seen.queue, seen.name, kind, text, run or "-", more)
        queues[seen.path] = seen.queue
    for queue in queues.values():
        _at_once(queue)


def question(word: str, option: str | None) -> Posed:
    """What JOB.RUN asks, or JOB, or what is below that run, where that is one. Raises Failure."""
    seen, run = locate.run(word, option)
    found, queue = seen.name, seen.queue
    if queue is None:
        raise Failure(AWAY, f"cannot answer job '{found.id}': queue '{seen.path}' is away")
    _check(queue, found, "answer")
    if queue.mine and wishes.pending(queue, found.id):
        _at_once(queue)  # another's answer came first: this one is not to be sent and refused
    job = _told(queue, found)
    if job is None:
        sums = [receipt.sha256 for receipt in home.receipts() if receipt.id == found.id]
        return Posed(queue, found, run, None, None, sums[-1] if sums else "")
    if run not in job.asks:
        asks = [each for each in job.asks if not run or each.startswith(f"{run}.")]
        if len(asks) > 1:
            several = " ".join(f"{found.id}.{each}" for each in asks)
            raise Failure(NO, f"job '{found.id}' asks several things: {several}")
        run = asks[0] if asks else run
    asked = queue.head(queue.now(found.id) or found)[0]
    return Posed(queue, found, run, job, job.asks.get(run), hashlib.sha256(asked).hexdigest())


def answer(posed: Posed, value: str, reason: str) -> None:
    """Answer a question. Raises Failure where that is known to be refused, which is recorded."""
    queue, found, run = posed.queue, posed.name, posed.run or "-"
    if posed.question:
        words = wishes.VALUES.get(posed.question.verb, {})
        value = words.get(value.lower(), value)
        unfit = wishes.unfit(posed.question, value)
        if unfit:
            raise Failure(USAGE, unfit)
    if posed.job:
        now, more = time.time(), (value, posed.sha256)
        wish = Wish("", found.id, "answer", run, reason, os.geteuid(), "", more, now)
        stranger = wishes.stranger(queue, wish, posed.job)
        refused = stranger or wishes.moot(wish, posed.job, now) or _first(posed)
        if refused:
            _refuse(queue, wish, refused)
            if not (stranger or posed.question):
                refused = wishes.answered(posed.job, run, now)
            code = DENIED if stranger else NO
            raise Failure(code, f"cannot answer job '{found.id}': {refused}")
    elif not posed.sha256 or not posed.run:
        raise Failure(DENIED, f"cannot answer job '{found.id}': it is not yours to read")
    elif _first(posed):
        raise Failure(NO, f"cannot answer job '{found.id}': {_first(posed)}")
    wishes.send(queue, found, "answer", reason, run, (value, posed.sha256))
    if not queue.mine:
        wishes.mark(queue, found, run)  # until the next tick the trace tells nobody
    _at_once(queue)


def _first(posed: Posed) -> str:
    """Who has answered before us, and was not heard yet; "" where nobody who may is known to."""
    uid = wishes.marked(posed.queue, posed.name, posed.run)
    if uid is None:
        return ""
    wish = Wish("", posed.name.id, "answer", posed.run, "", uid, "")
    if posed.job:
        may = not wishes.stranger(posed.queue, wish, posed.job)
    else:
        may = uid in (os.geteuid(), posed.queue.owner)  # of others we cannot know
    return f"{people.who(uid)} has answered it" if may else ""


def _refuse(queue: Queue, wish: Wish, why: str) -> None:
    """Have it written down that this was asked."""
    if queue.mine:
        queue.note("refuse", wish.id, f"cannot answer: {why}")
        return
    nobody = Name("", "", wish.id, "")
    # Without the sum of the job it is refused there as well.
    wishes.send(queue, nobody, "answer", wish.text, wish.run, (wish.more[0], ""))


def _at_once(queue: Queue) -> None:
    if queue.mine:
        manager.tend(queue)


def _find(query: str, option: str | None, kind: str) -> tuple[Seen, str]:
    seen, run = locate.run(query, option) if kind == "stop" else (sight.find(query, option), "")
    if seen.queue is not None:
        _check(seen.queue, seen.name, kind)
        job = _told(seen.queue, seen.name) if run or not seen.queue.mine else None
        wish = Wish("", seen.name.id, kind, run, "", os.geteuid(), "")
        # In the drop box no trace says yet who pushed it; who serves the queue will know.
        stranger = wishes.stranger(seen.queue, wish, job) if job and job.who else ""
        if stranger:
            # Whoever serves the queue writes down that it was asked.
            wishes.send(seen.queue, seen.name, kind, "", run or "-")
            raise Failure(DENIED, f"cannot {kind} job '{seen.name.id}': {stranger}")
        refused = wishes.moot(wish, job, time.time()) if job and run else ""
        if job and refused and run not in job.runs:
            refused = _unbegun(query) or refused
        if refused:
            raise Failure(NO, f"cannot {kind} run {run} of job '{seen.name.id}': {refused}")
        if kind == "release" and _free(seen.queue, seen.name):
            raise Failure(NO, f"cannot release job '{seen.name.id}': it is not held")
    elif kind != "stop" or run or seen.name.state != sight.OUTBOX:
        raise Failure(AWAY, f"cannot {kind} job '{seen.name.id}': queue '{seen.path}' is away")
    return seen, run


def _unbegun(query: str) -> str:
    """That what was asked for by its name has not begun; "" where it was asked for by its path."""
    _, colon, stage = query.partition(BEFORE_STAGE)
    if not colon:
        return ""
    from cit import named, wording  # it was read already

    return f"{named.kind(stage)} '{wording.short(stage)}' has not begun"


def _free(queue: Queue, found: Name) -> bool:
    """Whether a job is held by nobody, as far as we know: others cannot see what was asked.

    What is laid by may always be let go on: it lies down again for what it still waits for.
    """
    if not queue.mine or wishes.pending(queue, found.id):
        return False
    job = _told(queue, found)
    now = queue.now(found.id) or found
    laid = now.state in ("hold", "park")
    return job is not None and not laid and not job.withheld(time.time())


def _told(queue: Queue, found: Name) -> Job | None:
    """What its trace says; None where that is not for us to read."""
    try:
        return queue.job(queue.now(found.id) or found)
    except (Failure, FileNotFoundError):
        return None


def _take_back(seen: Seen) -> None:
    from cit import send

    send.take_back(seen.name, seen.path)


def _check(queue: Queue, job: Name, kind: str) -> None:
    if job.state == "bad":
        raise Failure(MISSING, f"job '{job.id}' was refused and is none")
    if kind not in ("note", "answer") and job.state == "done":
        raise Failure(NO, f"cannot {kind} job '{job.id}': it has ended")
    if queue.mine:
        return
    if not os.access(os.path.join(queue.path, "answers"), os.W_OK | os.X_OK):
        raise Failure(DENIED, f"cannot {kind} job '{job.id}': permission denied")
