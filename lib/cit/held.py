"""A job in the hands of this process: the only one that may write to it.

    with held.take(queue, found) as hold: ...

The lock is taken first and the name is looked up after that, by opening it: if the job
moved between the listing and the lock, there is nothing to hold.
"""

from __future__ import annotations

import time

from cit import files, job, jobfile, journal, people, section, trace
from cit.trace import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from cit.name import Name
    from cit.queue import Queue


class Held:
    """A held job: append records to it, move it, end it."""

    name: Name

    def __init__(self, queue: Queue, found: Name, number: int, journal: journal.Journal) -> None:
        self.queue, self.name, self.number, self.journal = queue, found, number, journal

    def record(self, kind: str, run: str = "-", *fields: str) -> Record:
        """Add a record of this moment; durable after the next sync()."""
        record = Record(trace.stamp(time.time()), kind, run, fields)
        self.journal.add(trace.render(record))
        return record

    def sync(self) -> None:
        self.journal.sync()

    def move(self, state: str, due: int = 0) -> None:
        """Into another state, durable on return. `due` is for `park`."""
        self.name = self.queue.take(self.name, state, due=due)

    def park(self, due: int, until: str = "", awaits: str = "") -> None:
        """Lay the job by; durable. `due` is an instant, or one of those that name.py has.

        `until` is the stamp of an instant all the same, `awaits` is what is awaited.
        """
        self.record("park", "-", until, awaits)
        files.patiently(self.sync)
        self.name = self.queue.take(self.name, "park", due=due)

    def finish(self, status: str, code: int, allowed: Sequence[str] = ()) -> None:
        """Write the result, seal the job and put it into `done/`. A full disk is waited for.

        `allowed` are the names of the stages that failed and may.
        """
        more = [job.listed(allowed)] if allowed else []
        self.record("result", "-", status, str(code), *more)
        self.seal()
        self._done()

    def seal(self) -> None:
        """Bind all bytes above by their hash, durable on return."""
        self.record("seal", "-", people.who(), "sha256:" + self.journal.digest())
        files.patiently(self.sync)

    def settle(self) -> bool:
        """Do what a cut left undone of a job that has a result; False where it has none."""
        # Of what has a result nothing but a seal comes after it, so that its end tells.
        found = self.queue.tail(self.name)
        if not found.status:
            return False
        if not found.seal:
            self.seal()
        if self.name.state != "done":
            self._done()
        return True

    def _done(self) -> None:
        self.name = self.queue.take(self.name, "done", trace.day(time.time()))

    @property
    def asked(self) -> bytes:
        """The bytes above the trace."""
        return section.split(self.journal.head)[0]

    def read(self) -> job.Job:
        """The job as it was found, without its log; what was added since is not in it."""
        return job.fold(self.records())

    def records(self) -> list[Record]:
        """Its records as they were found, but for those of its log."""
        if len(self.journal.head) < journal.PIECE:
            return list(trace.only(section.split(self.journal.head)[1], *jobfile.KINDS))
        return self.queue.records(self.name)

    def close(self) -> None:
        self.journal.close()
        self.queue.locks.release(self.number)

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def take(queue: Queue, found: Name) -> Held | None:
    """Hold a job; None where another process does, or where it moved meanwhile."""
    try:
        number = found.number or job.fold(trace.records(queue.head(found)[1])).number
    except FileNotFoundError:
        return None
    if not queue.locks.hold(number):
        return None
    try:
        return Held(queue, found, number, journal.Journal(*queue.where(found)))
    except FileNotFoundError:
        queue.locks.release(number)
        return None
    except BaseException:
        queue.locks.release(number)
        raise
