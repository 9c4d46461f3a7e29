"""Ask something of jobs, and have it done at once where the queue is ours."""

from __future__ import annotations

import os

from cit import answers, manager, sight, start
from cit.errors import AWAY, DENIED, MISSING, NO, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.name import Name
    from cit.queue import Queue
    from cit.sight import Seen


def each(option: str | None, queries: list[str], kind: str, text: str) -> None:
    """Ask the same of each job. Raises Failure before anything is asked of a job unknown."""
    queues = {}
    for seen in [_find(query, option, kind) for query in queries]:
        if seen.queue is None:
            _take_back(seen)
            continue
        answers.send(seen.queue, seen.name, kind, text)
        queues[seen.path] = seen.queue
    for queue in queues.values():
        if queue.mine:
            manager.tick(queue)
            if start.wanted(queue) and manager.busy(queue):
                start.command(queue, "run")


def _find(query: str, option: str | None, kind: str) -> Seen:
    seen = sight.find(query, option)
    if seen.queue is not None:
        _check(seen.queue, seen.name, kind)
    elif kind != "stop" or seen.name.state != sight.OUTBOX:
        raise Failure(AWAY, f"cannot {kind} job '{seen.name.id}': queue '{seen.path}' is away")
    return seen


def _take_back(seen: Seen) -> None:
    from cit import send

    send.take_back(seen.name, seen.path)


def _check(queue: Queue, job: Name, kind: str) -> None:
    if job.state == "bad":
        raise Failure(MISSING, f"job '{job.id}' was refused and is none")
    if kind != "note" and job.state == "done":
        raise Failure(NO, f"cannot {kind} job '{job.id}': it has ended")
    if queue.mine:
        return
    if not os.access(os.path.join(queue.path, "answers"), os.W_OK | os.X_OK):
        raise Failure(DENIED, f"cannot {kind} job '{job.id}': permission denied")
