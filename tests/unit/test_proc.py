"""One child: how it starts, what it is given, how it ends."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cit import proc
from cit.proc import Failed

ROOT = os.geteuid() == 0
NOBODY = (54321, 54322)  # no account: nothing on the machine is theirs


class Ran(NamedTuple):
    failed: Failed | None
    code: int
    signal: int
    out: str


def run(argv: Sequence[str], env: Mapping[str, str] | None = None, **given: Any) -> Ran:
    """Start, read all of standard output, wait. Standard error goes the same way."""
    out, into = os.pipe()
    given = {"stdout": into, "stderr": into, "cwd": "/", **given}
    cwd = given.pop("cwd")
    try:
        child = proc.start(argv, {"PATH": proc.PATH} if env is None else env, cwd, **given)
    finally:
        os.close(into)
    with child, open(out, "rb") as file:
        text = file.read().decode(errors="surrogateescape")
        ended = child.wait()
    return Ran(child.failed, ended.code, ended.signal, text)


def sh(script: str, **given: Any) -> Ran:
    return run(["/bin/sh", "-c", script], **given)


def apart(work: Callable[[], None]) -> None:
    """Do it in a process of its own, whose failure is ours."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ends(pidfd: int, seconds: float = 10) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def executable(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


# --- how it ends -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 125, 126, 127, 128, 137, 255])
def test_an_exit_code_of_its_own_is_never_a_failure_to_start(code: int) -> None:
    assert Ran(None, code, 0, "") == sh(f"exit {code}")


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "KILL", "TERM", "SEGV", "PIPE", "USR1"])
def test_a_signal_is_told_apart_from_the_code_that_stands_for_it(name: str) -> None:
    number = signal.Signals[f"SIG{name}"].value

    assert Ran(None, 128 + number, number, "") == sh(f"ulimit -c 0; kill -{name} $$")
    assert Ran(None, 128 + number, 0, "") == sh(f"exit {128 + number}")


def test_a_missing_command_is_127() -> None:
    ran = run(["/no/such/command"])

    assert (Failed("exec", errno.ENOENT, "execute"), 127) == (ran.failed, ran.code)
    assert ran.failed and 127 == proc.code(ran.failed)


def test_a_command_that_is_not_on_the_path_is_127() -> None:
    ran = run(["no-such-command"])

    assert (Failed("exec", errno.ENOENT, "execute"), 127) == (ran.failed, ran.code)


def test_a_file_in_the_place_of_a_directory_is_127() -> None:
    ran = run(["/etc/passwd/x"])

    assert (Failed("exec", errno.ENOTDIR, "execute"), 127) == (ran.failed, ran.code)


def test_no_command_at_all_is_127() -> None:
    assert 127 == run([]).code == run([""]).code


