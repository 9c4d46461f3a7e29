"""What a job needs before it starts, as a program of its own: run 0, before run 1.

Written as steps, what is needed is waited for as any step waits: in no slot, with every
look in the trace, and going on after a crash.
"""

from __future__ import annotations

from cit import program
from cit.wants import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY = 60  # seconds between two looks of a check


def prelude(needs: Mapping[str, object], isolate: tuple[str, str]) -> Node | None:
    """The steps that wait for `job`, `artefact` and `check` of `[needs]`; None without them."""
    children = [_await(what, name) for what in ("job", "artefact") for name in _words(needs, what)]
    for text in _words(needs, "check"):
        look = program.script(text, isolate)
        children.append(Node("check", {"body": 0, "every": EVERY}, (look,)))
    if not children:
        return None
    return Node("sequence", {"steps": tuple(range(len(children)))}, tuple(children))


def jobs(needs: Mapping[str, object]) -> list[str]:
    """The ids and names of the jobs that are waited for."""
    return _words(needs, "job")


def _await(what: str, name: str) -> Node:
    return Node("await", {"what": what, "name": name, "timeout": None})


def _words(needs: Mapping[str, object], key: str) -> list[str]:
    found = needs.get(key, [])
    return [str(word) for word in (found if isinstance(found, list) else [found])]
