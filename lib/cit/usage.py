"""What a run used, out of the texts the kernel gives.

Seconds are floats, bytes are ints, None is what cannot be known; a trace shows
None as `-`. A parser takes the whole text of one kernel file and returns None
where the text does not say. Kernels add and drop lines freely, so an unknown
line is never an error.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NamedTuple

    class Usage(NamedTuple):
        source: str  # one of SOURCES: where the numbers come from
        wall: float | None = None
        user: float | None = None
        sys: float | None = None
        mem_peak: int | None = None
        read: int | None = None
        write: int | None = None
else:
    Usage = namedtuple("Usage", "source wall user sys mem_peak read write", defaults=(None,) * 6)

SOURCES = ("cgroup2", "cgroup1", "rusage")  # the most exact first


def pairs(text: str) -> dict[str, int]:
    """`name number` lines (cpu.stat, memory.events, memory.oom_control, pids.events)."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.isdecimal():
            found[name] = int(value)
    return found


def number(text: str | None) -> int | None:
    """A file of one number (memory.peak, memory.max_usage_in_bytes, cpuacct.usage)."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() else None


def cpu(text: str) -> tuple[float, float] | None:
    """User and system seconds out of a v2 cpu.stat."""
    found = pairs(text)
    if "user_usec" not in found or "system_usec" not in found:
        return None
    return found["user_usec"] / 1e6, found["system_usec"] / 1e6


def cpuacct(usage: str, user: str, system: str) -> tuple[float, float] | None:
    """User and system seconds out of v1 cpuacct.usage, .usage_user and .usage_sys.

    The total is exact; the two shares are sampled by the clock tick, and a short
    command sees none. So the total is divided in their ratio, as the kernel itself
    does for a process.
    """
    total, u, s = number(usage), number(user), number(system)
    if total is None:
        return None
    seconds = total / 1e9
    share = s / (u + s) if u is not None and s is not None and u + s else 0.0
    return seconds * (1 - share), seconds * share


def ooms(text: str) -> int | None:
    """Processes killed for memory, out of memory.events (v2) or memory.oom_control (v1)."""
    return pairs(text).get("oom_kill")


def io(text: str) -> tuple[int, int]:
    """Bytes read and written out of a v2 io.stat: all devices. An empty file is no IO."""
    total = {"rbytes": 0, "wbytes": 0}
    for line in text.splitlines():
        for word in line.split()[1:]:
            name, _, value = word.partition("=")
            if name in total and value.isdecimal():
                total[name] += int(value)
    return total["rbytes"], total["wbytes"]


def rusage(
    *,
    wall: float,
    user: float,
    sys: float,
    maxrss: int,
    inblock: int,
    oublock: int,
    own_maxrss: int = 0,
) -> Usage:
    """A Usage out of wait4's rusage (ru_maxrss in KiB, blocks of 512 bytes).

    A child starts as a copy of its parent, and the kernel keeps that size as its
    peak through execve: a peak not above `own_maxrss`, the parent's own ru_maxrss,
    says nothing about the command.
    """
    peak = maxrss * 1024 if maxrss > own_maxrss else None
    return Usage("rusage", wall, user, sys, peak, inblock * 512, oublock * 512)


def fill(best: Usage, other: Usage) -> Usage:
    """`best`, with what it does not know taken from `other`; the source stays that of `best`."""
    known = {name: value for name, value in best._asdict().items() if value is not None}
    return other._replace(**known)


def add(one: Usage, two: Usage) -> Usage:
    """The use of both: times and IO add up, memory takes the maximum.

    What is unknown in one is taken from the other, so a sum may be too low; the
    source is the less exact of the two. Wall times add up as if one came after the
    other: for commands side by side the caller knows better.
    """
    return Usage(
        max(one.source, two.source, key=SOURCES.index),
        _sum(one.wall, two.wall),
        _sum(one.user, two.user),
        _sum(one.sys, two.sys),
        max((m for m in (one.mem_peak, two.mem_peak) if m is not None), default=None),
        _whole(_sum(one.read, two.read)),
        _whole(_sum(one.write, two.write)),
    )


def merge(usages: Iterable[Usage]) -> Usage | None:
    """The use of all; None where there is nothing to add."""
    total: Usage | None = None
    for one in usages:
        total = add(total, one) if total else one
    return total


def fields(usage: Usage) -> tuple[str, ...]:
    """The columns of a `usage` record: source wall user sys mem_peak read write."""
    seconds = ("" if s is None else f"{s:.6f}" for s in usage[1:4])
    counts = ("" if n is None else str(n) for n in usage[4:])
    return (usage.source, *seconds, *counts)


def parse(columns: Sequence[str]) -> Usage | None:
    """The inverse of `fields`; None if these are not the columns of a usage.

    Columns that a later version added at the end are ignored.
    """
    if len(columns) < 7 or columns[0] not in SOURCES:
        return None
    try:
        wall, user, system = [None if c in ("", "-") else float(c) for c in columns[1:4]]
        peak, read, write = [None if c in ("", "-") else int(c) for c in columns[4:7]]
    except ValueError:
        return None
    return Usage(columns[0], wall, user, system, peak, read, write)


def _sum(one: float | None, two: float | None) -> float | None:
    if one is None or two is None:
        return two if one is None else one
    return one + two


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
