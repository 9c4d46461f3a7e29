"""Go through a program step by step: what comes next is shown, and waits for a word.

For who sits before it: questions go to standard error, answers come from standard input.
"""

from __future__ import annotations

import os
import shlex
import sys

from cit.wants import Ask, Await, Exec, Sleep, Spawn, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Want

KEYS = "Enter: do it, c: go on without asking, q: stop here"


class Stepping:
    """Called with a want before it is answered; whether it is to be."""

    def __init__(self) -> None:
        self.asking = True
        self._first = True

    def __call__(self, want: Want) -> bool:
        text = shown(want)
        if not text or not self.asking:
            return True
        keys, self._first = (f"  [{KEYS}]" if self._first else ""), False
        while True:
            sys.stderr.write(f"{text}{keys} ")
            sys.stderr.flush()
            line = sys.stdin.readline()
            word = line.strip()
            if not sys.stdin.isatty():
                sys.stderr.write("\n")
            if not line or word == "q":  # an end of input is no consent
                return False
            if word in ("", "c"):
                self.asking = word != "c"
                return True
            keys = f"  [{KEYS}]"


def shown(want: Want) -> str:
    """What a want is about to do, in one line; "" for what does nothing by itself."""
    if isinstance(want, Exec):
        words = [*want.argv, *([_first_line(want.script)] if want.script is not None else [])]
        return f"{want.run}: run {' '.join(map(shlex.quote, words))}"
    if isinstance(want, Up):
        return f"{want.run}: build {want.isolation_kind} {want.spec}".rstrip()
    if isinstance(want, Ask):
        return f"{want.run}: ask {want.comment!r}, else {want.default!r}"
    if isinstance(want, Sleep):
        how = "the calendar" if want.seconds is None else f"{want.seconds} s"
        return f"{want.run}: wait for {how}"
    if isinstance(want, Await):
        return f"{want.run}: wait for {want.what} {want.name}"
    if isinstance(want, Spawn):
        return f"{want.run}: start program {want.program!r}"
    return ""


def _first_line(script: str) -> str:
    """What tells one script from another at a glance."""
    lines = [line for line in script.splitlines() if line.strip() and not line.startswith("#!")]
    more = "..." if len(lines) > 1 else ""
    return (lines[0].strip() if lines else "") + more


def say(text: str) -> None:
    """Tell who sits before it what the job waits for."""
    try:
        os.write(2, f"cit-run: {text}\n".encode("utf-8", "surrogateescape"))
    except OSError:
        pass  # nobody reads it: the job goes on
