"""Where a job is, as far as its user can see: in a queue, in a drop box, in the outbox.

A user may not be allowed to look into the queue that he pushed to, and may have pushed
to several; his receipts tell where each of his jobs went.
"""

from __future__ import annotations

import os

from cit import config, home, locks, name
from cit.errors import DENIED, MISSING, Ambiguous, Failure
from cit.name import ID_AT, Name
from cit.queue import STATES, Queue, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import NamedTuple

    class Seen(NamedTuple):
        queue: Queue | None  # None where it cannot be reached
        path: str  # of the queue
        name: Name
else:
    from collections import namedtuple

    Seen = namedtuple("Seen", "queue path name")

# States beside those of a queue: kept until the queue is back; the queue is not there; it
# does not let this user look; pruned.
OUTBOX, AWAY, HIDDEN, GONE = "outbox", "away", "hidden", "gone"


def find(word: str, option: str | None = None) -> Seen:
    """The job of an id, of a unique beginning or end of one, or the newest of a name.

    Looked for in the queue `option`, else in that of configuration, the outbox, and wherever
    this user pushed. Raises Failure(MISSING), or Failure(DENIED) where it may be in a queue
    that he may not look into.
    """
    path = os.path.abspath(option) if option else config.queue()
    try:
        queue = Queue(path)
        return Seen(queue, path, queue.find(word))
    except Ambiguous:
        raise
    except Failure as failure:
        if failure.code not in (MISSING, DENIED):
            raise
        missing = failure
    word = word.lower() if name.is_id(word.lower()) else word
    letters = {kept.id: (kept, to) for kept, to in home.kept()}
    id = name.meant(word, {id: kept.name for id, (kept, _) in letters.items()})
    if id:
        return Seen(None, letters[id][1], letters[id][0])
    sent = {r.id: r for r in home.receipts() if r.queue == path or not option}
    # What was kept, and stopped before it was sent, was never anywhere else.
    sent = {id: receipt for id, receipt in sent.items() if receipt.act != "stopped"}
    id = name.meant(word, {id: receipt.name for id, receipt in sent.items()})
    if id:
        return pushed(sent[id].queue, {id: sent[id].name})[0]
    raise missing


def pushed(path: str, ids: dict[str, str]) -> list[Seen]:
    """Where the jobs are that this user pushed to a queue. `ids` has their names."""
    try:
        queue = Queue(path)
    except Failure:
        return [Seen(None, path, _nowhere(AWAY, id, called)) for id, called in ids.items()]
    found = places(queue, ids)
    tombs: dict[str, str] | None = None
    for id, called in ids.items():
        if id in found:
            continue
        # Whoever can make names in the drop box can ask for one of them, though not list it.
        if os.path.lexists(os.path.join(path, "in", name.drop(id, called))):
            found[id] = _nowhere("in", id, called)
        else:
            tombs = _tombs(queue) if tombs is None else tombs
            hidden = id not in tombs and not queue.readable
            found[id] = _nowhere(HIDDEN if hidden else GONE, id, called)
    return [Seen(queue, path, found[id]) for id in ids]


def places(queue: Queue, ids: Container[str]) -> dict[str, Name]:
    """Where those jobs of a queue are that can be seen there, each in its highest state."""
    found: dict[str, Name] = {}
    for state in STATES:
        for day, file in listed(queue, state):
            at = ID_AT[state]
            if file[at : at + 26] in ids:
                parsed = name.parse(state, file, day)
                if parsed and not (state == "bad" and parsed.id in found):
                    found[parsed.id] = parsed
    return found


def held(queue: Queue, number: int) -> bool | None:
    """Whether somebody holds a job, or another byte of the locks; None where we cannot know."""
    if not queue.mine:
        return None
    try:
        return queue.locks.held(number)
    except OSError:
        return None  # a queue on a disk that is read-only, say


def served(queue: Queue) -> str:
    """What serves a queue and stays there, as it was started; "" where we see nothing such."""
    path = os.path.join(queue.path, "locks")
    for byte, how in ((locks.WATCH, "cit-run --watch"), (locks.LINGER, "cit-run --linger")):
        if held(queue, byte) if queue.mine else locks.shown(path, byte):
            return how
    return ""


def at_work(queue: Queue, found: Name, host: str) -> bool | None:
    """Whether a runner on this host holds a job that it claimed; None where we cannot know.

    Who does not own the queue asks the kernel, which knows of this machine alone.
    """
    if queue.mine:
        there = held(queue, found.number)
    elif host == os.uname().nodename:
        there = locks.shown(os.path.join(queue.path, "locks"), found.number)
    else:
        there = None
    # One that was moved meanwhile had been held until then.
    return there if there is not False else not os.path.lexists(queue.file(found))


def silent(queue: Queue, found: Name, now: float) -> float:
    """Seconds in which nothing was written into a job; 0 for one that moves at this moment."""
    try:
        return max(now - os.stat(queue.file(found)).st_mtime, 0)
    except FileNotFoundError:
        return 0


def means(word: str, id: str, called: str) -> bool:
    """Whether a word stands for a job: its id, the beginning or end of it, or its name."""
    text = word.lower()
    return bool(word) and (id.startswith(text) or id.endswith(text) or called == word)


def _nowhere(state: str, id: str, called: str) -> Name:
    return Name(state, name.drop(id, called), id, called)


def _tombs(queue: Queue) -> dict[str, str]:
    try:
        return queue.tombstones()
    except PermissionError:
        return {}
