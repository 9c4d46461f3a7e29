"""The line of waiting jobs: one job is moved in it by a person, by its priority.

The order is that of the file names: priority, then admission number. The number is who
holds a job's lock and never changes, so to be first or last is to have the priority that
makes it so.
"""

from __future__ import annotations

from cit import held, people
from cit.errors import LATER, NO, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.name import Name
    from cit.queue import Queue

LAST = 99  # of the priorities, which are from 0


def first(queue: Queue, found: Name) -> int:
    """The priority with which a job is before all others that wait. Raises Failure."""
    others = [(f.priority, f.number) for f in queue.names("wait") if f.id != found.id]
    if not others or (found.priority, found.number) < min(others):
        return found.priority
    front, number = min(others)
    priority = front if found.number < number else front - 1
    if priority < 0:
        raise Failure(NO, f"cannot move job '{found.id}': one of priority 0 was admitted before it")
    return priority


def last(queue: Queue, found: Name) -> int:
    """The priority with which a job is after all others that wait. Raises Failure."""
    others = [(f.priority, f.number) for f in queue.names("wait") if f.id != found.id]
    if not others or (found.priority, found.number) > max(others):
        return found.priority
    end, number = max(others)
    priority = end if found.number > number else end + 1
    if priority > LAST:
        raise Failure(
            NO, f"cannot move job '{found.id}': one of priority {LAST} was admitted after it"
        )
    return priority


def move(queue: Queue, found: Name, priority: int, reason: str) -> None:
    """Give a waiting or held job another priority, and write down who did. Raises Failure."""
    if found.state not in ("wait", "hold"):
        raise Failure(NO, f"cannot move job '{found.id}': it is not waiting")
    hold = held.take(queue, found)
    if hold is None:
        raise Failure(LATER, f"cannot move job '{found.id}': somebody is at work on it")
    with hold:
        if hold.settle():
            raise Failure(NO, f"cannot move job '{found.id}': it has ended")
        what = f"priority {priority} instead of {found.priority}"
        what += f": {reason}" if reason else ""
        hold.record("note", "-", people.who(), what)
        hold.sync()
        hold.name = hold.name._replace(priority=priority)
        # One rename from the name that it has; so there are never two, nor none.
        hold.move(found.state)
    queue.note("move", found.id, what)
