"""Scratch file systems: one whose power can be cut, one that is soon full."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NOLOGFLUSH = 2  # what is not in the journal yet is gone, as when the power fails


class Disk:
    """An ext4 in a file, mounted at `path` for as long as the context lasts."""

    def __init__(self, place: Path, mib: int) -> None:
        self.image = place / "image"
        self.path = place / "disk"
        self.path.mkdir()
        with self.image.open("wb") as image:
            image.truncate(mib << 20)
        # A short commit interval of its own accord would make more durable than was asked.
        call("mkfs.ext4", "-q", "-F", str(self.image))

    def __enter__(self) -> Disk:
        call("mount", "-o", "loop,commit=60", str(self.image), str(self.path))
        self.path.chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def cut(self) -> None:
        """The power fails: from now on every call on this file system does."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def leave(self) -> None:
        """Unmount, once the last process has let go."""
        for _ in range(1000):
            if subprocess.run(["umount", str(self.path)], capture_output=True).returncode == 0:
                return
            time.sleep(0.01)
        call("umount", str(self.path))

    def restore(self) -> None:
        """The power is back: what the journal has is there again."""
        self.leave()
        self.__enter__()


class Memory:
    """A file system in memory with so many KiB, mounted as long as the context lasts."""

    def __init__(self, path: Path, kib: int) -> None:
        self.path = path
        self.kib = kib

    def __enter__(self) -> Memory:
        self.path.mkdir()
        call("mount", "-t", "tmpfs", "-o", f"size={self.kib}k,mode=755", "cit-test", str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        call("umount", "--lazy", str(self.path))

    def grow(self, kib: int) -> None:
        call("mount", "-o", f"remount,size={kib}k", str(self.path))


def call(*argv: str) -> None:
    ended = subprocess.run(argv, capture_output=True, text=True)
    assert ended.returncode == 0, f"{' '.join(argv)}: {ended.stderr}"
