"""A job that does another one again: made of it, and what it takes over where it runs.

The new job is whole in itself: its section `history` brings the answers that still hold.
Who pushed it could have written these himself. So nothing that he could not do anyway
follows from them: approvals count only if the queue has them in the trace of a finished
job that asks the same, and a workspace is copied only for who pushed both jobs.
"""

from __future__ import annotations

import os
from collections import namedtuple

from cit import asked, history, locate, named, people, section, sight, toml, trace
from cit.errors import DENIED, LATER, MISSING, USAGE, Failure
from cit.name import BEFORE_STAGE
from cit.queue import STATES, Queue
from cit.request import composed
from cit.section import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from cit.asked import Asked
    from cit.history import Taken
    from cit.name import Name
    from cit.trace import Record
    from cit.workspace import Workspace

    class Earlier(NamedTuple):
        """The job to do again, and what became of it so far."""

        word: str  # that it was called
        path: str  # of its queue
        name: Name
        data: bytes  # what it asked
        records: list[Record]
else:
    Earlier = namedtuple("Earlier", "word path name data records")

# What may differ between two jobs although they ask the same of commands and of people.
OWN = ("id", "name", "queue", "priority", "readers", "limits", "note", "origin")


# --- making one --------------------------------------------------------------------------------


def find(word: str, option: str | None) -> Earlier:
    """The job that a word stands for, in the queue of the option or wherever it was pushed."""
    try:
        seen = sight.find(word, option)
    except Failure as failure:
        if failure.code not in (MISSING, DENIED) or option is None:
            raise
        seen = sight.find(word)
    return Earlier(word, seen.path, seen.name, *locate.read(seen))


def compose(
    earlier: Earlier, begin: str | None, only: str | None, changes: dict[str, Any],
    id: str, to: str,
) -> Asked:  # fmt: skip
    """The job that asks the same again under a new id, in the queue called `to`.

    What does not come after the run `begin`, or what is beside the run `only`, is not executed
    again; both are paths or names. Raises Failure, Bad.
    """
    old = earlier.name.id
    request = asked.compose(earlier.data, old, to, earlier.name.name, {})
    kept = [part for part in request.sections if part.kind not in ("job", "history")]
    head = {k: v for k, v in request.job.items() if k not in ("id", "queue", "origin")}
    origin: dict[str, Any] = {"kind": "again", "job": old}
    word = begin if only is None else only
    if word is not None:
        run = _run(earlier, word)
        origin |= {"run": run} | ({} if only is None else {"only": True})
        _compare(head, changes)
        records = _select(earlier, run, only=only is not None)
        kept.append(Section("history", 1, "tab", {}, b"".join(map(trace.render, records))))
    lurch = any(part.kind == "program" and part.format == "lurch" for part in kept)
    if lurch and "isolate" in changes:
        raise Failure(USAGE, f"--isolate: job '{old}' is a Lurch program, which says so itself")
    data = section.render([Section("job", 1, "toml", {}, toml.dumps(head)), *kept])
    changes = changes | {"origin": origin}
    return composed(f"job '{old}'", data, id, to, earlier.name.name, changes)


def _compare(head: dict[str, Any], changes: dict[str, Any]) -> None:
    """Raise Failure(USAGE) for changes with which the answers would have been others."""
    for key, option in (("vars", "set"), ("env", "env")):
        before = head.get(key, {})
        for word, value in changes.get(key, {}).items():
            if before.get(word) != value:
                was = f"was '{before[word]}'" if word in before else "was not set"
                why = f"{was} for what is taken over"
                raise Failure(USAGE, f"--{option}: '{word}' {why}")
    if changes.get("isolate", head.get("isolate", "none")) != head.get("isolate", "none"):
        raise Failure(USAGE, "--isolate: what is taken over ran elsewhere")


def _run(earlier: Earlier, word: str) -> str:
    """The path of a run that is given by that or, after a colon if one likes, by its name."""
    ended = earlier.name.state == "done"
    before = "" if ended else _before(earlier)
    run, name = word, word.removeprefix(BEFORE_STAGE)
    if not locate.path(word):
        try:
            run = _named(earlier, name)
        except Failure:
            # A job on its way may not have made all its stages yet.
            if not before or not _known_to(before, earlier.path, name):
                raise
    if not ended:
        raise Failure(LATER, _busy(earlier, before))
    if run != word and not any(r.run == run and r.kind == "begin" for r in earlier.records):
        what = f"{named.kind(name)} '{name}' of job '{earlier.name.id}'"
        raise Failure(USAGE, f"{what} never began")
    return run


def _named(earlier: Earlier, name: str) -> str:
    return named.run(name, earlier.name.id, earlier.data, earlier.records)