def test_a_file_without_permission_is_126(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("#!/bin/sh\n")

    ran = run([str(tmp_path / "x")])

    assert (Failed("exec", errno.EACCES, "execute"), 126) == (ran.failed, ran.code)
    assert ran.failed and 126 == proc.code(ran.failed)


def test_a_directory_is_126(tmp_path: Path) -> None:
    assert 126 == run([str(tmp_path)]).code


def test_a_script_without_an_interpreter_line_is_126(tmp_path: Path) -> None:
    ran = run([executable(tmp_path / "x", "echo hello\n")])

    assert (Failed("exec", errno.ENOEXEC, "execute"), 126) == (ran.failed, ran.code)


def test_a_script_whose_interpreter_is_missing_is_127(tmp_path: Path) -> None:
    assert 127 == run([executable(tmp_path / "x", "#!/no/such/interpreter\n")]).code


def test_arguments_over_the_limit_of_the_kernel_are_126() -> None:
    ran = run(["/bin/true", "x" * (1 << 20)])

    assert (Failed("exec", errno.E2BIG, "execute"), 126) == (ran.failed, ran.code)


def test_an_argument_that_no_command_can_have_is_126() -> None:
    assert Failed("exec", errno.EINVAL, "execute") == run(["/bin/true", "a\0b"]).failed


def test_a_missing_directory_is_a_setup_that_failed(tmp_path: Path) -> None:
    ran = run(["/bin/true"], cwd=str(tmp_path / "gone"))

    assert (Failed("setup", errno.ENOENT, "change to its directory"), 125) == (ran.failed, ran.code)
    assert ran.failed and 125 == proc.code(ran.failed)


def test_a_control_group_that_refuses_is_a_setup_that_failed() -> None:
    unwritable = os.open("/dev/null", os.O_RDONLY)
    try:
        ran = run(["/bin/true"], join=[unwritable])
    finally:
        os.close(unwritable)

    assert Failed("setup", errno.EBADF, "join its control group") == ran.failed


def test_the_resources_of_a_command_and_its_children_are_known() -> None:
    with proc.start(
        ["/bin/sh", "-c", "python3 -c 'x = bytearray(99 << 20)\nfor i in range(1000000): i += 1'"],
        {"PATH": proc.PATH}, "/", stdout=2, stderr=2,
    ) as child:  # fmt: skip
        ended = child.wait()

    assert ended.user + ended.sys > 0.02
    assert ended.maxrss > 99 << 20


def test_waiting_again_says_the_same() -> None:
    with proc.start(["/bin/false"], {}, "/", stdout=2, stderr=2) as child:
        assert child.wait() == child.wait()


# --- what it is given --------------------------------------------------------------------------


def test_the_environment_is_what_was_said_and_nothing_else() -> None:
    ran = run(["/usr/bin/env"], {"A": "1", "B": "ü \udcff"})

    assert "A=1\nB=ü \udcff\n" == ran.out


def test_a_command_is_searched_on_the_path_of_its_environment(tmp_path: Path) -> None:
    executable(tmp_path / "greet", "#!/bin/sh\necho hello\n")

    assert "hello\n" == run(["greet"], {"PATH": f"/no/such:{tmp_path}"}).out


def test_what_may_not_be_executed_does_not_end_the_search(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "greet").write_text("")
    executable(tmp_path / "b" / "greet", "#!/bin/sh\necho hello\n")

    assert "hello\n" == run(["greet"], {"PATH": f"{tmp_path}/a:{tmp_path}/b"}).out
    assert 126 == run(["greet"], {"PATH": f"{tmp_path}/a:/no/such"}).code


def test_no_descriptor_is_passed_on_but_the_first_three() -> None:
    leak = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        ran = sh("for n in $(seq 0 99); do test -e /proc/$$/fd/$n && echo $n; done")
    finally:
        os.close(leak)

    assert ["0", "1", "2"] == ran.out.split()


def test_a_descriptor_is_kept_where_that_is_wanted() -> None:
    kept = os.memfd_create("kept")
    os.pwrite(kept, b"for the child", 0)
    try:
        ran = run(["/bin/cat", f"/proc/self/fd/{kept}"], keep=[kept])
    finally:
        os.close(kept)

    assert "for the child" == ran.out


def test_standard_input_is_empty_unless_it_is_given() -> None:
    mine = os.memfd_create("input")
    os.pwrite(mine, b"hello", 0)
    try:
        assert "" == run(["/bin/cat"]).out
        assert "hello" == run(["/bin/cat"], stdin=mine).out
    finally:
        os.close(mine)


def test_our_own_output_and_error_can_be_given_the_other_way_round() -> None:
    out, into_out = os.pipe()
    err, into_err = os.pipe()

    def crossed() -> None:
        os.dup2(into_out, 1)
        os.dup2(into_err, 2)
        argv = ["/bin/sh", "-c", "echo out; echo err >&2"]
        with proc.start(argv, {}, "/", stdout=2, stderr=1) as child:
            assert 0 == child.wait().code

    apart(crossed)
    os.close(into_out)
    os.close(into_err)
    with open(out) as o, open(err) as e:
        assert ("err\n", "out\n") == (o.read(), e.read())


def test_it_starts_also_where_we_have_no_standard_descriptors() -> None:
    out, into = os.pipe()

    def bare() -> None:
        high = os.dup(into)
        os.closerange(0, 3)
        with proc.start(["/bin/echo", "hello"], {}, "/", stdout=high, stderr=high) as child:
            assert 0 == child.wait().code

    apart(bare)
    os.close(into)
    with open(out) as file:
        assert "hello\n" == file.read()


def test_no_signal_is_ignored_or_blocked_in_it() -> None:
    def odd() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGRTMIN])
        lines = run(["/bin/cat", "/proc/self/status"]).out.splitlines()
        state = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        # 32 and 33 are the C library's own; whoever spawned us may have left them ignored.
        private = 1 << 31 | 1 << 32
        masks = [int(state[name], 16) & ~private for name in ("SigIgn", "SigBlk", "SigPnd")]
        assert [0, 0, 0] == masks

    apart(odd)


def test_our_own_signals_are_as_before() -> None:
    def look() -> tuple[object, ...]:
        return (
            signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            [signal.getsignal(number) for number in range(1, signal.SIGRTMIN)],
        )

    before = look()

    run(["/bin/true"])
    run(["/no/such"])

    assert before == look()


def test_it_leads_a_session_without_a_terminal() -> None:
    fields = run(["/bin/cat", "/proc/self/stat"]).out.rpartition(")")[2].split()
    group, session, terminal = fields[2:5]

    assert group == session
    assert "0" == terminal
    assert str(os.getsid(0)) != session


