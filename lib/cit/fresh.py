"""A new queue in the hands of its owner: known to him, and with programs where he wants some."""

from __future__ import annotations

import os

from cit import demo, home, layout, people, programs, request
from cit.errors import NO, USAGE, Bad, Failure
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Say = Callable[[str], None]


def make(
    path: str, given: dict[str, Any], group: str | None, say: Say, *, demo: bool = False
) -> None:
    """Make a queue as layout.create() does, for the user of this process.

    With `demo` it comes with programs to try. `say` tells what he may not expect. Raises as
    that does, and Failure(USAGE) for somebody who may push and is not there.
    """
    rules = given.get("push", ["owner"])
    for rule in rules:
        wrong = people.lacking(rule)
        if wrong:
            raise Failure(USAGE, f"--push: {wrong}")
    try:
        layout.create(path, given, group)
    except Failure as failure:
        if demo and failure.code == NO:
            # Whoever looks around has pushed something before he came to this option.
            raise Failure(NO, f"{failure}; for another: cit-queue init --demo DIR") from None
        raise
    if not people.allowed(os.geteuid(), os.geteuid(), rules):
        say(f"its owner may not push into queue '{path}': --push owner was not given")
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
