"""A job's file, open for appending by the one process that holds the job."""

from __future__ import annotations

import errno
import hashlib
import os

from cit.trace import TEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.files import Directory

# Bytes read at once: all of a job that has not run yet, since the asked part has a cap.
PIECE = 2 << 20


class Journal:
    """A job's file, open for appending by whoever holds the job.

    add() only collects; flush() hands whole records to the kernel; sync() makes them
    durable. After an OSError for want of space, which only flush() raises, flush() goes on
    where it stopped; after any other the journal is to be dropped.
    """

    def __init__(self, directory: Directory, name: str) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(name, flags, dir_fd=directory.fd)
        self._parts: list[bytes] = []
        self._hash = hashlib.sha256()
        self._durable = -1  # the size that is: who was here before may have been cut
        self.head = b""  # the file as it was found, up to a piece
        self.size, last = 0, b"\n"
        while part := os.read(self.fd, PIECE):
            self.head = self.head or part
            self._hash.update(part)
            self.size += len(part)
            last = part[-1:]
            if len(part) < PIECE:
                break
        if last != b"\n":
            self.add(TEAR)

    def add(self, data: bytes) -> None:
        self._parts.append(data)
        self._hash.update(data)
        self.size += len(data)

    def flush(self) -> None:
        if not self._parts:
            return
        rest = memoryview(b"".join(self._parts))
        try:
            while rest:
                rest = rest[os.write(self.fd, rest) :]
        finally:
            self._parts = [bytes(rest)] if rest else []

    def sync(self) -> None:
        self.flush()
        if self._durable == self.size:
            return
        try:
            os.fdatasync(self.fd)
        except OSError as error:
            # What could not be written may be gone, and the next call would say that all is
            # well. So this is never the want of space that one waits for.
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from error
        self._durable = self.size

    def digest(self) -> str:
        """The sha256 of all bytes of the file and of what was added."""
        return self._hash.hexdigest()

    def close(self) -> None:
        os.close(self.fd)