def _before(earlier: Earlier) -> str:
    """The id of the newest job of a name that has ended, where a job was called by its name."""
    if earlier.word != earlier.name.name or earlier.name.state not in STATES:
        return ""
    from cit import runs  # not for whoever does again what has ended

    row = next(runs.find(Queue(earlier.path), earlier.word, ("done",)), None)
    return row.id if row else ""


def _known_to(id: str, path: str, name: str) -> bool:
    """Whether a job, in the queue at a path, has a stage of a name."""
    try:
        return bool(_named(find(id, path), name))
    except Failure:
        return False


def _busy(earlier: Earlier, before: str) -> str:
    """The complaint about a job that has not ended, with the one that its user may have meant."""
    id, called = earlier.name.id, earlier.name.name
    if not before:
        return f"job '{id}' has not ended: without a run it can be done again"
    newest = f"the newest '{called}', {id}, has not ended"
    return f"{newest}; the newest that has is {before}: name it by its id"


def _select(earlier: Earlier, run: str, *, only: bool) -> list[Record]:
    from cit.steps import Steps

    old = earlier.name.id
    steps, begun = Steps(), {r.run: r.fields[0] for r in earlier.records
                             if r.kind == "begin" and r.fields}  # fmt: skip
    if run not in begun:
        near = " ".join(history.near(run, earlier.records))
        known = f"; near it are {near}" if near else ", which began none"
        raise Failure(USAGE, f"no run '{run}' in job '{old}'{known}")
    builders = [step for step in set(begun.values())
                if step in steps and getattr(steps[step], "BUILDS", False)]  # fmt: skip
    stages = named.stages(named.read(earlier.data, earlier.records))
    holds = history.beside(run) if only else history.since(run, earlier.records, stages)
    # What comes last puts away what was made before it, and that is made once more.
    anew = tuple(f"{of}." for of, stage in stages.items() if stage.final)

    def wanted(other: str) -> bool:
        return holds(other) and not f"{other}.".startswith(anew)

    return history.select(earlier.records, wanted, builders)


# --- running one -------------------------------------------------------------------------------


def taken(queue: Queue, request: Asked, who: str) -> Taken:
    """What a job takes over; approvals only where the queue itself knows of them.

    `who` pushed the new job. What was approved was approved for who pushed the earlier one.
    """
    part, old = section.find(request.sections, "history"), _origin(request)
    if part is None or not old:
        return history.Taken()
    records = list(trace.records(part.body + b"\n"))
    said = history.approvals(records)
    known = _known(queue, request, old, who) if said else set()
    # Who said yes saw what came of the runs before: of these too nothing may be made up.
    refused = () if known.issuperset(records) else said
    return history.taken(records, old, refused)


def inherit(queue: Queue, request: Asked, who: str, space: Workspace) -> tuple[bool, str]:
    """Copy the workspace of the job that is done again, before the first step of the new one.

    `who` pushed the new job. Whether it has a copy, and what is to be said of that in its
    log, if anything. Does nothing more where it was done before. Raises OSError.
    """
    old = _origin(request)
    if not old or section.find(request.sections, "history") is None:
        return False, ""
    found = queue.now(old)
    if found is None:
        return False, f"no workspace: this queue has no job {old}"
    if found.state != "done":
        return False, f"no workspace: job {old} has not ended"  # and works in it
    source = os.path.join(queue.home, found.name, found.id)
    if not os.path.isdir(source):
        return False, f"no workspace of job {old} on this machine"
    if not _may(queue, found, who):
        return False, f"no workspace: {who} has not pushed job {old}"
    space.inherit(source)
    return True, f"workspace copied from job {old}"


def _origin(request: Asked) -> str:
    """The id of the job that this one does again, "" where it does none."""
    origin = request.job.get("origin", {})
    return str(origin.get("job", "")) if origin.get("kind") == "again" else ""


def _may(queue: Queue, found: Name, who: str) -> bool:
    """Whether what an earlier job got is for who pushed the new one: the same, or the owner."""
    return who in (queue.job(found).who, people.who(queue.owner))


def _known(queue: Queue, request: Asked, old: str, who: str) -> set[Record]:
    """The records of a finished job of this queue that asks the same; none where it does not."""
    found = queue.now(old)
    if found is None or found.state != "done" or not _may(queue, found, who):
        return set()
    try:
        if _same(asked.parse(queue.head(found)[0])) != _same(request):
            return set()
        return set(queue.records(found))
    except (Failure, OSError):
        return set()  # pruned just now, or of an older version: then people are asked anew


def _same(request: Asked) -> tuple[dict[str, Any], list[tuple[str, str, bytes]]]:
    """All that counts of what a job asks."""
    head = {key: value for key, value in request.job.items() if key not in OWN}
    parts = [(part.kind, part.format, part.body) for part in request.sections]
    return head, [part for part in parts if part[0] not in ("job", "history")]
