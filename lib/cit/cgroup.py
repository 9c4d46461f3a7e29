"""The groups of processes that cit makes: `cit/ID.RUN` below a base, one for each run.

The runs of a job lie side by side and not below a group of the job: that would cost
a short job as much again, and in v2 a write to its cgroup.subtree_control as well.

cgroup v1 has a hierarchy for each controller, v2 one for all, and a hybrid machine
both: v1 controllers, and a v2 that has none but still counts CPU time and kills a
whole group at once. So what is looked at is which controller is where, never where
somebody mounted it. Of v1 as few hierarchies as possible are used, because each
costs every run a directory: memory always, pids only under a limit, cpuacct and
freezer only where there is no v2. blkio is never used: in v1 it does not see what
is written back later, and rusage does.

The base is the root of the hierarchy where we may make groups there, so that every
runner of this machine finds the same one; else our own group, if it was delegated
to us. We never leave a group that limits us, nor the run of a job that we are part
of. In v2 a group that hands controllers to its children may hold no process itself;
the processes of our own delegated group then move to its leaf `cit/self`.

`cit` itself belongs to the administrator: limits set there stay. All that is
written to it is cgroup.subtree_control.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections import namedtuple

from cit import usage
from cit.errors import CONFIG, Failure
from cit.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import NamedTuple

    class Hierarchy(NamedTuple):
        version: int
        controllers: frozenset[str]
        mount: str  # directory where it is mounted
        own: str | None  # directory of the group we are in; None where we cannot see it

    class Place(NamedTuple):
        home: str  # directory of the group `cit`
        version: int
        controllers: frozenset[str]  # what runs can have here

    class Tree(NamedTuple):
        source: str
        memory: Place | None
        cpu: Place | None
        pids: Place | None
        unified: Place | None  # the v2 hierarchy
        freezer: Place | None

    class Limits(NamedTuple):
        memory: int | None = None  # bytes, swap included
        procs: int | None = None

    class Fact(NamedTuple):
        what: str
        ok: bool
        detail: str
        fix: str = ""  # what an administrator, or the user, would run
else:
    Hierarchy = namedtuple("Hierarchy", "version controllers mount own")
    Place = namedtuple("Place", "home version controllers")
    Tree = namedtuple("Tree", "source memory cpu pids unified freezer")
    Limits = namedtuple("Limits", "memory procs", defaults=(None, None))
    Fact = namedtuple("Fact", "what ok detail fix", defaults=("",))

PROC = "/proc/self"
_WANTED = ("memory", "pids", "io")  # of v2; CPU time is counted without its controller
_V1 = frozenset(("memory", "pids", "cpuacct", "freezer"))
_PATIENCE = 10.0  # seconds until what was killed must be gone
_GONE = (errno.ENOENT, errno.ENODEV)


# --- finding ---------------------------------------------------------------------------------


def hierarchies(mountinfo: str, own: str) -> list[Hierarchy]:
    """What is mounted, out of the texts of /proc/self/mountinfo and /proc/self/cgroup."""
    groups: dict[frozenset[str], str] = {}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        groups[frozenset(names.split(",")) - {""}] = path
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        words, (kind, _, options) = before.split(" "), after.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, mount = _unescape(words[3]), _unescape(words[4])
        version = 2 if kind == "cgroup2" else 1
        controllers = frozenset[str]()
        for group in groups if version == 1 else ():
            if group and group <= frozenset(options.split(",")):
                controllers = group
        found.append(
            Hierarchy(version, controllers, mount, _within(mount, root, groups.get(controllers)))
        )
    return found


def find(override: str | None = None, proc: str = PROC) -> Tree | None:
    """Where runs can be measured on this machine; None: only by rusage.

    `override` is CIT_CGROUP: the directory of a cgroup to make `cit` in, in all
    hierarchies alike, or `none`. Raises Failure where nothing can be made there.
    """
    if override == "none":
        return None
    known = _known(proc)
    below = _below(override, known) if override else None
    places: list[Place] = []
    two: Place | None = None
    for h in known:
        if two and not h.controllers & {"memory", "pids"}:
            continue
        if place := _place(h, below):
            places.append(place)
            two = place if place.version == 2 else two

    def having(controller: str) -> Place | None:
        return next((p for p in places if controller in p.controllers), None)

    memory = having("memory")
    if not two and not memory:
        if override:
            raise Failure(CONFIG, f"cannot make cgroups in '{override}' (CIT_CGROUP)")
        return None
    return Tree(
        source="cgroup1" if memory and memory.version == 1 else "cgroup2",
        memory=memory,
        cpu=two or having("cpuacct"),
        pids=having("pids"),
        unified=two,
        freezer=None if two else having("freezer"),
    )


def _known(proc: str) -> list[Hierarchy]:
    """The hierarchies that cit can use, each once, v2 first."""
    all_of_them = hierarchies(_text(f"{proc}/mountinfo") or "", _text(f"{proc}/cgroup") or "")
    once: dict[tuple[int, frozenset[str]], Hierarchy] = {}
    for h in all_of_them:
        if h.version == 2 or h.controllers & _V1:
            once.setdefault((h.version, h.controllers), h)
    return sorted(once.values(), key=lambda h: -h.version)


def _unescape(path: str) -> str:
    """The kernel writes space, tab, newline and backslash in octal."""
    head, *rest = path.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in rest)


def _within(mount: str, root: str, group: str | None) -> str | None:
    """The directory of a group. A container's mount may show only a part of the hierarchy."""
    if group is None or "/.." in group:
        return None
    if root != "/":
        if group != root and not group.startswith(root + "/"):
            return None
        group = group[len(root) :]
    return mount + group.rstrip("/")


