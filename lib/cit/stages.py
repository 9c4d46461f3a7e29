"""Stages: two ways to write them, as a text and as TOML, read as the form of a program.

What is made is the s-expression that could have been written as well:

    (stages
      (stage NAME (NEED ...) (matrix ... (retry (isolate ISOLATION (script TEXT)) 3))))

so program.py checks it, and it can be printed. A matrix is outside of a retry and that
outside of an isolation: each attempt begins in an isolation of its own.
"""

from __future__ import annotations

import re
from collections import namedtuple
from functools import partial

from cit import amount, lurch, schema, toml, wording
from cit.errors import Bad
from cit.lurch import LIST, form, number, string, symbol
from cit.tables import KINDS
from cit.wants import OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NamedTuple

    from cit.wants import Outcome

    class Ground(NamedTuple):
        """Where the scripts of stages run, if their text says nothing else."""

        isolate: tuple[str, str] | None  # kind and spec; None is what is in force
        variables: tuple[str, ...] = ()  # names of those that are put into their environment

    class Named(NamedTuple):
        name: str
        needs: tuple[str, ...]
        final: bool  # runs when all others are over

else:
    Ground = namedtuple("Ground", "isolate variables", defaults=((),))
    Named = namedtuple("Named", "name needs final")

MOST = 1000  # stages of a text, needs of a stage, cells of a matrix
SLOTS = 4  # side by side, where nobody says
NOTHING = symbol("null")

_STAGE = KINDS["program"].schema["properties"]["stage"]["items"]["properties"]
_NAME = re.compile(_STAGE["name"]["pattern"])
_NAMES = "at most 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = re.compile(r"\[[^\]]*\]?|[^\s\[]+")
_OPTIONS = ("allow_failure", "finally", "timeout=DURATION")
_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*(stage)[ \t]*\]\]", re.MULTILINE)


def reader(kind: str, ground: Ground) -> Callable[[str], lurch.Node]:
    """What reads the program section of a format: `stages`, or `toml`."""
    return partial(_program, {"stages": text, "toml": tables}[kind], ground)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """That of several branches: of the first that was stopped, else of the first not ok."""
    wrong = [outcome for outcome in outcomes if outcome.status != "ok"]
    stopped = [outcome for outcome in wrong if outcome.status == "cancelled"]
    return (stopped or wrong or [OK])[0]


def complaint(
    stages: Sequence[Named], known: Mapping[str, bool | None] | None = None
) -> tuple[int, str] | None:
    """What is wrong with stages and their needs: the place of the stage, and a message.

    `known` are stages that are there already, and whether each is final; None where two
    have that name.
    """
    known, places = known or {}, dict[str, int]()
    for place, stage in enumerate(stages):
        if not _NAME.fullmatch(stage.name):
            return place, f"no name of a stage: '{_shown(stage.name)}'; it has {_NAMES}"
        if stage.name in known or stage.name in places:
            return place, f"a second stage '{stage.name}'"
        places[stage.name] = place
    for place, stage in enumerate(stages):
        wrong = ""
        for need in stage.needs:
            final = stages[places[need]].final if need in places else known.get(need)
            if need not in places and need not in known:
                near = wording.nearest(need, [*places, *known])
                wrong = f"no stage '{_shown(need)}'" + (f"; is it '{near}'?" if near else "")
            elif final is None:
                wrong = f"there are two stages '{need}'"
            elif final and not stage.final:
                wrong = f"'{need}' comes last, so nothing can need it"
            if wrong:
                return place, f"stage '{stage.name}' needs '{_shown(need)}': {wrong}"
    return _circle(stages, places)


def _shown(word: str) -> str:
    return wording.found(word)[1:-1]


def _circle(stages: Sequence[Named], places: Mapping[str, int]) -> tuple[int, str] | None:
    needs = [{places[need] for need in stage.needs if need in places} for stage in stages]
    needed: list[list[int]] = [[] for _ in stages]
    for place, mine in enumerate(needs):
        for other in mine:
            needed[other].append(place)
    left = [len(mine) for mine in needs]
    free = [place for place, count in enumerate(left) if not count]
    for place in free:  # grows while it is gone through
        for other in needed[place]:
            left[other] -= 1
            if not left[other]:
                free.append(other)
    if len(free) == len(stages):
        return None
    # Whatever is left needs something that is left: following that leads into a circle.
    at = next(place for place, count in enumerate(left) if count)
    seen: list[int] = []
    while at not in seen:
        seen.append(at)
        at = min(other for other in needs[at] if left[other])
    circle = seen[seen.index(at) :]
    start = circle.index(min(circle))
    circle = circle[start:] + circle[:start]
    words = [stages[place].name for place in [*circle, circle[0]]]
    shown = " needs ".join(words if len(words) < 10 else [*words[:8], "...", words[-1]])
    return circle[0], f"stages in a circle: {shown}"


