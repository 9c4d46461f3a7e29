"""chroot for real: bubblewrap, user namespaces, and jobs that mean harm.

Each test runs twice: started by root for an account that does not exist, and by
that account itself. Without root, once, as whoever runs the tests.
"""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from cit import kernel, orphans, proc
from cit.isolate import chroot
from cit.isolation import Entry, Place

T = TypeVar("T")

ROOT = os.geteuid() == 0
UID = 54321 if ROOT else os.geteuid()
GID = 54321 if ROOT else os.getegid()
ID = f"chroot-{os.getpid()}"
LACKS = chroot.missing()
SECONDS = 20


class Ran(NamedTuple):
    failed: proc.Failed | None
    code: int
    signal: int
    out: str


class Cell:
    """One chroot that is up, and processes of their own that act on it."""

    def __init__(self, place: Place, *, drop: bool) -> None:
        self.place, self.drop = place, drop
        self.handle = ""

    def apart(self, work: Callable[[], T]) -> T:
        """Do it in a process that adopts orphans, as the user the runner would be."""
        out, into = os.pipe()
        kernel.load()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(out)
                kernel.adopt_orphans()
                if self.drop:
                    os.setgroups([])
                    os.setresgid(GID, GID, GID)
                    os.setresuid(UID, UID, UID)
                    kernel_dumpable()
                try:
                    said: tuple[bool, Any] = (True, work())
                except Exception as error:
                    said = (False, error)
                with open(into, "wb") as file:
                    pickle.dump(said, file)
            finally:
                os._exit(0)
        os.close(into)
        with open(out, "rb") as file:
            text = file.read()
        os.waitpid(pid, 0)
        well, value = pickle.loads(text)
        if not well:
            raise value
        result: T = value
        return result

    def up(self, spec: str) -> Cell:
        self.handle = self.apart(lambda: chroot.up(spec, self.place))
        return self

    def ensure(self) -> None:
        self.handle = self.apart(lambda: chroot.ensure(self.handle, self.place))

    def down(self) -> None:
        self.apart(lambda: chroot.down(self.handle, self.place))

    def run(self, *argv: str, **given: Any) -> Ran:
        """One exec; both outputs in one text."""

        def work() -> Ran:
            with chroot.enter(self.handle, self.place) as entry:
                return finish(*begin(self.place, entry, *argv, **given))

        return self.apart(work)

    def sh(self, script: str, **given: Any) -> Ran:
        return self.run("/bin/sh", "-c", script, **given)


def kernel_dumpable() -> None:
    """A process that has changed its user may not be looked into, not even by itself."""
    kernel.load().prctl(4, 1, 0, 0, 0)


def begin(place: Place, entry: Entry, *argv: str, **given: Any) -> tuple[proc.Child, int]:
    out, into = os.pipe()
    child = proc.start(
        argv, {**entry.env, "CIT_ID": ID, **given.pop("env", {})}, given.pop("cwd", entry.cwd),
        stdout=into, stderr=into, user=place.user, namespaces=entry.namespaces, **given,
    )  # fmt: skip
    os.close(into)
    return child, out


def finish(child: proc.Child, out: int) -> Ran:
    with child, open(out, "rb") as file:
        assert ends(child.pidfd)
        ended = child.wait()
        os.set_blocking(out, False)  # a daemon may still hold the other end
        text = (file.read() or b"").decode(errors="surrogateescape")
    return Ran(child.failed, ended.code, ended.signal, text)


def ends(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(SECONDS * 1000))


def word(fd: int) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    assert poll.poll(SECONDS * 1000), "nothing was printed"
    return int(os.read(fd, 100).split()[0])


@pytest.fixture(params=["root", "unprivileged"] if ROOT else ["unprivileged"])
def cell(request: pytest.FixtureRequest, public: Path) -> Iterator[Cell]:
    if LACKS:
        pytest.skip("; ".join(LACKS))
    home = public / "his"
    work = home / "work"
    work.mkdir(parents=True)
    if ROOT:
        os.chown(home, UID, GID)
        os.chown(work, UID, GID)
    by_root = request.param == "root"
    user = (UID, GID) if by_root else None
    cell = Cell(Place(ID, "1.2", str(work), str(home / "state"), user), drop=ROOT and not by_root)
    yield cell
    cell.down()
    assert ["work"] == os.listdir(home)
    assert set() == orphans.marked(ID)


