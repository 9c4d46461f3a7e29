"""Start one child process, and know exactly how it ended.

Whether a command is missing, cannot be executed, or ran and ended with code
127 is never guessed from its output or its code: between fork and exec the
child reports over a pipe that closes on exec. A line on it is a failure, its
end without a line is success.

With namespaces there are three processes: ours, a middle one, the leader of
the job. Entering a pid namespace holds for children only, so the middle one
enters and forks the leader. It keeps the dead leader as a zombie until wait()
asks, so that the leader's pid means the leader for as long as a Child is open;
then it passes on the raw status and the resources, and nothing else.

Every page that a forked Python touches costs microseconds, so what can be
worked out before the fork is, and the child calls as little as it can.

Assumed: one thread (fork copies only the caller's); Linux 5.3 (pidfd_open).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
from collections import namedtuple

from cit import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import NamedTuple, NoReturn

    class Failed(NamedTuple):
        """Why no command runs: stage "setup" or "exec", an errno, what was attempted."""

        stage: str
        errno: int
        attempt: str

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

    class _Plan(NamedTuple):
        candidates: list[str]  # what to execute: the first that can be
        argv: list[str]
        env: dict[str, str]
        cwd: str
        stdio: list[int]
        join: list[int]
        keep: list[int]
        user: tuple[int, int] | None
        namespaces: list[int]
        limits: list[tuple[int, int]]
        setuid: bool
else:
    Failed = namedtuple("Failed", "stage errno attempt")
    Ended = namedtuple("Ended", "code signal user sys maxrss")
    _Plan = namedtuple(
        "_Plan", "candidates argv env cwd stdio join keep user namespaces limits setuid"
    )

NOT_FOUND = 127
NOT_EXECUTABLE = 126
NO_SETUP = 125

PATH = "/usr/local/bin:/usr/bin:/bin"  # searched where the environment has no PATH

_SIGNALS = set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP}
_TOP = 0x7FFFFFFF  # past any descriptor: close_range(2) does not mind


def code(failed: Failed) -> int:
    """The exit code that stands for a command that did not start."""
    if failed.stage == "setup":
        return NO_SETUP
    return NOT_FOUND if failed.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE


class Child:
    """One started child. `pid` leads its own session and process group.

    `pidfd` is readable once it has ended; `failed` says why no command runs, or is None. Close
    it before its namespaces are left. If this process dies first, the kernel kills the leader.
    """

    def __init__(self, pid: int, failed: Failed | None, middle: _Middle | None) -> None:
        self.pid, self.failed, self._middle = pid, failed, middle
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
        os.close(self.pidfd)
        self.pidfd = -1


class _Middle:
    """Our hold on a middle process: a pipe to ask by, a pipe that answers."""

    def __init__(self, pid: int, question: int, answer: int) -> None:
        self.pid, self.question, self.answer = pid, question, answer

    def ask(self, child: Child) -> Ended:
        """How the leader ended."""
        try:
            os.write(self.question, b"?")
            said = _read_all(self.answer)
        except BrokenPipeError:
            said = b""  # it was killed, and the leader with it; or it never got to one
        os.close(self.question)
        os.close(self.answer)
        if child.pid == self.pid:
            return _reap(self.pid)
        os.waitpid(self.pid, 0)
        if not said:
            return self._lost(child)
        status, user, system, maxrss = said.split()
        return _ended(int(status), float(user), float(system), int(maxrss))

    def _lost(self, child: Child) -> Ended:
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


def _reap(pid: int) -> Ended:
    _, status, used = os.wait4(pid, 0)
    return _ended(status, used.ru_utime, used.ru_stime, used.ru_maxrss * 1024)


def _ended(status: int, user: float, system: float, maxrss: int) -> Ended:
    code = os.waitstatus_to_exitcode(status)
    return Ended(128 - code if code < 0 else code, max(-code, 0), user, system, maxrss)


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
    kernel.load()
    if limits:
        import resource  # noqa: F401  so that the child need not
    null = os.open(os.devnull, os.O_RDONLY) if stdin is None else -1
    stdio = [null if stdin is None else stdin, stdout, stderr]
    plan = _Plan(
        _candidates(argv, env), list(argv), dict(env), cwd, stdio, list(join), list(keep),
        user, list(namespaces), list(limits), setuid,
    )  # fmt: skip
    pipes = [os.pipe()]
    try:
        pipes += [os.pipe(), os.pipe()] if namespaces else []
        pid = _fork(plan, *pipes)
    except OSError:
        _close(fd for pipe in pipes for fd in pipe)
        raise
    finally:
        if null >= 0:
            os.close(null)
    os.close(pipes[0][1])
    said = _read_all(pipes[0][0])
    os.close(pipes[0][0])
    if not namespaces:
        return Child(pid, _failed(said), None)
    os.close(pipes[1][0])
    os.close(pipes[2][1])
    leader, failed = _introduced(said, pid)
    return Child(leader, failed, _Middle(pid, pipes[1][1], pipes[2][0]))


def _candidates(argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    if not argv or not argv[0] or "/" in argv[0]:
        return list(argv[:1])
    return [f"{d or '.'}/{argv[0]}" for d in env.get("PATH", PATH).split(":")]


def _fork(plan: _Plan, *pipes: tuple[int, int]) -> int:
    """Fork with all signals blocked and none ignored, as Python does SIGPIPE.

    Blocked, so that a handler of ours does not run in the child too. Exec resets what is
    handled, but what is ignored stays so: that is undone here, where it costs the least.
    """
    parent = os.getpid()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    ignored = [n for n in _SIGNALS if signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        pid = os.fork()
        if pid == 0:
            if plan.namespaces:
                _be_middle(plan, parent, pipes[0][1], pipes[1][0], pipes[2][1])
            _be_leader(plan, parent, pipes[0][1])
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def _failed(said: bytes) -> Failed | None:
    if not said:
        return None
    stage, number, attempt = said.decode().rstrip("\n").split(" ", 2)
    return Failed(stage, int(number), attempt)


def _introduced(said: bytes, middle: int) -> tuple[int, Failed | None]:
    """The leader's pid and failure, from the lines of the middle process and of the leader."""
    lines = said.splitlines()
    leaders = [int(line.split()[1]) for line in lines if line.startswith(b"leader ")]
    failures = [line for line in lines if not line.startswith(b"leader ")]
    if not lines:  # killed before it could say anything
        return middle, Failed("setup", errno.EINTR, "enter the namespaces")
    return (leaders or [middle])[0], _failed((failures or [b""])[0])


