"""Start a stored program as another job, in the name of a job that runs.

The id is written down before the new job is published. So a runner that goes on after a
crash publishes the same job once more, which changes nothing where it is there already.
"""

from __future__ import annotations

import time

from cit import asked, people, request, trace
from cit.errors import MISSING, Failure
from cit.files import patiently
from cit.wants import Outcome

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
    try:
        version = int(noted[2]) if noted else want.version
        program = programs.find(queue, want.program, version)
    except Failure as failure:
        return Outcome("nostart", 127 if failure.code == MISSING else 126, reason=str(failure))
    if noted:
        id = noted[0]
    else:
        limit = queue.setting("spawn")
        assert isinstance(limit, int)
        if recent(queue, time.time()) >= limit:
            why = f"{limit} programs were spawned in this queue within a minute"
            return Outcome("limited", 122, reason=why)
        id = request.Ids().next()
    origin = {"kind": "spawn", "job": hold.name.id, "run": want.run}
    job = programs.request(queue, program, id, origin, {})
    kinds = {kind for kind, _ in asked.isolations(job)}
    if "none" in kinds and queue.setting("none") != "all" and who != people.who(queue.owner):
        why = f"program '{program.name}' runs unisolated, and {who} may not (none in queue.toml)"
        return Outcome("nostart", 126, reason=why)
    if not noted:
        hold.record("spawn", want.run, id, program.name, str(program.version))
        patiently(hold.sync)
        patiently(lambda: queue.note("spawn", id, f"{program.name} by {hold.name.id}", who))
    _publish(queue, job)
    return id


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

    patiently(lambda: send.send(queue, job, fresh=False))
