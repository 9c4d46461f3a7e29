"""The story of a job as a sheet for people."""

from __future__ import annotations

from cit import history, name, story, table, trace
from cit.amount import human_duration, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cit.story import Story

RUNS = ("RUN", "STEP", "STATUS", "CODE", "TOOK", "CPU", "MEMORY", "READ", "WRITTEN", "WHAT")
EVENTS = ("pushed", "admitted", "claims", "acts", "finished", "notes")


def lines(told: Story, now: float, width: int, *, color: bool) -> Iterator[str]:
    """The lines of a story: what became of the job, what was asked, and its runs."""
    status = told.get("finished", {}).get("status") or told["state"]
    shown = table.state(status) if color else status
    yield f"{told['id']}  {told['name']}  {shown}"
    yield from table.lines([(key, text) for key, text in _facts(told, now) if text])
    # Stages run side by side: in the order in which runs began each would be in pieces.
    runs = [_run(r) for r in sorted(told.get("runs", []), key=lambda r: history.order(r["run"]))]

    if runs:
        yield ""
        paint = table.painter(2) if color else None
        # What a run does says more than what it took.
        yield from table.lines(runs, width, (3, 4, 5, 6, 7, 8), paint, RUNS, spare=(8, 7, 6, 5))
    more = list(_more(told, now))
    if more:
        yield ""
        yield from table.lines(more)


def _more(told: Story, now: float) -> Iterator[tuple[str, str, str]]:
    """What its runs reported, asked, waited for and made: kind, run or name, text."""
    for item in told.get("data", ()):
        yield "data", item["name"], item["value"]
    for name_, value in told.get("last", {}).items():
        yield "last", name_, value
    for item in told.get("artefacts", ()):
        size = item.get("size", "")
        shown = human_size(int(size)) if size.isdecimal() else size
        yield "artefact", item["name"], f"{shown}  {item.get('sha256', '')}"
    for item in told.get("questions", ()):
        answer = item.get("answer")
        taken = "deadline" in item or item["verb"] != "approve"
        keys = ("may", "default", "deadline") if taken else ("may",)
        said = _answer(answer, now) if answer else _words(item, *keys)
        yield item["verb"], item["run"], "  ".join(filter(None, [item.get("comment", ""), said]))
    for key, kind in (("waits", "wait"), ("parks", "parked"), ("spawned", "spawned")):
        for item in told.get(key, ()):
            text = _words(item, "until", "for") or _words(item, "id", "program", "version")
            yield kind, item.get("run", ""), f"{text}  {_when(item['time'], now)}"
    for item in told.get("stages", ()):
        yield "stage", item["run"], item.get("text", "").rstrip("\n")


def _answer(answer: Story, now: float) -> str:
    who = answer.get("who") or "nobody"
    reason = f": {answer['reason']}" if "reason" in answer else ""
    return f"'{answer.get('value', '')}' by {who}{reason}  {_when(answer['time'], now)}"


def _words(item: Story, *keys: str) -> str:
    found = ((key, item[key]) for key in keys if key in item)
    return "  ".join(key if value is True else f"{key} {value}" for key, value in found)


def _facts(told: Story, now: float) -> Iterator[tuple[str, str]]:
    yield "reason", told.get("reason", "")
    if "pushed" not in told:
        yield "made", _when(trace.stamp(name.made(told["id"])), now)
    words = ("kind", "job", "run", "only", "program", "version")
    yield "origin", _words(told.get("origin", {}), *words)
    for key in EVENTS:
        events = told.get(key, [])
        for event in [events] if isinstance(events, dict) else events:
            rest = {k: v for k, v in event.items() if k not in ("time", "sha256", "act")}
            word = event.get("act") or {"claims": "claimed", "notes": "note"}.get(key, key)
            yield word, "  ".join([_when(event["time"], now), *map(_fact, rest.items())])
    for key in ("waited", "took"):
        yield key, human_duration(told[key]) if key in told else ""
    yield "usage", _usage(told.get("usage", {}))
    for key in ("queue", "file", "workspace"):
        yield key, told.get(key, "")
    asked = dict(told.get("asked", {}))
    sections = asked.pop("sections", [])
    for key, text in story.facts(asked):
        yield key.replace(".", " "), text
    parts = [f"{s['kind']} {s['format']} ({human_size(s['bytes'])})" for s in sections]
    yield "sections", ", ".join(parts)
    yield "unreadable", told.get("unreadable", "").partition("\n")[0]


def _fact(fact: tuple[str, object]) -> str:
    key, value = fact
    return str(value) if key in ("who", "text", "reason", "host", "status") else f"{key} {value}"


def _when(stamp: str, now: float) -> str:
    return f"{stamp} ({table.age(now - trace.seconds(stamp))} ago)"


def _usage(usage: Story) -> str:
    if not usage:
        return ""
    parts = [f"cpu {_cpu(usage)}", f"memory {_size(usage, 'mem_peak')}"]
    parts += [f"read {_size(usage, 'read')}", f"written {_size(usage, 'write')}"]
    return "  ".join([p for p in parts if not p.endswith(" ")] + [f"({usage['source']})"])


def _cpu(usage: Story) -> str:
    return human_duration(usage["user"] + usage["sys"]) if {"user", "sys"} <= usage.keys() else ""


def _size(usage: Story, key: str) -> str:
    return human_size(usage[key]) if key in usage else ""


def _run(run: Story) -> tuple[str, ...]:
    usage = run.get("usage", {})
    sizes = (_size(usage, key) for key in ("mem_peak", "read", "write"))
    took = human_duration(run["took"]) if "took" in run else ""
    code, what = str(run.get("code", "")), run.get("what", "")
    return run["run"], run["step"], run.get("status", "run"), code, took, _cpu(usage), *sizes, what
