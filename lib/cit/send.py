"""Send a job to a queue, or keep it in the outbox while the queue is away."""

from __future__ import annotations

import errno
import os
import time

from cit import asked, config, files, home, layout, name, section, trace
from cit.errors import AWAY, DENIED, LATER, MISSING, Bad, Failure
from cit.home import Receipt
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cit.asked import Asked
    from cit.name import Name

# What passes: the disk is full or failing, or the process is short of something.
PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOENT, errno.ESTALE,
     errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK, errno.EAGAIN, errno.ENODEV}
)  # fmt: skip

OWN = "main"  # what a user's own queue is called


class Away(Failure):
    """The queue is there, but not now; what is sent to it goes to the outbox."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(AWAY, message)
        self.path = path


def target(option: str | None) -> Queue:
    """The queue to push to: the one named, else that of configuration, else a new one of ours.

    Raises Away where a queue that this user knows cannot be reached, Failure(MISSING)
    where nobody ever heard of it.
    """
    path = os.path.abspath(option) if option else config.queue()
    try:
        return known(path)
    except Failure as failure:
        if failure.code != MISSING or path != _own():
            raise
    # The first push of a user who made no queue: his own one, which needs no cron.
    home.make()
    layout.create(path, {"name": OWN})
    home.know(path)
    return Queue(path)


def known(path: str) -> Queue:
    """The queue at this path. Raises Away where this user knows it, and it cannot be reached."""
    try:
        return Queue(path)
    except Failure as failure:
        if failure.code != MISSING or path not in home.queues():
            raise
        raise Away(path, f"queue '{path}' is away") from None


def would_be(option: str | None) -> str:
    """What jobs call the queue that target() gives, which is not made for that."""
    path = os.path.abspath(option) if option else config.queue()
    try:
        return str(known(path).setting("name"))
    except Away:
        return called(path)
    except Failure as failure:
        if failure.code != MISSING or path != _own():
            raise
        return OWN


def _own() -> str:
    return os.path.join(config.home(), "queue")


def called(path: str) -> str:
    """What jobs call the queue at this path while it is away."""
    return name.simplify(os.path.basename(path))


def send(queue: Queue, request: Asked, *, fresh: bool) -> None:
    """Publish a job in the drop box, durable on return.

    With `fresh` its id was made just now, so nobody can have it. Equal id and equal bytes
    are a success, other bytes Bad; Away where the disk is full or fails. Failure(DENIED) for
    what the queue would surely refuse.
    """
    refusal = queue.refusal(os.geteuid(), {kind for kind, _ in asked.isolations(request)})
    if refusal:
        raise Failure(DENIED, f"cannot push into '{queue.path}': {refusal}")
    id, file = request.job["id"], name.drop(request.job["id"], request.job["name"])
    if not fresh and _known(queue, id, request):
        return
    try:
        box = queue.directory("in")
        # Another user's manager must be able to read it; nobody else can list names here.
        box.publish(file, request.data, 0o600 if queue.mine else 0o644)
    except FileExistsError:
        try:
            same = files.read_untrusted(box, file, section.ASKED_CAP)[0] == request.data
        except (ValueError, OSError):
            same = False  # what lies there is no file, or not ours to read
        if not same:
            raise _taken(id) from None
        # Who made it may have been cut before it was durable, and told nobody its id.
        box.settle(file)
    except PermissionError:
        raise Failure(DENIED, f"cannot push into '{queue.path}': permission denied") from None
    except OSError as error:
        if error.errno not in PASSING:
            raise
        reason = os.strerror(error.errno or 0).lower()
        raise Away(queue.path, f"cannot write to queue '{queue.path}': {reason}") from error


def keep(request: Asked, path: str) -> None:
    """Put a job into the outbox. Raises Failure(LATER) where that fails too."""
    try:
        home.keep(name.drop(request.job["id"], request.job["name"]), request.data, path)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Failure(LATER, f"cannot keep job '{request.job['id']}': {reason}") from error


def flush(queue: Queue) -> Iterator[Failure]:
    """Send what waits in the outbox for this queue; yield why something has to stay there.

    An Away ends it. What can never be sent keeps nothing else back.
    """
    for letter, goal in home.kept():
        if goal != queue.path:
            continue
        try:
            request = asked.parse(home.letter(letter))
            send(queue, request, fresh=False)
        except FileNotFoundError:
            continue  # another command has sent it just now
        except Away as away:
            yield away
            return
        except Failure as failure:
            yield Failure(failure.code, f"cannot send job '{letter.id}': {failure}")
            continue
        home.receive([receipt("pushed", request, queue.path)])
        home.sent(letter)


def take_back(letter: Name, path: str) -> None:
    """Remove a job from the outbox that was kept for the queue at this path."""
    import hashlib

    try:
        sha256 = hashlib.sha256(home.letter(letter)).hexdigest()
    except FileNotFoundError:
        raise Failure(LATER, f"job '{letter.id}' has left the outbox just now") from None
    home.sent(letter)
    now = trace.stamp(time.time())
    home.receive([Receipt(now, "stopped", letter.id, letter.name, path, sha256)])


def receipt(act: str, request: Asked, path: str) -> Receipt:
    """What is kept of a job that this user pushed, ran or kept for the queue at this path."""
    now = trace.stamp(time.time())
    return Receipt(now, act, request.job["id"], request.job["name"], path, request.sha256)


def _known(queue: Queue, id: str, request: Asked) -> bool:
    if not queue.mine:
        return False  # its manager will see
    found = queue.now(id)
    if found is not None:
        same = queue.head(found)[0] == request.data
        queue.where(found)[0].sync()
    else:
        dead = queue.tombstones()
        if id not in dead:
            return False
        same = dead[id] == request.sha256
    if not same:
        raise _taken(id)
    return True


def _taken(id: str) -> Bad:
    return Bad(f"id {id} is taken by a job that asks something else")
