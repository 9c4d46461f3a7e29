"""Stages as tables of TOML: `[[stage]]`, a key a line."""

from __future__ import annotations

import re
from functools import partial

from cit import amount, schema, toml, wording
from cit.errors import Bad
from cit.stages import MOST, Retry, Stage
from cit.tables import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Wrong: TypeAlias = Callable[[str, str], Bad]  # of a key, and a message

_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*(stage)[ \t]*\]\]", re.MULTILINE)
_ISOLATIONS = {"image": "docker", "chroot": "chroot"}  # by the key that says the spec


def read(text: str) -> list[Stage]:
    """The stages of a text. Raises Bad with the place in it."""
    kind = KINDS["program"]
    value = toml.loads(text.encode("utf-8", "surrogateescape"), 1, kind.cap)
    for path, message in schema.complaints(kind.schema, value):
        raise Bad(message, *toml.finder(text)(path))
    tables = value["stage"]
    if not tables:
        raise Bad("expected a stage, found none", 1, 1)
    return [
        _stage(table, place, partial(_wrong, text, at))
        for at, (table, place) in enumerate(zip(tables, _places(text, len(tables)), strict=True))
    ]


def _places(text: str, count: int) -> list[tuple[int, int]]:
    """The line and the column of the name in the header of each table."""
    offsets = [match.start(1) for match in _HEADER.finditer(text)]
    if len(offsets) != count:
        # Slower: for what looks like a header in a text, and for tables in braces.
        find = toml.finder(text)
        return [find(("stage", at))[:2] for at in range(count)]
    places, line, last = [], 1, 0
    for at in offsets:
        line += text.count("\n", last, at)
        places.append((line, at - text.rfind("\n", 0, at)))
        last = at
    return places


def _wrong(text: str, at: int, key: str, message: str) -> Bad:
    return Bad(message, *toml.finder(text)(("stage", at, key)))


def _stage(table: dict[str, Any], place: tuple[int, int], wrong: Wrong) -> Stage:
    """The stage of a table that fits the schema, which cannot say everything."""
    if "image" in table and "chroot" in table:
        raise wrong("chroot", "a stage has an 'image' or a 'chroot', not both")
    isolate = next(((kind, table[key]) for key, kind in _ISOLATIONS.items() if key in table), None)
    script = table.get("run", "")
    if not isinstance(script, (str, list)):
        raise wrong("run", f"expected a text or a list of lines, found {wording.found(script)}")
    retry = _retry(table["retry"], wrong) if "retry" in table else None
    timeout = amount.duration(table["timeout"]) if "timeout" in table else None
    cells = 1
    for values in table.get("matrix", {}).values():
        cells *= len(values)
        if cells > MOST:
            raise wrong("matrix", f"over {MOST} cells")
    return Stage(
        table["name"], *place, tuple(table.get("needs", ())),
        script if isinstance(script, str) else "\n".join(script),
        table.get("allow_failure", False), table.get("finally", False), timeout, isolate,
        table.get("env", {}), table.get("matrix", {}), retry,
    )  # fmt: skip


def _retry(written: object, wrong: Wrong) -> Retry:
    if isinstance(written, int) and not isinstance(written, bool) and 0 < written <= MOST:
        return Retry(written)
    if not isinstance(written, dict):
        raise wrong(
            "retry", f"expected a number of attempts, 1 to {MOST}, or a table with 'attempts', "
            f"'on' and 'backoff', found {wording.found(written)}",
        )  # fmt: skip
    for word in written.get("on", ()):
        if isinstance(word, bool) or not isinstance(word, (str, int)):
            raise wrong("retry", f"expected a status or a code, found {wording.found(word)}")
    backoff = amount.duration(written["backoff"]) if "backoff" in written else None
    return Retry(written["attempts"], tuple(written.get("on", ())), backoff)
