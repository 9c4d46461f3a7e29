"""Start a stored program as another job, in the name of a job that runs.

The id is written down before the new job is published. So a runner that goes on after a
crash publishes the same job once more, which changes nothing where it is there already.
"""

from __future__ import annotations

import time

from cit import asked, people, request, trace
from cit.errors import MISSING, Failure
from cit.files import patiently
from cit.wants import Outcome, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.held import Held
    from cit.queue import Queue
    from cit.wants import Spawn

PERIOD = 60.0  # seconds in which the spawned jobs of a queue are counted
TAIL = 256 << 10  # bytes of the day's log that are read for it: far more than the limit


def spawn(hold: Held, who: str, want: Spawn, noted: tuple[str, ...]) -> str | Outcome:
    """The id of the new job, or the Outcome of not having started it.

    `who` pushed the job that asks; `noted` are the columns of an earlier `spawn` record.
    """
    from cit import programs

    queue = hold.queue
    if noted and (queue.now(noted[0]) or noted[0] in queue.tombstones()):
        return noted[0]  # whatever became of the program since
    try:
        program = programs.find(queue, want.program, int(noted[2]) if noted else want.version)
        id = noted[0] if noted else request.Ids().next()
        who = _first(queue, hold, who)
        origin = {"kind": "spawn", "job": hold.name.id, "run": want.run, "who": who}
        job = programs.request(queue, program, id, origin, {})
    except Failure as failure:
        return ended("nostart", str(failure), 127 if failure.code == MISSING else 126)
    refused = _refused(queue, job, who, program.name)
    if refused:
        return refused
    if not noted:
        limit = queue.setting("spawn")
        assert isinstance(limit, int)
        if recent(queue, time.time()) >= limit:
            why = f"{limit} programs were spawned in this queue within a minute"
            return ended("limited", why)
        hold.record("spawn", want.run, id, program.name, str(program.version))
        patiently(hold.sync)
        patiently(lambda: queue.note("spawn", id, f"{program.name} by {hold.name.id}", who))
    _publish(queue, job)
    return id


def _first(queue: Queue, hold: Held, who: str) -> str:
    """In whose name a job spawns: of one that was spawned itself, whoever pushed the first.

    The queue's owner pushed that one, so that what it says of its origin is his word.
    """
    origin = asked.parse(hold.asked).job.get("origin", {})
    if origin.get("kind") == "spawn" and who == people.who(queue.owner):
        return str(origin.get("who", who))
    return who


def _refused(queue: Queue, job: asked.Asked, who: str, called: str) -> Outcome | None:
    """Why the one in whose name it is may not run it; the queue's owner makes the new job."""
    kinds = {kind for kind, _ in asked.isolations(job)}
    if "none" in kinds and queue.setting("none") != "all" and who != people.who(queue.owner):
        why = f"program '{called}' runs unisolated, and {who} may not (none in queue.toml)"
        return ended("nostart", why)
    return None


def recent(queue: Queue, now: float) -> int:
    """How many programs were spawned in this queue within the last minute."""
    since, count = trace.stamp(now - PERIOD), 0
    for day in sorted({trace.day(now - PERIOD), trace.day(now)}):
        for record in queue.noted(day, TAIL):
            # What lies ahead of us was written before the clock was set back: it counts.
            count += record.kind == "spawn" and record.time > since
    return count


def _publish(queue: Queue, job: asked.Asked) -> None:
    from cit import send

    def publish() -> None:
        try:
            send.send(queue, job, fresh=False)
        except send.Away as away:
            # A full disk is waited for, or what runs beside it would be lost for nothing.
            if isinstance(away.__cause__, OSError):
                raise away.__cause__ from None
            raise

    patiently(publish)