# --- text -------------------------------------------------------------------------------------


def text(written: str, ground: Ground) -> list[lurch.Node]:
    """The stages of a text: `NAME: NEED ... [OPTIONS]` and commands below, indented.

    Raises Bad with the place in it.
    """
    stages: list[lurch.Node] = []
    head: tuple[str, list[str], dict[str, Any], int] | None = None
    script: list[str] = []
    for at, line in enumerate(written.replace("\r\n", "\n").split("\n"), 1):
        bare = line.strip()
        if not bare or line[0] in " \t":
            if bare and head is None:
                raise Bad("a command before the first stage", at, len(line) - len(bare) + 1)
            script.append(line.rstrip("\r") if bare else "")
        elif line[0] != "#":
            if head:
                stages.append(_written(head, script, ground))
            if len(stages) == MOST:
                raise Bad(f"over {MOST} stages", at, 1)
            head, script = (*_header(line, at), at), []
    if head is None:
        raise Bad("expected a stage such as 'build:', found none", 1, 1)
    return [*stages, _written(head, script, ground)]


def _header(line: str, at: int) -> tuple[str, list[str], dict[str, Any]]:
    name, colon, rest = line.partition(":")
    if not colon:
        raise Bad("expected 'NAME: NEEDS', or a command, which is indented", at, 1)
    _named(name.rstrip(), at, 1)
    needs: list[str] = []
    options: dict[str, Any] | None = None
    for match in _WORDS.finditer(rest):
        word, column = match[0], len(name) + 2 + match.start()
        if word[0] == "#":
            break
        if options is not None:
            raise Bad("expected nothing after the ']'", at, column)
        if word[0] == "[":
            if word[-1] != "]":
                raise Bad("'[' without its ']'", at, column)
            options = _options(word[1:-1].replace(",", " ").split(), at, column)
        else:
            _named(word, at, column)
            needs.append(word)
            if len(needs) > MOST:
                raise Bad(f"over {MOST} needs", at, column)
    return name.rstrip(), needs, options or {}


def _named(word: str, at: int, column: int) -> None:
    if not _NAME.fullmatch(word):
        raise Bad(f"expected the name of a stage, {_NAMES}, found '{_shown(word)}'", at, column)


