"""Start one child process, and know exactly how it ended.

Assumed: one thread (fork copies only the caller's); Linux 5.3 (pidfd_open).
Everything to wait for is a descriptor; start() alone blocks, until exec.
"""

from __future__ import annotations

import fcntl
import functools
import os
import select
import signal
from collections import namedtuple

from cit import forked, kernel, orphans
from cit.forked import NO_SETUP, NOT_EXECUTABLE, NOT_FOUND, Failed, code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import NamedTuple

    class Ended(NamedTuple):
        """How a child ended. `code` is its own, or 128 + `signal`; `signal` is 0 if none.

        `user` and `sys` are seconds, `maxrss` bytes, all with waited-for descendants. maxrss is
        at least the size of this process: the kernel counts the moment before exec too.
        """

        code: int
        signal: int
        user: float
        sys: float
        maxrss: int
        inblock: int = 0  # blocks of 512 bytes that came from a disk, and that went to one
        oublock: int = 0
else:
    Ended = namedtuple("Ended", "code signal user sys maxrss inblock oublock", defaults=(0, 0))

__all__ = [
    "NOT_EXECUTABLE", "NOT_FOUND", "NO_SETUP", "PATH",
    "Child", "Ended", "Failed", "code", "start",
]  # fmt: skip

PATH = "/usr/local/bin:/usr/bin:/bin"  # searched where the environment has no PATH

_SIGNALS = sorted(set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP})
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1)


class Child:
    """One started child. `pid` leads its own session and process group.

    `pidfd` is readable once it has ended; `failed` says why no command runs, or is None; `pids`
    is what only wait() may reap. Close it before its namespaces are left. If this process dies
    first, the kernel kills a leader that was forked; one that was spawned is left to others.
    """

    def __init__(
        self, pid: int, failed: Failed | None, middle: _Middle | None, spaces: Collection[int]
    ) -> None:
        self.pid, self.failed, self._middle, self._spaces = pid, failed, middle, spaces
        self.pids = (pid, middle.pid) if middle else (pid,)
        self.pidfd = os.pidfd_open(pid)
        self._ended: Ended | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def signal(self, number: int) -> bool:
        """Send a signal to the process group; whether anything was there to receive it.

        Nothing is sent once wait() has returned: the number may be another's by then.
        """
        if self._ended is not None:
            return False
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # gone, or another user's by a setuid exec
            return False
        return True

    def sweep(self, id: str = "", run: str = "") -> set[int]:
        """End what the leader left running; returns what would not go. Call before wait().

        Needs no control group, but kernel.adopt_orphans(): all that is below us is the child's.
        Where it is not, since others run, CIT_ID and CIT_RUN in the environment tell.
        """
        if not self._spaces:
            return orphans.end_all(id, keep=self.pids, run=run)
        for pid in orphans.below():
            if _pid_space(pid) in self._spaces:  # the first process takes all others along
                _kill(pid)
        return set()

    def wait(self) -> Ended:
        """Wait for the leader and reap it. Descendants may live on."""
        if self._ended is None:
            self._ended = self._middle.ask(self) if self._middle else _reap(self.pid)
        return self._ended

    def close(self) -> None:
        """Kill what still runs of the group, reap the leader, let go of descriptors."""
        if self.pidfd < 0:
            return
        self.signal(signal.SIGKILL)
        self.wait()
        _close([self.pidfd])
        self.pidfd = -1


class _Middle:
    """Our hold on a middle process: a pipe to ask by, a pipe that answers."""

    def __init__(self, pid: int, question: int, answer: int) -> None:
        self.pid, self.question, self.answer = pid, question, answer

    def ask(self, child: Child) -> Ended:
        """How the leader ended; it is reaped."""
        try:
            os.write(self.question, b"?")
            said = _read_all(self.answer)
        except BrokenPipeError:
            said = b""  # it was killed, and the leader with it; or it never got to one
        _close([self.question, self.answer])
        if child.pid == self.pid:
            return _reap(self.pid)
        os.waitpid(self.pid, 0)
        if not said:
            return _lost(child)
        status, user, system, *counts = said.split()
        return _ended(int(status), float(user), float(system), *map(int, counts))


def _lost(child: Child) -> Ended:
    """The end of a leader whose middle process was killed."""
    try:
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass  # the kernel was quicker, as it should be
    ends = select.poll()
    ends.register(child.pidfd, select.POLLIN)
    ends.poll()
    try:
        return _reap(child.pid)
    except ChildProcessError:  # we do not adopt orphans: init has reaped it
        return _ended(signal.SIGKILL, 0.0, 0.0, 0)


