"""Who spawned, awaited or repeated whom among the jobs of a queue.

A child says itself what made it, in its `origin`, and what it needs; what a program
spawned or awaited while it ran is in its trace, which is read only where the program has
such a step. A job may have several parents, and jobs may await one another in a circle:
each is unfolded once.
"""

from __future__ import annotations

import os
import time
from collections import namedtuple

from cit import config, listing, name, row, section, table, terminal, toml
from cit.errors import MISSING, USAGE, Failure
from cit.job import awaited, column
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, NamedTuple

    from cit.sight import Seen

    class Edge(NamedTuple):
        child: str  # an id
        parent: str  # an id, or a name that no job has
        relation: str  # spawn, again, await
        run: str = ""  # of the parent
        noted: bool = False  # in the trace of the parent
        only: bool = False  # that run alone is done again

    class Place(NamedTuple):
        """A job in a tree, below `edge`; of one that was shown before nothing is unfolded."""

        job: str
        edge: Edge | None
        lasts: tuple[bool, ...]  # for it and all above it but the root: whether it is the last
        again: bool
else:
    Edge = namedtuple("Edge", "child parent relation run noted only", defaults=("", False, False))
    Place = namedtuple("Place", "job edge lasts again")

HINTS = (b"origin", b"needs", b"spawn", b"await")  # a job that has none of these made no relation
RUNNING = (b"spawn", b"await")
DEEPEST = 32  # levels that are indented


def read(jobs: Mapping[str, Seen]) -> list[Edge]:
    """The relations that these jobs tell of."""
    names: dict[str, list[str]] = {}
    for id in sorted(jobs):
        names.setdefault(jobs[id].name.name, []).append(id)
    found: list[Edge] = []
    for seen in jobs.values():
        try:
            found += _told(seen, names)
        except (Failure, OSError):
            continue  # it moves or is gone, it cannot be parsed, or is not ours to read
    # Who says himself who spawned him is right: a trace may have taken it over from another.
    sure = {edge.child for edge in found if edge.relation == "spawn" and not edge.noted}
    edges: dict[tuple[str, str, str], Edge] = {}
    for edge in found:
        if not (edge.noted and edge.child in sure):
            edges.setdefault(edge[:3], edge)
    return list(edges.values())


def _told(seen: Seen, names: Mapping[str, list[str]]) -> Iterator[Edge]:
    queue, id = seen.queue, seen.name.id
    assert queue
    data, _ = queue.head(seen.name)
    if not any(hint in data for hint in HINTS):
        return
    part = section.find(section.parse(data), "job")
    head = toml.loads(part.body) if part else {}
    origin, needs = head.get("origin", {}), head.get("needs", {})
    if origin.get("job") and origin.get("kind") in ("spawn", "again"):
        only = origin.get("only", False)
        yield Edge(id, origin["job"], origin["kind"], origin.get("run", ""), only=only)
    for what in ("job", "artefact"):
        for word in needs.get(what, ()):
            yield Edge(id, _meant(word.partition("/")[0], id, names), "await")
    if not any(hint in data for hint in RUNNING):
        return
    for record in queue.records(seen.name):
        if record.kind == "spawn":
            yield Edge(column(record, 0), id, "spawn", record.run, noted=True)
        elif record.kind in ("wait", "park"):
            for _, word in awaited(record):
                yield Edge(id, _meant(word.partition("/")[0], id, names), "await")


def _meant(word: str, by: str, names: Mapping[str, list[str]]) -> str:
    """The id that a name stood for: the newest then, else the next one; or the word itself."""
    ids = [id for id in names.get(word, ()) if id != by]
    return max((id for id in ids if id < by), default=min(ids, default=word))


def near(edges: Sequence[Edge], jobs: Iterable[str]) -> set[str]:
    """All that is related to one of these jobs, at whatever distance, and they themselves."""
    beside: dict[str, list[str]] = {}
    for edge in edges:
        beside.setdefault(edge.child, []).append(edge.parent)
        beside.setdefault(edge.parent, []).append(edge.child)
    found, todo = set(jobs), list(jobs)
    while todo:
        new = [other for other in beside.get(todo.pop(), ()) if other not in found]
        found.update(new)
        todo += new
    return found


