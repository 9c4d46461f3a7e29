"""Why a job is not running, or what became of it: one sentence, and what backs it."""

from __future__ import annotations

import os

from cit import (
    blame,
    job,
    locate,
    locks,
    logs,
    pending,
    people,
    plan,
    progress,
    row,
    sight,
    stints,
    trace,
)
from cit.amount import human_duration
from cit.errors import Failure
from cit.job import column
from cit.name import BEFORE_STAGE
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NamedTuple

    from cit.job import Job
    from cit.name import Name
    from cit.named import Names
    from cit.printed import Block
    from cit.sight import Seen
    from cit.trace import Record

    Detail = tuple[str, ...]  # what it is, then columns

    class Reason(NamedTuple):
        sentence: str
        details: list[Detail]

    Machine = Callable[[list[str]], plan.Machine]
else:
    from collections import namedtuple

    Reason = namedtuple("Reason", "sentence details")

SOME = 5  # jobs that are named of those before it, or at work
RECENT = 90  # seconds: a tick that cron starts has come by within
TICK = "'cit-queue tick'"  # what takes jobs out of the drop box, as its reader can call it


def why(seen: Seen, now: float, machine: Machine) -> Reason:
    """Why a job is where it is. `machine` says what this machine has of some tools."""
    found, queue = seen.name, seen.queue
    if queue is None or found.state in (sight.HIDDEN, sight.GONE):
        return _out_of_sight(seen)
    if found.state == "in":
        return _dropped(queue, now)
    if found.state == "bad":
        return Reason(f"was refused: {row.refusal(queue, found)}", [("file", queue.file(found))])
    records = queue.records(found)
    told = job.fold(records)
    if found.state == "wait":
        return _waiting(queue, found, told, now, machine)
    if found.state == "run" and not told.status:
        return _running(queue, found, told, now)
    if found.state in ("hold", "park"):
        return _laid_by(queue, found, told, now)
    return _ended(queue, found, told, records, now)


def idle(seen: Seen, now: float, machine: Machine) -> str:
    """The sentence of why() where a job does not go on; "" where it does, or has ended."""
    if seen.name.state in ("done", "bad"):
        return ""
    sentence, details = why(seen, now, machine)
    if not sentence.startswith("is running"):
        return sentence
    waits = "; ".join(detail[1] for detail in details if detail[0] == "waits")
    return f"is running: {waits}" if waits else ""


def _out_of_sight(seen: Seen) -> Reason:
    path, state = seen.path, seen.name.state
    if state == sight.OUTBOX:
        try:
            Queue(path)
        except Failure as failure:
            return Reason(
                f"is in your outbox: its queue is away: {failure}",
                [("queue", path), ("do", "cit-push --flush", "when it is back")],
            )
        return Reason(
            "is in your outbox: its queue was away when it was pushed, and is back",
            [("queue", path), ("do", "cit-push --flush", "sends it")],
        )
    if state == sight.AWAY:
        return Reason("was pushed, and its queue is away now", [("queue", path)])
    if state == sight.HIDDEN:
        owner = people.user(seen.queue.owner) if seen.queue else "its owner"
        return Reason(f"was accepted; {owner} lets nobody look into the queue", [("queue", path)])
    return Reason("is not in the queue any more: it had ended, and was pruned", [("queue", path)])


# --- before it runs --------------------------------------------------------------------------


def _dropped(queue: Queue, now: float) -> Reason:
    ticked = queue.ticked
    if ticked and now - ticked < RECENT:
        # Whether it comes again is not known: somebody may have called it by hand.
        came = f"was here {_passed(now - ticked)} ago"
    else:
        came = f"has not been here {f'for {_passed(now - ticked)}' if ticked else 'yet'}"
    return Reason(f"lies in the drop box: {TICK} {came}", _serve(queue))


def _waiting(queue: Queue, found: Name, told: Job, now: float, machine: Machine) -> Reason:
    paused = queue.paused
    before, first = _before(queue, found)
    if paused:
        said = _by(column(paused, 0), paused.time, column(paused, 1), now)
        resume = ("do", "cit-queue resume", queue.path)
        return Reason(f"waits: the queue is paused {said}", [resume])
    if told.stop:
        said = _by(column(told.stop, 0), told.stop.time, column(told.stop, 1), now)
        return Reason(f"was stopped {said}: the next runner ends it", _serve(queue))
    never = row.never(queue.head(found)[0], machine)
    if never:
        return Reason(f"can never run here: it {never}", [("machine", os.uname().nodename)])
    running = [_at_work(queue, other, now) for other in queue.names("run")]
    behind = f"{before or 'no'} job{'s are' if before != 1 else ' is'} before it"
    taken = _taken(queue, len(running))
    if taken >= queue.slots:
        slots = "the only slot is" if queue.slots == 1 else f"all {queue.slots} slots are"
        return Reason(f"waits: {slots} taken, and {behind}", running[: queue.slots + SOME] + first)
    if not taken and queue.mine:
        also = f", and {behind}" if before else ""
        how = sight.served(queue)
        if how:
            return Reason(f"waits: {how} serves this queue, and starts a runner{also}", first)
        return Reason(f"waits: no runner serves this queue now{also}", _serve(queue) + first)
    if before:
        return Reason(f"waits: {behind}", running[:SOME] + first)
    return Reason("waits: it is next, and a slot is free", running[:SOME])


