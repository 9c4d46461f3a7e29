"""A root directory and processes of the job's own, with bubblewrap and without root.

bubblewrap alone cannot tell a missing command from an exit code of 1 or 127.
So enter() starts it around a holder, a `cat` that echoes one line as the proof
that all is mounted, and opens the namespaces around that. proc.start enters
these, and so knows the errno of exec and the raw status. Leaving kills the
first process inside, and with it the kernel kills every other.

The holder is not in the control group of the job. So that a job cannot trace
it and go on in its name, it has one capability more than the job has: one that
is good for nothing in a user namespace.

Inside there is one user, no capability and no way to another user namespace.
The network is the host's.
"""

from __future__ import annotations

import os
import select
import signal

from cit import orphans, proc, template, tree
from cit.isolation import Entry, SetupFailed, barred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.isolation import Place

HELP = 'chroot "busybox" or "host": files and processes of its own, without root'
UID = 1000  # inside, whoever it is outside
WORK = "/work"
FILES = "/run/cit"  # where a command sees the files that its runner made for it

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENV = {"HOME": template.HOME, "USER": "job", "LOGNAME": "job", "PATH": _PATH}
_PASSWD = (
    f"root:x:0:0:root:/:/bin/sh\njob:x:{UID}:{UID}:job:{template.HOME}:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/:/bin/false\n"
)
_GROUP = f"root:x:0:\njob:x:{UID}:\nnogroup:x:65534:\n"

_SANDBOX = [
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--disable-userns", "--uid", str(UID), "--gid", str(UID),
    "--cap-drop", "ALL", "--cap-add", "CAP_WAKE_ALARM",
    "--as-pid-1", "--die-with-parent", "--new-session", "--clearenv", "--chdir", "/",
]  # fmt: skip
_NAMESPACES = ("mnt", "pid", "ipc", "uts", "cgroup", "user")
_NS_GET_USERNS = 0xB701  # ioctl_ns(2)
_PATIENCE = 60  # seconds for bubblewrap to start, and for the kernel to end all inside

_NO_BWRAP = "bubblewrap is not installed: apt-get install bubblewrap"
_NO_BUSYBOX = "no static busybox is installed: apt-get install busybox-static"
_SWITCHES = (
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)


def check(spec: str) -> str | None:
    if spec in template.WRITABLE:
        return None
    known = ", ".join(f"'{name}'" for name in template.WRITABLE)
    return f"no template '{spec}': it is one of {known}"


def missing() -> list[str]:
    lines = [
        f"user namespaces are switched off: sysctl -w {name}={on}"
        for name, off, on in _SWITCHES
        if _sysctl(name) == off
    ]
    lines += [] if template.tool("bwrap") else [_NO_BWRAP]
    lines += [] if template.static_busybox() else [_NO_BUSYBOX]
    return lines


def up(spec: str, place: Place) -> str:
    """The handle is the template and the name of one build of it: `busybox-1f0c93aa`."""
    handle = f"{spec}-{os.urandom(4).hex()}"
    try:
        down(handle, place)
        _private(place.state, place.user)
        _private(_directory(place), place.user)
        _build(spec, _base(handle, place), place.user)
    except OSError as error:
        raise SetupFailed(f"cannot build the chroot: {error}") from error
    return handle


def ensure(handle: str, place: Place) -> str:
    spec, base = _spec(handle), _base(handle, place)
    if all(os.path.isdir(base + path) for path in template.WRITABLE[spec]):
        return handle
    return up(spec, place)


def down(handle: str, place: Place) -> None:
    tree.remove(_directory(place))
    try:
        os.rmdir(place.state)
    except OSError:
        pass  # another run of the job has its own in it, or there is none


