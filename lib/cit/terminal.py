"""The terminal: whether there is one, how wide it is, and the one line that may change on it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

COLORS = ("auto", "always", "never")


def there(fd: int = 1) -> bool:
    """Whether a descriptor is a terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def colored(choice: str | None, fd: int = 1) -> bool:
    """Whether to write colours: NO_COLOR, then what was chosen, then what the descriptor is."""
    if os.environ.get("NO_COLOR") or choice == "never":
        return False
    if choice == "always":
        return True
    return there(fd) and os.environ.get("TERM", "dumb") != "dumb"


def width(fd: int = 1) -> int:
    """Columns of the terminal: $COLUMNS, what the terminal says, else 80."""
    chosen = os.environ.get("COLUMNS", "")
    if chosen.isascii() and chosen.isdecimal() and int(chosen):
        return int(chosen)
    try:
        return os.get_terminal_size(fd).columns or 80
    except OSError:
        return 80


class Line:
    """A line at the bottom of a terminal that is written over, and gone in the end."""

    def __init__(self, fd: int = 2) -> None:
        self.fd = fd
        self.wanted = there(fd) and os.environ.get("TERM", "dumb") != "dumb"
        self._shown = ""

    def show(self, text: str) -> None:
        """Show this in place of what was shown. `text` has to fit the width."""
        if self.wanted and text != self._shown:
            os.write(self.fd, b"\r" + text.encode("utf-8", "replace") + b"\x1b[K")
            self._shown = text

    def clear(self) -> None:
        """Make room for other lines."""
        if self._shown:
            os.write(self.fd, b"\r\x1b[K")
            self._shown = ""

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()
