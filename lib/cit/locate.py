"""What a word on a command line stands for: a file, a job of a queue, or a run of one."""

from __future__ import annotations

import os

from cit import home, name, sight
from cit.errors import AWAY, DENIED, LATER, MISSING, Failure
from cit.name import Name
from cit.queue import STATES, Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.sight import Seen
    from cit.trace import Record


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
    found = name.parse(state, base, day) if state in STATES else None
    if found is None:
        raise Failure(MISSING, f"'{word}' is no job of a queue")
    return Queue(top), found


# --- runs ------------------------------------------------------------------------------------


def run(word: str, option: str | None = None) -> tuple[Seen, str]:
    """The job and the run of `JOB`, `JOB.RUN` or `JOB:STAGE`; the run is "" where none is named.

    A name may have dots and digits of its own: the whole is tried first. Raises Failure.
    """
    called, colon, stage = word.partition(name.BEFORE_STAGE)
    if colon:
        from cit import named  # reads the program, as most commands never do

        seen = sight.find(called, option)
        return seen, named.run(stage, seen.name.id, *read(seen))
    try:
        return sight.find(word, option), ""
    except Failure as failure:
        parts = word.split(".")
        at = len(parts)
        while at > 1 and _in_run(parts[at - 1]):
            at -= 1
        # A run begins with a number, though words such as `s1` can follow.
        cuts = [cut for cut in range(len(parts) - 1, at - 1, -1) if _number(parts[cut])]
        if failure.code not in (MISSING, DENIED) or not cuts:
            raise
    # `name.2` may be a job, and `name.2.1.3` its run: the longest name wins.
    for cut in cuts[:-1]:
        try:
            return sight.find(".".join(parts[:cut]), option), ".".join(parts[cut:])
        except Failure as failure:
            if failure.code not in (MISSING, DENIED):
                raise
    return sight.find(".".join(parts[: cuts[-1]]), option), ".".join(parts[cuts[-1] :])


def path(word: str) -> bool:
    """Whether a word is written as the path of a run, and so is none of its names."""
    parts = word.split(".")
    return _number(parts[0]) and all(map(_in_run, parts))


def _number(part: str) -> bool:
    return part.isascii() and part.isdecimal()


def _in_run(part: str) -> bool:
    """Whether the path of a run may have this part: a number, or that of an added stage."""
    return _number(part) or part == "pause" or (part[:1] == "s" and _number(part[1:]))


def read(seen: Seen) -> tuple[bytes, list[Record]]:
    """What a job asks, and what happened so far, but its log. Raises Failure."""
    found, queue = seen.name, seen.queue
    if found.state == sight.OUTBOX:
        return home.letter(found), []
    if queue is None:
        raise Failure(AWAY, f"job '{found.id}' is in queue '{seen.path}', which is away")
    if found.state == sight.HIDDEN or (found.state == "in" and not queue.mine):
        raise Failure(DENIED, f"cannot read job '{found.id}': queue '{seen.path}' shows nothing")
    if found.state not in STATES:
        raise Failure(MISSING, f"job '{found.id}' was pruned")
    try:
        return queue.head(found)[0], queue.records(found)
    except FileNotFoundError:
        raise Failure(LATER, f"job '{found.id}' moves just now") from None
