"""Run jobs: claim the next one, work on it, finish it, again; a process for each slot.

A slot is a lock, so that runners started by cron, by a push and by hand share the slots
of a queue without knowing of each other. A worker that dies leaves its job in `run/`,
and whoever comes next goes on with it.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from cit import (
    admission,
    amount,
    asked,
    config,
    held,
    hierarchy,
    kernel,
    locks,
    machine,
    manager,
    name,
    orphans,
    people,
    plan,
    section,
    trace,
    work,
)
from cit.command import Means
from cit.errors import CONFIG, DENIED, DONE, Bad, Failure
from cit.queue import MODES, Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cit.asked import Asked
    from cit.command import Echo
    from cit.held import Held
    from cit.name import Name
    from cit.wants import Outcome

# Whom jobs of root become where nothing is configured: a uid that systemd keeps for users
# that exist only while a service runs, so no person and no package has it.
NOBODY = 61999
GRACE = "10s"
PATIENCE = "10s"  # how long a job may wait in its slot before it is parked
SOON = 0.05  # seconds: a listing is used at least so long
PAUSE = 0.05  # seconds between two looks at a job that somebody holds


def means(queue: Queue, echo: Echo | None = None, *, here: bool = False) -> Means:
    """What this machine and its configuration give a runner; `here`, one that somebody watches."""
    kernel.load()
    kernel.adopt_orphans()
    user = None
    if os.geteuid() == 0:
        uid = config.value("job_uid") or str(NOBODY)
        if not uid.isdecimal() or int(uid) == 0:
            raise Failure(
                CONFIG, f"job_uid: expected the number of an unprivileged user, found '{uid}'"
            )
        user = (int(uid), int(uid))
    # Who started it here and now stays with it; a slot is not kept for what only waits.
    patience = None if here else _duration("patience", PATIENCE)
    return Means(
        hierarchy.find(config.value("cgroup")), user, queue.home, _duration("grace", GRACE), echo,
        patience=patience,
    )  # fmt: skip


def _duration(key: str, default: str) -> float:
    try:
        return amount.duration(config.value(key) or default)
    except ValueError as error:
        raise Failure(CONFIG, f"{key}: {error}") from None


def serve(path: str, slots: int | None = None) -> int:
    """Work until nothing is left to do here; an exit code.

    `slots` instead of those of the queue. Raises Failure where the queue is not ours.
    """
    queue = Queue(path)
    if not queue.mine:
        owner = people.user(queue.owner)
        raise Failure(DENIED, f"queue '{path}' belongs to {owner}, whose cron serves it")
    count = slots or queue.slots
    if count == 1:
        return _worker(path, 0)
    workers = []
    for slot in range(count):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            # Returned and raised through the whole stack, the end of a worker is told like
            # that of any command. Locks belong to a descriptor: it opens its own.
            return _worker(path, slot)
        workers.append(pid)
    return _guard(workers)


def _guard(workers: list[int]) -> int:
    """Wait for the workers; the worst of their exit codes.

    What the job of a killed worker left running is ours then, and is ended at once.
    """
    kernel.adopt_orphans()
    worst = DONE
    while workers:
        pid, status = os.waitpid(-1, 0)
        if pid in workers:
            workers.remove(pid)
            worst = max(worst, os.waitstatus_to_exitcode(status), key=abs)
            if os.WIFSIGNALED(status):
                orphans.end_all(keep=workers)
    return worst


def run(path: str, request: Asked, echo: Echo | None, *, stepping: bool = False) -> Outcome:
    """Run a job here and now, in the queue at `path` but in no slot of it."""
    from cit import stepping as by_step

    queue = Queue(path)
    given = means(queue, echo, here=True)._replace(
        interrupted=_interruptible(), tell=by_step.say,
        consent=by_step.Stepping() if stepping else None,
    )  # fmt: skip
    with _begin(queue, request) as hold:
        outcome = work.work(hold, given)
        assert outcome is not None, "what somebody waits for is not parked"
        return outcome


def _interruptible() -> Callable[[], str]:
    """From now on the first control-C stops the job as cit-stop would, a second one us."""
    heard: list[str] = []

    def hear(number: int, frame: object) -> None:
        heard.append(people.who())
        signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hear)
    return lambda: heard[0] if heard else ""


def _worker(path: str, slot: int) -> int:
    queue = Queue(path)
    given: Means | None = None
    while queue.locks.hold(locks.SLOTS + slot):
        choice = _Choice(queue)
        while choice.any():
            # Before anything is claimed: what cannot be configured shall hold up no job.
            given = given or means(queue)
            hold = choice.next()
            if hold is None:
                break
            with hold:
                work.work(hold, given)
        queue.locks.release(locks.SLOTS + slot)
        if _news(queue):
            manager.tick(queue)
        # Who admitted a job meanwhile saw this slot taken, and relies on another look.
        if not choice.more():
            break
    return DONE


def _news(queue: Queue) -> bool:
    """Whether there is something for a tick that nobody else may come to do.

    A job that pushes others starts nothing for them; who answered while its job was being
    parked found it in our hands; and what ended now may be what others await.
    """
    due = manager.due(queue)
    return bool(
        manager.dropped(queue)
        or (due is not None and due <= time.time())
        or manager.awaited(queue)
    )


class _Choice:
    """The next job to claim: those that lost their runner first, then as the plan orders.

    Listing a long queue costs more than running a short job, so a listing is used until
    ten times what it cost has passed.
    """

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.fresh = 0.0
        self.names: list[tuple[str, str]] = []  # state and file, the next one last
        self.never: set[str] = set()  # ids that this machine will never run

    def any(self) -> bool:
        """Whether there may be something to do."""
        if not self.names or time.monotonic() > self.fresh:
            self._list()
        return bool(self.names)

    def next(self) -> Held | None:
        """A held job in `run/`; None where there is none to run now."""
        busy: set[str] = set()
        while found := self._pop():
            hold = held.take(self.queue, found)
            if hold is None:
                # A tick has it for a moment, or longer where the disk is full.
                if found.id in busy:
                    time.sleep(PAUSE)
                busy.add(found.id)
                continue
            if hold.settle():
                hold.close()  # it ended, and a cut came before it got to `done/`
                continue
            if found.state == "run":
                return hold
            if self._possible(hold):
                hold.move("run")
                return hold
            self.never.add(found.id)
            hold.close()
        return None

    def more(self) -> bool:
        self.fresh = 0.0
        found = self._pop()
        return found is not None

    def _pop(self) -> Name | None:
        if not self.names or time.monotonic() > self.fresh:
            self._list()
        while self.names:
            found = name.parse(*self.names.pop())
            if found and found.id not in self.never:
                return found
        return None

    def _list(self) -> None:
        started = time.monotonic()
        self.names = []
        if not self.queue.paused:
            waiting = self.queue.waiting()
            lost = [f for f in self.queue.names("run") if not self.queue.locks.held(f.number)]
            self.names = [("wait", file) for file in reversed(waiting)]
            self.names += [("run", found.file) for found in reversed(lost)]
        now = time.monotonic()
        self.fresh = now + max(10 * (now - started), SOON)

    def _possible(self, hold: Held) -> bool:
        if b"needs" not in hold.asked:
            return True
        return not lacking(asked.parse(hold.asked))


def lacking(request: Asked) -> str:
    """What a job needs and this machine does not have, "" where it can run."""
    needs = request.job.get("needs", {})
    return plan.missing(needs, machine.this(plan.tools(needs)))


def _begin(queue: Queue, request: Asked) -> Held:
    """Publish a job right into `run/`, held from its first moment."""
    if not queue.mine:
        raise Failure(DENIED, f"queue '{queue.path}' belongs to {people.user(queue.owner)}")
    id = request.job["id"]
    while not queue.locks.hold(locks.MANAGER):
        time.sleep(0.01)  # a tick is at work: it reserves numbers and looks for ids too
    try:
        if queue.now(id) or id in queue.tombstones():
            raise Bad(f"id {id} has been pushed before")
        found = _publish(queue, request, admission.reserve(queue, 1))
    finally:
        queue.locks.release(locks.MANAGER)
    hold = held.take(queue, found)
    assert hold is not None, "we hold its number"
    return hold


def _publish(queue: Queue, request: Asked, number: int) -> Name:
    queue.locks.hold(number)
    now = trace.stamp(time.time())
    records = [
        trace.Record(now, "push", "-", (people.who(), "sha256:" + request.sha256)),
        trace.Record(now, "admit", "-", (people.who(), str(number))),
    ]
    data = request.data + section.TRACE + b"".join(map(trace.render, records))
    id, called, priority = request.job["id"], request.job["name"], asked.priority(request)
    file = name.queued(priority, number, id, called)
    mode = min(MODES[str(queue.setting("readers"))], MODES[str(request.job.get("readers", "all"))])
    queue.directory("run").publish(file, data, mode)
    return name.Name("run", file, id, called, priority, number)
