"""A small part of JSON Schema, with complaints for people: what was expected, what was found.

Known are type, enum, pattern, minimum, maximum, exclusiveMinimum, maxLength, properties,
required, additionalProperties, propertyNames, items, minItems, maxItems and default, and
two of our own: `expected` is what a complaint says, and `format` is `duration` or `size`,
whose limits are seconds and bytes. A pattern is of the whole text. tools/formats refuses
others.
"""

from __future__ import annotations

import re

from cit import amount, wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Complaint = tuple[tuple[str | int, ...], str]

_TYPES: dict[str, tuple[type, str]] = {
    "string": (str, "a text"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "array": (list, "a list"),
    "object": (dict, "a table"),
}
_AMOUNTS: dict[str, tuple[Callable[[object], float], str]] = {
    "duration": (amount.duration, 'a duration such as "10m"'),
    "size": (amount.size, 'a size such as "64M"'),
}


def complaints(
    schema: dict[str, Any], value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[Complaint]:
    """What is wrong with a value, each with the path of the key or item it is about."""
    if not (_amount(schema, value) if "format" in schema else _fits(schema, value)):
        yield path, f"expected {expected(schema)}, found {wording.found(value)}"
    elif isinstance(value, dict):
        yield from _table(schema, value, path)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from complaints(schema.get("items", {}), item, (*path, at))


def expected(schema: dict[str, Any]) -> str:
    """What a schema asks for, in words."""
    if "expected" in schema:
        return str(schema["expected"])
    if "enum" in schema:
        return wording.either(f'"{word}"' for word in schema["enum"])
    if "format" in schema:
        return _AMOUNTS[schema["format"]][1]
    words = _TYPES[schema["type"]][1]
    if "minimum" in schema and "maximum" in schema:
        return f"{words} from {schema['minimum']} to {schema['maximum']}"
    if "minimum" in schema:
        return f"{words}, at least {schema['minimum']}"
    if "maxLength" in schema:
        return f"{words} of at most {schema['maxLength']} characters"
    if "maxItems" in schema:
        return f"{words} of at most {schema['maxItems']} items"
    return words


def _table(
    schema: dict[str, Any], value: dict[str, Any], path: tuple[str | int, ...]
) -> Iterator[Complaint]:
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", {})
    names = schema.get("propertyNames", {})
    for key, item in value.items():
        here = (*path, key)
        if key in known:
            yield from complaints(known[key], item, here)
        elif rest is False:
            yield here, wording.unknown("key", key, known)
        elif not _fits(names, key):
            yield here, f"expected {expected(names)}, found {wording.found(key)}"
        else:
            yield from complaints(rest, item, here)
    for key in schema.get("required", ()):
        if key not in value:
            yield path, f"key '{key}' is missing"


def _fits(schema: dict[str, Any], value: Any) -> bool:
    # True is an int in Python, and nowhere else.
    name = schema.get("type")
    if name and not (isinstance(value, _TYPES[name][0]) and _bool(value) == (name == "boolean")):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        return False
    for word in ("maxLength", "maxItems"):
        if word in schema and len(value) > schema[word]:
            return False
    if "minItems" in schema and len(value) < schema["minItems"]:
        return False
    return _within(schema, value)


def _amount(schema: dict[str, Any], value: object) -> bool:
    try:
        return _within(schema, _AMOUNTS[schema["format"]][0](value))
    except ValueError:
        return False


def _within(schema: dict[str, Any], value: Any) -> bool:
    return not (
        ("exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"])
        or ("minimum" in schema and value < schema["minimum"])
        or ("maximum" in schema and value > schema["maximum"])
    )


def _bool(value: object) -> bool:
    return isinstance(value, bool)
