"""The workspace of a job: `work/NAME/ID/`, and in it `.cit/` for scripts and data files.

The directory may belong to another user than us: started by root, jobs are a dedicated
uid. So below the workspace nothing is opened through a link, and every name is new.
"""

from __future__ import annotations

import os
import stat

from cit import bundle, files

PRIVATE = ".cit"
DATA_CAP = 1 << 16  # bytes of a data file that are read


class Workspace:
    """A workspace, made where it is missing. Raises OSError."""

    def __init__(self, base: str, name: str, id: str, user: tuple[int, int] | None) -> None:
        self.user = user
        self.parent = os.path.join(base, name)
        self.path = os.path.join(self.parent, id)
        self.new = not os.path.isdir(self.path)
        if self.new:
            # Others pass through to their own, and see nothing of each other.
            os.makedirs(self.parent, 0o711 if user else 0o700, exist_ok=True)
            os.mkdir(self.path, 0o700)
            self._give(self.path)
        flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.path, flags)
        try:
            os.mkdir(PRIVATE, 0o700, dir_fd=self._fd)
            if user:
                os.chown(PRIVATE, *user, dir_fd=self._fd, follow_symlinks=False)
        except FileExistsError:
            pass
        self._private = os.open(PRIVATE, flags, dir_fd=self._fd)

    def make(self, name: str, data: bytes, mode: int) -> int:
        """A new file in `.cit/`, instead of one that is there; a descriptor to read it."""
        try:
            os.unlink(name, dir_fd=self._private)
        except FileNotFoundError:
            pass
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, mode, dir_fd=self._private)
        try:
            if data:
                files.write(fd, data)
            if self.user:
                os.fchown(fd, *self.user)
        except OSError:
            os.close(fd)
            raise
        return fd

    def remove(self, *names: str) -> None:
        for name in names:
            try:
                os.unlink(name, dir_fd=self._private)
            except OSError:
                pass  # the job removed it, or made a directory of it

    def unpack(self, body: bytes) -> None:
        """Make the files that the job brings along. Raises Bad."""
        bundle.unpack(body, self.path)
        if self.user:
            for root, directories, names in os.walk(self.path):
                for name in [*directories, *names]:
                    os.chown(os.path.join(root, name), *self.user, follow_symlinks=False)

    def size(self) -> int:
        """Bytes on disk of all that is in it now."""
        total, todo = 0, [self.path]
        while todo:
            try:
                with os.scandir(todo.pop()) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        total += status.st_blocks * 512
                        if stat.S_ISDIR(status.st_mode):
                            todo.append(entry.path)
            except OSError:
                continue  # it changes while we look
        return total

    def close(self) -> None:
        """Let go, and remove it where the job left nothing in it."""
        try:
            os.rmdir(PRIVATE, dir_fd=self._fd)
            os.rmdir(self.path)
            os.rmdir(self.parent)
        except OSError:
            pass  # not empty: it stays for a look, until the job is pruned
        os.close(self._private)
        os.close(self._fd)

    def _give(self, path: str) -> None:
        if self.user:
            os.chown(path, *self.user, follow_symlinks=False)


def data(fd: int) -> list[tuple[str, str]]:
    """The `name <tab> value` lines that a command appended to its data file."""
    text = os.pread(fd, DATA_CAP, 0)
    pairs = []
    for line in text.split(b"\n"):
        name, tab, value = line.decode("utf-8", "surrogateescape").partition("\t")
        if tab and name:
            pairs.append((name, value))
    return pairs