def _below(override: str, known: list[Hierarchy]) -> str:
    """The path of the override within its hierarchy, such as `/batch`."""
    path = os.path.normpath(override)
    for h in known:
        if path == h.mount or path.startswith(h.mount + "/"):
            return path[len(h.mount) :]
    raise Failure(CONFIG, f"'{override}' is not a cgroup (CIT_CGROUP)")


def _place(h: Hierarchy, below: str | None) -> Place | None:
    for base in [h.mount + below] if below is not None else _bases(h):
        if place := _settle(h, base, ours=below is not None or base == h.mount):
            return place
    return None


def _bases(h: Hierarchy) -> list[str]:
    """Where `cit` may be, the best first."""
    if h.own is None:
        return [h.mount]
    if h.own.endswith("/cit/self"):
        return [h.own[: -len("/cit/self")]]
    if "/cit/" in h.own[len(h.mount) :] or _limited(h):
        return [h.own]
    return [h.mount] if h.own == h.mount else [h.mount, h.own]


def _limited(h: Hierarchy) -> bool:
    """Has somebody limited the group we are in? As root we could leave it, and must not."""
    if h.version == 1:
        inherited = usage.pairs(_text(f"{h.own}/memory.stat") or "")
        return inherited.get("hierarchical_memory_limit", 1 << 62) < 1 << 60
    group = h.own or h.mount
    while group != h.mount:
        for name in ("memory.max", "cpu.max", "cpuset.cpus"):
            if (_text(f"{group}/{name}") or "max").split()[:1] not in (["max"], []):
                return True
        group = os.path.dirname(group)
    return False


def _settle(h: Hierarchy, base: str, *, ours: bool) -> Place | None:
    """Make `cit` in `base` if runs can be made and joined there."""
    home = base + "/cit"
    try:
        _mkdir(home)
        # Only a try shows it: read-only mounts, limits on the number of groups, rights.
        _mkdir(home + "/probe")
        usable = os.access(home + "/probe/cgroup.procs", os.W_OK)
        if h.version == 1:
            return Place(home, 1, h.controllers) if usable else None
        if not usable or not _may_move(h, home):
            return None
        if (_text(home + "/probe/cgroup.type") or "domain").strip() != "domain":
            return None
        if usage.cpu(_text(home + "/probe/cpu.stat") or "") is None:
            return None
    except OSError:
        return None
    finally:
        _rmdir(home + "/probe")
    ours = ours or "/cit/" in base or _delegated(base)
    return Place(home, 2, _hand_down(base, home, may_vacate=ours))


