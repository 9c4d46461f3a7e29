"""What a job left behind where no control group tells: processes that carry its id.

Every command of a job has CIT_ID in its environment, and what it starts inherits that.
A process that wants to hide can change its environment; where that matters there are
control groups, or a chroot with a pid namespace of its own.
"""

from __future__ import annotations

import os
import signal
import time

PATIENCE = 2.0  # seconds until what was killed must be gone


def find(id: str) -> list[int]:
    """The processes of that job that we may look at, but for ourselves."""
    mark = f"CIT_ID={id}\0".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if mark in file.read(1 << 18):
                    found.append(int(entry))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


def memory(id: str) -> int:
    """Bytes that the processes of a job hold now; what they share is counted for each."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(_word(pid, "statm", 1)) * page for pid in find(id))


def threads(uid: int) -> int:
    """The threads of a user, as RLIMIT_NPROC counts them."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                if os.stat(f"/proc/{entry}").st_uid == uid:
                    total += len(os.listdir(f"/proc/{entry}/task"))
            except OSError:
                continue
    return total


def _word(pid: int, file: str, at: int) -> str:
    try:
        with open(f"/proc/{pid}/{file}", encoding="ascii") as text:
            return text.read().split()[at]
    except (OSError, IndexError):
        return "0"


def end(id: str) -> bool:
    """Kill them until none is left. False: something does not go away."""
    deadline = time.monotonic() + PATIENCE
    while left := find(id):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        reap()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def reap() -> None:
    """Bury the orphans that we adopted."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
