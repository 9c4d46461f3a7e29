"""The group of each run: `cit/ID.RUN` in every hierarchy that is used.

The runs of a job lie side by side and not below a group of the job: that would cost
a short job as much again, and in v2 a write to its cgroup.subtree_control as well.
"""

from __future__ import annotations

import os
from collections import namedtuple

from cit import cgroupfs, people, usage
from cit.hierarchy import PROC, Place, Tree, enable, known
from cit.hierarchy import find as find  # whoever makes groups needs it first
from cit.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import NamedTuple

    class Limits(NamedTuple):
        memory: int | None = None  # bytes, swap included
        procs: int | None = None

    class Fact(NamedTuple):
        what: str
        ok: bool
        detail: str
        fix: str = ""  # lines that an administrator, or the user, would run
else:
    Limits = namedtuple("Limits", "memory procs", defaults=(None, None))
    Fact = namedtuple("Fact", "what ok detail fix", defaults=("",))


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
        return {pid for d in self._directories.values() for pid in cgroupfs.processes(d)}

    def kill(self) -> bool:
        """End everything in it. False: something in the kernel does not let go."""
        place = self.tree.unified or self.tree.freezer or self.tree.memory
        # The usual case at the price of one read: nobody is left.
        if place and not cgroupfs.populated(self._directories[place.home]):
            return True
        return cgroupfs.kill(list(self._directories.values()))

    def remove(self) -> bool:
        """Take the group away, and first end what is still in it."""
        while self.entries:
            os.close(self.entries.pop())
        return all([cgroupfs.remove(d) for d in self._directories.values()])

    def _read(self, place: Place | None, two: str, one: str = "") -> str | None:
        if place is None or place.home not in self._directories:
            return None
        name = two if place.version == 2 or not one else f"memory.{one}"
        return cgroupfs.text(f"{self._directories[place.home]}/{name}")

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
    pids = tree.pids if limits.procs else None
    # What can end a group is joined first: who is in any of them, is in that one.
    places = (tree.unified, tree.freezer, tree.memory, tree.cpu, pids)
    homes = {place.home: place for place in places if place}
    name = f"{_checked(job)}.{_checked(run)}"
    group = Group(tree, {home: f"{home}/{name}" for home in homes})
    try:
        for home, place in homes.items():
            _make(place, f"{home}/{name}")
        if limits.memory and tree.memory:
            _limit_memory(tree.memory, f"{tree.memory.home}/{name}", limits.memory)
        if limits.procs and tree.pids:
            cgroupfs.write(f"{tree.pids.home}/{name}/pids.max", str(limits.procs))
        for home, place in homes.items():
            group.entries.append(cgroupfs.entry(f"{home}/{name}", place.version))
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
            cgroupfs.remove(directory)
        except FileNotFoundError:  # somebody took even `cit` away
            cgroupfs.mkdir(place.home)
            if place.version == 2:
                enable(place.home, place.controllers)
    os.mkdir(directory)


def _limit_memory(place: Place, directory: str, limit: int) -> None:
    two = place.version == 2
    cgroupfs.write(directory + ("/memory.max" if two else "/memory.limit_in_bytes"), str(limit))
    # Without these it would only be pushed out to swap; there may be no swap to limit.
    swap = ("/memory.swap.max", "0") if two else ("/memory.memsw.limit_in_bytes", str(limit))
    settings = [swap, ("/memory.oom.group", "1")] if two else [swap]
    for name, value in settings:
        try:
            cgroupfs.write(directory + name, value)
        except FileNotFoundError:
            continue


def jobs(tree: Tree) -> list[str]:
    """The jobs that have groups here, dead or alive."""
    names = {name for home in _homes(tree) for name in cgroupfs.children(home)}
    return sorted({name.split(".")[0] for name in names if "." in name})


def kill_job(job: str, tree: Tree | None = None, proc: str = PROC) -> bool:
    """End whatever is left of a job on this machine, and remove its groups.

    The runner that died may have had its groups elsewhere (another session's scope),
    so all hierarchies are searched. False: something of it is still there.
    """
    homes = _homes(tree) if tree else set()
    for h in known(proc):
        homes.update(_search(h.mount))
    start = _checked(job) + "."
    found = [f"{home}/{name}" for home in homes for name in cgroupfs.children(home)]
    found = [path for path in found if os.path.basename(path).startswith(start)]
    return cgroupfs.kill(found) and all([cgroupfs.remove(path) for path in found])


