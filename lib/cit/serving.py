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
from cit.watch import INTERVAL, Watch

RESCAN = 60.0  # seconds
LAZY = 1.0  # seconds between two looks of who may be there for weeks
SOON = 0.05  # seconds: what is due in this instant may not be by the clock of the next
PAUSE = 1.0  # seconds after a failure, before changes are looked for again


def linger(queue: Queue, slots: int | None) -> None:
    """Serve for as long as parked jobs have a time at which they go on.

    Where no cron comes by, who started a runner would else wait in vain. One process does it
    for all: where there is one, this ends at once.
    """
    # Who came while the last one was about to leave found it there, and relies on another look.
    while manager.due(queue) is not None and queue.locks.hold(locks.LINGER):
        try:
            serve(queue, slots, lingering=True)
        finally:
            queue.locks.release(locks.LINGER)


def serve(queue: Queue, slots: int | None, *, lingering: bool = False) -> None:
    """Until interrupted, or nothing is to come. Raises Failure where the queue is not ours."""
    if not queue.mine:
        manager.tick(queue)  # which refuses, before a directory is watched that we may not read
    runners: set[int] = set()
    paths = [queue.directory(state).path for state in ("in", "answers", "wait", "run", "park")]
    interval = LAZY if lingering else INTERVAL
    with Watch(*paths, interval=interval) as changes:
        while not lingering or runners or manager.due(queue) is not None:
            try:
                if not lingering:
                    # For those who want to know: others may watch as well, and one is enough.
                    queue.locks.hold(locks.WATCH)
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
            changes.wait(_pause(queue))
            runners = {pid for pid in runners if os.waitpid(pid, os.WNOHANG)[0] == 0}


def _pause(queue: Queue) -> float:
    """Seconds until it is time to look again, whatever changes."""
    due = manager.due(queue)
    return RESCAN if due is None else min(max(due - time.time(), 0) + SOON, RESCAN)


def _free(queue: Queue, slots: int) -> bool:
    return not all(queue.locks.held(locks.SLOTS + slot) for slot in range(slots))
