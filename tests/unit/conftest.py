"""Programs walked with a list of answers: how the language is tested. Queues and workspaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cit import admission, asked, layout, name, program, replay, request, walk
from cit.queue import Queue
from cit.steps import Steps
from cit.wants import (
    OK,
    Ask,
    Await,
    Begin,
    Down,
    End,
    Exec,
    Node,
    Outcome,
    Reply,
    Sleep,
    Spawn,
    Up,
)
from cit.workspace import Workspace

if TYPE_CHECKING:
    from cit.wants import Want

Answers = dict[str, Any]
Tell = Callable[..., list[str]]


def line(want: Want) -> str:
    """A want as one line, such as `exec 1.2 in 1.1: /bin/echo hello`."""
    if isinstance(want, Begin):
        more = f" attempt {want.attempt}" * (want.attempt > 1) + " cleanup" * want.cleanup
        return f"begin {want.run} {want.step}{more}"
    if isinstance(want, Up):
        return f"up {want.run} {want.isolation_kind} {want.spec}".rstrip()
    if isinstance(want, Down):
        return f"down {want.run} {want.isolation.handle}"
    if isinstance(want, End):
        return f"end {want.run} {' '.join(replay.fields(want.outcome))}".rstrip()
    if isinstance(want, Sleep):
        return f"sleep {want.run} {want.calendar if want.seconds is None else want.seconds}"
    if isinstance(want, Ask):
        words = [want.default, "for ever" if want.timeout is None else want.timeout, *want.who]
        return f"ask {want.run} {want.verb} {' '.join(map(str, words))}: {want.comment}"
    if isinstance(want, Spawn):
        return f"spawn {want.run} {want.program} {want.version or 'newest'}"
    if isinstance(want, Await):
        return f"await {want.run} {want.what} {want.name} {want.timeout}"
    assert isinstance(want, Exec)
    return f"exec {want.run} in {want.isolation.run}: {' '.join(want.argv)}"


def usual(want: Want) -> Any:
    """What a runner answers when nothing goes wrong and nobody stops it."""
    if isinstance(want, Up):
        return f"handle-{want.run}"
    if isinstance(want, Ask):
        return Reply("yes" if want.verb == "approve" else want.default, "alice")
    if isinstance(want, Spawn):
        return f"job-of-{want.run}"
    return OK if isinstance(want, Exec | Await) else None


@pytest.fixture
def tell() -> Tell:
    """Walk a program and tell its wants, a line each, and at last its outcome.

    `answers` are by the first two words of a want, such as {"exec 1.2": OUTCOME}; a list
    holds one for each time. {"exec": OUTCOME} is for all of a kind. What is not named is
    answered as usual.
    """

    def told(written: str | Node, answers: Answers | None = None, **more: Any) -> list[str]:
        steps = Steps()
        tree = program.parse(written, steps) if isinstance(written, str) else written
        always = {key: value for key, value in (answers or {}).items() if " " not in key}
        given = {key: [value] for key, value in (answers or {}).items() if " " in key}
        given |= {key: list(value[0]) for key, value in given.items() if type(value[0]) is list}
        lines: list[str] = []
        walking = walk.walk(tree, steps, **more)
        answer = None
        while True:
            try:
                want = walking.send(answer)
            except StopIteration as stop:
                assert not any(given.values()), f"never asked for: {given}"
                outcome: Outcome = stop.value
                return [*lines, f"{outcome.status} {outcome.code}"]
            assert want is not None, "every want was answered at once"
            lines.append(line(want))
            queue = given.get(" ".join(lines[-1].split()[:2]))
            kind = lines[-1].split()[0]
            answer = queue.pop(0) if queue else always.get(kind, usual(want))

    return told


# --- queues ----------------------------------------------------------------------------------

Drop = Callable[..., str]


@pytest.fixture
def queue(world: Path) -> Queue:
    """An empty queue of ours."""
    path = world / ".cit" / "queue"
    layout.create(str(path), {"name": "main", "slots": 2})
    return Queue(str(path))


@pytest.fixture
def drop(queue: Queue) -> Drop:
    """Put a job into the drop box: drop("#!/bin/true", name="x", priority=1) -> its id."""
    ids = request.Ids()

    def put(text: str = "#!/bin/true\n", id: str = "", **changes: Any) -> str:
        made = asked.compose(text.encode(), id or ids.next(), "main", "test", changes)
        file = name.drop(made.job["id"], made.job["name"])
        queue.directory("in").publish(file, made.data)
        return str(made.job["id"])

    return put


@pytest.fixture
def push(queue: Queue, drop: Drop) -> Drop:
    """As drop(), and have it admitted."""

    def put(text: str = "#!/bin/true\n", **changes: Any) -> str:
        id = drop(text, **changes)
        admission.admit(queue)
        return id

    return put


# --- workspaces ------------------------------------------------------------------------------

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Where workspaces are made; not there yet."""
    return tmp_path / "work"


@pytest.fixture
def space(base: Path) -> Iterator[Workspace]:
    """The workspace of a job `x` of ours whose id ends in y."""
    made = Workspace(str(base), "x", ID, None)
    yield made
    made.close()
