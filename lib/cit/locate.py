"""What a word on a command line stands for: a file, or a job of a queue."""

from __future__ import annotations

import os

from cit import name, queue
from cit.errors import MISSING, Failure
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
    default = queue.mine()
    return default.file(default.find(word))


def job(word: str) -> tuple[Queue, Name]:
    """The job of an id, a name, or the path of its file, and its queue. Raises Failure(MISSING)."""
    if not os.path.lexists(word):
        default = queue.mine()
        return default, default.find(word)
    directory, base = os.path.split(os.path.realpath(word))
    day = ""
    if os.path.basename(os.path.dirname(directory)) == "done":
        directory, day = os.path.split(directory)
    top, state = os.path.split(directory)
    found = name.parse(state, base, day) if state in queue.STATES else None
    if found is None:
        raise Failure(MISSING, f"'{word}' is no job of a queue")
    return Queue(top), found