@pytest.fixture(params=["busybox", "host"])
def up(request: pytest.FixtureRequest, cell: Cell) -> Cell:
    return cell.up(request.param)


# --- how a command ends ------------------------------------------------------------------------


def test_a_command_runs_in_the_workspace(up: Cell) -> None:
    assert Ran(None, 0, 0, "/work\n") == up.run("pwd")


@pytest.mark.parametrize("code", [0, 1, 125, 126, 127, 137, 255])
def test_a_code_of_its_own_is_told_apart(cell: Cell, code: int) -> None:
    assert Ran(None, code, 0, "") == cell.up("busybox").sh(f"exit {code}")


@pytest.mark.parametrize("name", ["HUP", "INT", "KILL", "TERM", "SEGV", "USR1"])
def test_a_signal_is_told_apart(cell: Cell, name: str) -> None:
    number = signal.Signals[f"SIG{name}"].value

    assert Ran(None, 128 + number, number, "") == cell.up("busybox").sh(f"kill -{name} $$")


def test_what_cannot_be_executed_is_told_apart(up: Cell) -> None:
    work = Path(up.place.work)
    (work / "plain").write_text("#!/bin/sh\n")
    (work / "script").write_text("echo hello\n")
    (work / "script").chmod(0o755)

    assert ("exec", 127) == stage_of(up.run("/no/such/command"))
    assert ("exec", 127) == stage_of(up.run("no-such-command"))
    assert ("exec", 126) == stage_of(up.run("/work/plain"))
    assert ("exec", 126) == stage_of(up.run("/work/script"))
    assert ("exec", 126) == stage_of(up.run("/work"))
    assert ("setup", 125) == stage_of(up.run("true", cwd="/work/gone"))


def stage_of(ran: Ran) -> tuple[str, int]:
    assert ran.failed
    return ran.failed.stage, ran.code


def test_the_resources_of_a_command_are_passed_on(cell: Cell) -> None:
    cell.up("busybox")

    def work() -> proc.Ended:
        with chroot.enter(cell.handle, cell.place) as entry:
            script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
            child, out = begin(cell.place, entry, "/bin/sh", "-c", script)
            with child:
                os.close(out)
                return child.wait()

    ended = cell.apart(work)

    assert ended.user + ended.sys > 0.02
    assert ended.maxrss > 1 << 20


# --- what it finds -----------------------------------------------------------------------------


def test_the_environment_is_what_was_said_and_nothing_else(up: Cell) -> None:
    lines = up.run("env", env={"A": "b c"}).out.splitlines()

    assert "A=b c" in lines
    names = {line.partition("=")[0] for line in lines}
    assert {"HOME", "USER", "LOGNAME", "PATH", "CIT_ID", "A"} == names


def test_it_is_one_user_with_a_name_and_a_home(up: Cell) -> None:
    assert "1000 1000 1000 job\n" == up.sh("echo $(id -u) $(id -g) $(id -G) $(id -un)").out
    assert "/home/job\n" == up.sh("cd && pwd").out


def test_usual_places_can_be_written_to(up: Cell) -> None:
    places = "/work /tmp /var/tmp /home/job /dev/shm"

    assert Ran(None, 0, 0, "") == up.sh(f"for d in {places}; do echo x > $d/file || exit 1; done")


@pytest.mark.parametrize("path", ["/", "/bin", "/usr", "/etc", "/home", "/run"])
def test_other_places_cannot(up: Cell, path: str) -> None:
    ran = up.sh(f"echo x > {path}/file")

    assert 0 != ran.code
    assert "ead-only file system" in ran.out or "ermission denied" in ran.out


def test_what_is_made_in_the_workspace_belongs_to_the_user_outside(up: Cell) -> None:
    up.sh("echo hello > made")

    made = Path(up.place.work) / "made"
    assert ("hello\n", UID) == (made.read_text(), made.stat().st_uid)


