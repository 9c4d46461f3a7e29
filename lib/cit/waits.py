"""What a run waits for without doing anything: an instant, an answer, another job.

Each wait is written down with the instant at which it ends, so that it goes on after a
crash as if there had been none. Instants are of the wall clock, since they outlive
machines; what is waited for here and now is measured by the monotonic one. Where the
wall clock was set back, no wait gets longer than it was when it began.
"""

from __future__ import annotations

import time
from collections import namedtuple

from cit import trace
from cit.name import FOR_ANSWER, FOR_OTHERS
from cit.wants import Ask, Await, Outcome, Reply, Sleep, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NamedTuple, TypeAlias

    from cit.held import Held
    from cit.trace import Record

    Noted: TypeAlias = tuple[str, ...]
    Note = Callable[..., Record]

    class Wait(NamedTuple):
        want: Ask | Sleep | Await
        instant: float | None  # seconds since 1970
        due: float | None  # the same, of time.monotonic()
        awaits: str = ""  # as in a `park` record: `job NAME`
else:
    Wait = namedtuple("Wait", "want instant due awaits", defaults=("",))


MOMENT = 5.0  # seconds that nobody wonders about


class Parked(Exception):
    """All that is left to do is to wait, for long: the job leaves its slot.

    `due` is the instant, or one of those of cit.name that stand for none; None where it is
    held until somebody releases it.
    """

    def __init__(self, due: int | None, until: str = "", awaits: str = "") -> None:
        super().__init__(due)
        self.due, self.until, self.awaits = due, until, awaits


def begin(want: Ask | Sleep | Await, noted: Noted, note: Note) -> Wait:
    """Begin to wait, or go on with it where `noted` has the columns that were recorded then."""
    now = time.time()
    if isinstance(want, Sleep):
        instant = _instant(want, noted, now)
        if noted[:1] != (trace.stamp(instant),):
            note("wait", want.run, trace.stamp(instant))
        return Wait(want, instant, _due(instant, now))
    if isinstance(want, Ask):
        deadline = _bounded(noted[3] if len(noted) > 3 else "", want.timeout, now)
        shown = trace.stamp(deadline) if deadline is not None else ""
        if not noted or noted[3:4] != (shown,):
            note("ask", want.run, want.verb, want.comment, want.default, shown, ",".join(want.who))
        return Wait(want, deadline, _due(deadline, now))
    until = _bounded(noted[0] if noted else "", want.timeout, now)
    shown = trace.stamp(until) if until is not None else ""
    awaits = f"{want.what} {want.name}"
    if noted[:1] != (shown,):
        note("wait", want.run, shown, _listed(awaits))
    return Wait(want, until, _due(until, now), awaits)


def look(hold: Held, wait: Wait, reply: Reply | None, note: Note) -> Any:
    """The answer to a want that is waited for; () while there is none."""
    want, over = wait.want, wait.due is not None and time.monotonic() >= wait.due
    if isinstance(want, Ask):
        if reply is None and over:
            reply = Reply(want.default, "", "nobody answered in time")
            note("answer", want.run, *_columns(reply))
        return () if reply is None else reply
    if isinstance(want, Await):
        from cit import others  # few programs await anything

        found: Outcome | None = others.outcome(hold.queue, want.what, want.name, hold.name.id)
        if found is None and over:
            late = "is not over" if want.what == "job" else "is not there"
            found = ended("timeout", f"{want.what} '{want.name}' {late} in time")
        return () if found is None else found
    return None if over else ()


def long(wait: Wait) -> bool:
    """Whether somebody who sees the job wait would wonder why."""
    return isinstance(wait.want, Ask) or wait.due is None or wait.due > time.monotonic() + MOMENT


def told(wait: Wait, id: str) -> str:
    """What somebody reads who sees the job wait."""
    want = wait.want
    until = f" until {trace.stamp(wait.instant)}" if wait.instant is not None else ""
    if isinstance(want, Ask):
        values = "yes|no" if want.verb == "approve" else "VALUE"
        text = f"'{want.comment}': cit-answer {id}.{want.run} {values}"
        return f"{text} ({until.strip()}, then '{want.default}')" if until else text
    if isinstance(want, Await):
        return f"{want.run} waits for {want.what} {want.name}{until}"
    return f"{want.run} waits{until}"


def parked(waits: list[Wait]) -> Parked:
    """How to lay a job by that only waits for these."""
    instants = [wait.instant for wait in waits if wait.instant is not None]
    until = min(instants, default=None)
    awaits = ",".join(_listed(wait.awaits) for wait in waits if wait.awaits)
    due = FOR_OTHERS if awaits else FOR_ANSWER if until is None else int(until) + 1
    return Parked(due, trace.stamp(until) if until is not None else "", awaits)


def _listed(awaits: str) -> str:
    """As in a list with commas, which the name of an artefact may have in it."""
    what, _, called = awaits.partition(" ")
    return f"{what} {called.replace('%', '%25').replace(',', '%2C').replace(' ', '%20')}"


def _columns(reply: Reply) -> tuple[str, str, str]:
    return reply.who, reply.value, reply.reason


def _instant(want: Sleep, noted: Noted, now: float) -> float:
    if want.seconds is not None:
        found = _bounded(noted[0] if noted else "", want.seconds, now)
        assert found is not None
        return found
    from cit import crontab  # few programs wait for a calendar

    # The instant that was computed first stands, unless the clock was set back since.
    fresh = crontab.next_instant(want.calendar, now, offset)
    return min(trace.seconds(noted[0]), fresh) if noted else fresh


def _bounded(stamp: str, seconds: float | None, now: float) -> float | None:
    """The instant of a stamp, at most `seconds` from now; None where there is no end."""
    if seconds is None:
        return None
    return min(trace.seconds(stamp), now + seconds) if stamp else now + seconds


def _due(instant: float | None, now: float) -> float | None:
    return None if instant is None else time.monotonic() + instant - now


def offset(seconds: float) -> int:
    """How far local time is ahead of UTC at an instant, in seconds."""
    return time.localtime(seconds).tm_gmtoff
