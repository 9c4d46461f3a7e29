"""Programs: from what was written to a checked tree of steps.

What may be written is declared by the steps, which are handed in: nothing here knows
any of them by name but those that its own constructors make.
"""

from __future__ import annotations

from cit import lurch
from cit.errors import Bad
from cit.wants import (
    BOOLEAN,
    BUILDER,
    INTEGER,
    INTEGERS,
    NAME,
    PEOPLE,
    SECONDS,
    SETTINGS,
    STEP,
    STEPS,
    STRING,
    STRINGS,
    TEXT,
    WORDS,
    Node,
)
from cit.wording import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from cit.wants import Arg, Step

NOTHING = lurch.symbol("null")  # where an argument is left out


def parse(
    text: str, steps: Mapping[str, Step], *, isolated: bool = False, first: int = 1,
    read: Callable[[str], lurch.Node] = lurch.read,
) -> Node:  # fmt: skip
    """The tree of a text whose first line is line `first` of its file.

    `read` makes the expression of it. Raises Bad with line, column and the text of the line.
    """
    try:
        return load(read(text), steps, isolated=isolated)
    except Bad as error:
        if error.line:
            line = text.split("\n", error.line)[error.line - 1]
            error.text = line if len(line) <= lurch.SHOWN else ""
            error.line += first - 1
        raise


def load(
    expression: lurch.Node, steps: Mapping[str, Step], *, isolated: bool = False, around: str = ""
) -> Node:
    """The tree of a parsed expression. Raises Bad with the place of what is wrong.

    `isolated`: it will stand in an isolation that is not written in it; `around` is the step
    that it will stand in.
    """
    return _load(expression, steps, isolated, around, builder=False)


def _load(
    form: lurch.Node, steps: Mapping[str, Step], isolated: bool, around: str, *, builder: bool
) -> Node:
    # One Python frame a level, so that DEPTH levels stay far from its limit.
    step = _step(form, steps)
    name = form.value[0].value
    if builder != getattr(step, "BUILDS", False):
        raise _bad(form, f"'{name}' builds no isolation" if builder
                   else f"'{name}' builds an isolation: it stands first in 'isolate'")  # fmt: skip
    where = getattr(step, "WITHIN", around)
    if where != around:
        raise _bad(form, f"'{name}' outside '{where}'")
    if getattr(step, "ISOLATED", False) and not isolated:
        raise _bad(form, f"'{name}' outside 'isolate'")
    within = isolated or any(arg.kind == BUILDER for arg in step.ARGS)
    forms = form.value[1:]
    if hasattr(step, "arrange"):
        forms = step.arrange(forms)
    args: dict[str, Any] = {}
    children: list[Node] = []
    for place, arg in enumerate(step.ARGS):
        if arg.kind == STEPS:
            first = len(children)
            for item in forms[place:]:
                children.append(_load(item, steps, within, name, builder=False))
            args[arg.name] = tuple(range(first, len(children)))
            forms = forms[:place]
        elif place >= len(forms) or forms[place][:2] == NOTHING[:2]:
            if arg.default is ...:
                raise _bad(forms[place] if place < len(forms) else form,
                           f"'{name}' needs its argument '{arg.name}': {arg.help}")  # fmt: skip
            args[arg.name] = arg.default
        elif arg.kind in (STEP, BUILDER):
            args[arg.name] = len(children)
            children.append(_load(forms[place], steps, within, name, builder=arg.kind == BUILDER))
        else:
            args[arg.name] = _value(name, arg, forms[place])
    if len(forms) > len(step.ARGS):
        raise _bad(forms[len(step.ARGS)], f"one argument too many for '{name}'")
    wrong = step.check(args) if hasattr(step, "check") else None
    if wrong:
        at = [arg.name for arg in step.ARGS].index(wrong[0])
        raise _bad(forms[at] if at < len(forms) else form, f"'{name}': {wrong[1]}")
    if hasattr(step, "review"):
        found = step.review(args, tuple(children))
        if found:
            at = children[found[0]]
            raise Bad(f"'{name}': {found[1]}", at.line, at.column)
    return Node(name, args, tuple(children), form.line, form.column)


def _bad(form: lurch.Node, message: str) -> Bad:
    if len(message) > lurch.SHOWN:  # it has words of the text
        message = message[: lurch.SHOWN] + "..."
    return Bad(message, form.line, form.column)


