"""All that is known of one job, but its log: what was asked, and what happened."""

from __future__ import annotations

import os

from cit import config, home, job, section, sight, stints, toml, trace, usage
from cit.errors import Bad
from cit.job import column
from cit.sight import OUTBOX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from cit.job import Job, Run
    from cit.queue import Queue
    from cit.sight import Seen
    from cit.trace import Record

    Story = dict[str, Any]


def tell(seen: Seen, now: float, reason: str = "") -> Story:
    """The story of a job as values for JSON: times are stamps, durations seconds, sizes bytes.

    What is not known is not there. `reason` is what a list says of it. `env` has names
    only: values may be secrets.
    """
    found = seen.name
    story: Story = {"id": found.id, "name": found.name, "state": found.state, "queue": seen.path}
    if reason:
        story["reason"] = reason
    if found.state == OUTBOX:
        story["file"] = os.path.join(config.home(), "outbox", found.file)
        return story | _asked(home.letter(found))
    if seen.queue is None or not _readable(seen.queue, found.state):
        return story
    story["file"] = seen.queue.file(found)
    data, _ = seen.queue.head(found)
    story |= _asked(data)
    records = seen.queue.records(found)
    folded = job.fold(records)
    space = os.path.join(seen.queue.home, found.name, found.id)
    if os.path.isdir(space):
        story["workspace"] = space
    working = found.state == "run" and sight.at_work(seen.queue, found, folded.host) is not False
    told = _happened(folded, records, now, working=working)
    if told.get("runs"):
        _describe(told["runs"], data, records)
    return story | told


def _readable(queue: Queue, state: str) -> bool:
    return state in ("wait", "hold", "park", "run", "done") or queue.mine


def _asked(data: bytes) -> Story:
    try:
        sections = section.parse(data)
        found = section.find(sections, "job")
        head = toml.loads(found.body, found.line + 1) if found else {}
    except Bad as bad:
        # What was refused may be anything.
        return {"unreadable": bad.show("")}
    told = {key: value for key, value in head.items() if key not in ("id", "name", "queue", "env")}
    if isinstance(head.get("env"), dict):
        told["env"] = sorted(head["env"])
    origin = told.pop("origin", None)
    told["sections"] = [
        {"kind": s.kind, "version": s.version, "format": s.format, "bytes": len(s.body)}
        for s in sections
        if s.kind not in ("job", "trace")
    ]
    return {"origin": origin, "asked": told} if origin else {"asked": told}


def _describe(runs: list[Story], data: bytes, records: list[Record]) -> None:
    """What each run does, as its step shows it, and what it is called.

    Nothing where the program cannot be read.
    """
    from cit import named

    try:
        program = named.read(data, records)
    except Bad:
        return
    whats, labels = named.commands(program), named.labels(program)
    for run in runs:
        path = run["run"]
        if path in whats:
            run["what"] = whats[path]
        if path in labels:
            run["called"] = named.joined(labels[path])


def _happened(folded: Job, records: list[Record], now: float, *, working: bool) -> Story:
    took = stints.worked(folded, lambda: records, now if working else None)
    story: Story = {
        "pushed": _event(folded.pushed, who=folded.who, sha256=folded.sha256),
        "admitted": _event(folded.admitted, number=folded.number),
        "claims": [
            _event(r.time, host=column(r, 0), pid=_number(column(r, 1)),
                   attempt=_number(column(r, 3)), version=column(r, 4))
            for r in records if r.kind == "claim"
        ],
        "finished": _event(folded.finished, status=folded.status, code=_number(folded.code),
                           allowed=job.listed(folded.allowed)),
        "waited": _between(folded.pushed, _first(records) or folded.finished, now),
        "took": None if took is None else round(took, 3),
        "usage": _usage(folded.usage),
        "runs": [_run(run, now if not folded.finished else None) for run in folded.runs.values()],
        "data": [
            {"run": run, "name": key, "value": value}
            for key, (run, value) in folded.data.items() if run != "-"
        ],
        # What it was told of the job before it.
        "last": {
            key.removeprefix("last."): value
            for key, (run, value) in folded.data.items() if run == "-"
        },
        "questions": _questions(records),
        "waits": _each(records, "wait", "until"),
        "parks": _each(records, "park", "until", "for"),
        "spawned": _each(records, "spawn", "id", "program", "version"),
        "stages": _each(records, "stage", "text"),
        "artefacts": _each(records, "artefact", "name", "sha256", "size"),
        "acts": [
            _event(r.time, act=r.kind, run=_below(r.run), who=column(r, 0), reason=column(r, 1))
            for r in folded.acts
        ],
        "notes": [
            _event(r.time, run=_below(r.run), who=column(r, 0), text=column(r, 1))
            for r in folded.notes
        ],
        "seal": folded.seal,
    }  # fmt: skip
    return {key: value for key, value in story.items() if value not in (None, "", [], {})}


