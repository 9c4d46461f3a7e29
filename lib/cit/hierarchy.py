"""Where groups of processes can be made: which controller is where, and which group is ours.

cgroup v1 has a hierarchy for each controller, v2 one for all, and a hybrid machine
both: v1 controllers, and a v2 that has none but still counts CPU time and kills a
whole group at once. So what is looked at is which controller is where, never where
somebody mounted it. Of v1 as few hierarchies as possible are used, because each
costs every run a directory: memory always, pids only under a limit, cpuacct and
freezer only where there is no v2. blkio is never used: in v1 it does not see what
is written back later, and rusage does.

The base is the root of the hierarchy where we may make groups there, so that every
runner of this machine finds the same one; in v1 `cit-USER` there, where an administrator
made it; else our own group, if it was delegated to us. We never leave a group that
limits us, nor the run of a job that we are part of. In v2
a group that hands controllers to its children may hold no process itself; the
processes of our own delegated group then move to its leaf `cit/self`.

`cit` itself belongs to the administrator: limits set there stay. All that is
written to it is cgroup.subtree_control.
"""

from __future__ import annotations

import errno
import os
from collections import namedtuple

from cit import people, usage
from cit.cgroupfs import mkdir, text, words, write
from cit.errors import CONFIG, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
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

else:
    Hierarchy = namedtuple("Hierarchy", "version controllers mount own")
    Place = namedtuple("Place", "home version controllers")
    Tree = namedtuple("Tree", "source memory cpu pids unified freezer")

PROC = "/proc/self"
_WANTED = ("memory", "pids", "io")  # of v2; CPU time is counted without its controller
_V1 = frozenset(("memory", "pids", "cpuacct", "freezer"))


def hierarchies(mountinfo: str, own: str) -> list[Hierarchy]:
    """What is mounted, out of the texts of /proc/self/mountinfo and /proc/self/cgroup."""
    groups: dict[frozenset[str], str] = {}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        groups[frozenset(names.split(",")) - {""}] = path
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        columns, (kind, _, options) = before.split(" "), after.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, mount = _unescape(columns[3]), _unescape(columns[4])
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
    below = _below(override, known(proc)) if override else None
    places: list[Place] = []
    two: Place | None = None
    for h in known(proc):
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


def known(proc: str) -> list[Hierarchy]:
    """The hierarchies that cit can use, each once, v2 first."""
    all_of_them = hierarchies(text(f"{proc}/mountinfo") or "", text(f"{proc}/cgroup") or "")
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


def _below(override: str, all_of_them: list[Hierarchy]) -> str:
    """The path of the override within its hierarchy, such as `/batch`."""
    path = os.path.normpath(override)
    for h in all_of_them:
        if (path == h.mount or path.startswith(h.mount + "/")) and os.path.isdir(path):
            return path[len(h.mount) :]
    raise Failure(CONFIG, f"'{override}' is not a cgroup (CIT_CGROUP)")


def _place(h: Hierarchy, below: str | None) -> Place | None:
    for base in [h.mount + below] if below is not None else _bases(h):
        if place := _settle(h, base, ours=below is not None or base == h.mount):
            return place
    return None


def _bases(h: Hierarchy) -> list[str]:
    """Where `cit` may be, the best first."""
    given = _given(h)
    if h.own is None:
        return [*given, h.mount]
    if h.own.endswith("/cit/self"):
        return [h.own[: -len("/cit/self")]]
    if "/cit/" in h.own[len(h.mount) :] or _limited(h):
        return [h.own]
    return [*given, h.mount] if h.own == h.mount else [*given, h.mount, h.own]


def _given(h: Hierarchy) -> list[str]:
    """v1: what an administrator made for this user at the top, where `cit` is everybody's name."""
    path = f"{h.mount}/cit-{people.user(os.geteuid())}"
    return [path] if h.version == 1 and os.geteuid() and os.path.isdir(path) else []


def _limited(h: Hierarchy) -> bool:
    """Has somebody limited the group we are in? As root we could leave it, and must not."""
    if h.version == 1:
        inherited = usage.pairs(text(f"{h.own}/memory.stat") or "")
        return inherited.get("hierarchical_memory_limit", 1 << 62) < 1 << 60
    group = h.own or h.mount
    while group != h.mount:
        for name in ("memory.max", "cpu.max", "cpuset.cpus"):
            if (text(f"{group}/{name}") or "max").split()[:1] not in (["max"], []):
                return True
        group = os.path.dirname(group)
    return False


def _settle(h: Hierarchy, base: str, *, ours: bool) -> Place | None:
    """Make `cit` in `base` if runs can be made and joined there."""
    home = base + "/cit"
    try:
        os.makedirs(home, exist_ok=True)
    except OSError:
        return None
    # Asked and not tried: runners that try at the same time take each other's try away.
    if not os.access(home, os.W_OK | os.X_OK):
        return None
    if h.version == 1:
        return Place(home, 1, h.controllers)
    if not _may_move(h, home) or (text(home + "/cgroup.type") or "domain") != "domain\n":
        return None
    if usage.cpu(text(home + "/cpu.stat") or "") is None:
        return None
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
    wanted = frozenset(words(base + "/cgroup.controllers")) & frozenset(_WANTED)
    if not wanted <= frozenset(words(base + "/cgroup.subtree_control")):
        # Only the root, which has no type, may hold processes as well. Elsewhere memory
        # and io would be refused; pids would not, and make the children useless: threaded.
        empty = not words(base + "/cgroup.procs")
        root = not os.path.exists(base + "/cgroup.type")
        if root or empty or (may_vacate and _vacate(base, home + "/self")):
            enable(base, wanted)
    wanted = frozenset(words(home + "/cgroup.controllers")) & frozenset(_WANTED)
    enable(home, wanted)
    return wanted & frozenset(words(home + "/cgroup.subtree_control"))


def enable(group: str, wanted: frozenset[str]) -> None:
    """Hand those controllers that can be had to the children of a group."""
    for name in sorted(wanted - frozenset(words(group + "/cgroup.subtree_control"))):
        try:
            write(group + "/cgroup.subtree_control", f"+{name}")
        except OSError as error:
            if error.errno == errno.EBUSY:  # somebody came back in
                return


def _vacate(base: str, leaf: str) -> bool:
    """Move all processes of a group, ourselves included, into its leaf."""
    try:
        mkdir(leaf)
        for _ in range(100):  # what is moved may just be forking
            processes = words(base + "/cgroup.procs")
            if not processes:
                return True
            for pid in processes:
                try:
                    write(leaf + "/cgroup.procs", pid)
                except ProcessLookupError:
                    continue
    except OSError:
        return False
    return False