def _options(words: list[str], at: int, column: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if key == "timeout":
            try:
                found[key] = amount.duration(value)
            except ValueError as error:
                raise Bad(f"timeout: {error}", at, column) from None
        elif sign or key not in _OPTIONS:
            raise Bad(wording.unknown("option", word, _OPTIONS), at, column)
        else:
            found[key] = True
    return found


def _written(
    head: tuple[str, list[str], dict[str, Any], int], script: list[str], ground: Ground
) -> lurch.Node:
    name, needs, options, at = head
    lines = [line for line in script if line]
    # What a common prefix of the first and the last in order has, all between them have.
    low, high = (edge(lines, default="") for edge in (min, max))
    same = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    margin = len(low[:same]) - len(low[:same].lstrip(" \t"))
    run = "\n".join(line[margin:] for line in script).strip("\n")
    if all(line.lstrip().startswith("#") for line in lines) and not run.startswith("#!"):
        run = ""
    stage = {"name": name, "needs": needs, "run": run, **options}
    return _stage(stage, ground.isolate, ground.variables, (), (at, 1))


# --- TOML -------------------------------------------------------------------------------------


def tables(written: str, ground: Ground) -> list[lurch.Node]:
    """The stages of `[[stage]]` in TOML. Raises Bad with the place in it."""
    kind = KINDS["program"]
    value = toml.loads(written.encode("utf-8", "surrogateescape"), 1, kind.cap)
    for path, message in schema.complaints(kind.schema, value):
        raise Bad(message, *toml.finder(written)(path))
    stages = value["stage"]
    if not stages:
        raise Bad("expected a stage, found none", 1, 1)
    heads = [match.start(1) for match in _TABLE.finditer(written)]
    if len(heads) == len(stages):
        places = _places(written, heads)
    else:  # slower: for what looks like a header in a text, and for tables in braces
        find = toml.finder(written)
        places = [find(("stage", at))[:2] for at in range(len(stages))]
    return [
        _table(stage, ground, place, partial(_wrong, written, at))
        for at, (stage, place) in enumerate(zip(stages, places, strict=True))
    ]


def _places(written: str, offsets: list[int]) -> list[tuple[int, int]]:
    places, line, last = [], 1, 0
    for at in offsets:
        line += written.count("\n", last, at)
        places.append((line, at - written.rfind("\n", 0, at)))
        last = at
    return places


def _wrong(written: str, at: int, key: str, message: str) -> Bad:
    return Bad(message, *toml.finder(written)(("stage", at, key)))


def _table(
    stage: dict[str, Any], ground: Ground, place: tuple[int, int], wrong: Callable[[str, str], Bad]
) -> lurch.Node:
    """The form of a table, of which the schema is right."""
    stage = dict(stage)
    isolate = ground.isolate
    if "image" in stage and "chroot" in stage:
        raise wrong("chroot", "a stage has an 'image' or a 'chroot', not both")
    for key, kind in (("image", "docker"), ("chroot", "chroot")):
        if key in stage:
            isolate = (kind, stage[key])
    run = stage.get("run", "")
    if not isinstance(run, (str, list)):
        raise wrong("run", f"expected a text or a list of lines, found {wording.found(run)}")
    stage["run"] = run if isinstance(run, str) else "\n".join(run)
    retry = stage.get("retry", {})
    if isinstance(retry, int) and not isinstance(retry, bool) and 0 < retry <= MOST:
        stage["retry"] = {"attempts": retry}
    elif not isinstance(retry, dict):
        raise wrong(
            "retry", f"expected a number of attempts, 1 to {MOST}, or a table with 'attempts', "
            f"'on' and 'backoff', found {wording.found(retry)}",
        )  # fmt: skip
    for word in retry.get("on", ()) if isinstance(retry, dict) else ():
        if isinstance(word, bool) or not isinstance(word, (str, int)):
            raise wrong("retry", f"expected a status or a code, found {wording.found(word)}")
    if "timeout" in stage:
        stage["timeout"] = amount.duration(stage["timeout"])
    cells = 1
    for values in stage.get("matrix", {}).values():
        cells *= len(values)
        if cells > MOST:
            raise wrong("matrix", f"over {MOST} cells")
    given = stage.get("env", {})
    names = [name for name in dict.fromkeys((*ground.variables, *stage.get("matrix", {})))
             if name not in given]  # fmt: skip
    return _stage(stage, isolate, names, [f"{name}={given[name]}" for name in given], place)


# --- forms ------------------------------------------------------------------------------------


def _program(
    read: Callable[[str, Ground], list[lurch.Node]], ground: Ground, written: str
) -> lurch.Node:
    return lurch.Node(LIST, (lurch.Node("symbol", "stages", 1, 1), *read(written, ground)), 1, 1)


def _stage(
    stage: dict[str, Any], isolate: tuple[str, str] | None, variables: Sequence[str],
    env: Sequence[str], place: tuple[int, int],
) -> lurch.Node:  # fmt: skip
    flags = [symbol("t" if stage.get(key) else "f") for key in ("allow_failure", "finally")]
    return _placed(
        _call(
            "stage", string(stage["name"]), _strings(stage.get("needs", ())),
            _body(stage, isolate, variables, env), *flags, plain=symbol("f"),
        ),
        *place,
    )  # fmt: skip


def _body(
    stage: dict[str, Any], isolate: tuple[str, str] | None, variables: Sequence[str],
    env: Sequence[str],
) -> lurch.Node:  # fmt: skip
    run, retry, timeout = stage["run"], stage.get("retry"), stage.get("timeout")
    if not run.strip():
        return form(symbol("no-op"))
    if not run.startswith("#!"):
        run = "#!/bin/sh -e\n" + run
    if not run.endswith("\n"):
        run += "\n"
    # What is put in for ${NAME} is a value: nothing is looked for in that.
    given = [f"{name}=${{{name}}}" for name in variables if _VARIABLE.fullmatch(name)]
    limit = NOTHING if timeout is None else _number(timeout)
    body = _call("script", string(run), _strings([*given, *env]), limit)
    if isolate:
        kind, spec = isolate
        body = form(symbol("isolate"), form(symbol(kind), *([string(spec)] if spec else [])), body)
    if retry:
        words = [symbol(w) if isinstance(w, str) else number(w) for w in retry.get("on", ())]
        pause = _number(amount.duration(retry["backoff"])) if "backoff" in retry else NOTHING
        body = _call("retry", body, number(retry["attempts"]), form(*words), pause)
    for name, values in reversed(list(stage.get("matrix", {}).items())):
        body = form(symbol("matrix"), string(name), _strings(values), body)
    return body


def _call(name: str, *items: lurch.Node, plain: lurch.Node = NOTHING) -> lurch.Node:
    """The call of a step, without what at its end is the default anyway."""
    rest = list(items)
    while rest[-1] in (plain, form()):
        rest.pop()
    return form(symbol(name), *rest)


def _strings(texts: Iterable[str]) -> lurch.Node:
    return form(*map(string, texts))


def _number(seconds: float) -> lurch.Node:
    return number(int(seconds) if seconds == int(seconds) else seconds)


def _placed(node: lurch.Node, line: int, column: int) -> lurch.Node:
    value = node.value
    if node.kind == LIST:
        value = tuple(_placed(item, line, column) for item in value)
    return lurch.Node(node.kind, value, line, column)