def _may_move(h: Hierarchy, home: str) -> bool:
    """v2: who moves a process must have rights on the nearest group that has both places."""
    if os.geteuid() == 0:
        return True
    return h.own is not None and os.access(
        os.path.commonpath([h.own, home]) + "/cgroup.procs", os.W_OK
    )


def _delegated(base: str) -> bool:
    """Was this group given to us, so that we may move the processes in it?"""
    if os.geteuid() != 0:
        return os.stat(base).st_uid == os.geteuid()
    for name in ("user.delegate", "trusted.delegate"):  # set by systemd
        try:
            if os.getxattr(base, name) == b"1":
                return True
        except OSError:
            continue
    return False


def _hand_down(base: str, home: str, *, may_vacate: bool) -> frozenset[str]:
    """v2: the controllers that runs will have, after handing on all that can be."""
    wanted = frozenset(_words(base + "/cgroup.controllers")) & frozenset(_WANTED)
    if not wanted <= frozenset(_words(base + "/cgroup.subtree_control")):
        busy = _enable(base, wanted)
        if busy and may_vacate and _vacate(base, home + "/self"):
            _enable(base, wanted)
    wanted = frozenset(_words(home + "/cgroup.controllers")) & frozenset(_WANTED)
    _enable(home, wanted)
    return wanted & frozenset(_words(home + "/cgroup.subtree_control"))


def _enable(group: str, wanted: frozenset[str]) -> bool:
    """Hand controllers to the children of a group. True: processes in it prevent that."""
    busy = False
    # One by one: a single one that cannot be had must not cost the others.
    for name in sorted(wanted - frozenset(_words(group + "/cgroup.subtree_control"))):
        try:
            _write(group + "/cgroup.subtree_control", f"+{name}")
        except OSError as error:
            busy = busy or error.errno == errno.EBUSY
    return busy


def _vacate(base: str, leaf: str) -> bool:
    """Move all processes of a group, ourselves included, into its leaf."""
    try:
        _mkdir(leaf)
        for _ in range(100):  # what is moved may just be forking
            processes = _words(base + "/cgroup.procs")
            if not processes:
                return True
            for pid in processes:
                try:
                    _write(leaf + "/cgroup.procs", pid)
                except ProcessLookupError:
                    continue
    except OSError:
        return False
    return False


# --- the group of one run --------------------------------------------------------------------


class Group:
    """The group of one run, from `make`. As a context it is removed at the end.

    `entries` are descriptors: who writes b"0" to each of them is in the group. A child
    does that as its last act before execve, even after it has given up its rights,
    because the kernel asks who opened the file. They are closed on exec.
    """

    def __init__(self, tree: Tree, directories: dict[str, str]) -> None:
        self.tree = tree
        self.entries: list[int] = []
        self._directories = directories  # home of a place -> our directory there

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def read(self, wall: float | None = None) -> Usage:
        """What the run has used so far; None for what is not counted here."""
        user, system = self._cpu() or (None, None)
        peak = usage.number(self._read(self.tree.memory, "memory.peak", "max_usage_in_bytes"))
        read = write = None
        two = self.tree.unified
        if two and "io" in two.controllers:
            read, write = usage.io(self._read(two, "io.stat") or "")
        return Usage(self.tree.source, wall, user, system, peak, read, write)

    def ooms(self) -> int:
        """How many of its processes the kernel has ended for memory."""
        return usage.ooms(self._read(self.tree.memory, "memory.events", "oom_control") or "") or 0

    def refusals(self) -> int:
        """How many times a process could not be made because of the limit on them."""
        return usage.pairs(self._read(self.tree.pids, "pids.events") or "").get("max", 0)

    def pids(self) -> set[int]:
        """The processes in it and in all groups that they made."""
        return {pid for d in self._directories.values() for pid in _processes(d)}

    def kill(self) -> bool:
        """End everything in it. False: something in the kernel does not let go."""
        place = self.tree.unified or self.tree.freezer or self.tree.memory
        # The usual case at the price of one read: nobody is left.
        if place and not _populated(self._directories[place.home]):
            return True
        return _kill(list(self._directories.values()))

    def remove(self) -> bool:
        """Take the group away, and first end what is still in it."""
        while self.entries:
            os.close(self.entries.pop())
        return all([_remove(d) for d in self._directories.values()])

    def _read(self, place: Place | None, two: str, one: str = "") -> str | None:
        if place is None or place.home not in self._directories:
            return None
        name = two if place.version == 2 or not one else f"memory.{one}"
        return _text(f"{self._directories[place.home]}/{name}")

    def _cpu(self) -> tuple[float, float] | None:
        place = self.tree.cpu
        if place is None or place.version == 2:
            return usage.cpu(self._read(place, "cpu.stat") or "")
        names = ("cpuacct.usage", "cpuacct.usage_user", "cpuacct.usage_sys")
        return usage.cpuacct(*(self._read(place, name) or "" for name in names))


