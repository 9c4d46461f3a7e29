"""One directory of a cgroup file system: its files, its processes, its end.

Nothing here raises because a group went away: whoever is killed takes its groups
along at any moment, and another runner may remove what we are just reading.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from itertools import islice

from cit import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0  # seconds until what was killed must be gone


def mkdir(path: str) -> None:
    """Make a group, unless it is there. Raises OSError."""
    try:
        os.mkdir(path)
    except FileExistsError:
        pass


def rmdir(path: str) -> bool:
    """Take an empty group away. True: it is gone."""
    try:
        os.rmdir(path)
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENODEV)
    return True


def write(path: str, value: str) -> None:
    """Write a file of a group in one call. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def attempt(path: str, value: str) -> bool:
    """Write, and say whether it could be done."""
    try:
        write(path, value)
    except OSError:
        return False
    return True


def entry(directory: str, version: int) -> int:
    """A descriptor: who writes b"0" to it is in the group. Raises OSError.

    A v1 `tasks` moves the writing thread alone, without the lock that stops every
    fork and exit of the machine.
    """
    name = "cgroup.procs" if version == 2 else "tasks"
    return os.open(f"{directory}/{name}", os.O_WRONLY | os.O_CLOEXEC)


def text(path: str) -> str | None:
    """The whole of a small file; None if it is not there, or not for us."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = [os.read(fd, 65536)]
        # The kernel fills its page of 4 KiB before it answers short: less is the end.
        while len(parts[-1]) > 1024:
            parts.append(os.read(fd, 65536))
    except OSError:  # the group went away meanwhile
        return None
    finally:
        os.close(fd)
    return b"".join(parts).decode(errors="surrogateescape")


def words(path: str) -> list[str]:
    """The words of a small file; none if it is not there."""
    return (text(path) or "").split()


def kill(directories: list[str]) -> bool:
    """End everything in these groups, for sure. True: nothing is left."""
    pause, deadline = 0.0002, time.monotonic() + PATIENCE
    while left := [d for d in directories if populated(d)]:
        # One write ends all, even what is just forking. Without it nothing may run
        # while its processes are read and signalled, or new ones would slip through.
        slow = [d for d in left if not attempt(d + "/cgroup.kill", "1")]
        for d in slow:
            _freeze(d)
        for d in slow:
            _signal(d)
        for d in slow:
            attempt(d + "/freezer.state", "THAWED")
            attempt(d + "/cgroup.freeze", "0")
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return True


def _freeze(directory: str) -> None:
    """Stop a group where that can be done, and give it a moment to stand still."""
    two = attempt(directory + "/cgroup.freeze", "1")
    for _ in range(50):
        if two:
            if "frozen 1" in (text(directory + "/cgroup.events") or ""):
                return
        # Again and again: what forked meanwhile is frozen only by another write.
        elif not attempt(directory + "/freezer.state", "FROZEN") or (
            text(directory + "/freezer.state") == "FROZEN\n"
        ):
            return
        time.sleep(0.001)


def _signal(directory: str) -> None:
    """SIGKILL to all processes of a group, and to nothing that took over a number."""
    pids = processes(directory)
    while some := list(islice(pids, 250)):  # descriptors are scarce
        held = []
        for pid in some:
            try:
                held.append((pid, os.pidfd_open(pid)))
            except OSError:  # just dead, or no descriptors: the next round sees
                continue
        still = set(processes(directory))
        for pid, fd in held:
            try:
                if pid in still:
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # dead, or setuid
                pass
            finally:
                os.close(fd)


def remove(directory: str) -> bool:
    """rmdir of a group with what it holds. Almost always it is empty and one call does it."""
    deadline = time.monotonic() + PATIENCE
    while not rmdir(directory):
        kill([directory])
        for name in children(directory):
            remove(f"{directory}/{name}")
        if rmdir(directory):
            break
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def populated(directory: str) -> bool:
    """Is any process in a group, or in a group below it?"""
    events = text(directory + "/cgroup.events")
    if events is not None:
        return usage.pairs(events).get("populated", 0) > 0
    return bool(next(processes(directory), 0))


def processes(directory: str) -> Iterator[int]:
    """The processes of a group and of all groups below it."""
    for word in words(directory + "/cgroup.procs"):
        if word != "0":  # of another pid namespace: no name for it here
            yield int(word)
    for name in children(directory):
        yield from processes(f"{directory}/{name}")


def children(directory: str) -> list[str]:
    """The names of the groups in a group."""
    try:
        if os.stat(directory).st_nlink <= 2:  # cgroupfs counts: no child
            return []
        with os.scandir(directory) as entries:
            return [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
