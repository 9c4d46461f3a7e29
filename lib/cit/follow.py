"""Wait for the end of a job."""

from __future__ import annotations

import time

from cit.errors import MISSING, NO, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.queue import Queue

FIRST, LAST = 0.01, 0.5  # seconds between two looks: soon at first, then seldom


def wait(queue: Queue, id: str) -> int:
    """The job's code, once it has one; NO where the queue refused it.

    Raises Failure(MISSING) where the job is gone or may not be seen.
    """
    pause = FIRST
    while True:
        found = queue.now(id)
        if found is not None and found.state == "done":
            return int(queue.tail(found).code or NO)
        if found is None:
            refused = [name for name in queue.names("bad", id)]
            if refused or any(id in file for file in queue.directory("bad").names()):
                raise Failure(NO, f"job '{id}' was refused: cit why {id}")
            raise Failure(MISSING, f"job '{id}' is not to be seen here any more")
        time.sleep(pause)
        pause = min(pause * 2, LAST)