def test_a_pseudo_terminal_can_be_had_but_there_is_none(up: Cell) -> None:
    ran = up.sh("tty; cat /dev/tty; test -c /dev/ptmx && ls -d /dev/pts/ptmx")

    assert "not a tty" in ran.out
    assert "/dev/tty" in ran.out
    assert ran.out.endswith("/dev/pts/ptmx\n")


def test_the_tools_of_the_machine_are_there(cell: Cell) -> None:
    script = "import os, ssl, ctypes; print(os.getcwd())"

    assert Ran(None, 0, 0, "/work\n") == cell.up("host").run("/usr/bin/python3", "-c", script)


def test_busybox_is_nothing_but_busybox(cell: Cell) -> None:
    ran = cell.up("busybox").sh("ls / /lib /usr/lib; awk 'BEGIN { print \"awk\" }'")

    assert ran.out.endswith("awk\n")
    assert "lib64" not in ran.out
    assert "ls: /lib: No such file or directory" in ran.out


@pytest.mark.parametrize(
    "name", ["two words", "ünï©ode ☃", "-rf", "$(reboot)", "new\nline", "'\"\\", "--", "%s", "a:b"]
)
def test_a_workspace_may_have_any_name(cell: Cell, name: str) -> None:
    work = Path(cell.place.work) / name
    work.mkdir()
    if ROOT:
        os.chown(work, UID, GID)
    cell.place = cell.place._replace(work=str(work))

    ran = cell.up("busybox").sh("echo hello > file; pwd")

    assert Ran(None, 0, 0, "/work\n") == ran
    assert "hello\n" == (work / "file").read_text()


# --- what stays, what goes ---------------------------------------------------------------------


def test_files_stay_over_the_body(up: Cell) -> None:
    places = "/tmp /var/tmp /home/job"
    up.sh(f"for d in {places}; do echo kept > $d/file; done; echo lost > /dev/shm/file")

    ran = up.sh(f"for d in {places} /dev/shm; do cat $d/file; done")

    assert "kept\nkept\nkept\n" == ran.out[:15]
    assert "lost" not in ran.out


def test_processes_end_with_their_exec(up: Cell) -> None:
    daemon = "(setsid env -i sh -c '(sleep 1000 &)' &) ; (sleep 1000 &) ; sleep 1000 & echo $!"

    def work() -> int:
        with chroot.enter(up.handle, up.place) as entry:
            finish(*begin(up.place, entry, "/bin/sh", "-c", daemon))
            assert len(orphans.below()) > 3
        return len(orphans.below())

    assert 0 == up.apart(work)
    assert "" == up.sh("ps -ef | grep -v grep | grep sleep").out


def test_a_daemon_does_not_hold_up_the_end(up: Cell) -> None:
    assert Ran(None, 3, 0, "") == up.sh("(setsid sh -c '(sleep 1000 &)' &) ; exit 3")


def test_what_a_command_leaves_is_swept_up_before_it_is_waited_for(up: Cell) -> None:
    def work() -> tuple[bytes, int]:
        with chroot.enter(up.handle, up.place) as entry:
            script = "(setsid env -i sh -c '(sleep 1000 &)' &) ; exit 3"
            child, out = begin(up.place, entry, "/bin/sh", "-c", script)
            with child, open(out, "rb") as file:
                assert ends(child.pidfd)
                assert set() == child.sweep()
                return file.read(), child.wait().code  # to the end: nobody holds the pipe

    assert (b"", 3) == up.apart(work)


def test_it_is_found_again_and_built_anew_where_it_is_lost(up: Cell) -> None:
    first = up.handle
    up.sh("echo kept > /tmp/file")

    up.ensure()
    assert first == up.handle
    assert "kept\n" == up.sh("cat /tmp/file").out

    up.down()
    up.ensure()
    assert first != up.handle
    assert Ran(None, 0, 0, "") == up.sh("ls /tmp")