def test_setuid_programs_work_only_where_that_is_wanted() -> None:
    look = "grep NoNewPrivs /proc/self/status"

    assert "NoNewPrivs:\t1\n" == sh(look).out
    assert "NoNewPrivs:\t0\n" == sh(look, setuid=True).out


def test_files_it_makes_are_readable_by_all_and_writable_by_one() -> None:
    def narrow() -> None:
        os.umask(0o077)
        assert "0022\n" == sh("umask").out

    apart(narrow)


def test_limits_are_set() -> None:
    assert "77\n" == sh("ulimit -n", limits=[(resource.RLIMIT_NOFILE, 77)]).out


def test_it_writes_itself_into_its_control_groups(tmp_path: Path) -> None:
    files = [tmp_path / "memory", tmp_path / "cpu"]
    fds = [os.open(file, os.O_WRONLY | os.O_CREAT) for file in files]
    try:
        ran = run(["/bin/true"], join=fds)
    finally:
        for fd in fds:
            os.close(fd)

    assert None is ran.failed
    assert ["0", "0"] == [file.read_text() for file in files]


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_it_becomes_another_user_with_no_groups_but_his() -> None:
    uid, gid = NOBODY

    assert (
        f"{uid} {uid} {gid} {gid} {gid}\n"
        == sh("echo $(id -u) $(id -ru) $(id -g) $(id -rg) $(id -G)", user=NOBODY).out
    )
    assert "CapPrm:\t" + "0" * 16 in sh("cat /proc/self/status", user=NOBODY).out


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_a_directory_closed_to_that_user_is_a_setup_that_failed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    ran = run(["/bin/true"], cwd=str(tmp_path), user=NOBODY)

    assert Failed("setup", errno.EACCES, "change to its directory") == ran.failed


# --- while it runs -----------------------------------------------------------------------------


def test_its_end_is_an_event() -> None:
    with proc.start(["/bin/cat"], {}, "/", stdout=2, stderr=2, stdin=os.pipe()[0]) as child:
        assert not ends(child.pidfd, 0)

        assert child.signal(signal.SIGTERM)

        assert ends(child.pidfd)
        assert signal.SIGTERM == child.wait().signal


def test_a_signal_reaches_the_whole_group() -> None:
    out, into = os.pipe()
    script = "sh -c 'echo $$; exec sleep 1000' & wait"
    with proc.start(["/bin/sh", "-c", script], {}, "/", stdout=into, stderr=into) as child:
        os.close(into)
        grandchild = os.pidfd_open(int(os.read(out, 100)))

        child.signal(signal.SIGTERM)

        assert ends(grandchild)
        assert signal.SIGTERM == child.wait().signal
    os.close(grandchild)
    os.close(out)


def test_nothing_is_sent_to_who_may_have_its_number_next() -> None:
    with proc.start(["/bin/true"], {}, "/", stdout=2, stderr=2) as child:
        child.wait()

        assert not child.signal(signal.SIGKILL)


def test_closing_ends_it() -> None:
    child = proc.start(["/bin/sleep", "1000"], {}, "/", stdout=2, stderr=2)
    pidfd = os.pidfd_open(child.pid)

    child.close()
    child.close()

    assert ends(pidfd, 0)
    assert signal.SIGKILL == child.wait().signal
    os.close(pidfd)


def test_it_dies_with_us() -> None:
    out, into = os.pipe()

    def starter() -> None:
        proc.start(["/bin/sh", "-c", "echo $$; exec sleep 1000"], {}, "/", stdout=into, stderr=2)
        signal.pause()

    pid = os.fork()
    if pid == 0:
        try:
            starter()
        finally:
            os._exit(1)
    child = os.pidfd_open(int(os.read(out, 100)))
    assert not ends(child, 0)

    os.kill(pid, signal.SIGKILL)

    assert ends(child)
    os.waitpid(pid, 0)
    for fd in (child, out, into):
        os.close(fd)


def test_no_descriptor_or_zombie_is_left_behind() -> None:
    run(["/bin/true"])
    before = sorted(os.listdir("/proc/self/fd"))

    for argv in (["/bin/true"], ["/no/such"], ["/bin/sh", "-c", "kill $$"], [""]) * 5:
        run(argv)
    run(["/bin/true"], cwd="/no/such")

    assert before == sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_process_that_cannot_be_made_is_an_error_and_leaves_nothing_open() -> None:
    def full() -> None:
        before = sorted(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 1, len(before) + 1))
        with pytest.raises(OSError, match="Too many open files"):
            proc.start(["/bin/true"], {}, "/", stdout=1, stderr=2)
        assert before == sorted(os.listdir("/proc/self/fd"))

    run(["/bin/true"])
    apart(full)
