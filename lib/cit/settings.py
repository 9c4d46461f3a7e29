"""The settings of the configuration: their names, what they are at first, how one is changed."""

from __future__ import annotations

import os

from cit import config, formats, tables, toml
from cit.errors import USAGE, Bad, Failure

_SCHEMA = tables.KINDS["config"].schema["properties"]
KEYS = tuple(_SCHEMA)


def effective(key: str) -> tuple[str | None, str]:
    """The value of a setting and where it comes from; None where nothing is said."""
    value, origin = config.origin(key)
    return (_at_first(key), "default") if value is None else (value, origin)


def _at_first(key: str) -> str | None:
    if key == "queue":
        return os.path.join(config.home(), "queue")
    found = _SCHEMA[key].get("default")
    return None if found is None else str(found)


def changed(text: str, key: str, value: str | None) -> str:
    """The text of a valid configuration file with a setting changed, or removed for None.

    Comments and all other lines stay as they are. Raises Failure(USAGE) for a value that
    the setting cannot have.
    """
    line = "" if value is None else _line(key, value)
    lines = text.splitlines(keepends=True)
    kept = [old for old in lines if _key(old) != key]
    at = next((n for n, old in enumerate(lines) if _key(old) == key), len(kept))
    if line:
        if kept[:at] and not kept[at - 1].endswith("\n"):
            kept[at - 1] += "\n"
        kept.insert(at, line)
    return "".join(kept)


def _line(key: str, value: str) -> str:
    kind = _SCHEMA[key].get("type")
    typed = int(value) if kind == "integer" and value.isascii() and value.isdecimal() else value
    text = toml.dumps({key: typed})
    try:
        formats.settings(text, "config")
    except Bad as bad:
        raise Failure(USAGE, str(bad)) from None
    return text.decode()


def _key(line: str) -> str:
    """The key that a line sets: a configuration has no tables, and no value of two lines."""
    return line.partition("=")[0].strip().strip("\"'")
