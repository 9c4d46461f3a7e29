"""What a command left running, where no control group tells: found, measured and ended.

Two ways find it. A process that adopts orphans (kernel.adopt_orphans) has all of
them below itself, whatever they did to their session or environment; that serves
as long as it lives. After a crash it is told by CIT_ID in the environment, which
every process of a job inherits, and which one that wants to hide can change.

Assumed: /proc/PID/task/TID/children, as the kernels of all distributions have it.
"""

from __future__ import annotations

import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

HOLDS = "CIT_HOLDS"  # what such a process has instead of CIT_ID, so that it is not measured
_ENVIRONMENT = 1 << 20  # bytes of it that are looked at


def children(pid: int) -> list[int]:
    """The children of a process; none if it is gone."""
    try:
        found = []
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(child) for child in file.read().split()]
        return found
    except (FileNotFoundError, ProcessLookupError):
        return []


def below(keep: Collection[int] = ()) -> set[int]:
    """All descendants of this process, but for `keep` and what is below these."""
    found: set[int] = set()
    todo = [os.getpid()]
    while todo:
        new = [pid for pid in children(todo.pop()) if pid not in keep and pid not in found]
        found.update(new)
        todo += new
    return found


def marked(id: str, run: str = "", key: str = "CIT_ID") -> set[int]:
    """The processes with CIT_ID=id in their environment that we may look at, but for us.

    With `run` only those that have CIT_RUN=run as well. `key` is HOLDS for what does not run
    for the job but holds its isolation.
    """
    marks = [os.fsencode(f"\0{key}={id}\0")]
    marks += [b"\0CIT_RUN=" + os.fsencode(run) + b"\0"] if run else []
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                environment = b"\0" + file.read(_ENVIRONMENT)
                if all(mark in environment for mark in marks):
                    found.add(int(entry))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found - {os.getpid()}


def memory(id: str) -> int:
    """Bytes that the processes of a job hold now; what they share counts for each of them."""
    page, total = os.sysconf("SC_PAGE_SIZE"), 0
    for pid in marked(id):
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                total += int(file.read().split()[1]) * page
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return total


def threads(uid: int) -> int:
    """The threads of a user, as RLIMIT_NPROC counts them."""
    total = 0
    for entry in os.listdir("/proc"):
        try:
            if entry.isdecimal() and os.stat(f"/proc/{entry}").st_uid == uid:
                total += len(os.listdir(f"/proc/{entry}/task"))
        except OSError:
            continue
    return total


def end_all(
    id: str = "", keep: Collection[int] = (), run: str = "", seconds: float = 5.0
) -> set[int]:
    """Kill what is below us, and what carries that id; returns what would not go in time.

    With `run` only what carries that id and run. `keep` are children that are not to be killed
    or reaped here. Everything is stopped before anything is killed, so that what forks faster
    than we look gets no turn in between.
    """
    deadline = time.monotonic() + seconds
    stopped: set[int] = set()
    while found := _left(id, run, keep):
        fresh = found - stopped
        for pid in fresh:
            _signal(pid, signal.SIGSTOP)
        stopped |= fresh
        if not fresh or time.monotonic() > deadline:
            for pid in found:
                _signal(pid, signal.SIGKILL)
            _reap(found)
            _pause(found)
            stopped &= found
        if time.monotonic() > deadline + 1:
            return found
    _reap(stopped)  # what is dead has no environment to be told by
    return set()


def _left(id: str, run: str, keep: Collection[int]) -> set[int]:
    if run:
        return marked(id, run) - set(keep)
    return below(keep) | (marked(id) | marked(id, key=HOLDS)) - set(keep) if id else below(keep)


def bury() -> None:
    """Reap what we adopted and is dead. For when no child of ours is waited for any more."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):  # gone, or another user's by a setuid exec
        pass


def _reap(pids: Collection[int]) -> None:
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue  # not adopted yet, or of another parent


def _pause(pids: Collection[int]) -> None:
    """Until one of them has ended, or a moment has passed."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(10)
        finally:
            os.close(fd)
        return