def _before(queue: Queue, found: Name) -> tuple[int, list[Detail]]:
    """How many jobs are before it, and the first of them."""
    ahead = [other for other in queue.names("wait") if (other.priority, other.number)
             < (found.priority, found.number)]  # fmt: skip
    lines: list[Detail] = [("before", other.id, other.name) for other in ahead[:SOME]]
    if len(ahead) > SOME:
        lines.append(("before", f"and {len(ahead) - SOME} more"))
    return len(ahead), lines


def _taken(queue: Queue, running: int) -> int:
    """How many slots are taken; who may not see the locks judges by the jobs in `run/`."""
    slots = [sight.held(queue, locks.SLOTS + slot) for slot in range(queue.slots)]
    return running if None in slots else slots.count(True)


def _at_work(queue: Queue, other: Name, now: float) -> Detail:
    try:
        told = queue.tail(other)
        told = told if told.claimed else job.fold(trace.only(queue.head(other)[1], "claim"))
    except (Failure, FileNotFoundError):
        return ("running", other.id, other.name)
    took = _passed(now - trace.seconds(told.claimed)) if told.claimed else "0s"
    return ("running", other.id, other.name, f"for {took}", f"on {told.host}" if told.host else "")


def _laid_by(queue: Queue, found: Name, told: Job, now: float) -> Reason:
    waits = pending.sentences(queue, found, told, now)
    if told.withheld(now) or found.state == "hold":
        waits = waits[1:] if told.withheld(now) else waits
        does = [("do", "cit-hold --release", found.id), *(("waits", f"it {w}") for w in waits)]
        return Reason(_held(told.hold, now), does)
    return Reason(f"is parked, without a slot: it {'; it '.join(waits) or pending.due(found)}", [])


def _held(hold: Record | None, now: float) -> str:
    if hold is None:
        return "is held"
    until = f"until {column(hold, 3)} " if column(hold, 3) else ""
    return f"is held {until}{_by(column(hold, 0), hold.time, column(hold, 1), now)}"


# --- while it runs, and after ----------------------------------------------------------------


def _running(queue: Queue, found: Name, told: Job, now: float) -> Reason:
    where: list[Detail] = []
    if told.claimed:
        worker = f"on {told.host}", f"pid {told.pid}", f"attempt {told.attempt}"
        where = [("claimed", told.claimed, *worker)]
    there = sight.at_work(queue, found, told.host)
    if there is False:
        said = "lost its runner: the next cit-run goes on with it"
        return Reason(said, [*where, *_serve(queue)])
    if not told.claimed:
        return Reason("is being claimed", [])
    took = [_passed(now - trace.seconds(run.began)) for run in told.open]
    at = progress.steps(told.open, took, _names(queue, found))
    at = f": {at}" if at else ""
    asks = [("waits", f"it {pending.asks(found, question)}") for question in told.asks.values()]
    if told.withheld(now):
        said = f"{_held(told.hold, now)}, and begins no further step{at}"
        return Reason(said, [*where, *asks])
    if there is None:
        old = _passed(sight.silent(queue, found, now))
        said = f"is running, {row.UNSURE}{at}; its last record is {old} old"
        return Reason(said, [*where, *asks])
    return Reason(f"is running{at}", [*where, *asks])


def _ended(queue: Queue, found: Name, told: Job, records: list[Record], now: float) -> Reason:
    parts = [f"ended {told.status} {_ago(told.finished, now)}" if told.finished else "ended"]
    more = row.ending(told, _names(queue, found))
    if more:
        parts[0] += f" ({more})"
    worked = stints.stints(records)
    if worked:
        ran = stints.worked(told, lambda: records) or 0
        parts.append(_ran(ran, stints.gaps(worked, cut=True), stints.gaps(worked, cut=False)))
    parts.append(_waited(told, worked[0].began if worked else told.finished))
    details = _blame(queue, found, told)
    for each in told.allowed[:SOME]:
        whole = f"{found.id}{BEFORE_STAGE}{each}"
        details += [("allowed", each), ("do", "cit-logs", _typed(whole))]
    return Reason("; ".join(filter(None, parts)), details)


