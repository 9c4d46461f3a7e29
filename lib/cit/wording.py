"""The words of complaints: how what was found is shown, and which word was meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 60  # characters of a word in a complaint


def found(value: object) -> str:
    """A value as a complaint shows it."""
    if isinstance(value, str):
        return f'"{short(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        # A number may have more digits than Python agrees to print.
        return "a very large number" if abs(value) > 1e18 else str(value)
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a table" if isinstance(value, dict) else "a date or a time"


def short(text: str) -> str:
    """Text from outside on one line, and no control character of it."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The complaint about a word that is not known, with the known one that was meant."""
    known = sorted(known)
    start = f"unknown {what} '{short(word)}'"
    near = nearest(word, known)
    if near:
        return f"{start}, did you mean '{near}'?"
    return f"{start}, known are {', '.join(known)}" if known else f"{start}, none is known here"


def nearest(word: str, known: Iterable[str]) -> str:
    """The most similar of the known words, "" where none is similar."""
    import difflib  # slow to import, and only for this

    # Similarity takes quadratic time, and a word from outside may be long.
    matches = difflib.get_close_matches(word[:_SHOWN], list(known), 1)
    return matches[0] if matches else ""


def either(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
