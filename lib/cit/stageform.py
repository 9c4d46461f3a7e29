"""Stages as the form of a program: the s-expression that could have been written as well.

    (stages
      (stage NAME (NEED ...) (matrix ... (retry (isolate ISOLATION (script TEXT)) 3))))

So program.py checks them like any other, and they can be printed. A matrix is outside of a
retry and that outside of an isolation: each attempt begins in an isolation of its own.
"""

from __future__ import annotations

import re
from collections import namedtuple

from cit import lurch
from cit.lurch import LIST, SYMBOL, form, number, string, symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple

    from cit.stages import Stage

    class Ground(NamedTuple):
        """What is around the scripts of stages."""

        isolate: tuple[str, str] | None  # of one that says nothing; None is what is in force
        variables: tuple[str, ...] = ()  # names of those that are put into their environment
else:
    Ground = namedtuple("Ground", "isolate variables", defaults=((),))

NOTHING = symbol("null")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def program(stages: Iterable[Stage], ground: Ground) -> lurch.Node:
    """The form of a program that is these stages."""
    items = (make(stage, ground) for stage in stages)
    return lurch.Node(LIST, (lurch.Node(SYMBOL, "stages", 1, 1), *items), 1, 1)


def make(stage: Stage, ground: Ground) -> lurch.Node:
    """The form of one stage, which has its place in all its parts."""
    made = _call(
        "stage", string(stage.name), _strings(stage.needs), _body(stage, ground),
        _flag(stage.allow_failure), _flag(stage.final), plain=_flag(False),
    )  # fmt: skip
    return _placed(made, stage.line, stage.column)


def _body(stage: Stage, ground: Ground) -> lurch.Node:
    if not stage.script.strip():
        return form(symbol("no-op"))
    body = _script(stage, ground)
    isolate = stage.isolate or ground.isolate
    if isolate:
        kind, spec = isolate
        body = form(symbol("isolate"), form(symbol(kind), *([string(spec)] if spec else [])), body)
    if stage.retry:
        on = [symbol(w) if isinstance(w, str) else number(w) for w in stage.retry.on]
        attempts, pause = number(stage.retry.attempts), _seconds(stage.retry.backoff)
        body = _call("retry", body, attempts, form(*on), pause)
    for name, values in reversed(list(stage.matrix.items())):
        body = form(symbol("matrix"), string(name), _strings(values), body)
    return body


def _script(stage: Stage, ground: Ground) -> lurch.Node:
    text = stage.script if stage.script.startswith("#!") else "#!/bin/sh -e\n" + stage.script
    if not text.endswith("\n"):
        text += "\n"
    names = dict.fromkeys((*ground.variables, *stage.matrix))
    # What is put in for ${NAME} is a value: nothing is looked for in that.
    env = [f"{name}=${{{name}}}" for name in names
           if name not in stage.env and _VARIABLE.fullmatch(name)]  # fmt: skip
    env += [f"{name}={value}" for name, value in stage.env.items()]
    return _call("script", string(text), _strings(env), _seconds(stage.timeout))


def _call(name: str, *items: lurch.Node, plain: lurch.Node = NOTHING) -> lurch.Node:
    """The call of a step, without what at its end is the default anyway."""
    rest = list(items)
    while rest[-1] in (plain, form()):
        rest.pop()
    return form(symbol(name), *rest)


def _strings(texts: Iterable[str]) -> lurch.Node:
    return form(*map(string, texts))


def _flag(value: bool) -> lurch.Node:
    return symbol("t" if value else "f")


def _seconds(value: float | None) -> lurch.Node:
    if value is None:
        return NOTHING
    return number(int(value) if value == int(value) else value)


def _placed(node: lurch.Node, line: int, column: int) -> lurch.Node:
    value = node.value
    if node.kind == LIST:
        value = tuple(_placed(item, line, column) for item in value)
    return lurch.Node(node.kind, value, line, column)
