"""What a child does between fork and exec.

Whether a command is missing, cannot be executed, or ran and ended with code
127 is never guessed from its output or its code: the child reports over a pipe
that closes on exec. A line on it is a failure, its end without one is success.

With namespaces there are two children. Entering a pid namespace holds for the
children of who enters, so a middle process enters, and forks the leader of the
job. It keeps the dead leader as a zombie until it is asked, so that the pid
means the leader until then; it answers with the raw status and the resources.

Every page that a forked Python touches costs microseconds: what can be worked
out before the fork is, and a child calls as little as it can.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import namedtuple

from cit import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple, NoReturn

    class Failed(NamedTuple):
        """Why no command runs: stage "setup" or "exec", an errno, what was attempted."""

        stage: str
        errno: int
        attempt: str

    class Plan(NamedTuple):
        """What to become; the arguments of proc.start, made ready."""

        candidates: list[str]  # what to execute: the first that can be
        argv: list[str]
        env: dict[str, str]
        cwd: str
        stdio: list[int]  # these, tell and join are above 2
        join: list[int]
        keep: list[int]
        close: list[tuple[int, int]]  # from, up to: all but tell, join and keep
        user: tuple[int, int] | None
        namespaces: list[int]
        limits: list[tuple[int, int]]
        setuid: bool
else:
    Failed = namedtuple("Failed", "stage errno attempt")
    Plan = namedtuple(
        "Plan", "candidates argv env cwd stdio join keep close user namespaces limits setuid"
    )

NOT_FOUND = 127
NOT_EXECUTABLE = 126
NO_SETUP = 125

_TOP = 0x7FFFFFFF  # past any descriptor: close_range(2) does not mind


def code(failed: Failed) -> int:
    """The exit code that stands for a command that did not start."""
    if failed.stage == "setup":
        return NO_SETUP
    return NOT_FOUND if failed.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE


def failure(said: bytes) -> Failed | None:
    """What a child reported; None if that is nothing."""
    if not said:
        return None
    stage, number, attempt = said.decode().rstrip("\n").split(" ", 2)
    return Failed(stage, int(number), attempt)


def introduction(said: bytes) -> tuple[int, Failed | None]:
    """What a middle process and its leader reported: the leader's pid, 0 if there is none."""
    leader, failed = 0, None
    for line in said.splitlines():
        if line.startswith(b"leader "):
            leader = int(line.split()[1])
        else:
            failed = failure(line)
    if not leader and not failed:  # killed before it could say anything
        failed = Failed("setup", errno.EINTR, "enter the namespaces")
    return leader, failed


def gaps(keep: Iterable[int], low: int) -> list[tuple[int, int]]:
    """The ranges of descriptors to close, from low on, so that only `keep` stay open."""
    ranges = []
    for fd in sorted(keep):
        ranges.append((low, fd))
        low = fd + 1
    return [*ranges, (low, _TOP)]


def middle(plan: Plan, parent: int, tell: int, question: int, answer: int) -> NoReturn:
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
            leader(plan._replace(user=None), 0, tell)
        os.write(tell, b"leader %d\n" % pid)
        for low, high in gaps((question, answer), 0):
            os.closerange(low, high)
        os.read(question, 1)
        _, status, used = os.wait4(pid, 0)
        counts = used.ru_maxrss * 1024, used.ru_inblock, used.ru_oublock
        numbers = (status, used.ru_utime, used.ru_stime, *counts)
        os.write(answer, " ".join(map(repr, numbers)).encode())
        os._exit(0)
    except OSError as error:
        _give_up(tell, "setup", error.errno, attempt)
    except BaseException:
        _give_up(tell, "setup", errno.EIO, attempt)


def leader(plan: Plan, parent: int, tell: int) -> NoReturn:
    """Become the command, or say why not."""
    stage, attempt = "setup", "leave the session"
    try:
        os.setsid()
        _die_with(parent)
        attempt = "place its descriptors"
        stdin, stdout, stderr = plan.stdio
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        if plan.limits:
            attempt = "set its limits"
            _limit(plan.limits)
        if plan.user:
            attempt = "become the job's user"
            _become(plan.user)
            _die_with(parent)  # a change of user undoes it
        if plan.namespaces:
            attempt = "drop capabilities"
            kernel.drop_capabilities()
        if not plan.setuid:
            kernel.no_new_privileges()
        attempt = "change to its directory"
        os.chdir(plan.cwd)
        os.umask(0o022)
        for low, high in plan.close:
            os.closerange(low, high)
        for fd in plan.keep:
            os.set_inheritable(fd, True)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        attempt = "join its control group"
        for fd in plan.join:
            os.write(fd, b"0")
            os.close(fd)
        stage, attempt = "exec", "execute"
        _execute(plan)
    except OSError as error:
        _give_up(tell, stage, error.errno, attempt)
    except (ValueError, TypeError):  # a NUL in an argument, "=" in the name of a variable
        _give_up(tell, stage, errno.EINVAL, attempt)
    except BaseException:
        _give_up(tell, stage, errno.EIO, attempt)


def _give_up(tell: int, stage: str, number: int | None, attempt: str) -> NoReturn:
    failed = Failed(stage, number or errno.EIO, attempt)
    try:
        os.write(tell, f"{failed.stage} {failed.errno} {attempt}\n".encode())
    finally:
        os._exit(code(failed))


def _die_with(parent: int) -> None:
    """Be killed when the parent dies; die now if it has before this could be asked for."""
    kernel.die_with_parent()
    if parent and os.getppid() != parent:
        os._exit(NO_SETUP)


def _become(user: tuple[int, int] | None) -> None:
    if user is None:
        return
    uid, gid = user
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _limit(limits: list[tuple[int, int]]) -> None:
    import resource  # proc.start has imported it already

    for kind, value in limits:
        resource.setrlimit(kind, (value, value))


def _execute(plan: Plan) -> NoReturn:
    """execve the first candidate that can be, as execvp(3) does; returns only by OSError."""
    denied = missing = None
    for path in plan.candidates:
        try:
            os.execve(path, plan.argv, plan.env)
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = error
        except PermissionError as error:
            denied = error
    raise denied or missing or FileNotFoundError(errno.ENOENT, "no command")
