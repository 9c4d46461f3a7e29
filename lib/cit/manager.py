"""The queue manager: one tick over a queue recovers, admits, answers and wakes.

A tick may be killed anywhere; docs/states.md says what each cut leaves and the next
tick begins by mending it. One tick runs at a time: who finds another at work goes
home, since that one looks once more after it let go.
"""

from __future__ import annotations

import os
import time

from cit import (
    admission,
    amount,
    expiry,
    files,
    held,
    locks,
    name,
    others,
    people,
    start,
    trace,
    wishes,
)
from cit.job import column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.job import Job, Parked
    from cit.name import Name
    from cit.others import Awaited
    from cit.queue import Queue
    from cit.wishes import Wish

STALE = 3600  # seconds after which a dot file is what a cut left behind
AHEAD = 60  # seconds: a file that was changed so much later than now tells of a clock set back


def tick(queue: Queue) -> int:
    """Recover, admit, answer, wake; how many jobs were admitted. Raises Failure(DENIED)."""
    queue.own(", whose cron runs its ticks")
    mark = os.path.join(queue.path, "log", "tick")
    files.touch(mark)
    admitted = 0
    while queue.locks.hold(locks.MANAGER):
        try:
            last = os.stat(mark).st_mtime_ns
            recover(queue)
            admitted += admission.admit(queue)
            answer(queue)
            expire(queue, time.time())
            wake(queue, time.time())
            left = dropped(queue)
        finally:
            queue.locks.release(locks.MANAGER)
        # What came since then found this tick at work and went home: somebody who dropped
        # something, or a runner whose job has just been laid by or ended.
        if dropped(queue) <= left and os.stat(mark).st_mtime_ns == last:
            break
    return admitted


def tend(queue: Queue) -> None:
    """A tick; and where no cron serves the queue, a runner in the background if it needs one."""
    tick(queue)
    if start.wanted(queue) and lingers(queue):
        start.command(queue, "run", "--linger")


def dropped(queue: Queue) -> set[str]:
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
        expiry.skip(queue)
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
    for wish in wishes.pending(queue):
        found = queue.now(wish.id)
        if found is None or found.state == "bad":
            queue.note("refuse", wish.id, f"{wish.kind}: no such job", people.who(wish.uid))
            queue.directory("answers").remove(wish.file)
        elif found.state != "in" and (found.state != "run" or _finished(queue, found)):
            hold = held.take(queue, found)
            if hold:
                with hold:
                    _act(queue, hold, wish, time.time())
                queue.directory("answers").remove(wish.file)


def _act(queue: Queue, hold: held.Held, wish: Wish, now: float) -> None:
    """Write a wish down and do it; where a cut came between the two, only do it."""
    job = hold.read()
    if not wishes.repeated(job, wish):
        refused = "it has ended" if job.status and wish.kind != "note" else ""
        refused = wishes.stranger(queue, wish, job) or refused or wishes.moot(wish, job, now)
        if refused:
            who = people.who(wish.uid)
            queue.note("refuse", wish.id, f"cannot {wish.kind}: {refused}", who)
            return
        hold.record(wish.kind, wish.run, *wishes.fields(wish))
        if job.status:
            hold.seal()
            return
    if hold.settle():
        return
    if wish.kind == "stop" and not job.claimed:
        hold.finish("cancelled", 130)
        return
    hold.sync()
    until = wishes.until(wish)
    if until:
        hold.move("park", -int(-until // 1))
    elif wish.kind == "hold" and hold.name.state != "hold":
        hold.move("hold")
    elif hold.name.state in ("hold", "park") and _goes_on(wish, job, now):
        hold.move("wait")


def _goes_on(wish: Wish, job: Job, now: float) -> bool:
    """Whether a job that is laid by goes on because of this.

    What has begun has something to put away, which only a runner can: it is stopped there.
    """
    return wish.kind in ("release", "stop") or (
        wish.kind == "answer" and not job.withheld(now)
    )


def wake(queue: Queue, now: float) -> None:
    """Let those parked jobs go on whose time has come, or who awaited what is over."""
    directory = queue.directory("park")
    goes_on: list[Name] = []
    awaiting: list[Name] = []
    for found in queue.names("park"):
        # Names alone decide for those that wait for a person, or for an instant.
        if found.due == name.FOR_ANSWER:
            continue
        if found.due <= now or _set_back(directory, found, now):
            goes_on.append(found)
        elif found.due == name.FOR_OTHERS:
            awaiting.append(found)
    for found in [*goes_on, *_done_waiting(queue, awaiting, now)]:
        hold = held.take(queue, found)
        if hold:
            with hold:
                if not hold.settle():
                    hold.move("wait")


def _set_back(directory: files.Directory, found: Name, now: float) -> bool:
    try:
        return os.stat(found.file, dir_fd=directory.fd).st_ctime > now + AHEAD
    except FileNotFoundError:
        return False


def _done_waiting(queue: Queue, awaiting: list[Name], now: float) -> list[Name]:
    """Those for which something of what they await is over, or their time."""
    goes_on: list[Name] = []
    wanted: dict[Name, set[Awaited]] = {}
    for found in awaiting:
        try:
            parked = _parked(queue, found)
        except FileNotFoundError:
            continue
        if parked is None or (parked.until and now >= trace.seconds(parked.until)):
            goes_on.append(found)
        else:
            wanted[found] = {_awaited(found, parked, *each) for each in parked.awaits}
    over = others.over(queue, set().union(*wanted.values())) if wanted else set()
    return [*goes_on, *(found for found, things in wanted.items() if things & over)]


def _awaited(found: Name, parked: Parked, what: str, called: str) -> Awaited:
    """Equal for all that await the same, so that one look is enough."""
    own = found.id if called in (found.id, found.name) else ""
    # What ended before had been looked at when it was parked.
    since = trace.seconds(parked.time) // 3600 * 3600 if what == "artefact" else 0.0
    return others.Awaited(what, called, own, since)


def _parked(queue: Queue, found: Name) -> Parked | None:
    return queue.tail(found).parked or queue.job(found).parked


def awaited(queue: Queue) -> bool:
    """Whether parked jobs await others, so that the end of a job is worth a tick."""
    lead = f"{name.FOR_OTHERS}-"
    return any(file.startswith(lead) for file in os.listdir(queue.directory("park").path))


def due(queue: Queue) -> float | None:
    """The next instant at which a parked job may go on; None where there is none."""
    laid = [n for n in queue.names("park") if n.due != name.FOR_ANSWER]
    instants = [float(found.due) for found in laid if found.due != name.FOR_OTHERS]
    for found in laid:
        if found.due == name.FOR_OTHERS:
            try:
                parked = _parked(queue, found)
            except FileNotFoundError:
                continue
            if parked and parked.until:
                instants.append(trace.seconds(parked.until))
    return min(instants, default=None)


def expire(queue: Queue, now: float) -> None:
    """End the jobs that nobody started in time."""
    for found in expiry.late(queue):
        hold = held.take(queue, found)
        if hold is None:
            continue
        with hold:
            job = hold.read()
            if hold.settle() or job.claimed:
                continue
            limit = expiry.limit(queue)
            # While it was held back nobody could start it.
            if any(now - trace.seconds(max(act.time, column(act, 3))) < limit for act in job.acts):
                continue
            text = f"nobody started it within {amount.human_duration(limit)}"
            hold.record("log", "-", "cit", text)
            hold.finish("expired", 121)


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


def lingers(queue: Queue) -> bool:
    """Whether somebody has to be there for the queue: a runner now, or at a later instant."""
    return busy(queue) or (not queue.locks.held(locks.LINGER) and due(queue) is not None)