def test_what_a_job_leaves_is_removed_however_it_left_it(up: Cell) -> None:
    up.sh(
        "mkdir -p /tmp/a/b /home/job/c; touch /tmp/a/b/file; ln -s /work /tmp/link;"
        "mkfifo /tmp/fifo; chmod 0 /tmp/a/b /tmp/a /home/job/c; chmod 0 /tmp /home/job"
    )
    (Path(up.place.work) / "mine").write_text("")

    up.down()
    up.down()

    assert (Path(up.place.work) / "mine").exists()


def test_a_link_that_a_job_leaves_leads_no_later_exec_out(up: Cell, public: Path) -> None:
    outside = public / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    up.sh(
        f"rmdir /home/job /tmp /var/tmp; rm -rf /home/job/* /tmp/*; ln -s {outside} /home/job/x;"
        f"ln -s {outside} /tmp/job; ln -s /oldroot{outside} /var/tmp/x; ln -s {outside} /work/x"
    )

    ran = up.sh("touch /home/job/x/file /tmp/job/file /var/tmp/x/file /work/x/file")

    assert 0 != ran.code
    assert [] == os.listdir(outside)


# --- what it cannot do -------------------------------------------------------------------------


def test_nothing_of_the_caller_can_be_seen(up: Cell, public: Path) -> None:
    secret = public / "secret"
    secret.write_text("for nobody")
    secret.chmod(0o644)
    paths = [secret, "/root", "/home/.", "/var/lib", "/run/.", "/srv/.", "/work/../work", "/boot"]

    ran = up.sh(f"cat '{secret}' '/proc/1/root/{secret}' '/proc/2/cwd/{secret}'")
    assert 1 == ran.code
    assert "for nobody" not in ran.out

    listed = up.sh(" ; ".join(f"ls -A '{path}'" for path in paths)).out
    assert {"job", "tmp"} >= {line for line in listed.splitlines() if ":" not in line}


def test_secrets_of_the_machine_are_hidden(cell: Cell) -> None:
    ran = cell.up("host").sh("cat /etc/shadow; ls -A /etc/ssl/private /etc/cit; cat /etc/passwd")

    assert "root:x:0:0:root:/:/bin/sh\n" in ran.out
    accounts = [line for line in ran.out.splitlines() if line.count(":") == 6]
    assert ["root", "job", "nobody"] == [line.split(":")[0] for line in accounts]
    assert "$y$" not in ran.out


def test_a_queue_among_the_tools_of_the_machine_is_hidden(cell: Cell) -> None:
    shown = Path("/usr/share/doc")
    assert shown.is_dir()
    cell.place = cell.place._replace(hide=(str(shown), "/no/such", cell.place.work))

    ran = cell.up("host").sh(f"ls -A {shown}; touch {shown}/x; pwd")

    assert "/work\n" == ran.out[-6:]
    assert 2 == len(ran.out.splitlines())


def test_no_capability_and_no_descriptor_is_left(up: Cell) -> None:
    leak = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leak, True)
    ran = up.sh(
        "cat /proc/self/status; for n in $(seq 0 99); do test -e /proc/$$/fd/$n && echo fd $n; done"
    )
    os.close(leak)

    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{name}:\t{'0' * 16}\n" in ran.out
    assert "NoNewPrivs:\t1\n" in ran.out
    # 32 and 33 are the C library's own; whoever spawned us may have left them ignored.
    masks = [int(ran.out.split(f"{name}:\t")[1][:16], 16) for name in ("SigIgn", "SigBlk")]
    assert [0, 0] == [mask & ~(1 << 31 | 1 << 32) for mask in masks]
    assert "fd 0\nfd 1\nfd 2\n" == ran.out[ran.out.index("fd 0") :]


def test_what_holds_it_cannot_be_looked_into(up: Cell) -> None:
    for pid in (1, 2):
        for file in ("environ", "mem", "maps", "fd/0", "fd/1", "fd/2"):
            ran = up.sh(f"cat /proc/{pid}/{file}")
            assert 0 != ran.code, file
            assert "ermission denied" in ran.out, file
        for link in ("cwd", "root", "exe", "ns/mnt", "ns/user"):
            ran = up.sh(f"readlink /proc/{pid}/{link} && echo seen; ls /proc/{pid}/{link}/")
            assert "seen" not in ran.out, link


