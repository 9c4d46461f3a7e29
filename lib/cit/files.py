"""Files: publish, append, move. With journal.py, all that writes to a queue.

The one way a file appears is publish(): a nameless file is written, made durable,
linked to its name and made durable again under that name; so a name always stands
for a whole file, and there is no moment with two names. A failed write or fsync is
never tried again on the same file: the kernel may have dropped the pages and call
them clean. What was made is abandoned, and nobody is told that it is there.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from cit.trace import TEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

FULL = (errno.ENOSPC, errno.EDQUOT)
PAUSE = 0.5  # seconds between two looks whether there is room again


class Directory:
    """An open directory. Where it may not be read (mode 1733), names can still be made in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        flags = os.O_DIRECTORY | os.O_CLOEXEC
        try:
            self.fd = os.open(path, flags | os.O_RDONLY)
            self.readable = True
        except PermissionError:
            self.fd = os.open(path, flags | os.O_PATH)
            self.readable = False

    def names(self) -> list[str]:
        """All names but those that begin with a dot, unsorted."""
        return [name for name in os.listdir(self.path) if not name.startswith(".")]

    def sync(self) -> None:
        os.fsync(self.fd)

    def publish(self, name: str, data: bytes, mode: int = 0o600) -> None:
        """Make `name` with this content, durable on return. Raises FileExistsError, OSError."""
        fd, temporary = self._nameless()
        try:
            write(fd, data)
            os.fchmod(fd, mode)
            os.fsync(fd)
            if temporary:
                _rename(self.fd, temporary, name)
                temporary = ""
            else:
                os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=self.fd, follow_symlinks=True)
            self._settle(fd)
        finally:
            os.close(fd)
            if temporary:
                os.unlink(temporary, dir_fd=self.fd)

    def settle(self, name: str) -> None:
        """Make a name durable that somebody published, who may have been cut. Raises OSError."""
        fd = self.open(name)
        try:
            self._settle(fd)
        finally:
            os.close(fd)

    def _settle(self, fd: int) -> None:
        # The name is in a journal now and must reach the disk too. ext4 commits it with
        # the file; a directory that can be opened is asked itself.
        os.fsync(fd)
        if self.readable:
            self.sync()
        else:
            _sync_names(fd)

    def replace(self, name: str, data: bytes, mode: int = 0o600) -> None:
        """Make or replace a file of ours that is not a job, whole and durable."""
        temporary = f".{name}.{os.getpid()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode,
                     dir_fd=self.fd)  # fmt: skip
        try:
            write(fd, data)
            os.fchmod(fd, mode)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        self.sync()

    def open(self, name: str) -> int:
        """A descriptor to read a file. Raises OSError."""
        # What lies in a drop box may be a fifo: it is not waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Unlink a name; that it is gone already is what was asked."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass

    def close(self) -> None:
        os.close(self.fd)

    def _nameless(self) -> tuple[int, str]:
        try:
            flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
            return os.open(".", flags, 0o600, dir_fd=self.fd), ""
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                raise
        temporary = f".{os.getpid()}.{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(temporary, flags, 0o600, dir_fd=self.fd), temporary


def move(source: Directory, name: str, target: Directory, new: str) -> None:
    """Rename, durable on return. The caller holds the job, and ids are unique."""
    # A directory may need a block for a name. What fails after the rename is not tried again.
    patiently(lambda: os.rename(name, new, src_dir_fd=source.fd, dst_dir_fd=target.fd))
    target.sync()
    source.sync()


def patiently(act: Callable[[], T]) -> T:
    """The result of an act that may find the disk full; it is tried again until there is room.

    For acts that begin anew, or go on where they stopped. Other errors are not waited out.
    """
    while True:
        try:
            return act()
        except OSError as error:
            if error.errno not in FULL:
                raise
        time.sleep(PAUSE)


def write(fd: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_untrusted(directory: Directory, name: str, cap: int) -> tuple[bytes, os.stat_result]:
    """The bytes and the status of a file that somebody else may have made.

    Opened once, without following a link or waiting for a fifo. Raises ValueError with a
    reason where it is not a plain file with one name, or larger than `cap`; OSError.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    fd = os.open(name, flags, dir_fd=directory.fd)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_nlink != 1:
            # A hard link to a file of another user would show its bytes to the queue.
            raise ValueError("a file with more than one name")
        if status.st_size > cap:
            raise ValueError(f"larger than {cap} bytes")
        return read(fd, cap), status
    finally:
        os.close(fd)


def read(fd: int, size: int, offset: int = 0) -> bytes:
    """Up to `size` bytes from `offset`; fewer only at the end of the file."""
    parts = []
    while size > 0:
        part = os.pread(fd, min(size, 1 << 20), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)


def _rename(directory: int, old: str, new: str) -> None:
    # Only where O_TMPFILE is missing: rename(2) that never replaces, which os lacks.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(directory, os.fsencode(old), directory, os.fsencode(new), 1):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)


def _sync_names(fd: int) -> None:
    # A user cannot open a drop box to fsync it. On ext4 the fsync of the file committed
    # its name; elsewhere only syncfs(2) is sure to.
    device = os.fstat(fd).st_dev
    mark = f" {os.major(device)}:{os.minor(device)} "
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        if any(mark in line and " - ext4 " in line for line in mounts):
            return
    sync_all(fd)


def sync_all(fd: int) -> None:
    """Make all of the file system durable that a file is in. Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(fd):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def append(path: str, data: bytes, mode: int) -> None:
    """Append whole lines to a file of ours that is not a job: a log of acts, receipts."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, mode)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            data = TEAR + data  # a crash cut the last line: it must not swallow the next one
        write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: str, mode: int) -> None:
    """Make a directory, durable on return; that it is there already is what was asked."""
    try:
        os.mkdir(path, mode)
        os.chmod(path, mode)
    except FileExistsError:
        return
    parent = Directory(os.path.dirname(os.path.abspath(path)))
    try:
        if parent.readable:
            parent.sync()
    finally:
        parent.close()


def touch(path: str) -> None:
    """Set the time of a file to now; made where it is not there. Not durable: only a mark."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        # The kernel's own clock for this is coarse: two marks within its tick look like one.
        now = time.time_ns()
        os.utime(fd, ns=(now, now))
    finally:
        os.close(fd)
