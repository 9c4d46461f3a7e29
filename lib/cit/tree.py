"""Remove a directory that a stranger filled.

It may be nested deeper than any stack, hold directories without permissions,
and links to anywhere. So there is no recursion: what is nested is moved up to
the top until nothing is, and everything is reached through the descriptor of
the directory that holds it. Nobody may still be writing to it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove(path: str) -> None:
    """Remove a directory with all that is in it; nothing if there is none. OSError."""
    try:
        top = enter(path)
    except FileNotFoundError:
        return
    prefix = os.urandom(8).hex()  # so that no name that is there is taken for what was moved
    moved = 0
    try:
        while names := os.listdir(top):
            for name in names:
                if _unlinked(name, top):
                    continue
                for inner, fd in _nested(name, top):
                    os.rename(inner, f"{prefix}{moved}", src_dir_fd=fd, dst_dir_fd=top)
                    moved += 1
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _nested(name: str, top: int) -> Iterator[tuple[str, int]]:
    """Unlink all but the directories in a directory, and hand these out to be moved away."""
    fd = enter(name, top)
    try:
        for inner in os.listdir(fd):
            if not _unlinked(inner, fd):
                os.close(enter(inner, fd))  # without its own permissions it cannot be moved
                yield inner, fd
    finally:
        os.close(fd)


def _unlinked(name: str, directory: int) -> bool:
    try:
        os.unlink(name, dir_fd=directory)
    except IsADirectoryError:
        return False
    return True


def enter(name: str, directory: int | None = None) -> int:
    """Open a directory, no link to one, with all permissions given to its owner. OSError."""
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=directory)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=directory)
        fd = os.open(name, _DIRECTORY, dir_fd=directory)
    if os.fstat(fd).st_mode & 0o700 != 0o700:
        os.fchmod(fd, 0o700)
    return fd
