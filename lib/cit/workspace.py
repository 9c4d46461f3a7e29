"""The workspace of a job, `work/NAME/ID/`, and `work/.files/`: what its runner makes for it.

The directory may belong to another user than us: started by root, jobs are a dedicated
uid. So below the workspace nothing is opened through a link, and every name is new.
"""

from __future__ import annotations

import errno
import os
import stat

from cit import bundle, files, kernel, tree
from cit.errors import Bad

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

FILES = ".files"  # not in the workspace, which a job may want empty: `git clone URL .`
TRIES = 100  # as long as other jobs get in the way


class Workspace:
    """A workspace, made where it is missing. Raises OSError."""

    def __init__(self, base: str, name: str, id: str, user: tuple[int, int] | None) -> None:
        self.user = user
        self.parent = os.path.join(base, name)
        self.path = os.path.join(self.parent, id)
        self._make()
        # An earlier attempt may have taken its own rights away.
        fd = tree.enter(self.path)
        try:
            self._give(fd)
        finally:
            os.close(fd)
        self.files = os.path.join(base, FILES)
        self._id = id
        if not os.path.isdir(self.files):
            files.make_directory(self.files, 0o711 if user else 0o700)
        self._fd = os.open(self.files, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

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

    def file(self, name: str) -> str:
        """The path of a file of ours for a command of this job."""
        return os.path.join(self.files, f"{self._id}.{name}")

    def make(self, name: str, data: bytes, mode: int) -> int:
        """A new file of ours, instead of one that is there; a descriptor to read it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = f"{self._id}.{name}"
        try:
            fd = os.open(file, flags, mode, dir_fd=self._fd)
        except FileExistsError:
            os.unlink(file, dir_fd=self._fd)
            fd = os.open(file, flags, mode, dir_fd=self._fd)
        try:
            if data:
                files.write(fd, data)
            self._give(fd)
        except OSError:
            os.close(fd)
            raise
        return fd

    def remove(self, *names: str) -> None:
        for name in names:
            try:
                os.unlink(f"{self._id}.{name}", dir_fd=self._fd)
            except OSError:
                pass  # the job removed it, or made a directory of it, where it is the same user

    def sweep(self) -> None:
        """Remove what a runner that was killed had made for the commands of this job."""
        own = [name for name in os.listdir(self._fd) if name.startswith(f"{self._id}.")]
        self.remove(*(name.removeprefix(f"{self._id}.") for name in own))

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

    def inherit(self, source: str) -> None:
        """Fill it with a copy of another workspace, of the same user: whole, or not at all.

        Does nothing where something is in it already. Raises OSError.
        """
        with os.scandir(self.path) as entries:
            if next(entries, None):
                return
        os.close(tree.enter(source))  # a job may have taken its own rights away
        copy = self.file("copy")
        tree.remove(copy)  # half of one, by a runner that was killed
        os.mkdir(copy, 0o700)
        try:
            fd = os.open(copy, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._give(fd)
                _copy_as(self.user, source, copy)
                os.fchmod(fd, 0o700)
                files.sync_all(fd)
            finally:
                os.close(fd)
            os.rename(copy, self.path)
        except OSError:
            tree.remove(copy)
            raise

    def size(self, beside: str) -> int:
        """Bytes on disk of all that is in it now, and in a directory beside it."""
        total, todo = 0, [self.path, beside]
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
            os.rmdir(self.path)
        except OSError:
            pass  # not empty: it stays for a look, until the job is pruned
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


def _copy_as(user: tuple[int, int] | None, source: str, target: str) -> None:
    """Copy what is in a directory into another, with the rights of a user. Raises OSError.

    Where the file system can, the copies share their blocks until one of them is changed.
    """
    kernel.load()
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(there, 2)
            if user:
                os.setgroups([])
                os.setresgid(user[1], user[1], user[1])
                os.setresuid(user[0], user[0], user[0])
            kernel.die_with_parent()
            argv = ["cp", "-a", "--reflink=auto", "-T", "--", source, target]
            os.execve("/bin/cp", argv, {"LC_ALL": "C"})
        except OSError as error:
            os.write(2, f"cp: {error.strerror}".encode())
        finally:
            os._exit(126)
    os.close(there)
    with open(here, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace").splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(errno.EIO, said[-1].removeprefix("cp: ") if said else f"cp ended with {code}")
