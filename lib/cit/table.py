"""Tables for people: columns that line up, ages at a glance, text that is harmless.

What strangers wrote (output of jobs, notes, reasons) may hold escape sequences that
change a terminal, and marks that turn the direction of writing around. Here such
characters become visible ones. Nothing in this module knows whether there is a
terminal; that is asked in terminal.py.
"""

from __future__ import annotations

from cit import trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Paint = Callable[[int, int, str], str]  # row, column, padded text -> text with colour

GAP = "  "
ROOM = 24  # columns of a last cell that say something
CODES = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34",
    "magenta": "35", "cyan": "36",
}  # fmt: skip
# States of jobs, as far as they are seen, and how jobs end; all others are red.
STATE_COLORS = {
    "ok": "green", "run": "yellow", "wait": "", "hold": "magenta", "park": "cyan", "in": "dim",
    "outbox": "magenta", "away": "dim", "hidden": "dim", "gone": "dim",
}  # fmt: skip

# The controls of ASCII but the tab, those of Latin 1, and what ends a line or turns the
# direction of writing (Trojan Source, CVE-2021-42574).
_HARMFUL = {n: f"\\x{n:02x}" for n in [*range(32), *range(127, 160)] if n != 9}
_HARMFUL |= {10: "\\n", 13: "\\r"}
_HARMFUL |= {
    n: f"\\u{n:04x}"
    for n in [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
}
# Bytes that were not UTF-8.
_HARMFUL |= {0xDC00 + n: f"\\x{n:02x}" for n in range(128, 256)}


def visible(text: str) -> str:
    """Text that changes nothing on a terminal but to be seen; a tab stays one."""
    return text if text.isascii() and text.isprintable() else text.translate(_HARMFUL)


def cell(text: str) -> str:
    """Text for one cell: visible, in one line, and without tabs."""
    return visible(text.replace("\t", " "))


def style(text: str, *names: str) -> str:
    """Text in colours; the caller knows that they are wanted."""
    codes = ";".join(CODES[name] for name in names if name)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


def state(text: str) -> str:
    """A state of a job, or how it ended, in its colour."""
    return style(text, STATE_COLORS.get(text.strip(), "red"))


def painter(states: int) -> Paint:
    """For a table of jobs below a header, with their states in that column."""

    def paint(line: int, column: int, text: str) -> str:
        if line == 0:
            return style(text, "dim")
        return state(text) if column == states else text

    return paint


def age(seconds: float) -> str:
    """How long ago, in its largest unit: `0s`, `59s`, `3m`, `23h`, `6d`, `51w`, `2y`."""
    whole = max(int(seconds), 0)
    for unit, size, end in (("s", 1, 60), ("m", 60, 60), ("h", 3600, 24), ("d", 86400, 14)):
        if whole < size * end:
            return f"{whole // size}{unit}"
    weeks = whole // 604800
    return f"{weeks}w" if weeks < 104 else f"{int(whole // (365.25 * 86400))}y"


def moment(stamp: str, beside: str = "") -> str:
    """A stamp to the second, without its day where that is the day of the one beside it."""
    day, clock = stamp[:10], stamp[11:19]
    return clock if stamp and beside[:10] == day else f"{day} {clock}".strip()


def width(text: str) -> int:
    """How many columns of a terminal a visible text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(1 for c in text if unicodedata.combining(c))


def cut(text: str, columns: int) -> str:
    """The beginning of a text, in that many columns; an ellipsis says that there is more."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return text + "\u2026" if columns > 0 else ""


def lines(
    rows: Sequence[Sequence[str]],
    columns: int = 0,
    right: Sequence[int] = (),
    paint: Paint | None = None,
    header: Sequence[str] = (),
    spare: Sequence[int] = (),
) -> list[str]:
    """Rows of cells as aligned lines, below a header; nothing where there are no rows.

    A column without any text is left out, its header as well. With `columns` the last cell
    of a line is cut so that the line fits a terminal of that width, as long as eight columns
    are left for it; no other cell is ever cut. Before that, the columns in `spare` are left
    out, in their order, as long as ROOM columns are not left. The columns named in `right` are
    set to the right. `paint` colours a cell after it was padded; for it the header is row 0.
    """
    if not rows:
        return []
    count = max(map(len, rows))
    table = [[cell(text) for text in row] + [""] * (count - len(row)) for row in rows]
    shown = [at for at in range(count) if any(row[at] for row in table)]
    if header:
        table.insert(0, list(header))
    widths = [max(width(row[at]) for row in table) for at in range(count)]
    room = columns - sum(widths[at] + len(GAP) for at in shown[:-1]) if columns else 0
    for at in spare:
        if columns and room < min(widths[shown[-1]], ROOM) and at in shown[:-1]:
            shown.remove(at)
            room += widths[at] + len(GAP)
    aligned = []
    for number, row in enumerate(table):
        parts = []
        for at in shown:
            text = row[at]
            if at == shown[-1] and at not in right:
                text = cut(text, room) if room >= 8 else text
            else:
                pad = " " * (widths[at] - width(text))
                text = pad + text if at in right else text + pad
            parts.append(paint(number, at, text) if paint and text.strip() else text)
        aligned.append(GAP.join(parts).rstrip())
    return aligned


def tabbed(fields: Sequence[str], end: str = "\n") -> str:
    """A record for machines: fields between tabs, `-` where there is none.

    Control characters are escaped as in a job file, so that a record stays one line.
    """
    return "\t".join(trace.escape(field) or "-" for field in fields) + end
