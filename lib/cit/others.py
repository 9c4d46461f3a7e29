"""Other jobs, for one that awaits them: which one is meant, and whether it is over.

`job` is an id, then it is that job, or a name: then the newest of that name, which is not
the one that asks; where it is not there yet, it is waited for. `artefact` is JOB/ARTEFACT:
there is one as soon as a job of that name has made it and ended ok.
"""

from __future__ import annotations

import os

from cit import jobfile, name
from cit.job import column
from cit.name import Name
from cit.queue import STATES, Queue, listed
from cit.wants import CODES, OK, Outcome, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from typing import NamedTuple

    class Awaited(NamedTuple):
        """What a job awaits; the columns are the arguments of find()."""

        what: str
        called: str
        own: str = ""
        since: float = 0.0
else:
    from collections import namedtuple

    Awaited = namedtuple("Awaited", "what called own since", defaults=("", 0.0))

SLACK = 3600  # seconds: for clocks that do not agree


def find(queue: Queue, what: str, called: str, own: str = "", since: float = 0.0) -> Name | None:
    """The job that is meant; of an artefact the one that made it. None: not there (yet).

    `own` is the id of the job that asks. With `since` an artefact is looked for only in jobs
    that ended after that instant.
    """
    if what == "artefact":
        return next(_makers(queue, called, own, since), None)
    if name.is_id(called):
        return _last(queue, called)
    newest = max((f.id for f in _named(queue, called) if f.id != own), default="")
    return _last(queue, newest) if newest else None


def over(queue: Queue, things: Iterable[Awaited]) -> set[Awaited]:
    """Those of these that have come to their end. The directories are read once for all of
    them, and for a job that is awaited no file is."""
    things = set(things)
    jobs = {thing.called for thing in things if thing.what == "job"}
    places = _places(queue, jobs) if jobs else {}
    dead = queue.tombstones() if any(map(name.is_id, jobs - places.keys())) else {}
    return {thing for thing in things if _is_over(queue, thing, places, dead)}


def _is_over(
    queue: Queue, thing: Awaited, places: dict[str, dict[str, str]], dead: Container[str]
) -> bool:
    if thing.what == "artefact":
        return find(queue, *thing) is not None
    if thing.called == thing.own:
        return True
    there = places.get(thing.called, {})
    newest = max((id for id in there if id != thing.own), default="")
    return there[newest] in ("done", "bad") if newest else thing.called in dead


def _places(queue: Queue, words: Container[str]) -> dict[str, dict[str, str]]:
    """By id and by name, the jobs that these words stand for, and the highest state of each."""
    found: dict[str, dict[str, str]] = {}
    for _ in range(2):  # a job that goes on goes against the order of the states
        for state in STATES:
            at = name.ID_AT[state]
            for _day, file in listed(queue, state):
                id, called = file[at : at + 26], file[at + 27 : -len(name.SUFFIX)]
                if id in words and (state != "bad" or id not in found):
                    found.setdefault(id, {})[id] = state
                if called in words:
                    found.setdefault(called, {})[id] = state
    return found


def outcome(queue: Queue, what: str, called: str, own: str = "") -> Outcome | None:
    """How it ended; None while it has not. What nobody can know any more is lost."""
    if what == "job" and called == own:
        return ended("failed", "a job cannot await itself", 1)
    found = find(queue, what, called, own)
    if found is None:
        if name.is_id(called) and called in queue.tombstones():
            return ended("lost", f"job {called} was pruned, and how it ended is forgotten")
        return None
    if found.state == "bad":
        return ended("lost", f"job {called} was refused")
    if found.state != "done":
        return None
    return OK if what == "artefact" else _ending(queue, found)


def _ending(queue: Queue, found: Name) -> Outcome:
    try:
        told = queue.tail(found)
    except FileNotFoundError:
        return ended("lost", f"job {found.id} was pruned, and how it ended is forgotten")
    low, high = CODES.get(told.status, (1, 0))
    code = int(told.code) if told.code.isdecimal() else 0
    if not low <= code <= high:
        return ended("lost", f"job {found.id} ended '{told.status}', which is no status")
    if told.status == "cancelled":
        # That job was stopped, and not the one that awaits it, which `cancelled` would end.
        return ended("failed", f"job {found.id} was stopped", code)
    signal = code - 128 if told.status == "signal" else 0
    reason = "" if told.status == "ok" else f"job {found.id} ended {told.status}"
    return Outcome(told.status, code, signal, reason)


def _named(queue: Queue, called: str) -> Iterator[Name]:
    return (f for f in queue.every(f"-{called}.job") if f.name == called and f.state != "bad")


def _last(queue: Queue, id: str) -> Name | None:
    """Where a job is; in `bad` only if it is nowhere else."""
    found = queue.now(id)
    if found is None:
        refused = (f for f in queue.names("bad", id) if f.id == id)
        found = next(refused, None)
    return found


def _makers(queue: Queue, called: str, own: str, since: float) -> Iterator[Name]:
    """The finished jobs that made it, the newest first."""
    maker, _, artefact = called.partition("/")
    jobs = [f for f in queue.names("done", f"-{maker}.job") if f.name == maker and f.id != own]
    for found in sorted(jobs, key=lambda f: f.id, reverse=True):
        try:
            # A job becomes done by a rename, which the kernel writes down.
            if since and os.stat(queue.file(found)).st_ctime < since - SLACK:
                continue
            fd = queue.open(found)
        except FileNotFoundError:
            continue  # pruned
        try:
            made, status = set(), ""
            for record in jobfile.records(fd, "artefact", "result"):
                if record.kind == "result":
                    status = column(record, 0)
                else:
                    made.add(column(record, 0))
        finally:
            os.close(fd)
        if status == "ok" and artefact in made:
            yield found
