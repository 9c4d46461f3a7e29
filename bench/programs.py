"""Programs that are long, and do nothing."""

from __future__ import annotations

from math import ceil

VALUES = 10  # of a loop


def steps(count: int) -> str:
    """Nested sequences, loops and ifs that run at least so many no-op steps."""
    inner = " ".join(["(no-op)"] * VALUES)
    each = VALUES * VALUES
    blocks = [
        f"(sequence (if (no-op 0) {_loop(f'v{block}', VALUES, f'(sequence {inner})')} (no-op 1)))"
        for block in range(-(-count // each))
    ]
    return "(sequence\n" + "\n".join(blocks) + ")\n"


def asking(records: int) -> str:
    """Steps that leave about so many records, at least, and then a question."""
    turns = ceil((records / 2) ** (1 / 3)) if records > 1 else 1
    loops = _loop("a", turns, _loop("b", turns, _loop("c", turns, "(no-op)")))
    return f'(sequence {loops} (approve null "go on?"))\n'


def _loop(variable: str, turns: int, body: str) -> str:
    values = " ".join(f'"{turn}"' for turn in range(turns))
    return f"(for {variable} ({values}) {body})"
