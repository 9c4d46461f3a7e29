"""The queue manager: one tick over a queue recovers, admits and answers.

A tick may be killed anywhere; docs/states.md says what each cut leaves and the next
tick begins by mending it. One tick runs at a time: who finds another at work goes
home, since that one looks once more after it let go.
"""

from __future__ import annotations

import os
import time

from cit import admission, answers, files, held, locks, people, trace
from cit.errors import DENIED, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.answers import Answer
    from cit.name import Name
    from cit.queue import Queue

STALE = 3600  # seconds after which a dot file is what a cut left behind


def tick(queue: Queue) -> int:
    """Recover, admit, answer; how many jobs were admitted. Raises Failure(DENIED)."""
    if not queue.mine:
        owner = people.user(queue.owner)
        raise Failure(DENIED, f"queue '{queue.path}' belongs to {owner}, whose cron runs its ticks")
    files.touch(os.path.join(queue.path, "log", "tick"))
    admitted = 0
    while queue.locks.hold(locks.MANAGER):
        try:
            recover(queue)
            admitted += admission.admit(queue)
            answer(queue)
            left = _asked(queue)
        finally:
            queue.locks.release(locks.MANAGER)
        # What came since then found this tick at work and went home.
        if _asked(queue) <= left:
            break
    return admitted


def _asked(queue: Queue) -> set[str]:
    """What lies in the drop boxes: after a tick, what others have to do, or came since."""
    return admission.waiting(queue) | set(queue.directory("answers").names())


def pause(queue: Queue, reason: str) -> None:
    """Start no job from now on. Where the queue is paused already, the first one stands."""
    record = trace.Record(trace.stamp(time.time()), "pause", "-", (people.who(), reason))
    try:
        queue.directory(".").publish("paused", trace.render(record), 0o644)
    except FileExistsError:
        return
    queue.note("pause", "-", reason)


def resume(queue: Queue, reason: str) -> None:
    """End a pause."""
    if queue.paused:
        queue.note("resume", "-", reason)
        queue.directory(".").remove("paused")


def recover(queue: Queue) -> None:
    """Finish what a cut left between two steps and nobody holds now.

    A job without a result is not touched: a runner claims it again.
    """
    for found in queue.names("run"):
        if _finished(queue, found):
            hold = held.take(queue, found)
            if hold:
                with hold:
                    hold.settle()
    for state in (".", "in", "answers", "wait", "hold", "park", "run", "bad"):
        _sweep(queue.directory(state))


def answer(queue: Queue) -> None:
    """Do what people ask of jobs that nobody runs; what a runner holds, it answers itself."""
    for asked in answers.pending(queue):
        found = queue.now(asked.id)
        if found is None or found.state == "bad":
            queue.note("refuse", asked.id, f"{asked.kind}: no such job", people.who(asked.uid))
            queue.directory("answers").remove(asked.file)
        elif found.state != "in" and (found.state != "run" or _finished(queue, found)):
            hold = held.take(queue, found)
            if hold:
                with hold:
                    _act(queue, hold, asked)
                queue.directory("answers").remove(asked.file)


def _act(queue: Queue, hold: held.Held, asked: Answer) -> None:
    """Write an answer down and do it; where a cut came between the two, only do it."""
    job = hold.read()
    if not answers.repeated(job, asked):
        refused = answers.refusal(queue, asked, job)
        if job.status and asked.kind != "note":
            refused = refused or "it has ended"
        if refused:
            who = people.who(asked.uid)
            queue.note("refuse", asked.id, f"cannot {asked.kind}: {refused}", who)
            return
        hold.record(asked.kind, asked.run, *answers.fields(asked))
        if job.status:
            hold.seal()
            return
    if hold.settle():
        return
    if asked.kind == "stop":
        hold.finish("cancelled", 130)
        return
    hold.sync()
    goal = {"hold": "hold", "release": "wait"}.get(asked.kind)
    if goal and hold.name.state in ("wait", "hold") and hold.name.state != goal:
        hold.move(goal)


def _finished(queue: Queue, found: Name) -> bool:
    try:
        return bool(queue.tail(found).status)
    except FileNotFoundError:
        return False  # its runner has just moved it


def _sweep(directory: files.Directory) -> None:
    now = time.time()
    for file in os.listdir(directory.path):
        if file.startswith("."):
            try:
                status = os.lstat(os.path.join(directory.path, file))
                if now - status.st_mtime > STALE:
                    directory.remove(file)
            except OSError:
                pass  # gone by now; or a directory that somebody made: in nobody's way


def busy(queue: Queue) -> bool:
    """Whether a runner could find something to do: waiting jobs, or some that lost theirs."""
    if queue.paused:
        return False
    if any(file.endswith(".job") for file in os.listdir(queue.directory("wait").path)):
        return True
    return any(not queue.locks.held(found.number) for found in queue.names("run"))
