"""Work on one job: claim it, make what it needs, run its program, lay it by or finish it."""

from __future__ import annotations

import os

from cit import VERSION, asked, cgroup, history, job, kernel, last, orphans, section, workspace
from cit.command import Around
from cit.errors import Bad
from cit.files import patiently
from cit.interpreter import Interpreter
from cit.isolation import SetupFailed
from cit.supervise import Loop
from cit.waits import Parked
from cit.wants import Outcome, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.command import Means
    from cit.held import Held
    from cit.history import Taken
    from cit.trace import Record


def work(hold: Held, means: Means) -> Outcome | None:
    """Run a held job in `run/` to its end, or go on with it; how it ended, None if it is parked."""
    records = hold.records()
    before = job.fold(records)
    if before.claimed:
        cgroup.kill_job(hold.name.id, means.tree)
        orphans.end_all(hold.name.id)
    attempt = before.attempt + 1
    claim = os.uname().nodename, str(os.getpid()), kernel.boot(), str(attempt), VERSION
    before.add(hold.record("claim", "-", *claim))
    try:
        outcome = _walk(hold, before, records, means)
    except Parked as parked:
        _lay_by(hold, parked)
        return None
    except (Bad, SetupFailed) as error:
        # A job that cannot be gone on with must end: else it stops all that come after it.
        shown = error.show("trace") if isinstance(error, Bad) else str(error)
        hold.record("log", "-", "cit", shown)
        outcome = ended("setup", str(error))
    hold.finish(outcome.status, outcome.code, _allowed(hold))
    orphans.bury()
    return outcome


def _allowed(hold: Held) -> list[str]:
    """The names of its stages that failed and may."""
    if b"stage" not in hold.asked:
        return []  # there are none without that word
    from cit import named

    patiently(hold.journal.flush)
    return named.allowed(hold.asked, hold.queue.records(hold.name))


def _lay_by(hold: Held, parked: Parked) -> None:
    """Leave the job where it waits; whoever is to go on with it finds it there."""
    due = parked.due
    if due is None:
        patiently(hold.sync)
        hold.move("hold")
    else:
        hold.park(due, parked.until, parked.awaits)
    orphans.bury()


def _walk(hold: Held, before: job.Job, records: list[Record], means: Means) -> Outcome:
    request = asked.parse(hold.asked)
    try:
        space = patiently(
            lambda: workspace.Workspace(means.base, hold.name.name, hold.name.id, means.user)
        )
    except OSError as error:
        raise SetupFailed(f"cannot make its workspace: {error}") from error
    try:
        if before.attempt > 1:
            space.sweep()
        taken = _taken(hold, request, records, before.who, space)
        told = _last(hold, request.data, records, before.who)
        around = Around(hold, request, before.attempt, means, space, Loop(), told)
        return Interpreter(around, before, records, taken).run()
    finally:
        space.close()


def _taken(
    hold: Held, request: asked.Asked, records: list[Record], who: str, space: workspace.Workspace
) -> Taken:
    """What a job takes over that does another one again; before the first step, fill its workspace.

    What it brings along is in a copy of a workspace, as the earlier job left it there.
    """
    brought, copied = section.find(request.sections, "files"), False
    taken = history.Taken()
    if request.job.get("origin", {}).get("kind") == "again":
        from cit import again

        taken = again.taken(hold.queue, request, who)
        if not _began(records):
            copied = _inherit(hold, request, who, space)
    if brought and not _began(records) and not copied:
        try:
            space.unpack(brought.body)
        except OSError as error:
            raise SetupFailed(f"cannot unpack its files: {error}") from error
    return taken


def _inherit(hold: Held, request: asked.Asked, who: str, space: workspace.Workspace) -> bool:
    from cit import again

    try:
        copied, said = again.inherit(hold.queue, request, who, space)
    except OSError as error:
        raise SetupFailed(f"cannot copy the workspace: {error}") from error
    if said:
        hold.record("log", "-", "cit", said)
    return copied


def _began(records: list[Record]) -> bool:
    return any(record.kind == "begin" for record in records)


def _last(hold: Held, data: bytes, records: list[Record], who: str) -> dict[str, str]:
    """What the job before it of that name reported: looked up once, then as it was written down."""
    if not any(word in data for word in last.MENTIONS):
        return {}
    found = last.recorded(records)
    if not found and not _began(records):
        found = last.find(hold.queue, hold.name, who)
        for key, value in found.items():
            hold.record("data", "-", key, value)
    return found
