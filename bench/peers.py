"""What cit is measured beside: bare loops of the same system calls, and other queues.

The queues first get a job that blocks, then all their jobs, and the clock runs from
the moment the first one is released: as for cit, the time to queue is not counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

TRUE = "/bin/true"


def publish(directory: Path, count: int, data: bytes) -> float:
    """Seconds to publish `count` files one after the other, each durable."""
    directory.mkdir()
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    begin = time.monotonic()
    for number in range(count):
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(fd, data)
        os.fsync(fd)
        # With a directory's descriptor Python calls linkat(AT_SYMLINK_FOLLOW).
        os.link(f"/proc/self/fd/{fd}", f"{number}.job", dst_dir_fd=at, follow_symlinks=True)
        os.fsync(fd)
        os.fsync(at)
        os.close(fd)
    took = time.monotonic() - begin
    os.close(at)
    shutil.rmtree(directory)
    return took


def serve(directory: Path, count: int) -> float:
    """Seconds to take `count` files from one directory over a second to a third, as a
    runner does: each durable at every move, its command in a cgroup of its own."""
    waiting, running, done = (directory / name for name in ("wait", "run", "done"))
    for place in (waiting, running, done):
        place.mkdir(parents=True)
    for number in range(count):
        (waiting / f"{number}.job").write_bytes(b"x" * 300)
    ends = [os.open(place, os.O_RDONLY) for place in (waiting, running, done)]
    group = _group()
    begin = time.monotonic()
    for number in range(count):
        name = f"{number}.job"
        os.rename(waiting / name, running / name)
        os.fsync(ends[0])
        os.fsync(ends[1])
        fd = os.open(running / name, os.O_WRONLY | os.O_APPEND)
        os.write(fd, b"x" * 120)
        os.fsync(fd)
        if group:
            group.mkdir()
        pid = os.posix_spawn(TRUE, [TRUE], {})
        if group:
            (group / "cgroup.procs").write_text(str(pid))
        os.waitpid(pid, 0)
        if group:
            group.rmdir()
        os.write(fd, b"x" * 200)
        os.fsync(fd)
        os.close(fd)
        os.rename(running / name, done / name)
        os.fsync(ends[1])
        os.fsync(ends[2])
    took = time.monotonic() - begin
    for end in ends:
        os.close(end)
    shutil.rmtree(directory)
    return took


def _group() -> Path | None:
    """Where a cgroup can be made, or None."""
    for root in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        if os.path.exists(f"{root}/cgroup.procs") and os.access(root, os.W_OK):
            return Path(root, f"cit-bench-{os.getpid()}")
    return None


def nq(directory: Path, count: int) -> float | None:
    """Seconds nq needs for `count` jobs, one after the other; None if it is not installed."""
    if not shutil.which("nq"):
        return None
    directory.mkdir()
    environ = os.environ | {"NQDIR": str(directory)}
    gate = _gate(directory)
    subprocess.run(["nq", "-q", "cat", str(gate)], env=environ, check=True)
    for _ in range(count):
        subprocess.run(["nq", "-q", TRUE], env=environ, check=True)
    begin = _release(gate)
    subprocess.run(["nq", "-w"], env=environ, check=True)
    took = time.monotonic() - begin
    shutil.rmtree(directory)
    return took


def task_spooler(directory: Path, count: int, slots: int) -> float | None:
    """Seconds task-spooler needs for `count` jobs; None if it is not installed.

    It keeps a connection per waiting job and takes no more than about a thousand.
    """
    if not shutil.which("tsp"):
        return None
    directory.mkdir()
    environ = os.environ | {
        "TS_SOCKET": str(directory / "socket"),
        "TS_SLOTS": str(slots),
        "TS_MAXFINISHED": str(count + slots),
        "TMPDIR": str(directory),
    }
    gates = [_gate(directory, str(slot)) for slot in range(slots)]

    def tsp(*argv: str) -> None:
        subprocess.run(["tsp", *argv], env=environ, check=True, stdout=subprocess.DEVNULL)

    try:
        for gate in gates:
            tsp("cat", str(gate))
        for _ in range(count):
            tsp("-n", TRUE)
        tsp("-N", str(slots), TRUE)  # takes all slots: its end is the end of all
        for gate in gates[1:]:
            _release(gate)
        begin = _release(gates[0])
        tsp("-w")
        return time.monotonic() - begin
    finally:
        tsp("-K")
        shutil.rmtree(directory)


def parallel(directory: Path, count: int, slots: int) -> float | None:
    """Seconds GNU parallel needs for `count` jobs from a list, with its log of jobs; None if
    it is not installed. It has no queue to fill first: its start is part of the time."""
    if not shutil.which("parallel"):
        return None
    directory.mkdir()
    todo = directory / "todo"
    todo.write_text(f"{TRUE}\n" * count)
    argv = ["parallel", "--will-cite", f"-j{slots}", "--joblog", str(directory / "log")]
    with todo.open() as jobs:
        begin = time.monotonic()
        subprocess.run(argv, stdin=jobs, check=True, env=os.environ | {"HOME": str(directory)})
        took = time.monotonic() - begin
    shutil.rmtree(directory)
    return took


def _gate(directory: Path, name: str = "") -> Path:
    path = directory / f"gate{name}"
    os.mkfifo(path)
    return path


def _release(gate: Path) -> float:
    """Let the reader of a gate go on; the time at which it could."""
    with gate.open("wb"):  # returns once the reader is there
        return time.monotonic()
