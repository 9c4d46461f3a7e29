"""The workspace of a job: `work/NAME/ID/`, and in it `.cit/` for scripts and data files.

The directory may belong to another user than us: started by root, jobs are a dedicated
uid. So below the workspace nothing is opened through a link, and every name is new.
"""

from __future__ import annotations

import errno
import os
import stat

from cit import bundle, files, tree
from cit.errors import Bad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PRIVATE = ".cit"
TRIES = 100  # as long as other jobs get in the way
DATA_CAP = 1 << 16  # bytes of a data file that are read


class Workspace:
    """A workspace, made where it is missing. Raises OSError."""

    def __init__(self, base: str, name: str, id: str, user: tuple[int, int] | None) -> None:
        self.user = user
        self.parent = os.path.join(base, name)
        self.path = os.path.join(self.parent, id)
        self._make()
        # An earlier attempt may have taken its own rights away.
        self._fd = tree.enter(self.path)
        try:
            self._give(self._fd)
            self._private = self._enter()
        except OSError:
            os.close(self._fd)
            raise

    def _make(self) -> None:
        for _ in range(TRIES):
            try:
                os.mkdir(self.path, 0o700)
                return
            except FileExistsError:
                return
            except FileNotFoundError:
                pass
            # Others pass through to their own, and see nothing of each other.
            before = os.umask(0o066 if self.user else 0o077)
            try:
                os.makedirs(self.parent)
            except FileExistsError:
                pass  # another job of that name came, or went, at this moment
            finally:
                os.umask(before)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.parent)

    def _enter(self) -> int:
        """Our directory in it, made where the job did away with it."""
        for _ in range(TRIES):
            try:
                os.mkdir(PRIVATE, 0o700, dir_fd=self._fd)
            except FileExistsError:
                pass
            try:
                fd = tree.enter(PRIVATE, self._fd)
                self._give(fd)
                return fd
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                os.unlink(PRIVATE, dir_fd=self._fd)  # a file or a link of the job's
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)

    def make(self, name: str, data: bytes, mode: int) -> int:
        """A new file in `.cit/`, instead of one that is there; a descriptor to read it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, mode, dir_fd=self._private)
        except (FileExistsError, FileNotFoundError):
            fd = self._make_anew(name, flags, mode)
        try:
            if data:
                files.write(fd, data)
            self._give(fd)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _make_anew(self, name: str, flags: int, mode: int) -> int:
        """Where something is in the way, or our directory was removed."""
        anew = self._enter()
        os.close(self._private)
        self._private = anew
        try:
            os.unlink(name, dir_fd=self._private)
        except FileNotFoundError:
            pass
        return os.open(name, flags, mode, dir_fd=self._private)

    def remove(self, *names: str) -> None:
        for name in names:
            try:
                os.unlink(name, dir_fd=self._private)
            except OSError:
                pass  # the job removed it, or made a directory of it

    def unpack(self, body: bytes) -> None:
        """Make the files that the job brings along. Raises Bad, OSError."""
        if not self.user:
            bundle.unpack(body, self.path)
            return
        # As the job's user, who can do no harm by it: another job of his may turn a directory
        # into a link to elsewhere at any moment.
        here, there = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(here)
            _unpack_as(self.user, body, self.path, there)
        os.close(there)
        with open(here, "rb") as pipe:
            number, _, message = pipe.read().partition(b" ")
        os.waitpid(pid, 0)
        if int(number or errno.EINTR):
            raise OSError(int(number or errno.EINTR), message.decode())
        if message:
            raise Bad(message.decode())

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

    def _give(self, fd: int) -> None:
        if self.user:
            os.fchown(fd, *self.user)


def _unpack_as(user: tuple[int, int], body: bytes, path: str, tell: int) -> NoReturn:
    """In a child: unpack, and say how it went, `ERRNO MESSAGE`."""
    said = f"{errno.EIO} cannot unpack its files"
    try:
        os.setgroups([])
        os.setresgid(user[1], user[1], user[1])
        os.setresuid(user[0], user[0], user[0])
        bundle.unpack(body, path)
        said = "0 "
    except Bad as bad:
        said = f"0 {bad}"
    except OSError as error:
        said = f"{error.errno} {error.strerror}"
    finally:
        os.write(tell, said.encode()[:4096])
        os._exit(0)


def data(fd: int) -> list[tuple[str, str]]:
    """The `name <tab> value` lines that a command appended to its data file."""
    text = os.pread(fd, DATA_CAP, 0)
    if len(text) == DATA_CAP:
        text = text[: text.rfind(b"\n") + 1]  # a value that is cut is none
    pairs = []
    for line in text.split(b"\n"):
        name, tab, value = line.decode("utf-8", "surrogateescape").partition("\t")
        if tab and name:
            pairs.append((name, value))
    return pairs
