"""What somebody is told who waits for a job that shows nothing: why it does not run.

Whoever stays for a job in a queue that nobody serves would wait for ever, and wonder. So
after a while the sentence of cit-why is said, once, and again when another one is true.
"""

from __future__ import annotations

import re
import sys
import time

from cit.errors import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cit.queue import Queue

    Before = Callable[[], None]

STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
AFTER = 10.0  # seconds without anything to show, and between two looks at why that is so


class Silence:
    """Lasts as long as a command waits, until it is broken, and then begins anew."""

    def __init__(self, command: str, after: float = AFTER) -> None:
        """`command` begins each line; `after` is in seconds."""
        self.command, self.after = command, after
        self._began = time.time()
        self._due = time.monotonic() + after
        self._said = ""

    def broken(self) -> None:
        """Something was shown."""
        self._due = time.monotonic() + self.after

    def line(self, queue: Queue, id: str, called: str) -> str:
        """What is to be said now of the job that is waited for; "" for nothing, or nothing new.

        It may be asked as often as one likes: mostly it only looks at the clock.
        """
        if time.monotonic() < self._due:
            return ""
        self.broken()
        from cit import machine, reason, sight, table  # most waits are over by then

        try:
            [seen] = sight.pushed(queue.path, {id: called})
            # Told as of one and the same instant, since `2m ago` alone is no news. Nor is it that
            # a check looks again a minute later than the last time.
            found = reason.idle(seen, self._began, machine.this)
            said = STAMP.sub("", found)
            if not said or said == self._said:
                return ""
            self._said = said
            now = reason.idle(seen, time.time(), machine.this)
        except (Failure, OSError):
            return ""  # it moves at this moment, or is not ours to read: the wait itself will tell
        return table.visible(f"{self.command}: {called} {now or found}") + "\n"

    def tell(self, queue: Queue, id: str, called: str, before: Before | None = None) -> None:
        """Say it on standard error, where there is anything to say, and do that `before`."""
        line = self.line(queue, id, called)
        if line:
            if before:
                before()
            sys.stderr.write(line)
            sys.stderr.flush()