def test_orphans_are_buried(up: Cell) -> None:
    script = "(sleep 0.1 &); (sleep 0.1 &); sleep 0.3; cat /proc/[0-9]*/status | grep State"

    assert "Z" not in up.sh(script).out


def test_it_can_neither_mount_nor_make_namespaces(up: Cell) -> None:
    for attempt in (
        "mount -t tmpfs none /tmp",
        "umount /etc/passwd",
        "mount -o remount,rw /",
        "unshare -U true",
        "unshare -m true",
        "chroot /tmp true",
        "mknod /tmp/null c 1 3",
        "hostname x",
        "echo x > /proc/sys/kernel/hostname",
        "chown 0 /work",
        "nsenter -t 1 -m true",
    ):
        ran = up.sh(attempt)
        assert 0 != ran.code, attempt
        assert "not found" not in ran.out, attempt


def test_it_sees_and_signals_only_its_own_processes(up: Cell) -> None:
    with proc.start(
        ["/bin/sleep", "1000"], {}, "/", stdout=2, stderr=2, user=(UID, GID) if ROOT else None
    ) as outside:
        pids = up.sh("cd /proc; echo [0-9]*").out.split()
        assert len(pids) < 8

        killed = up.sh(f"kill -0 {outside.pid}; test -e /proc/{outside.pid}/status; echo $?")
        assert "1\n" == killed.out[-2:]

        up.sh("kill -9 -1; while :; do :; done")
        assert not ends_now(outside.pidfd)