def _homes(tree: Tree) -> set[str]:
    return {p.home for p in (tree.memory, tree.cpu, tree.pids, tree.unified, tree.freezer) if p}


def _search(directory: str, depth: int = 12) -> Iterator[str]:
    for name in cgroupfs.children(directory) if depth else ():
        path = f"{directory}/{name}"
        if name == "cit":
            yield path
        yield from _search(path, depth - 1)


def report(tree: Tree | None, proc: str = PROC) -> list[Fact]:
    """What this machine measures and limits, and the lines that would add what is missing."""
    if tree is None:
        detail = "none can be made: runs are measured by rusage, and end signal by signal"
        return [Fact("groups", False, detail, _fix(proc))]
    homes = sorted(_homes(tree))
    two, memory = tree.unified, tree.memory
    kind = {1: "v1", 2: "v2"}[memory.version if memory else 2]
    kind = "hybrid" if two and kind == "v1" else kind
    peaks = ("memory.peak", "memory.max_usage_in_bytes")
    peak = bool(memory) and any(os.path.exists(f"{memory.home}/{n}") for n in peaks if memory)
    at_once = two and os.path.exists(two.home + "/cgroup.kill")
    frozen = tree.freezer or (two and os.path.exists(two.home + "/cgroup.freeze"))
    how = "at once" if at_once else "frozen, then signalled" if frozen else "signal by signal"
    io = two is not None and "io" in two.controllers
    fix = "" if memory and tree.pids else _fix(proc)
    old = "not with this kernel: memory.peak came with Linux 5.19" if memory else "no controller"
    return [
        Fact("groups", True, f"cgroup {kind} in {' '.join(homes)}"),
        Fact("cpu", bool(tree.cpu), "per run" if tree.cpu else "by rusage"),
        Fact("memory peak", peak, "per run" if peak else old, fix),
        Fact("memory limit", bool(memory), "per run" if memory else "no controller", fix),
        Fact("procs limit", bool(tree.pids), "per run" if tree.pids else "no controller", fix),
        Fact("io", io, "per run" if io else "by rusage", "" if io or kind != "v2" else _IO),
        Fact("kill", bool(at_once or frozen), how),
    ]


_IO = """\
mkdir -p /etc/systemd/system/user@.service.d
printf '[Service]\\nDelegate=cpu memory pids io\\n' > /etc/systemd/system/user@.service.d/cit.conf
systemctl daemon-reload"""


def _fix(proc: str) -> str:
    """The lines that give this user groups of his own."""
    user = people.user(os.geteuid())
    ours = f"cit-{user}"  # a directory for each account: `cit` is that of root
    mounted = known(proc)
    if not mounted:
        return "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    if os.geteuid() == 0:
        return "\n".join(f"mount -o remount,rw '{h.mount}'" for h in mounted)
    lines = [
        f"mkdir -p '{h.mount}/{ours}' && chown {user} '{h.mount}/{ours}'"
        for h in mounted
        if h.version == 1
    ]
    if lines:
        return "\n".join(lines)
    if os.path.isdir("/run/systemd/system"):
        return (
            f"loginctl enable-linger {user}\n"
            "systemd-run --user --scope --quiet -p Delegate=yes cit-run  # by the user"
        )
    top = mounted[0].mount
    files = " ".join(f"{top}/{ours}/cgroup.{n}" for n in ("procs", "threads", "subtree_control"))
    return (
        f"echo '+memory +pids +io' > {top}/cgroup.subtree_control\n"
        f"mkdir -p {top}/{ours} && chown {user} {top}/{ours} {files}\n"
        f"echo PID > {top}/{ours}/cgroup.procs  # of the shell that starts cit-run"
    )


def _checked(name: str) -> str:
    """An id or a run, about to become a directory. Raises ValueError: this is a bug."""
    if not (name.isascii() and all(part.isalnum() for part in name.split("."))):
        raise ValueError(f"not the name of a group: {name!r}")
    return name
