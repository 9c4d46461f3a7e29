"""Whether the people whom a program names are there: else nobody could answer what it asks."""

from __future__ import annotations

from cit import formats, lurch, section
from cit.errors import Bad
from cit.wants import PEOPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cit.wants import Node


def check(tree: Node, data: bytes, lacking: Callable[[str], str]) -> None:
    """Raise Bad for a user or group who is not there, with the place in `data`.

    That is the text of the job with this program. `lacking` says of a name what is wrong with it.
    """
    for node, word in _named(tree):
        wrong = lacking(word)
        if wrong:
            raise _bad(data, node, word, f"'{node.step}': {wrong}")


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


def _bad(data: bytes, node: Node, word: str, message: str) -> Bad:
    body = section.find(formats.sections(data), "program")
    if body is None or body.format != "lurch":
        return Bad(message)  # in other forms there are no places for it
    text = body.body.decode("utf-8", "surrogateescape")
    line, column = _place(lurch.read(text), node, word)
    shown = text.split("\n", line)[line - 1]
    return Bad(message, body.line + line, column, shown if len(shown) <= lurch.SHOWN else "")


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