def _pid_space(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:  # it has ended, or become another user
        return 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # gone already


def _reap(pid: int) -> Ended:
    _, status, used = os.wait4(pid, 0)
    counts = used.ru_maxrss * 1024, used.ru_inblock, used.ru_oublock
    return _ended(status, used.ru_utime, used.ru_stime, *counts)


def _ended(status: int, user: float, system: float, *counts: int) -> Ended:
    code = os.waitstatus_to_exitcode(status)
    return Ended(128 - code if code < 0 else code, max(-code, 0), user, system, *counts)


def start(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    *,
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    join: Sequence[int] = (),
    keep: Sequence[int] = (),
    user: tuple[int, int] | None = None,
    namespaces: Sequence[int] = (),
    limits: Sequence[tuple[int, int]] = (),
    setuid: bool = False,
) -> Child:
    """Start argv with exactly this environment; return when it runs or has failed to.

    argv[0] without a slash is searched in env's PATH, inside. A script without `#!` is not
    executable: only a shell would guess that it is one of its own. stdin: None is /dev/null.
    join: open cgroup.procs files that the child writes itself into, last of all.
    keep: descriptors above 2 that stay open under their number; all others are closed.
    user: (uid, gid) to become, for a caller who is root; all other groups are dropped.
    namespaces: open namespace files, entered in this order; then all capabilities are dropped.
    limits: (resource, value) for setrlimit(2). setuid: whether setuid programs work.
    OSError if not even a process could be made.
    """
    plain = setuid and stdin is None and not (user or namespaces or join or limits or keep)
    pid = _spawn(argv, env, cwd, stdout, stderr) if plain else 0
    if pid:
        return Child(pid, None, None, ())
    kernel.load()
    if limits:
        import resource  # noqa: F401  so that the child need not
    null = _null()
    ours, theirs = [], [null]
    spaces = {os.fstat(fd).st_ino for fd in namespaces}
    try:
        for _ in range(3 if namespaces else 1):
            here, there = os.pipe()
            ours.append(here)
            theirs.append(there)
        stdio = [_high(fd, theirs) for fd in (null if stdin is None else stdin, stdout, stderr)]
        joined = [_high(fd, theirs) for fd in join]
        gaps = forked.gaps((theirs[1], *joined, *keep), 3)
        plan = forked.Plan(
            _candidates(argv, env), list(argv), dict(env), cwd, stdio, joined, list(keep), gaps,
            user, list(namespaces), list(limits), setuid,
        )  # fmt: skip
        if namespaces:
            # The second pipe asks: we write, the child reads.
            ours[1], theirs[2] = theirs[2], ours[1]
        with _quiet():
            pid = _fork(plan, theirs[1 : 1 + len(ours)])
            _close(theirs)
            theirs = []
            said = _read_all(ours[0])  # at once: what we write to is copied until it has exec'd
    except OSError:
        _close(ours)
        raise
    finally:
        _close(theirs)
    _close(ours[:1])
    if not namespaces:
        return Child(pid, forked.failure(said), None, spaces)
    leader, failed = forked.introduction(said)
    return Child(leader or pid, failed, _Middle(pid, ours[1], ours[2]), spaces)


def _spawn(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, stdout: int, stderr: int
) -> int:
    """The pid of a command that needs nothing but to be started; 0 if that failed.

    Without a copy of this Python between fork and exec, which costs more than all the rest.
    What it cannot do is to die with us: serve() sees to that. Why it failed is found out by
    doing it again the long way.
    """
    _close_on_exec()
    here = os.open(".", os.O_PATH | os.O_CLOEXEC)
    mask = os.umask(0o022)
    try:
        os.chdir(cwd)
        for path in _candidates(argv, env):
            try:
                return os.posix_spawn(
                    path, list(argv), env, setsid=True, setsigmask=(), setsigdef=_SIGNALS,
                    file_actions=[
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                        (os.POSIX_SPAWN_DUP2, stdout, 1),
                        (os.POSIX_SPAWN_DUP2, stderr, 2),
                    ],
                )  # fmt: skip
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
    except (OSError, ValueError):
        pass
    finally:
        os.umask(mask)
        os.chdir(here)
        _close([here])
    return 0


@functools.cache
def _close_on_exec() -> None:
    """Once: what we were started with shall not reach a command. Our own never does."""
    for fd in os.listdir("/proc/self/fd"):
        if int(fd) > 2:
            try:
                os.set_inheritable(int(fd), False)
            except OSError:
                pass  # that of the listing


def _null() -> int:
    """/dev/null to read from. 0, 1 and 2 are taken afterwards, whoever started us."""
    while (fd := os.open(os.devnull, os.O_RDONLY)) < 3:
        pass
    return fd


def _high(fd: int, opened: list[int]) -> int:
    """The descriptor, or a copy of it that is out of the way of 0, 1 and 2."""
    if fd < 3:
        fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        opened.append(fd)
    return fd


def _close(fds: Sequence[int]) -> None:
    # Pipes and what is only read: an error of close(2) says nothing of them, and a command that
    # runs must not be taken for one that was not started.
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def _candidates(argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    if not argv or not argv[0]:
        return []
    if "/" in argv[0]:
        return [argv[0]]
    return [f"{d or '.'}/{argv[0]}" for d in env.get("PATH", PATH).split(":")]


def _fork(plan: forked.Plan, pipes: list[int]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0 and plan.namespaces:
        forked.middle(plan, parent, *pipes)
    if pid == 0:
        forked.leader(plan, parent, *pipes)
    return pid


class _quiet:
    """Signals blocked and none ignored, as Python does SIGPIPE.

    Blocked, so that a handler of ours does not run in the child too, and so that what asks us
    to end does not end a middle process. Exec resets what is handled, but what is ignored stays
    so: that is undone here, where it costs the least.
    """

    def __enter__(self) -> None:
        set_to = {number: signal.getsignal(number) for number in _SIGNALS}
        self.ignored = [number for number, what in set_to.items() if what is signal.SIG_IGN]
        handled = [number for number, what in set_to.items() if callable(what)]
        blocked = (*_ENDING, *self.ignored, *handled)
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        for number in self.ignored:
            signal.signal(number, signal.SIG_DFL)

    def __exit__(self, *_: object) -> None:
        for number in self.ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)


def _read_all(fd: int) -> bytes:
    said = b""
    while piece := os.read(fd, 4096):
        said += piece
    return said
