"""Ask something of jobs, and have it done at once where the queue is ours."""

from __future__ import annotations

import os

from cit import answers, config, manager, start
from cit.errors import DENIED, MISSING, NO, Failure
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.name import Name


def each(option: str | None, queries: list[str], kind: str, text: str) -> None:
    """Ask the same of each job. Raises Failure before anything is asked of a job unknown."""
    queue = Queue(os.path.abspath(option) if option else config.queue())
    found = [queue.find(query) for query in queries]
    for job in found:
        _check(queue, job, kind)
    for job in found:
        answers.send(queue, job, kind, text)
    if queue.mine:
        manager.tick(queue)
        if start.wanted(queue) and manager.busy(queue):
            start.command(queue, "run")


def _check(queue: Queue, job: Name, kind: str) -> None:
    if job.state == "bad":
        raise Failure(MISSING, f"job '{job.id}' was refused and is none")
    if kind != "note" and job.state == "done":
        raise Failure(NO, f"cannot {kind} job '{job.id}': it has ended")
    if queue.mine:
        return
    if not os.access(os.path.join(queue.path, "answers"), os.W_OK | os.X_OK):
        raise Failure(DENIED, f"cannot {kind} job '{job.id}': permission denied")