def ends_now(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def test_it_can_trace_nothing_but_its_own(cell: Cell) -> None:
    script = """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
own = os.fork() or signal.pause()
for pid in (1, 2, int(os.environ["OUTSIDE"]), own):
    print(libc.ptrace(16, pid, 0, 0), end=" ")
"""
    outside = str(os.getpid())

    ran = cell.up("host").run("/usr/bin/python3", "-c", script, env={"OUTSIDE": outside})

    assert "-1 -1 -1 0 " == ran.out


def test_it_has_its_own_namespaces_but_the_network(up: Cell) -> None:
    kinds = ("user", "mnt", "pid", "ipc", "uts", "net")
    links = [f"/proc/self/ns/{kind}" for kind in kinds]

    inside = [up.run("readlink", link).out.rstrip() for link in links]

    outside = [os.readlink(link) for link in links]
    assert ["net"] == [
        k for k, one, other in zip(kinds, inside, outside, strict=True) if one == other
    ]


# A shell that cannot fork ends, and so may all of them before anybody has looked: then again.
BOMB = "bomb() { bomb & bomb & wait; }"


def test_a_fork_bomb_stays_within_its_limit_and_is_gone_afterwards(up: Cell) -> None:
    def work() -> tuple[int, int]:
        most = 0
        with chroot.enter(up.handle, up.place) as entry:
            child, out = begin(
                up.place, entry, "/bin/sh", "-c", f"{BOMB}; while :; do (bomb 2>&1); done",
                limits=[(resource.RLIMIT_NPROC, 60)],
            )  # fmt: skip
            deadline = time.monotonic() + SECONDS
            while most <= 50 and time.monotonic() < deadline:
                most = max(most, len(orphans.below()))
            for _ in range(100):
                most = max(most, len(orphans.below()))
            child.signal(signal.SIGKILL)
            child.wait()
            child.close()
            os.close(out)
        return most, len(orphans.below())

    most, left = up.apart(work)

    # Looking takes time, so those that came and went meanwhile are counted too.
    assert 50 < most < 150
    assert 0 == left


# --- when something is killed ------------------------------------------------------------------

SLEEPS = "trap '' TERM; echo $$; while :; do sleep 1000; done"


def test_what_holds_the_namespaces_is_found_by_the_id_of_the_job(cell: Cell) -> None:
    cell.up("busybox")

    def work() -> int:
        with chroot.enter(cell.handle, cell.place):
            return len(orphans.marked(cell.place.id, key=orphans.HOLDS))

    assert 0 < cell.apart(work)


def test_the_middle_process_survives_a_polite_end(cell: Cell) -> None:
    cell.up("busybox")

    def work() -> Ran:
        with chroot.enter(cell.handle, cell.place) as entry:
            script = "trap 'exit 7' TERM; echo 1; while :; do sleep 0.01; done"
            child, out = begin(cell.place, entry, "/bin/sh", "-c", script)
            word(out)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(child.pids[1], number)
            child.signal(signal.SIGTERM)
            return finish(child, out)

    assert 7 == cell.apart(work).code


def test_killing_the_middle_process_ends_the_job(up: Cell) -> None:
    def work() -> tuple[Ran, int]:
        with chroot.enter(up.handle, up.place) as entry:
            child, out = begin(up.place, entry, "/bin/sh", "-c", SLEEPS)
            word(out)
            os.kill(child.pids[1], signal.SIGKILL)
            ran = finish(child, out)
        return ran, len(orphans.below())

    ran, left = up.apart(work)

    assert (None, 137, signal.SIGKILL, 0) == (*ran[:3], left)


def test_killing_bubblewrap_ends_the_job(up: Cell) -> None:
    def work() -> tuple[Ran, int]:
        cell = chroot.enter(up.handle, up.place)
        with cell as entry:
            child, out = begin(up.place, entry, "/bin/sh", "-c", SLEEPS)
            word(out)
            assert cell.bwrap
            os.kill(cell.bwrap.pid, signal.SIGKILL)
            ran = finish(child, out)
        return ran, len(orphans.below())

    ran, left = up.apart(work)

    assert (None, 137, signal.SIGKILL, 0) == (*ran[:3], left)


def test_killing_the_runner_ends_everything_at_once(up: Cell) -> None:
    def work() -> None:
        out, into = os.pipe()
        runner = os.fork()
        if runner == 0:
            try:
                with chroot.enter(up.handle, up.place) as entry:
                    given = {"user": up.place.user, "namespaces": entry.namespaces}
                    proc.start(
                        ["/bin/sh", "-c", SLEEPS], entry.env, "/", stdout=into, stderr=into, **given
                    )
                    signal.pause()
            finally:
                os._exit(1)
        os.close(into)
        word(out)
        # The runner, bubblewrap twice, the holder, the middle process, the job.
        assert len(orphans.below()) >= 6

        os.kill(runner, signal.SIGKILL)

        signal.alarm(SECONDS)
        with pytest.raises(ChildProcessError):
            while True:  # as init would: who is not buried keeps his namespace
                os.wait()
        assert set() == orphans.below()

    up.apart(work)
    assert Ran(None, 0, 0, "") == up.sh("true")


def test_a_command_that_is_not_waited_for_is_ended_with_its_namespace(up: Cell) -> None:
    def work() -> int:
        with (
            chroot.enter(up.handle, up.place) as entry,
            begin(up.place, entry, "/bin/sh", "-c", SLEEPS)[0],
        ):
            pass
        return len(orphans.below())

    assert 0 == up.apart(work)


def test_no_descriptor_is_left_open(up: Cell) -> None:
    def work() -> bool:
        before = os.listdir("/proc/self/fd")
        for script in ("exit 1", "kill $$"):
            with chroot.enter(up.handle, up.place) as entry:
                finish(*begin(up.place, entry, "/bin/sh", "-c", script))
                finish(*begin(up.place, entry, "/no/such"))
        return before == os.listdir("/proc/self/fd")

    assert up.apart(work)


def test_two_at_once_do_not_meet(up: Cell) -> None:
    def work() -> list[str]:
        with (
            chroot.enter(up.handle, up.place) as one,
            chroot.enter(up.handle, up.place) as two,
        ):
            first, out = begin(up.place, one, "/bin/sh", "-c", "echo 1; exec sleep 1000")
            word(out)
            ran = finish(*begin(up.place, two, "/bin/sh", "-c", "cat /proc/[0-9]*/comm"))
            first.close()
            os.close(out)
        return ran.out.split()

    assert "sleep" not in up.apart(work)


def test_the_files_of_a_job_are_closed_to_other_users(up: Cell) -> None:
    state = Path(up.place.state)

    assert 0 == stat.S_IMODE(state.stat().st_mode) & 0o007