class enter:
    """The namespaces of a fresh bubblewrap over what up() built."""

    def __init__(self, handle: str, place: Place) -> None:
        self.handle, self.place = handle, place
        self.open: list[int] = []
        self.bwrap: proc.Child | None = None
        self.pid, self.init = 0, -1  # the first process inside, and its pidfd

    def __enter__(self) -> Entry:
        try:
            self.pid = self._start()
            self.init = self._keep(os.pidfd_open(self.pid))
            namespaces = self._namespaces(self.pid)
            if _readable(self.init, 0):  # else the numbers could be of another process
                raise SetupFailed("bubblewrap was killed")
        except OSError as error:
            self.__exit__()
            raise SetupFailed(f"cannot enter the chroot: {error}") from error
        except BaseException:
            self.__exit__()
            raise
        return Entry([], namespaces, WORK, _ENV, FILES)

    def __exit__(self, *_: object) -> None:
        if self.init >= 0:
            try:
                signal.pidfd_send_signal(self.init, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has ended by itself
            # Readable only when every process inside is gone. Then bubblewrap, left to itself,
            # reaps it and ends; if that was killed, it has become our child.
            _readable(self.init, _PATIENCE)
            if self.bwrap:
                _readable(self.bwrap.pidfd, _PATIENCE)
        if self.bwrap:
            self.bwrap.close()
        if self.pid:
            _bury(self.pid)
        while self.open:
            os.close(self.open.pop())

    def _keep(self, fd: int) -> int:
        self.open.append(fd)
        return fd

    def _drop(self, *fds: int) -> None:
        for fd in fds:
            self.open.remove(fd)
            os.close(fd)

    def _pipe(self) -> tuple[int, int]:
        here, there = os.pipe()
        return self._keep(here), self._keep(there)

    def _text(self, text: str) -> int:
        fd = self._keep(os.memfd_create("text"))
        os.pwrite(fd, os.fsencode(text), 0)
        return fd

    def _start(self) -> int:
        """Start bubblewrap; the pid of the first process inside, once all is mounted."""
        program = template.tool("bwrap")
        if not program:
            raise SetupFailed(_NO_BWRAP)
        if os.geteuid() == 0 and self.place.user is None:
            raise SetupFailed("a job is never root: there is no user for it to become")
        spec = _spec(self.handle)
        passwd, group = self._text(_PASSWD), self._text(_GROUP)
        data = ["--perms", "0644", "--ro-bind-data"]
        mounts = [*self._mounts(spec), *data, str(passwd), "/etc/passwd"]
        mounts += [*data, str(group), "/etc/group", "--remount-ro", "/"]
        # A command line is seen by everybody, and has a limit.
        args = self._text("\0".join([*_SANDBOX, *mounts]))
        info, tell = self._pipe()
        echo, out = self._pipe()
        hello, say = self._pipe()
        complaint = self._keep(os.memfd_create("complaint"))
        self.bwrap = proc.start(
            [program, "--args", str(args), "--info-fd", str(tell), "--", *template.HOLDER[spec]],
            # If we are killed before bubblewrap has made sure to die with us, it is found by this.
            {orphans.HOLDS: self.place.id}, "/", stdin=hello, stdout=out, stderr=complaint,
            keep=[args, passwd, group, tell], user=self.place.user,
        )  # fmt: skip
        self._drop(hello, out, tell, args, passwd, group)
        if self.bwrap.failed:
            raise SetupFailed(f"cannot start bubblewrap: {os.strerror(self.bwrap.failed.errno)}")
        try:
            os.write(say, b"\n")
        except BrokenPipeError:
            pass  # it ended before it read: there will be no echo
        if not _readable(echo, _PATIENCE) or not os.read(echo, 1):
            raise SetupFailed(_complaint(complaint))
        return int(os.read(info, 4096).partition(b'"child-pid":')[2].split(b",")[0])

    def _mounts(self, spec: str) -> list[str]:
        place, base = self.place, _base(self.handle, self.place)
        for path in (base, place.work):
            if place.user and (closed := barred(path, place.user)):
                who = place.user[0]
                raise SetupFailed(f"user {who} cannot pass through '{closed}' to '{path}'")
        if spec == "busybox":
            program = template.static_busybox()
            if not program:
                raise SetupFailed(_NO_BUSYBOX)
            mounts = template.busybox(program)
        else:
            hide = (path for path in (*template.SECRET, *place.hide) if os.path.exists(path))
            user = place.user
            mounts = template.host(path for path in hide if not user or not barred(path, user))
        for path in template.WRITABLE[spec]:
            mounts += ["--bind", base + path, path]
        for path in place.files:
            mounts += ["--bind", path, os.path.join(FILES, os.path.basename(path))]
        return [*mounts, "--bind", place.work, WORK]

    def _namespaces(self, pid: int) -> tuple[int, ...]:
        """Open namespaces, in the order in which they can be entered.

        bubblewrap mounts in one user namespace and ends up in another inside it. Only from the
        first can the mounts and the rest be entered, and the second from there.
        """
        import fcntl

        fds = [self._keep(os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)) for kind in _NAMESPACES]
        outer = self._keep(fcntl.ioctl(fds[0], _NS_GET_USERNS))
        if os.path.sameopenfile(outer, fds[-1]):
            return (fds[-1], *fds[:-1])
        return (outer, *fds)


def _build(spec: str, base: str, user: tuple[int, int] | None) -> None:
    for path in template.WRITABLE[spec]:
        os.makedirs(base + path)
    os.makedirs(base + "/var/tmp", exist_ok=True)
    for path in (*template.WRITABLE[spec], "/var/tmp"):
        os.chmod(base + path, 0o1777 if path.endswith("/tmp") else 0o755)
        if user:
            os.chown(base + path, *user)


def _private(directory: str, user: tuple[int, int] | None) -> None:
    """Make a directory for us alone, and for the user that a job becomes to pass through."""
    os.makedirs(directory, 0o700, exist_ok=True)
    if user:
        os.chown(directory, -1, user[1])
        os.chmod(directory, 0o710)


def _directory(place: Place) -> str:
    return os.path.join(place.state, place.run)


def _base(handle: str, place: Place) -> str:
    return os.path.join(_directory(place), handle)


def _spec(handle: str) -> str:
    spec, _, build = handle.partition("-")
    if spec not in template.WRITABLE or not build.isalnum():
        raise SetupFailed(f"'{handle}' is not the handle of a chroot")
    return spec


def _readable(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _bury(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # its own parent has done so


def _complaint(fd: int) -> str:
    said = os.pread(fd, 4096, 0).decode(errors="replace").strip()
    return said or "bubblewrap did not start"


def _sysctl(name: str) -> str:
    try:
        with open("/proc/sys/" + name.replace(".", "/")) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
