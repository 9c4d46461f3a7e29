"""A scratch CIT_HOME on a disk, and the commands of this checkout run in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIN = Path(__file__).resolve().parent.parent / "bin"
ID = re.compile(r"(?:^|-)([0-9a-hjkmnp-tv-z]{26})-[^/]*\.job$")


class Done(NamedTuple):
    """A command that ended: seconds it took, its exit code, and the largest memory in
    bytes of it and of every descendant that was waited for."""

    seconds: float
    code: int
    memory: int


class Home:
    """A directory that is the CIT_HOME of a bench and is gone afterwards.

    It is mode 755: started by root, jobs run under another user and work below it.
    """

    def __init__(self, below: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="cit-bench-", dir=below))
        self.path.chmod(0o755)
        self.queue = self.path / "queue"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "USER": os.environ.get("USER", "root"),
            "LANG": "C.UTF-8",
            "CIT_HOME": str(self.path),
            "CIT_WORK": str(self.path / "work"),
            # A runner that starts by itself would do the work before the clock runs.
            "CIT_START": "none",
        }

    def __enter__(self) -> Home:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path)

    def init(self) -> None:
        self.must("cit-queue", "init")

    def account(self) -> Account:
        """A home below this one whose commands run as an unprivileged user; for root only."""
        return Account(str(self.path))

    def argv(self, name: str, *args: str) -> list[str]:
        return [str(BIN / name), *args]

    def must(self, name: str, *args: str) -> str:
        """The standard output of a command of cit that has to end well."""
        return subprocess.run(
            self.argv(name, *args), env=self.environ, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def measure(self, name: str, *args: str, output: str = os.devnull, cwd: str = "/") -> Done:
        """Run a command of cit and time it. Its standard output goes to the file `output`."""
        done = measure(self.argv(name, *args), self.environ, output, cwd)
        if done.code:
            raise SystemExit(f"bench/run: {name} {' '.join(args)[:60]} ended with {done.code}")
        return done

    def processes(self) -> int:
        """How many processes of this home there are, whoever started them."""
        mark, found = f"CIT_HOME={self.path}".encode(), 0
        for entry in os.listdir("/proc"):
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes() if entry.isdecimal() else b""
            except OSError:
                continue  # it is gone, or another's
            found += mark in environ.split(b"\0")
        return found

    def jobs(self, state: str) -> list[Path]:
        """The job files in a state, in the order of their names."""
        return sorted(p for p in (self.queue / state).glob("**/*.job") if ID.search(p.name))


class Account(Home):
    """A home of a user without rights, and with a copy of cit that he can read."""

    UID = 61998  # of the range for users that exist only for a while

    def __init__(self, below: str) -> None:
        super().__init__(below)
        for part in ("bin", "lib"):
            shutil.copytree(BIN.parent / part, self.path / part, symlinks=True)
        self.environ["USER"] = str(self.UID)
        del self.environ["CIT_WORK"]
        os.chown(self.path, self.UID, self.UID)

    def argv(self, name: str, *args: str) -> list[str]:
        become = ["/usr/bin/setpriv", f"--reuid={self.UID}", f"--regid={self.UID}"]
        return [*become, "--clear-groups", "--", str(self.path / "bin" / name), *args]


def measure(
    argv: Sequence[str], environ: Mapping[str, str], output: str = os.devnull, cwd: str = "/"
) -> Done:
    # A program that execs keeps its parent's peak memory in ru_maxrss, so the command
    # starts from a fresh small interpreter and not as a child of this process.
    read, write = os.pipe()
    small = subprocess.Popen(
        ["/usr/bin/python3", "-IS", "-c", _SMALL, str(write), output, *argv],
        env=dict(environ),
        cwd=cwd,
        pass_fds=[write],
    )
    os.close(write)
    with os.fdopen(read) as report:
        text = report.read()
    small.wait()
    seconds, code, memory = text.split()
    return Done(float(seconds), int(code), int(memory) << 10)


_SMALL = """
import os, sys, time
report, output, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
to = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
begin = time.monotonic()
pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, to, 1)])
status, usage = os.wait4(pid, 0)[1:]
end = time.monotonic()
os.write(report, b"%f %d %d" % (end - begin, os.waitstatus_to_exitcode(status), usage.ru_maxrss))
"""


def peak(session: int) -> int:
    """The largest memory, in bytes, that any process of a session has had."""
    found = [0]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                status = (path / "status").read_text()
                found += [int(kib) << 10 for kib in re.findall(r"VmHWM:\s+(\d+)", status)]
        except OSError:
            continue  # it has just ended
    return max(found)


def volatile(path: str) -> bool:
    """Whether a path is on a file system that is kept in memory."""
    found = ("", "")
    real = os.path.realpath(path)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place, kind = line.split()[1:3]
        inside = real == place or real.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(found[0]):
            found = (place, kind)
    return found[1] in ("tmpfs", "ramfs", "devtmpfs")
