"""What people ask of a job while it runs: heard, written down, and then obeyed."""

from __future__ import annotations

import os
import time
from functools import partial

from cit import people, trace, wishes
from cit.files import patiently
from cit.job import column
from cit.wants import Outcome, Reply, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cit.held import Held
    from cit.job import Job
    from cit.trace import Record

ENOUGH = 2  # stops of the whole job that end its clean-up too
COARSE = 100_000_000  # nanoseconds by which the clock of a file system may lag


class Hearing:
    """What is asked of a held job. `job` is what its trace says, and is kept true."""

    def __init__(self, hold: Held, job: Job, interrupted: Callable[[], str]) -> None:
        self.hold, self.job, self._interrupted = hold, job, interrupted
        self.replies: dict[str, Reply] = {}  # by run
        self._stops = [act for act in job.acts if act.kind == "stop"]
        self._seen = 0  # mtime of answers/ when it was last read
        self._heard = ""  # who interrupted us

    def listen(self) -> None:
        """Take what was asked since, and write it down."""
        who = self._interrupted()
        if who and who != self._heard:
            self._heard = who
            self._add(self.hold.record("stop", "-", who, "interrupted"))
        queue = self.hold.queue
        directory = queue.directory("answers")
        changed = os.fstat(directory.fd).st_mtime_ns
        if changed == self._seen:
            return
        # The clock of the file system is coarse: what came in this instant may not show yet.
        self._seen = changed if time.time_ns() - changed > COARSE else 0
        try:
            pending = wishes.pending(queue, self.hold.name.id)
        except OSError:
            self._seen = 0  # short of descriptors, say: the next look may see them
            return
        for wish in pending:
            self._take(wish)
            directory.remove(wish.file)

    def stopped(self, run: str, *, cleanup: bool = False) -> str:
        """Why a run is to end, "" where it is not: it, what is above it, or all was stopped."""
        at = f"{run}."
        found = [act for act in self._stops if act.run == "-" or at.startswith(f"{act.run}.")]
        if cleanup:
            # What cleans up after a stop is stopped by name, or by asking twice.
            whole = [act for act in found if act.run == "-"]
            found = [act for act in found if act.run != "-"] or whole[ENOUGH - 1 :]
        if not found:
            return ""
        reason = column(found[-1], 1)
        return f"stopped by {column(found[-1], 0)}" + (f": {reason}" if reason else "")

    def refusal(self, run: str, *, cleanup: bool = False) -> Outcome | None:
        """The Outcome of a run that was stopped."""
        why = self.stopped(run, cleanup=cleanup)
        return ended("cancelled", why) if why else None

    def stop(self, reason: str) -> Outcome:
        """Stop the job in the name of who runs it; the Outcome of what was to come next."""
        self._add(self.hold.record("stop", "-", people.who(), reason))
        return ended("cancelled", self.stopped("-"))

    def withheld(self, now: float) -> bool:
        """Whether no further step may begin."""
        return self.job.withheld(now)

    @property
    def until(self) -> str:
        """The stamp until which it is held; "" is for as long as somebody likes."""
        return column(self.job.hold, 3) if self.job.hold else ""

    def _take(self, wish: wishes.Wish) -> None:
        queue = self.hold.queue
        if wishes.repeated(self.job, wish):
            return
        refused = wishes.refusal(queue, wish, self.job, time.time())
        if refused:
            who = people.who(wish.uid)
            why = f"cannot {wish.kind}: {refused}"
            patiently(partial(queue.note, "refuse", wish.id, why, who))
            return
        record = self.hold.record(wish.kind, wish.run, *wishes.fields(wish))
        patiently(self.hold.sync)
        self._add(record)

    def _add(self, record: Record) -> None:
        self.job.add(record)
        if record.kind == "stop":
            self._stops.append(record)
        elif record.kind == "answer":
            who, value, reason = (column(record, at) for at in range(3))
            self.replies[record.run] = Reply(value, who, reason)


def held_until(hearing: Hearing) -> int | None:
    """Seconds since 1970 until which a job is held; None for no such time."""
    return int(trace.seconds(hearing.until)) + 1 if hearing.until else None