def _ran(ran: float, cut: float, aside: float) -> str:
    """For how long runners worked on it, had lost it, and had left it on purpose."""
    said = [f"it ran for {human_duration(ran)}"]
    said += [f"was cut off for {human_duration(cut)}"] if cut else []
    said += [f"lay aside for {human_duration(aside)}"] if aside >= 1 else []
    return ", and ".join([", ".join(said[:-1]), said[-1]] if said[1:] else said)


def _waited(told: Job, until: str) -> str:
    """How long it waited before it ran, and for what."""
    if not told.pushed or not until:
        return ""
    total = trace.seconds(until) - trace.seconds(told.pushed)
    parts = []
    line = total
    if told.admitted:
        drop = trace.seconds(told.admitted) - trace.seconds(told.pushed)
        parts.append((drop, f"for {TICK}"))
        line -= drop
    since, who = "", ""
    for act in told.acts:
        if act.time > until:
            break
        if act.kind == "hold":
            since, who = act.time, column(act, 0)
        elif since:
            held = trace.seconds(act.time) - trace.seconds(since)
            parts.append((held, f"held by {who}"))
            line, since = line - held, ""
    parts.append((line, "in line"))
    shown = [f"{human_duration(part)} {what}" for part, what in parts if part >= 0.001]
    return f"it had waited {human_duration(max(total, 0))}: {', '.join(shown)}" if shown else ""


def _blame(queue: Queue, found: Name, told: Job) -> list[Detail]:
    """The innermost run to which the job owes how it ended, and what the runner said.

    Where only a run was stopped it is that one, as it was named.
    """
    stop = row.stop(told)
    if told.status == "ok":
        return []
    if told.status == "cancelled" and (stop is None or stop.run == "-"):
        return []
    runs = told.runs
    worst = runs.get(stop.run) if stop else blame.culprit(list(runs.values()), told.status)
    details: list[Detail] = []
    name = _names(queue, found).alone(worst.path) if worst else ""
    if worst:
        more = [name] if name != worst.path else []
        details.append(("run", worst.path, worst.step, worst.status, worst.code, *more))
    at = f"{worst.path}." if worst else ""

    def said(block: Block) -> bool:
        # What was said of others, such as those that were taken over, explains nothing.
        run = block.run.decode(errors="replace")
        return block.stream == b"cit" and (run == "-" or not at or at.startswith(f"{run}."))

    with logs.Log(queue, found) as log:
        # Whoever prints megabytes after it has buried it.
        for block in log.last(1, said, pieces=2):
            text = trace.unescape_bytes(block.text).decode(errors="replace")
            details.append(("cit", text))
    if worst:
        named = name != worst.path
        whole = f"{found.id}{BEFORE_STAGE if named else '.'}{name}"
        details.append(("do", "cit-logs", _typed(whole)))
        if not worst.path.startswith("0"):  # what it needs is looked for again in any case
            begin = f"{BEFORE_STAGE}{name}" if named and locate.path(name) else name
            details.append(("do", _typed("cit-push", "--again", found.id, "--from", begin)))
    return details


def _names(queue: Queue, found: Name) -> Names:
    """What the runs of a job are called."""
    from cit import named  # reads the program

    return named.Names(lambda: (queue.head(found)[0], queue.records(found)))


def _typed(*words: str) -> str:
    import shlex

    return shlex.join(words)


# --- words -----------------------------------------------------------------------------------


def _by(who: str, since: str, reason: str, now: float) -> str:
    return f"by {who}, {_ago(since, now)}" + (f": {reason}" if reason else "")


def _passed(seconds: float) -> str:
    """Whole seconds, but of what has only begun."""
    return human_duration(int(seconds) if seconds >= 1 else max(seconds, 0))


def _ago(stamp: str, now: float) -> str:
    passed = int(now - trace.seconds(stamp))
    return f"{human_duration(passed)} ago" if passed > 0 else "just now"


def _serve(queue: Queue) -> list[Detail]:
    """What would make somebody serve the queue, where nobody does."""
    how = sight.served(queue)
    if how:
        return [("served", f"by {how}")]
    if not queue.mine:
        return [("owner", people.user(queue.owner)), ("queue", queue.path)]
    import shlex
    import sys

    programs = os.path.dirname(os.path.realpath(sys.argv[0]))
    tick = shlex.join([os.path.join(programs, "cit-queue"), "tick", queue.path])
    run = shlex.join([os.path.join(programs, "cit-run"), "--queue", queue.path])
    line = f"* * * * * {tick} && {run}".replace("%", r"\%")
    return [("now", f"{tick} && {run}"), ("crontab", line)]