def trees(edges: Iterable[Edge], jobs: Iterable[str]) -> Iterator[Place]:
    """The places of these jobs, each tree from its top: the newest first, then in their order.

    A circle begins with the oldest job of it.
    """
    below: dict[str, list[Edge]] = {}
    children = set()
    for edge in sorted(edges):
        below.setdefault(edge.parent, []).append(edge)
        children.add(edge.child)
    ordered = sorted(set(jobs))
    shown: set[str] = set()
    for root in [*(job for job in reversed(ordered) if job not in children), *ordered]:
        if root in shown:
            continue
        todo = [Place(root, None, (), again=False)]
        while todo:
            place = todo.pop()
            inner = below.get(place.job, []) if place.job not in shown else []
            again = place.job in shown and place.job in below
            shown.add(place.job)
            yield place._replace(again=again)
            for at, edge in reversed(list(enumerate(inner, 1))):
                lasts = (*place.lasts[-DEEPEST:], at == len(inner))
                todo.append(Place(edge.child, edge, lasts, again=False))


def tell(args: Mapping[str, Any]) -> Iterator[str]:
    """What `cit-ls --tree` prints. Raises Failure."""
    if any(args[key] for key in ("mine", "state", "status", "name", "number")):
        raise Failure(USAGE, "--tree: only with JOB, --queue, --json, -0, --color")
    queue = Queue(os.path.abspath(args["queue"]) if args["queue"] else config.queue())
    queue.look()
    jobs = {seen.name.id: seen for seen in listing.Listing(queue, listing.ORDER)}
    edges = read(jobs)
    some = {edge.child for edge in edges} | {edge.parent for edge in edges}
    if args["jobs"]:
        known = {id: seen.name.name for id, seen in jobs.items()} | {
            id: id for id in some if id not in jobs
        }
        meant = [name.meant(word, known) or word for word in args["jobs"]]
        missing = next((word for word in meant if word not in known), None)
        if missing is not None:
            raise Failure(MISSING, f"no job '{missing}' in '{queue.path}'")
        some = near(edges, meant)
    edges = [edge for edge in edges if edge.child in some]
    places = trees(edges, some)
    if not terminal.there(1) or args["json"] or args["null"]:
        form = "json" if args["json"] else "\0" if args["null"] else "\n"
        yield from (_record(place.edge, jobs, form) for place in places if place.edge)
        return
    color = terminal.colored(args["color"] or config.value("color"))
    drawn, now = _drawn(os.environ), time.time()
    for place in places:
        line = _line(place, jobs.get(place.job), now, color=color)
        yield f"{_lead(place, drawn=drawn)}{line}\n"


def _drawn(env: Mapping[str, str]) -> bool:
    """Whether a terminal can show lines: where its text is UTF-8."""
    # In the locale C, Python itself sets this variable so before it begins (PEP 538).
    kind = env.get("LC_CTYPE", "")
    text = env.get("LC_ALL") or (kind if kind != "C.UTF-8" else "") or env.get("LANG") or ""
    return text.lower().replace("-", "").endswith("utf8")


def _lead(place: Place, *, drawn: bool) -> str:
    """What stands before a job, by what is above it and what comes after it."""
    if not place.lasts:
        return ""
    if not drawn:
        return "  " * len(place.lasts)
    above = "".join("   " if last else "\u2502  " for last in place.lasts[:-1])
    return above + ("\u2514\u2500 " if place.lasts[-1] else "\u251c\u2500 ")


def _line(place: Place, seen: Seen | None, now: float, *, color: bool) -> str:
    words = [place.job]
    if seen:
        told = row.read(seen, now)
        status = told.status or told.state
        words += [seen.name.name, table.state(status) if color else status]
    else:
        words.append("not here")
    if place.edge:
        run, of = place.edge.run, "only" if place.edge.only else "from"
        words.append({
            "spawn": f"spawned by run {run}" if run else "spawned",
            "again": f"again {of} run {run}" if run else "again",
            "await": "waits for it",
        }[place.edge.relation])  # fmt: skip
    return "  ".join([*words, "(see above)"] if place.again else words)


def _record(edge: Edge, jobs: Mapping[str, Seen], form: str) -> str:
    """The line for a program: `json`, or fields between tabs that end with `form`."""
    if form != "json":
        return table.tabbed(edge[:3], form)
    import json

    seen = jobs.get(edge.child)
    told = {"child": edge.child, "parent": edge.parent, "relation": edge.relation,
            "run": edge.run or None, "name": seen.name.name if seen else None,
            "state": seen.name.state if seen else None}  # fmt: skip
    return json.dumps(told) + "\n"
