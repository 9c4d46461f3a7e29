"""What ends a command: an exit code and a message.

A Failure is raised where the fact is known and turned into a line on standard
error in one place, main.py. Whatever else escapes from a command is a bug.
The codes are those of sysexits.h where it has one; they say whether another
try can help, which is what cron and scripts act on.
"""

from __future__ import annotations

DONE = 0  # done, or yes
NO = 1  # no, or the job failed
USAGE = 2  # called wrongly
BAD = 65  # bad data
MISSING = 66  # no such file, queue or job
AWAY = 69  # the queue is away; the job waits in the outbox
BUG = 70  # a bug in cit
LATER = 75  # try again later
DENIED = 77  # not allowed
CONFIG = 78  # bad configuration
INTERRUPTED = 130  # control-C


SHOWN = 100  # characters of the offending text


class Failure(Exception):
    """A command cannot go on. `code` is its exit code, the text its message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Ambiguous(Failure):
    """A word may stand for more than one job; not even another place is to be looked at."""

    def __init__(self, message: str) -> None:
        super().__init__(MISSING, message)


class Bad(Failure):
    """Data that breaks a format. `line` and `column` count from 1; 0 is unknown.

    `text` is the offending line, so that the place can be shown with a caret.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0, text: str = "") -> None:
        super().__init__(BAD, message)
        self.line, self.column, self.text = line, column, text
        self.path = ""  # of the file, set by who knows it

    def show(self, path: str) -> str:
        """`path:line:column: message`, then the text and a caret below its column."""
        place = "".join(f":{n}" for n in (self.line, self.column) if n)
        shown = f"{path}{place}: {self}"
        if self.text:
            text, at = _around(self.text, max(self.column - 1, 0))
            # Tabs keep the caret under its column; controls must not reach a terminal.
            text = "".join(c if c == "\t" or c.isprintable() else "\ufffd" for c in text)
            lead = "".join("\t" if c == "\t" else " " for c in text[:at])
            shown += f"\n  {text}\n  {lead}^"
        return shown


def _around(text: str, at: int) -> tuple[str, int]:
    """So much of a long text as is read at a glance, and where in it the place is."""
    start = max(min(at - SHOWN // 2, len(text) - SHOWN), 0)
    before, after = "..." if start else "", "..." if start + SHOWN < len(text) else ""
    return f"{before}{text[start : start + SHOWN]}{after}", at - start + len(before)
