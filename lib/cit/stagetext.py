"""Stages as a text, in the manner of make: `NAME: NEED ... [OPTIONS]`, and commands below.

Commands are indented, by anything; what all lines of a stage have in common is taken off.
A line that begins with `#` is a comment, and an indented one belongs to the script.
"""

from __future__ import annotations

import re

from cit import amount, wording
from cit.errors import Bad
from cit.stages import MOST, NAME, NAMES, Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = re.compile(r"\[[^\]]*\]?|[^\s\[]+")
_OPTIONS = ("allow_failure", "finally", "timeout=DURATION")


def read(text: str) -> list[Stage]:
    """The stages of a text. Raises Bad with the place in it."""
    stages: list[Stage] = []
    scripts: list[list[str]] = []
    for at, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        bare = line.strip()
        if not bare or line[0] in " \t":
            if stages:
                scripts[-1].append(line.rstrip("\r") if bare else "")
            elif bare:
                raise Bad("a command before the first stage", at, len(line) - len(bare) + 1)
        elif line[0] != "#":
            if len(stages) == MOST:
                raise Bad(f"over {MOST} stages", at, 1)
            stages.append(_header(line, at))
            scripts.append([])
    if not stages:
        raise Bad("expected a stage such as 'build:', found none", 1, 1)
    return [stage._replace(script=_script(lines))
            for stage, lines in zip(stages, scripts, strict=True)]  # fmt: skip


def _header(line: str, at: int) -> Stage:
    name, colon, rest = line.partition(":")
    if not colon:
        raise Bad("expected 'NAME: NEEDS', or a command, which is indented", at, 1)
    _check(name.rstrip(), at, 1)
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
            _check(word, at, column)
            needs.append(word)
            if len(needs) > MOST:
                raise Bad(f"over {MOST} needs", at, column)
    return Stage(name.rstrip(), at, 1, tuple(needs), **(options or {}))


def _check(name: str, at: int, column: int) -> None:
    if not NAME.fullmatch(name):
        shown = wording.short(name)
        raise Bad(f"expected the name of a stage, {NAMES}, found '{shown}'", at, column)


def _options(words: list[str], at: int, column: int) -> dict[str, Any]:
    """What the options of a header mean, as arguments of Stage."""
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
            found["final" if key == "finally" else key] = True
    return found


def _script(written: list[str]) -> str:
    """The lines below a header without their common indentation; "" for comments alone."""
    lines = [line for line in written if line]
    # What a common prefix of the first and the last in order has, all between them have.
    low, high = (edge(lines, default="") for edge in (min, max))
    same = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    margin = len(low[:same]) - len(low[:same].lstrip(" \t"))
    script = "\n".join(line[margin:] for line in written).strip("\n")
    if all(line.lstrip().startswith("#") for line in lines) and not script.startswith("#!"):
        return ""
    return script
