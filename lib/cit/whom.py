"""Whether those whom a program names are there, and where in its text it names what is not.

A place is looked for only once something is wrong: the tree has those of its steps alone.
"""

from __future__ import annotations

from cit import formats, lurch, section, toml
from cit.errors import Bad
from cit.wants import PEOPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from cit.wants import Node


def check(tree: Node, data: bytes, lacking: Callable[[str], str]) -> None:
    """Raise Bad for a user or group who is not there, with the place in `data`.

    That is the text of the job with this program. `lacking` says of a name what is wrong with it.
    """
    for node, word in _named(tree):
        wrong = lacking(word)
        if wrong:
            raise bad(data, node, f"'{node.step}': {wrong}", word)


def _named(tree: Node) -> Iterator[tuple[Node, str]]:
    """Each user and group in a program, with the step that names him, in the order written."""
    from cit.steps import Steps

    steps = Steps()
    kinds: dict[str, list[str]] = {}  # of a step, those of its arguments that name people
    left = [tree]
    while left:
        node = left.pop()
        left.extend(reversed(node.children))
        if node.step not in kinds:
            kinds[node.step] = [arg.name for arg in steps[node.step].ARGS if arg.kind == PEOPLE]
        for arg in kinds[node.step]:
            yield from ((node, word) for word in node.args[arg])


def bad(data: bytes, node: Node, message: str, word: str = "") -> Bad:
    """A complaint about a step, or about a word in it, with its place in a text of a job."""
    body = section.find(formats.sections(data), "program")
    if body is None or body.format == "sh":
        return Bad(message)  # a script has no steps
    text = body.body.decode("utf-8", "surrogateescape")
    line, column = node.line, node.column
    if body.format == "lurch" and word:
        line, column = _place(lurch.read(text), node, word)
    shown = text.split("\n", line)[line - 1]
    return Bad(message, body.line + line, column, shown if len(shown) <= lurch.SHOWN else "")


def unisolated(data: bytes, node: Node, isolation: tuple[str, str], message: str) -> Bad:
    """A complaint about an isolation, a kind and its spec, that a step is to run in."""
    sections = formats.sections(data)
    program = section.find(sections, "program")
    if formats.is_program(data) or (program is not None and program.format == "lurch"):
        return bad(data, node, message)  # Lurch says so itself
    # Else a key of one of the tables says it, or that of the job; or nothing in this text.
    for part in (program, section.find(sections, "job")):
        if part is None or part.format != "toml":
            continue
        whole = not part.line and not data.startswith(b"%%")  # a plain file has all in one text
        text, line = (data, 1) if whole else (part.body, part.line + 1)
        value = toml.loads(text, line, len(text))
        for path in _isolations(value, isolation):
            return Bad(message, *toml.finder(text.decode(), line)(path))
    return bad(data, node, message)


def _isolations(
    value: dict[str, Any], isolation: tuple[str, str]
) -> Iterator[tuple[str | int, ...]]:
    """The paths of the keys that say this isolation: those of stages first."""
    kind, spec = isolation
    key = {"docker": "image"}.get(kind, kind)
    for at, table in enumerate(value.get("stage", ())):
        if table.get(key) == spec:
            yield "stage", at, key
    if value.get("isolate", "none") == ":".join(filter(None, isolation)):
        yield ("isolate",)


def _place(form: lurch.Node, node: Node, word: str) -> tuple[int, int]:
    """Line and column of a word in the step that names it, which begins where its node says."""
    left = [form]
    for each in left:  # grows while it is gone through
        if each.kind == lurch.LIST:
            left.extend(each.value)
    steps = (each for each in left if each.kind == lurch.LIST and each[2:] == node[3:5])
    for step in steps:
        for part in step.value:
            items = part.value if part.kind == lurch.LIST else ()
            for item in items:
                if (item.kind, item.value) == (lurch.STRING, word):
                    return item.line, item.column
    return node.line, node.column
