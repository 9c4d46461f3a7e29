"""Wait for the end of a job, also in the queue of another user."""

from __future__ import annotations

import time

from cit import people, sight
from cit.errors import AWAY, DENIED, MISSING, NO, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cit.queue import Queue

    Tell = Callable[[Queue, str, str], None]

FIRST, LAST = 0.01, 0.5  # seconds between two looks: soon at first, then seldom


def wait(queue: Queue, id: str, called: str, tell: Tell | None = None) -> int:
    """The job's code, once it has one; NO where the queue refused it.

    `tell` is called with the job as long as it is waited for, a few times a second.

    Raises Failure(MISSING) where the job is gone, DENIED where it may not be seen, AWAY where
    its queue is not there any more.
    """
    pause, missed = FIRST, False
    while True:
        [seen] = sight.pushed(queue.path, {id: called})
        state = seen.name.state
        if state == "done":
            return int(queue.tail(seen.name).code or NO)
        if state == "bad":
            raise Failure(NO, f"job '{id}' was refused: cit why {id}")
        if state == sight.HIDDEN:
            # Every later look would tell the same: there is nothing to wait for.
            owner = people.user(queue.owner)
            why = f"{owner} lets nobody look into the queue '{queue.path}'"
            raise Failure(DENIED, f"cannot wait for job '{id}', which was pushed: {why}")
        if state == sight.AWAY:
            raise Failure(AWAY, f"cannot wait for job '{id}': queue '{queue.path}' is away")
        if state == sight.GONE and missed:
            raise Failure(MISSING, f"job '{id}' is not to be seen here any more")
        # It may have left the drop box just now, after a look at where it went.
        missed = state == sight.GONE
        if tell:
            tell(queue, id, called)
        time.sleep(pause)
        pause = min(pause * 2, LAST)
