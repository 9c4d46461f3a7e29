"""The private file `locks` of a queue: who holds what, as long as he lives.

Locks are open-file-description locks: they belong to the descriptor and not to the
process, so closing some other descriptor of the file does not drop them (as it does
with F_SETLK), and a process that dies lets go. Descriptors are closed on exec, so that
the commands of a job never hold it.
"""

from __future__ import annotations

import fcntl
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

SLOTS = 1 << 61  # the bytes above all admission numbers: one for each slot
MANAGER = 1 << 62  # the one that ticks
PROGRAMS = MANAGER + 1  # the one that changes stored programs
LINGER = MANAGER + 2  # the one that waits for parked jobs where no cron comes by
WATCH = MANAGER + 3  # the one that serves the queue until it is interrupted
_LOCK = "hhqqi0q"  # struct flock: type, whence, start, len, pid


def shown(path: str, byte: int) -> bool | None:
    """Whether a process of this machine holds a byte of that file, as the kernel shows to all.

    None where it does not. Who may not open the file needs no right for this.
    """
    try:
        called = _called(path)
        with open("/proc/locks", encoding="ascii") as file:
            words = [line.split() for line in file]
    except OSError:
        return None
    ours = [line[-2:] for line in words if "OFDLCK" in line and line[-3] == called]
    # Bytes that one holds beside one another are shown as one stretch.
    return any(int(first) <= byte <= int(last) for first, last in ours if last != "EOF")


def _called(path: str) -> str:
    """What the kernel calls a file where it lists locks."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        inode = os.fstat(fd).st_ino
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            mount = dict(line.split(":", 1) for line in file)["mnt_id"].strip()
    finally:
        os.close(fd)
    # Not that of stat(2), which on some file systems is another one.
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        devices = dict(line.split(" ", 3)[0:3:2] for line in file)
    major, minor = map(int, devices.get(mount, "0:0").split(":"))
    return f"{major:02x}:{minor:02x}:{inode}"


class Locks:
    """The private file `locks` of a queue; a job is held by the byte of its number."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def hold(self, byte: int) -> bool:
        """Take the lock of a byte, without waiting; False if another process has it."""
        lock = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        try:
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, lock)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(self, byte: int) -> None:
        lock = struct.pack(_LOCK, fcntl.F_UNLCK, os.SEEK_SET, byte, 1, 0)
        fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, lock)

    def held(self, byte: int) -> bool:
        """Whether another process holds that byte."""
        lock = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        answer = fcntl.fcntl(self.fd, fcntl.F_OFD_GETLK, lock)
        return bool(struct.unpack(_LOCK, answer)[0] != fcntl.F_UNLCK)

    def close(self) -> None:
        os.close(self.fd)

    def __enter__(self) -> Locks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