def make(tree: Tree, job: str, run: str, limits: Limits | None = None) -> Group:
    """A new, empty group for a run, with its limits (those that `tree` can impose).

    What an earlier attempt left there is ended first. Raises OSError where no group
    can be made: the number of groups may be limited.
    """
    limits = limits or Limits()
    places = [
        tree.memory,
        tree.cpu,
        tree.unified,
        tree.freezer,
        tree.pids if limits.procs else None,
    ]
    homes = {place.home: place for place in places if place}
    name = f"{_checked(job)}.{_checked(run)}"
    group = Group(tree, {home: f"{home}/{name}" for home in homes})
    try:
        for home, place in homes.items():
            _make(place, f"{home}/{name}")
        if limits.memory and tree.memory:
            _limit_memory(tree.memory, f"{tree.memory.home}/{name}", limits.memory)
        if limits.procs and tree.pids:
            _write(f"{tree.pids.home}/{name}/pids.max", str(limits.procs))
        for home, place in homes.items():
            # A v1 `tasks` moves the writing thread alone, without the lock that stops
            # every fork and exit of the machine.
            entry = "cgroup.procs" if place.version == 2 else "tasks"
            group.entries.append(os.open(f"{home}/{name}/{entry}", os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        group.remove()
        raise
    return group


def _make(place: Place, directory: str) -> None:
    for _ in range(5):
        try:
            os.mkdir(directory)
            return
        except FileExistsError:
            _remove(directory)
        except FileNotFoundError:  # somebody took even `cit` away
            _mkdir(place.home)
            if place.version == 2:
                _enable(place.home, place.controllers)
    os.mkdir(directory)


def _limit_memory(place: Place, directory: str, limit: int) -> None:
    two = place.version == 2
    _write(directory + ("/memory.max" if two else "/memory.limit_in_bytes"), str(limit))
    # Without these it would only be pushed out to swap; there may be no swap to limit.
    swap = ("/memory.swap.max", "0") if two else ("/memory.memsw.limit_in_bytes", str(limit))
    settings = [swap, ("/memory.oom.group", "1")] if two else [swap]
    for name, value in settings:
        try:
            _write(directory + name, value)
        except FileNotFoundError:
            continue


# --- after a crash -----------------------------------------------------------------------------


def jobs(tree: Tree) -> list[str]:
    """The jobs that have groups here, dead or alive."""
    names = {name for home in _homes(tree) for name in _children(home)}
    return sorted({name.split(".")[0] for name in names if "." in name})


def kill_job(job: str, tree: Tree | None = None, proc: str = PROC) -> bool:
    """End whatever is left of a job on this machine, and remove its groups.

    The runner that died may have had its groups elsewhere (another session's scope),
    so all hierarchies are searched. False: something of it is still there.
    """
    homes = _homes(tree) if tree else set()
    for h in _known(proc):
        homes.update(_search(h.mount))
    start = _checked(job) + "."
    found = [f"{home}/{name}" for home in homes for name in _children(home)]
    found = [path for path in found if os.path.basename(path).startswith(start)]
    return _kill(found) and all([_remove(path) for path in found])


def _homes(tree: Tree) -> set[str]:
    return {p.home for p in (tree.memory, tree.cpu, tree.pids, tree.unified, tree.freezer) if p}


def _search(directory: str, depth: int = 12) -> Iterator[str]:
    for name in _children(directory) if depth else ():
        path = f"{directory}/{name}"
        if name == "cit":
            yield path
        yield from _search(path, depth - 1)


# --- ending and removing -----------------------------------------------------------------------


def _kill(directories: list[str]) -> bool:
    """End everything in these groups, for sure. True: nothing is left."""
    pause, deadline = 0.0002, time.monotonic() + _PATIENCE
    while any(_populated(d) for d in directories):
        stopped = []
        for d in directories:
            # One write ends all, even what is just forking. Without it nothing may run
            # while its processes are read and signalled, or new ones would slip through.
            if not _try(d + "/cgroup.kill", "1") and _freeze(d):
                stopped.append(d)
        for d in directories:
            _signal(d)
        for d in stopped:
            _try(d + "/freezer.state", "THAWED")
            _try(d + "/cgroup.freeze", "0")
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return True


def _freeze(directory: str) -> bool:
    if _try(directory + "/cgroup.freeze", "1"):
        return True
    for _ in range(50):
        # Again and again: what forked meanwhile is frozen only by another write.
        if not _try(directory + "/freezer.state", "FROZEN"):
            return False
        if _text(directory + "/freezer.state") == "FROZEN\n":
            break
        time.sleep(0.001)
    return True


def _signal(directory: str) -> None:
    """SIGKILL to all processes of a group, and to nothing that took over a number."""
    held = []
    try:
        for pid in _processes(directory):
            try:
                held.append((pid, os.pidfd_open(pid)))
            except ProcessLookupError:
                continue
        still = set(_processes(directory))
        for pid, fd in held:
            if pid in still:
                try:
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                except ProcessLookupError:
                    continue
    finally:
        for _, fd in held:
            os.close(fd)


def _remove(directory: str) -> bool:
    """rmdir of a group with what it holds. Almost always it is empty and one call does it."""
    deadline = time.monotonic() + _PATIENCE
    while not _rmdir(directory):
        _kill([directory])
        for name in _children(directory):
            _remove(f"{directory}/{name}")
        if _rmdir(directory):
            break
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _populated(directory: str) -> bool:
    events = _text(directory + "/cgroup.events")
    if events is not None:
        return usage.pairs(events).get("populated", 0) > 0
    return bool(next(_processes(directory), 0))


def _processes(directory: str) -> Iterator[int]:
    for word in _words(directory + "/cgroup.procs"):
        if word != "0":  # of another pid namespace: no name for it here
            yield int(word)
    for name in _children(directory):
        yield from _processes(f"{directory}/{name}")


def _children(directory: str) -> list[str]:
    try:
        if os.stat(directory).st_nlink <= 2:  # cgroupfs counts: no child
            return []
        with os.scandir(directory) as entries:
            return [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []


# --- files of a cgroup file system ---------------------------------------------------------------


def _checked(name: str) -> str:
    """An id or a run, about to become a directory. Raises ValueError: this is a bug."""
    if not (name.isascii() and all(part.isalnum() for part in name.split("."))):
        raise ValueError(f"not the name of a group: {name!r}")
    return name


def _mkdir(path: str) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        pass


def _rmdir(path: str) -> bool:
    try:
        os.rmdir(path)
    except OSError as error:
        return error.errno in _GONE
    return True


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _try(path: str, text: str) -> bool:
    try:
        _write(path, text)
    except OSError:
        return False
    return True


def _text(path: str) -> str | None:
    """The whole of a small file; None if it is not there, or not for us."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = [os.read(fd, 65536)]
        # The kernel fills its page of 4 KiB before it answers short: less is the end.
        while len(parts[-1]) > 1024:
            parts.append(os.read(fd, 65536))
    except OSError:  # the group went away meanwhile
        return None
    finally:
        os.close(fd)
    return b"".join(parts).decode(errors="surrogateescape")


def _words(path: str) -> list[str]:
    return (_text(path) or "").split()