def _each(records: list[Record], kind: str, *columns: str) -> list[Story | None]:
    """What the records of a kind say, each with its time and its run."""
    return [
        _event(r.time, run=_below(r.run),
               **{word: column(r, at) for at, word in enumerate(columns)})
        for r in records if r.kind == kind
    ]  # fmt: skip


def _below(run: str) -> str:
    """The run, "" for the whole job."""
    return run if run != "-" else ""


def _questions(records: list[Record]) -> list[Story]:
    """What was asked of people, each time, and what was answered."""
    told: list[Story] = []
    open_: dict[str, Story] = {}
    for record in records:
        if record.kind == "ask":
            words = ("verb", "comment", "default", "deadline", "may")
            facts = {word: column(record, at) for at, word in enumerate(words)}
            known = open_.get(record.run)
            story = _event(record.time, run=record.run, **facts)
            assert story
            if known and {**known, "time": story["time"]} == story:
                continue  # written down once more by a later attempt
            told.append(story)
            open_[record.run] = story
        elif record.kind == "answer" and record.run in open_:
            who, value, reason = (column(record, at) for at in range(3))
            open_.pop(record.run)["answer"] = _event(
                record.time, who=who, value=value, reason=reason
            )
    return told


def _run(run: Run, now: float | None) -> Story:
    story: Story = {
        "run": run.path, "step": run.step, "attempt": _number(run.attempt), "began": run.began,
        "ended": run.ended, "took": _between(run.began, run.ended, now), "status": run.status,
        "code": _number(run.code), "signal": _number(run.signal), "usage": _usage(run.usage),
    }  # fmt: skip
    return {key: value for key, value in story.items() if value not in (None, "", {})}


def _event(time: str, **facts: object) -> Story | None:
    if not time:
        return None
    return {"time": time} | {key: fact for key, fact in facts.items() if fact not in (None, "")}


def _first(records: list[Record]) -> str:
    return next((r.time for r in records if r.kind == "claim"), "")


def _between(begin: str, end: str, now: float | None) -> float | None:
    """Seconds from one stamp to another, or until now where there is no other."""
    if not begin or (not end and now is None):
        return None
    until = trace.seconds(end) if end else now
    assert until is not None
    return round(max(until - trace.seconds(begin), 0), 3)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _usage(fields: tuple[str, ...]) -> Story:
    read = usage.parse(fields) if fields else None
    return {k: v for k, v in read._asdict().items() if v is not None} if read else {}


def facts(story: Story) -> Iterator[tuple[str, str]]:
    """A story as keys and values, one fact each: `asked.limits.time`, `run.1.2.status`."""
    for key, value in story.items():
        if key == "runs":
            for run in value:
                yield from _flat(f"run.{run['run']}", {k: v for k, v in run.items() if k != "run"})
        elif key == "data":
            yield from ((f"data.{item['name']}", item["value"]) for item in value)
        else:
            yield from _flat(key, value)


def _flat(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _flat(f"{key}.{inner}", item)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value, 1):
            yield from _flat(f"{key}.{number}", item)
    elif isinstance(value, list):
        yield key, " ".join(map(str, value))
    elif isinstance(value, bool):
        yield key, "true" if value else "false"
    else:
        yield key, f"{value:.3f}" if isinstance(value, float) else str(value)