def _step(form: lurch.Node, steps: Mapping[str, Step]) -> Step:
    """The step that a form calls."""
    if form.kind != lurch.LIST or not form.value or form.value[0].kind != lurch.SYMBOL:
        raise _bad(form, "a step expected, such as (exec \"/bin/true\")")
    name = form.value[0].value
    if name in steps:
        return steps[name]
    near = nearest(name, steps)
    raise _bad(form.value[0], f"no step '{name}'" + (f"; is it '{near}'?" if near else ""))


def _value(step: str, arg: Arg, form: lurch.Node) -> Any:
    """The value of a form that is no child, if it is of the kind declared."""
    if arg.kind in (STRINGS, INTEGERS, SETTINGS, WORDS, PEOPLE):
        if form.kind != lurch.LIST:
            raise _bad(form, f"'{step}': '{arg.name}' is a list in parentheses")
        return tuple(_single(step, arg, item) for item in form.value)
    return _single(step, arg, form)


def _single(step: str, arg: Arg, form: lurch.Node) -> Any:
    value = form.value
    complaint = ""
    if arg.kind in (STRING, TEXT, STRINGS, SETTINGS):
        if form.kind != lurch.STRING:
            complaint = "is a string in double quotes"
            if form.kind == lurch.SYMBOL:
                complaint += f": write {lurch.write(lurch.string(value))}"
        elif "\0" in value and arg.kind != TEXT:
            complaint = "holds a NUL byte, which no command can be given"
        elif arg.kind == SETTINGS and value.find("=") < 1:
            complaint = "is a list of \"VAR=VALUE\""
        elif arg.kind == STRING and len(value) < (arg.low or 0):
            complaint = "is empty"
    elif arg.kind == NAME:
        if form.kind not in (lurch.STRING, lurch.SYMBOL):
            complaint = "is a name"
        elif not value or any(c in "${}" or not c.isprintable() for c in value):
            complaint = "cannot be the name of a variable"
    elif arg.kind == WORDS:
        if form.kind != lurch.SYMBOL and not isinstance(value, int):
            complaint = "is a list of words and whole numbers"
    elif arg.kind == PEOPLE:
        if form.kind != lurch.STRING:
            complaint = "is a list of users and groups, such as (\"alice\" \"@team\")"
        elif not value.removeprefix("@") or any(
            c in " ,@:/${}" or not c.isprintable() for c in value.removeprefix("@")
        ):
            complaint = "can hold names of users and groups only, such as \"@team\""
    elif arg.kind == BOOLEAN:
        if form.kind != lurch.SYMBOL or value not in ("t", "f"):
            complaint = "is t or f"
        value = value == "t"
    else:
        assert arg.kind in (INTEGER, INTEGERS, SECONDS), arg.kind
        low = 0 if arg.low is None else arg.low
        if form.kind != lurch.NUMBER or (arg.kind != SECONDS and not isinstance(value, int)):
            complaint = "is a number" if arg.kind == SECONDS else "is a whole number"
        elif value < low:
            complaint = f"is at least {low}"
        elif arg.high is not None and value > arg.high:
            complaint = f"is at most {arg.high}"
    if complaint:
        raise _bad(form, f"'{step}': '{arg.name}' {complaint}")
    return value


def script(text: str, isolate: tuple[str, str] = ("none", ""), env: Sequence[str] = ()) -> Node:
    """A script as a program of one run, "1", with an isolation of its own.

    Its step is `script`, so the Exec it wants has the text in `script`. Variables are not
    put into the text, where ${x} is the shell's: hand them over in `env`.
    """
    args = {"text": text, "env": tuple(env), "timeout": None}
    return Node("script", args, (), 1, 1, isolate)


def command(argv: Sequence[str], isolate: tuple[str, str] = ("none", "")) -> str:
    """The Lurch program that runs one command: every byte of its arguments is kept.

    `isolate` is a kind and its spec; an empty spec is not written.
    """
    words = lurch.form(*map(lurch.string, argv[1:]))
    run = (lurch.symbol("exec"), lurch.string(argv[0]), words, lurch.form(), NOTHING)
    return lurch.write(isolated(isolate, *run)) + "\n"


def isolated(isolate: tuple[str, str], *body: lurch.Node) -> lurch.Node:
    """The expression of a step, given by its items, in an isolation."""
    kind, spec = isolate
    builder = lurch.form(lurch.symbol(kind), *([lurch.string(spec)] if spec else []))
    return lurch.form(lurch.symbol("isolate"), builder, lurch.form(*body))


def show(node: Node, steps: Mapping[str, Step], state: str) -> str:
    """One line about a step that is `written`, `waiting` or `running`."""
    args = {name: _shown(value) for name, value in node.args.items()}
    text = str(getattr(steps[node.step].SHOWS, state)).format(**args)
    return " ".join(text.split())


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
