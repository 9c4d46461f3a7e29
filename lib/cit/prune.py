"""Prune: forget finished jobs, but not that they were there."""

from __future__ import annotations

import os
import time

from cit import files, held, trace, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cit.name import Name
    from cit.queue import Queue


def old(queue: Queue, seconds: float, keep: int) -> list[Name]:
    """The finished jobs that ended more than `seconds` ago, but for the newest `keep`."""
    limit = trace.stamp(time.time() - seconds)
    done = sorted(queue.names("done"), key=lambda found: found.id)
    candidates = done[: max(len(done) - keep, 0)]
    # A day directory that is younger than the limit needs no look inside.
    return [f for f in candidates if f.day <= limit[:10] and queue.tail(f).finished < limit]


def prune(queue: Queue, names: list[Name], reason: str) -> Iterator[Name]:
    """Remove these jobs and their workspaces, each after its tombstone is durable."""
    dead, count = queue.tombstones(), 0
    try:
        for found in names:
            hold = held.take(queue, found)
            if hold is None:
                continue
            with hold:
                if found.id not in dead:
                    _bury(queue, found, hold.read().sha256)
                _clear(queue, found)
                directory, file = queue.where(found)
                directory.remove(file)
            count += 1
            yield found
    finally:
        # Also where nobody wants to hear of the rest. Jobs that end at this moment are moved
        # into the directory of today.
        for day in {found.day for found in names} - {trace.day(time.time())}:
            try:
                os.rmdir(os.path.join(queue.path, "done", day))
            except OSError:
                pass  # others are still in it
        if count:
            queue.note("prune", "-", f"{count} jobs: {reason}")


def _clear(queue: Queue, found: Name) -> None:
    """Remove what the job left on disk; what cannot be removed stays, and is written down."""
    for path in (found.name, ".isolate"):
        try:
            # Other jobs of its user may be at work in there: nothing is reached by its path.
            tree.remove(os.path.join(queue.home, path, found.id))
        except OSError as error:
            queue.note("prune", found.id, f"cannot remove '{path}/{found.id}': {error.strerror}")
    try:
        os.rmdir(os.path.join(queue.home, found.name))
    except OSError:
        pass  # there are others of that name


def _bury(queue: Queue, found: Name, sha256: str) -> None:
    fields = (sha256.removeprefix("sha256:"), found.name)
    record = trace.Record(trace.stamp(time.time()), "prune", found.id, fields)
    files.append(os.path.join(queue.path, "pruned.tab"), trace.render(record), 0o600)
