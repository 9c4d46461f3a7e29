"""What a word on a command line stands for: a file, or a job of a queue."""

from __future__ import annotations

import os

from cit import name, queue, sight
from cit.errors import AWAY, MISSING, Failure
from cit.name import Name
from cit.queue import Queue


def file(word: str) -> str:
    """The path of a file; of a job's file where the word is no file but an id or a name.

    A word with a slash is always a path. Raises Failure(MISSING).
    """
    if os.path.lexists(word):
        return word
    if "/" in word or not name.is_name(word):
        raise Failure(MISSING, f"cannot open '{word}': no such file")
    owner, found = _job(word)
    return owner.file(found)


def _job(word: str) -> tuple[Queue, Name]:
    seen = sight.find(word)
    if seen.queue is None:
        raise Failure(AWAY, f"job '{seen.name.id}' is in queue '{seen.path}', which is away")
    return seen.queue, seen.name


def job(word: str) -> tuple[Queue, Name]:
    """The job of an id, a name, or the path of its file, and its queue. Raises Failure(MISSING)."""
    if not os.path.lexists(word):
        return _job(word)
    directory, base = os.path.split(os.path.realpath(word))
    day = ""
    if os.path.basename(os.path.dirname(directory)) == "done":
        directory, day = os.path.split(directory)
    top, state = os.path.split(directory)
    found = name.parse(state, base, day) if state in queue.STATES else None
    if found is None:
        raise Failure(MISSING, f"'{word}' is no job of a queue")
    return Queue(top), found
