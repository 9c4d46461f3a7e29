"""What a job asks: the sections above its trace, made, checked and read back.

A job is written as a job file, as plain TOML, as a Lurch program, as stages or as a
script; compose() makes the sections of any of them. What the queue accepts is decided here
too, so that a push refuses what an admission would.
"""

from __future__ import annotations

import hashlib
from collections import namedtuple

from cit import formats, lurch, name, program, section, tables, toml
from cit.errors import Bad
from cit.section import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, NamedTuple

    from cit.wants import Node

    class Asked(NamedTuple):
        data: bytes
        sha256: str
        job: dict[str, Any]  # the `job` section, decoded
        sections: list[Section]
        tree: Node
else:
    Asked = namedtuple("Asked", "data sha256 job sections tree")

PRIORITY = 50
SIDE_BY_SIDE = int(tables.KINDS["job"].schema["properties"]["slots"]["default"])


def parse(data: bytes) -> Asked:
    """The asked part of a job file, checked. Raises Bad at the place of the first complaint."""
    found = formats.read(data, filled=True)
    sections = [part for part in found.sections if part.kind != "trace"]
    tree = _tree(sections, found.head)
    return Asked(data, hashlib.sha256(data).hexdigest(), found.head, sections, tree)


def compose(data: bytes, id: str, queue: str, called: str, changes: Mapping[str, Any]) -> Asked:
    """The job that a text in any form asks for. Raises Bad, with places in that text.

    An id in the text is kept, else it is `id`; `called` is the name where the text gives
    none; `changes` are keys of the job section, tables are merged. A trace is dropped.
    """
    found = formats.read(data)
    sections = [part for part in found.sections if part.kind != "trace"]
    _tree(sections, found.head | _isolation(changes))
    filled = {
        "id": found.head.get("id", id),
        "name": changes.get("name") or found.head.get("name") or name.simplify(called),
        "queue": queue,
    }
    head = dict(found.head)
    for key, value in changes.items():
        head[key] = {**head.get(key, {}), **value} if isinstance(value, dict) else value
    missing = {key: value for key, value in filled.items() if head.get(key) != value}
    old = section.find(sections, "job")
    if old is not None and not changes and not (missing.keys() & head.keys()):
        # The author's text stays as it is, comments and all.
        body = toml.dumps(missing) + old.body
    else:
        body = toml.dumps(filled | {k: v for k, v in head.items() if k not in filled})
    made = Section("job", 1, "toml", {}, body)
    rest = [part for part in sections if part.kind != "job"]
    return parse(section.render([made, *rest]))


def attach(data: bytes, kind: str, form: str, body: bytes) -> bytes:
    """A job text with one more section, as a job file."""
    return section.render([*formats.sections(data), Section(kind, 1, form, {}, body)])


def isolation(job: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and spec of `isolate` in the job section."""
    kind, _, spec = str(job.get("isolate", "none")).partition(":")
    return kind, spec


def expression(asked: Asked) -> lurch.Node:
    """Its program as Lurch, whatever form it was written in.

    The expression of a script has the runs of the isolation besides, which it does not write.
    """
    body = section.find(asked.sections, "program")
    assert body is not None, "checked when it was read"
    text = body.body.decode("utf-8", "surrogateescape")
    if body.format == "sh":
        return program.isolated(
            isolation(asked.job), lurch.symbol("script"), lurch.string(text),
            lurch.form(*map(lurch.string, asked.tree.args["env"])),
        )  # fmt: skip
    return _reader(body.format, asked.job)(text)


def isolations(asked: Asked) -> set[tuple[str, str]]:
    """Every isolation that a command of it may run in: kind and spec."""
    return {isolation for _, isolation in isolating(asked)}


def isolating(asked: Asked) -> Iterator[tuple[Node, tuple[str, str]]]:
    """The same in the order of the program, each with the step that says so."""
    yield from _isolations(asked.tree)
    if asked.job.get("needs", {}).get("check"):
        yield asked.tree, isolation(asked.job)  # where what it needs is looked for


def priority(asked: Asked) -> int:
    return int(asked.job.get("priority", PRIORITY))


def slots(asked: Asked) -> int:
    """How many of its commands run side by side at most, wherever in the tree they are.

    As many as the job says; where it does not, what its steps say, and what they do by default.
    """
    if "slots" in asked.job:
        return int(asked.job["slots"])
    return max(_said(asked.tree, "slots"), default=SIDE_BY_SIDE)


def _said(node: Node, name: str) -> Iterator[int]:
    """The number that each step below has for an argument, its default where it says none."""
    if name in node.args:
        yield int(node.args[name] or SIDE_BY_SIDE)
    for child in node.children:
        yield from _said(child, name)


def _isolations(node: Node) -> Iterator[tuple[Node, tuple[str, str]]]:
    if node.isolate:
        yield node, node.isolate
    if node.step == "isolate":
        builder = node.children[node.args["builder"]]
        yield builder, (builder.step, str(next(iter(builder.args.values()), "")))
    for child in node.children:
        yield from _isolations(child)


def _isolation(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"isolate": changes["isolate"]} if "isolate" in changes else {}


def _tree(sections: list[Section], head: Mapping[str, Any]) -> Node:
    body = section.find(sections, "program")
    if body is None:
        raise Bad("expected a section '%% program 1 FORMAT'", 1, 1)
    text = body.body.decode("utf-8", "surrogateescape")
    if body.format == "sh":
        settings = [f"{key}={value}" for key, value in head.get("vars", {}).items()]
        return program.script(text, isolation(head), settings)
    from cit.steps import Steps

    read = _reader(body.format, head)
    tree = program.parse(text, Steps(), first=body.line + 1, read=read)
    return _slots(tree, head["slots"]) if "slots" in head else tree


def _reader(kind: str, head: Mapping[str, Any]) -> Callable[[str], lurch.Node]:
    if kind == "lurch":
        return lurch.read
    from cit import stageform

    if kind == "stages":
        from cit.stagetext import read
    else:
        from cit.stagetables import read
    ground = stageform.Ground(isolation(head), tuple(head.get("vars", {})))
    return lambda text: stageform.program(read(text), ground)


def _slots(node: Node, slots: int) -> Node:
    """With the job's number in every step that leaves its own out.

    The number is in the tree, so it is the same wherever the job runs or goes on.
    """
    args = node.args
    if args.get("slots", 0) is None:
        args = {**args, "slots": slots}
    children = tuple(_slots(child, slots) for child in node.children)
    return node._replace(args=args, children=children)
