"""A new queue in the hands of its owner: known to him, and with programs where he wants some."""

from __future__ import annotations

from cit import demo, home, layout, programs, request
from cit.errors import Bad
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]


def make(
    path: str, given: dict[str, object], group: str | None, say: Say, *, demo: bool = False
) -> None:
    """Make a queue as layout.create() does, for the user of this process.

    With `demo` it comes with programs to try. `say` tells what he may not expect. Raises as
    that does.
    """
    layout.create(path, given, group)
    home.know(path)
    if demo:
        _store(Queue(path), say)


def _store(queue: Queue, say: Say) -> None:
    """Store the programs to try, and say of those that cannot be started why."""
    for called, text in demo.PROGRAMS.items():
        made = programs.store(queue, called, text.encode(), reason="init --demo")
        try:
            programs.request(queue, made, request.Ids().next(), {}, {})
        except Bad as bad:
            say(f"program '{called}' cannot be started: {bad}")
