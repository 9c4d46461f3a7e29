"""Serve a queue until interrupted: what changes is reacted to at once, the rest by the clock.

This process only watches, ticks and starts runners; a runner is a process of its own,
so one that dies takes nothing with it. Notices of changes may be lost, so it looks
again every minute, as cron would.
"""

from __future__ import annotations

import os
import sys
import time

from cit import locks, manager, start
from cit.queue import Queue
from cit.send import PASSING
from cit.watch import Watch

RESCAN = 60.0  # seconds
PAUSE = 1.0  # seconds after a failure, before changes are looked for again


def serve(queue: Queue, slots: int | None) -> None:
    """Until interrupted. Raises Failure where the queue is not ours."""
    runners: set[int] = set()
    paths = [queue.directory(state).path for state in ("in", "answers", "wait", "run")]
    with Watch(*paths) as changes:
        while True:
            try:
                manager.tick(queue)
                if _free(queue, slots or queue.slots) and manager.busy(queue):
                    number = ["-j", str(slots)] if slots else []
                    runners.add(start.command(queue, "run", *number))
            except OSError as error:
                # A full disk passes; what is started once, at boot, has to outlive it.
                if error.errno not in PASSING:
                    raise
                reason = os.strerror(error.errno or 0).lower()
                sys.stderr.write(f"cit-run: cannot serve '{queue.path}' now: {reason}\n")
                time.sleep(PAUSE)
            changes.wait(RESCAN)
            runners = {pid for pid in runners if os.waitpid(pid, os.WNOHANG)[0] == 0}


def _free(queue: Queue, slots: int) -> bool:
    return not all(queue.locks.held(locks.SLOTS + slot) for slot in range(slots))