def _be_middle(plan: _Plan, parent: int, tell: int, question: int, answer: int) -> NoReturn:
    """Enter the namespaces, fork the leader, answer once. All signals stay blocked."""
    attempt = "leave the session"
    try:
        os.setsid()
        _die_with(parent)
        attempt = "become the job's user"
        _become(plan.user)
        attempt = "enter the namespaces"
        for fd in plan.namespaces:
            kernel.enter(fd)
        _die_with(parent)  # entering a user namespace undoes it
        attempt = "fork"
        pid = os.fork()
        if pid == 0:
            # Our death between the fork and its _die_with goes unseen: parents in another pid
            # namespace look alike. The caller then leaves the namespace, which ends all in it.
            _be_leader(plan._replace(user=None), 0, tell)
        os.write(tell, b"leader %d\n" % pid)
        _close((0, 1, 2))
        _close_all_but(question, answer)
        os.read(question, 1)
        _, status, used = os.wait4(pid, 0)
        numbers = (status, used.ru_utime, used.ru_stime, used.ru_maxrss * 1024)
        os.write(answer, " ".join(map(repr, numbers)).encode())
        os._exit(0)
    except OSError as error:
        _give_up(tell, Failed("setup", error.errno or errno.EIO, attempt))
    except BaseException:
        _give_up(tell, Failed("setup", errno.EIO, attempt))


def _be_leader(plan: _Plan, parent: int, tell: int) -> NoReturn:
    """Become the job's command, or say why not."""
    stage, attempt = "setup", "leave the session"
    try:
        os.setsid()
        _die_with(parent)
        attempt = "place its descriptors"
        tell, *join = _place(plan.stdio, [tell, *plan.join])
        attempt = "set its limits"
        _limit(plan.limits)
        attempt = "become the job's user"
        if plan.user:
            _become(plan.user)
            _die_with(parent)  # a change of user undoes it
        if plan.namespaces:
            attempt = "drop capabilities"
            kernel.drop_capabilities()
        if not plan.setuid:
            kernel.no_new_privileges()
        attempt = f"change to directory '{plan.cwd}'"
        os.chdir(plan.cwd)
        os.umask(0o022)
        _close_all_but(tell, *join, *plan.keep)
        for fd in plan.keep:
            os.set_inheritable(fd, True)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        attempt = "join its control group"
        for fd in join:
            os.write(fd, b"0")
            os.close(fd)
        stage, attempt = "exec", "execute"
        _execute(plan)
    except OSError as error:
        _give_up(tell, Failed(stage, error.errno or errno.EIO, attempt))
    except (ValueError, TypeError):  # a NUL in an argument, "=" in the name of a variable
        _give_up(tell, Failed(stage, errno.EINVAL, attempt))
    except BaseException:
        _give_up(tell, Failed(stage, errno.EIO, attempt))


def _give_up(tell: int, failed: Failed) -> NoReturn:
    try:
        os.write(tell, " ".join(map(str, failed)).encode(errors="replace") + b"\n")
    finally:
        os._exit(code(failed))


def _die_with(parent: int) -> None:
    """Be killed when the parent dies; die now if it has before this could be asked for."""
    kernel.die_with_parent()
    if parent and os.getppid() != parent:
        os._exit(NO_SETUP)


def _place(stdio: list[int], kept: list[int]) -> list[int]:
    """Make stdio 0, 1 and 2; returns `kept`, out of their way."""
    if min(stdio) < 3:
        stdio = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in stdio]
    if min(kept) < 3:
        kept = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in kept]
    os.dup2(stdio[0], 0)
    os.dup2(stdio[1], 1)
    os.dup2(stdio[2], 2)
    return kept


def _become(user: tuple[int, int] | None) -> None:
    if user is None:
        return
    uid, gid = user
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _limit(limits: list[tuple[int, int]]) -> None:
    if not limits:
        return
    import resource

    for kind, value in limits:
        resource.setrlimit(kind, (value, value))


def _execute(plan: _Plan) -> NoReturn:
    """execve the first candidate that can be, as execvp(3) does; returns only by OSError."""
    denied = None
    for path in plan.candidates:
        try:
            os.execve(path, plan.argv, plan.env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            denied = error
    raise denied or FileNotFoundError(errno.ENOENT, "not found")


def _close_all_but(*keep: int) -> None:
    low = 3
    for fd in sorted(keep):
        if fd > low:
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _TOP)


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def _read_all(fd: int) -> bytes:
    said = b""
    while piece := os.read(fd, 4096):
        said += piece
    return said
