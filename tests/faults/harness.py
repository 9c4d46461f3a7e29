"""What the fault tests stand on: a scratch home, commands under faults, a ledger, the checker.

All is seen from outside. A job appends its tag to a ledger when it is executed, with one
write(2) to a file that no command of cit knows of; so whether something ran twice is not
asked of what is tested. What was acknowledged is what `cit-push` printed. What is on disk
is told by `cit-queue fsck`, and by a walk over the directories that shares no code with it.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

TOP = Path(__file__).resolve().parents[2]
SOAK = os.environ.get("CIT_SOAK", "") != ""
EVERY = os.environ.get("CIT_SOAK") == "every"  # system call, where each state is enough
STATES = ("in", "wait", "hold", "park", "run", "done", "bad")
# The quick form does the same each time; the soak looks elsewhere at each run.
SEED = int(os.environ.get("CIT_SEED") or (random.SystemRandom().randrange(1 << 32) if SOAK else 11))

Allowed = set[tuple[str, int]]  # a status, and how often the job was executed
FINE: Allowed = {("ok", 1)}

# System calls between two of which something else is on disk, or known to somebody.
CHANGING = re.compile(
    "chmod|clone3?|close|exit_group|f?chmod|[fl]?chown(at)?|fcntl|f(data)?sync|link(at)?|mkdir(at)?|"
    "openat|poll|read|rename(at2?)?|rmdir|setsid|symlink(at)?|unlink(at)?|vfork|wait(4|id)|write"
)

# Those that leave all outside of the process as it was. One that is not known here changes it.
_SEEING = re.compile(
    "access|brk|clock_.*|connect|dup[23]?|exit_group|f?chdir|faccessat2?|fadvise64|futex|get.*|ioctl|"
    "lseek|madvise|mmap|mprotect|mremap|munmap|[fl]?stat(x|fs)?|fstatfs|newfstatat|pidfd_open|pipe2|"
    "p?poll|p?select6|prctl|pread64|prlimit64|readlink(at)?|rt_sig.*|sched_.*|sigaltstack|socket|"
    "sysinfo|umask|uname"
)

_FILE = re.compile(r"(?:(?:\d{10}-)?\d\d-\d{10}-)?([0-9a-hjkmnp-tv-z]{26})-([a-z0-9._-]+)\.job")
_RECORD = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t([a-z]+)\t([0-9a-z.]+|-)(?:\t|\Z)")
_CALL = re.compile(r"(?:(\d+) +)?([a-z0-9_]+)\(")
_FIRST = re.compile(r"\w+\((\d+)")  # what is usually a descriptor
_RESULT = re.compile(r"\) += (-?\d+|\?)[^=]*$")
_KILLED = re.compile(r"^(?:\d+ +)?\+\+\+ killed by SIGKILL", re.M)
_ID = re.compile(r"\b[0-9a-hjkmnp-tv-z]{26}\b")
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


def size(quick: int, soak: int) -> int:
    """How much of a thing is done: a little in `make test`, all of it in `make soak`."""
    return soak if SOAK else quick


class Ended(NamedTuple):
    """How a command ended; a code below zero is a signal."""

    code: int
    out: str
    err: str

    @property
    def ids(self) -> list[str]:
        """The ids that were printed whole: a line without its newline acknowledges nothing."""
        whole = self.out[: self.out.rfind("\n") + 1]
        return [word for word in whole.split() if re.fullmatch(r"[0-9a-hjkmnp-tv-z]{26}", word)]


class Copy(NamedTuple):
    """A visible file of a job."""

    id: str
    name: str
    state: str
    path: Path


class Home:
    """A CIT_HOME with one queue, a ledger, and the commands run with it in their environment."""

    def __init__(self, place: Path, home: Path | None = None) -> None:
        self.place = place
        self.path = home or place / "home"
        self.queue = self.path / "queue"
        self.ledger = place / "ledger"
        self.jobs = place / "jobs"
        self.jobs.mkdir()
        self.ledger.touch()
        self.ledger.chmod(0o666)  # started by root, jobs run as another user
        self.environ = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(place),
            "USER": os.environ.get("USER", "root"),
            "LANG": "C.UTF-8",
            "CIT_HOME": str(self.path),
            "CIT_WORK": str(self.path.parent / "work"),
            "CIT_START": "none",
        }
        self._made = 0
        # A job's commands run as another user: they enter themselves, and then run what they are
        # given. One write(2) to a file that is open for appending is a line that nothing tears.
        self.mark = place / "mark"
        self.mark.write_text(
            f"#!/bin/sh\necho \"$CIT_ID $CIT_RUN $CIT_ATTEMPT\" >>'{self.ledger}'\n"
            '[ $# = 0 ] || exec "$@"\n'
        )
        self.mark.chmod(0o755)

    def argv(self, name: str, *args: str | Path) -> list[str]:
        return [str(TOP / "bin" / name), *map(str, args)]

    def run(
        self,
        name: str,
        *args: str | Path,
        under: Sequence[str] = (),
        input: bytes = b"",
        timeout: float = 60,
        ahead: float = 0,
    ) -> Ended:
        """Run a command of cit, `under` another one such as strace, its clock so much ahead."""
        # env(1), so that strace itself has the true clock.
        clock = ["env", *map("=".join, fake_clock(ahead).items())] if ahead else []
        ended = subprocess.run(
            [*under, *clock, *self.argv(name, *args)],
            env=self.environ,
            cwd=self.place,
            input=input,
            capture_output=True,
            timeout=timeout,
        )
        return Ended(ended.returncode, *(_text(part) for part in (ended.stdout, ended.stderr)))

    def must(self, name: str, *args: str | Path, timeout: float = 60) -> str:
        """The output of a command that has to end well."""
        ended = self.run(name, *args, timeout=timeout)
        assert ended.code == 0, f"{name} {' '.join(map(str, args))}: {ended}"
        return ended.out

    def start(self, name: str, *args: str | Path, out: int = subprocess.DEVNULL
              ) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start a command of cit in a session of its own, so that all of it can be signalled."""
        return subprocess.Popen(
            self.argv(name, *args), env=self.environ, cwd=self.place, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def script(self, body: str = "", limits: str = "") -> Path:
        """Write a job that enters its tag, which is its name, in the ledger and runs `body`."""
        self._made += 1
        tag = f"t{self._made:06d}"
        limited = f"[limits]\n{limits}\n" if limits else ""
        path = self.jobs / f"{tag}.job"
        path.write_text(
            f'%% job 1 toml\nname = "{tag}"\n{limited}%% program 1 sh\n#!/bin/sh\n'
            f"echo {tag} >>'{self.ledger}'\n{body}\n"
        )
        return path

    def push(self, count: int, body: str = "", limits: str = "") -> list[str]:
        """Push that many jobs in one call; their ids."""
        files = [self.script(body, limits) for _ in range(count)]
        return self.must("cit-push", *files).split()

    def executions(self) -> collections.Counter[str]:
        """How often each tag was executed."""
        return collections.Counter(self.ledger.read_text().split())

    def copies(self, id: str = "", *, done: bool = True) -> Iterator[Copy]:
        """Every visible job file of the queue and the outbox, or those of one job.

        Without those that are `done`, of which there may be many.
        """
        places = [(state, self.queue / state) for state in STATES if done or state != "done"]
        own = f"*{id}*" if id else "*"
        for state, place in [*places, ("outbox", self.path / "outbox")]:
            for path in place.glob(f"*/{own}" if state == "done" else own):
                if match := _FILE.fullmatch(path.name):
                    yield Copy(match[1], match[2], state, path)

    def settle(self, rounds: int = 8) -> None:
        """Do what cron does, and send what was kept, until nothing is left to do."""
        for _ in range(rounds):
            self.run("cit-push", "--flush", timeout=120)
            self.run("cit-queue", "tick", timeout=120)
            self.run("cit-run", "-j", "2", timeout=600)
            if all(copy.state not in ("outbox", "in", "wait", "run") for copy in self.copies()):
                return


def ulid() -> str:
    """An id of this moment, as cit-push would make one."""
    value = (time.time_ns() // 1_000_000 << 80) | random.getrandbits(80)
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    return "".join(digits[(value >> shift) & 31] for shift in range(125, -1, -5))


def complaints(home: Home, acknowledged: Iterable[str], allowed: Allowed = FINE) -> list[str]:
    """What is wrong with a settled home: [] where all promises are kept.

    `allowed` is how a job may have ended, and how often it was then executed.
    """
    found = []
    acknowledged = list(acknowledged)
    ids = "".join(f"{id}\n" for id in acknowledged).encode()
    fsck = home.run("cit-queue", "fsck", "--ids", "-", input=ids, timeout=120)
    if fsck.code or fsck.out or fsck.err:
        found.append(f"fsck: {fsck}")
    copies: dict[str, list[Copy]] = {}
    for copy in home.copies():
        copies.setdefault(copy.id, []).append(copy)
    for id in acknowledged:
        states = [copy.state for copy in copies.get(id, ())]
        if states != ["done"]:
            found.append(f"{id} was acknowledged and is in {states or 'no state'}")
    executed = home.executions()
    for tag, times in executed.items():
        if times > 1:
            found.append(f"{tag} was executed {times} times")
    for copy in (copy for held in copies.values() for copy in held if copy.state == "done"):
        ended = outcome(copy.path), executed[copy.name]
        if ended not in allowed:
            found.append(f"{copy.id} {copy.name} ended {ended[0]}, executed {ended[1]} times")
        found += forged(copy.path)
    return found


def trace(path: Path) -> list[bytes]:
    """The lines of a job's trace."""
    return path.read_bytes().partition(b"\n%% trace 1 tab\n")[2].split(b"\n")[:-1]


def records(path: Path, kind: str) -> list[list[str]]:
    """The columns of all records of a kind."""
    return [
        _text(line).split("\t")
        for line in trace(path)
        if not line.endswith(b"\x18") and line.split(b"\t")[1:2] == [kind.encode()]
    ]


def outcome(path: Path) -> str:
    """The status in the job's result; "" where it has none, all of them where it has several."""
    return " ".join(record[3] for record in records(path, "result"))


def forged(path: Path) -> list[str]:
    """Lines of a trace that are neither a record nor torn."""
    return [
        f"{path.name}: not a record: {line[:80]!r}"
        for line in trace(path)
        if not line.endswith(b"\x18") and not _RECORD.match(line)
    ]


# --- one job, as a story -----------------------------------------------------------------------

# What says when, where, by which process and how fast it was, and not what was done.
_ASIDE = {"push", "admit", "claim", "park", "hold", "release", "usage", "seal"}
Story = dict[str, dict[str, list[tuple[str, ...]]]]


def story(path: Path) -> Story:
    """What was done in each run, told so that it is the same however often a runner was killed.

    By run, and in it what each stream of its log says apart from the rest: runs go on side by
    side. Left out are times, claims, parks, holds and usage, handles and tokens; ids are all
    one. Of a command that was lost and executed again only the last execution counts. A wait,
    and a question, that is written down anew with another instant counts once.
    """
    told: Story = {}
    for line in trace(path):
        if line.endswith(b"\x18"):
            continue
        _, kind, run, *fields = (_ID.sub("ID", word) for word in _text(line).split("\t"))
        if kind in _ASIDE:
            continue
        runs = told.setdefault(run, {"": []})
        done = runs[""]
        if kind == "begin" and ("end", "lost", "123", "-") in done:
            runs.clear()
            done = runs.setdefault("", [])
        if kind == "log":
            runs.setdefault(fields[0], []).append((fields[1],))
            continue
        # Columns that are left: what was asked and said, not until when and by which file.
        kept = {"begin": 1, "wait": 0, "up": 0, "ask": 3, "answer": 3, "stop": 2}.get(kind)
        event = (kind, *fields[:kept])
        if kind not in ("wait", "up", "ask") or event not in done:
            done.append(event)
    return told


def open_questions(path: Path) -> set[str]:
    """The runs of a job that ask something now."""
    asked = {record[2] for record in records(path, "ask")}
    return asked - {record[2] for kind in ("answer", "end") for record in records(path, kind)}


def processes(id: str) -> list[int]:
    """What is left of a job: the processes whose environment has its id."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # it has just ended, or is another user's
            if f"CIT_ID={id}".encode() in words:
                found.append(int(entry.name))
    return found


def locked(home: Home) -> list[str]:
    """The locks that somebody holds in the queue, as the kernel tells."""
    inode = (home.queue / "locks").stat().st_ino
    lines = Path("/proc/locks").read_text().splitlines()
    return [line for line in lines if f":{inode} " in line and "->" not in line]


# --- the clock -------------------------------------------------------------------------------


def fake_clock(ahead: float) -> dict[str, str]:
    """What a command's environment needs for a clock that is so many seconds ahead, or behind.

    Only the clock on the wall: the monotonic one, and the times of files, are the kernel's.
    """
    if FAKETIME is None:
        pytest.skip("needs libfaketime")
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME": f"{ahead:+.3f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


# --- system calls ----------------------------------------------------------------------------


class Point(NamedTuple):
    """The `number`th call of `syscall` in some process of a command: a place for a fault."""

    syscall: str
    number: int


def strace(log: Path, *options: str) -> list[str]:
    """The words that run a command of cit traced, but not what it executes."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    return ["strace", "-f", "-q", "-b", "execve", "-o", str(log), *options]


def strace_alone(log: Path, *options: str) -> list[str]:
    """The same for one process, whatever it starts."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    return ["strace", "-q", "-o", str(log), *options]


def points(log: Path, mark: str) -> list[Point]:
    """The places for a fault in a traced command, from the first line with `mark` on.

    What comes before is the interpreter starting. Counts are per process, but a fault is
    set for all of them: those that would strike another process first are left out.
    """
    calls: dict[str, collections.Counter[str]] = {}
    early: collections.Counter[str] = collections.Counter()
    found: dict[Point, None] = {}
    begun = False
    for line in log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if not match:
            continue
        pid, syscall = match.groups()
        count = calls.setdefault(pid, collections.Counter())
        count[syscall] += 1
        begun = begun or mark in line
        if not begun:
            early[syscall] = count[syscall]
        elif count[syscall] > early[syscall]:
            found[Point(syscall, count[syscall])] = None
    return list(found)


def states(log: Path, mark: str) -> list[list[Point]]:
    """The points of a command traced alone, by what is outside of it: a kill at any of a list
    finds, and leaves, the same as one at the others.

    A kill strikes before its call is done: so a list ends with a call that changes something,
    a file, a lock, a process, what a pipe holds, and what others do meanwhile does not count.
    """
    found: list[list[Point]] = [[]]
    chances = set(points(log, mark))
    count: collections.Counter[str] = collections.Counter()
    files: set[str] = set()  # descriptors to close or read which tells nobody anything
    for line in log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if not match:
            continue
        count[match[2]] += 1
        point = Point(match[2], count[match[2]])
        if point in chances:
            found[-1].append(point)
        if _changes(point.syscall, line, files) and found[-1]:
            found.append([])
    return found if found[-1] else found[:-1]


def _changes(syscall: str, line: str, files: set[str]) -> bool:
    """Whether a call has changed something outside of its process."""
    first, result = _FIRST.match(line), _RESULT.search(line)
    fd = first[1] if first else ""
    if result and result[1] == "-1":
        return False
    if syscall == "openat" and result:  # nothing of cit is a named pipe
        files.add(result[1])
        return "O_CREAT" in line or "O_TRUNC" in line
    if syscall in ("close", "read"):
        known = fd in files
        files.discard(fd if syscall == "close" else "")
        return not known
    if syscall == "fcntl":
        lock = "F_OFD_SETLK" in line or "F_SETLK" in line
        files.discard(fd if lock else "")  # to close it lets go of the lock
        return lock
    if syscall in ("wait4", "waitid"):
        return not (result and syscall == "wait4" and result[1] == "0")
    return not _SEEING.fullmatch(syscall) or "MAP_SHARED" in line


def killed(log: Path) -> bool:
    """Whether the trace tells that a process was killed."""
    return bool(_KILLED.search(log.read_text(errors="replace")))


def choose(chances: Sequence[Point], count: int, rng: random.Random) -> Iterator[Point]:
    """So many points: every place equally often, or if they are too many, those that leave a
    different state behind, each system call in turn."""
    if count >= len(chances):
        yield from itertools.islice(itertools.cycle(rng.sample(chances, len(chances))), count)
        return
    places: dict[str, list[Point]] = {}
    for point in chances:
        if CHANGING.fullmatch(point.syscall):
            places.setdefault(point.syscall, []).append(point)
    syscalls = rng.sample(list(places), len(places))
    for syscall in itertools.islice(itertools.cycle(syscalls), count):
        yield rng.choice(places[syscall])


# --- processes -------------------------------------------------------------------------------


def signal_session(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal a started command and what stayed in its process group."""
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.killpg(process.pid, number)


def alive(words: str) -> list[int]:
    """The processes whose command line has these words."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue  # it has just ended
            if words.encode() in line and state != "Z":
                found.append(int(entry.name))
    return found


def stop(process: subprocess.Popen[bytes]) -> None:
    signal_session(process, signal.SIGKILL)
    process.wait()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
