"""Admission: what lies in the drop box becomes a job of the queue, or is refused.

Copied in, never adopted: a drop is opened once, read, checked and published anew, so
what its maker still writes to the old file changes nothing. One bad file never stops
the rest. The drop is removed only after its copy is durable.
"""

from __future__ import annotations

import errno
import os
import time

from cit import asked, files, name, people, section, trace
from cit.errors import Bad
from cit.name import Name
from cit.queue import MODES, Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.asked import Asked

CAP = section.ASKED_CAP + (64 << 10)


# What opening a drop says that is no job: a link, a socket, a file that is not for us.
FAULTS = (errno.ELOOP, errno.ENXIO, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENODEV)


class Refused(Exception):
    """Why a drop does not become a job."""


def waiting(queue: Queue) -> set[str]:
    """What lies in the drop box: after an admission, what cannot be moved or came since."""
    return set(queue.directory("in").names())


def admit(queue: Queue) -> int:
    """Admit every job in the drop box, first come first; refuse what is none. How many came in."""
    box = queue.directory("in")
    listed = box.names()
    drops = sorted(filter(None, (name.parse("in", file) for file in listed)), key=lambda d: d.id)
    known = {drop.file for drop in drops}
    for file in sorted(set(listed) - known):
        _refuse(queue, file, "its name is not ID-NAME.job")
    if not drops:
        return 0
    ids = {found.id: found for found in queue.every() if found.state not in ("in", "bad")}
    dead = queue.tombstones()
    number = reserve(queue, len(drops))
    admitted = 0
    for drop in drops:
        try:
            data, status = _read(box, drop.file)
            request = _check(queue, drop, data, status.st_uid)
            there = _known(queue, drop, request, ids, dead)
        except Refused as error:
            _refuse(queue, drop.file, str(error))
            continue
        except FileNotFoundError:
            continue  # its owner took it back
        except OSError as error:
            if error.errno != errno.EIO:
                raise  # we are short of something, and would be for the others too
            continue  # the disk, and perhaps only for now: it stays, and the others go on
        # What fails from here on is not the fault of the drop, which stays where it is. The
        # number may be in use by then, so nobody else gets it: the next tick reserves new ones.
        if not there:
            ids[drop.id] = _publish(queue, drop, request, status, number + admitted)
            admitted += 1
        box.remove(drop.file)
    return admitted


def _read(box: files.Directory, file: str) -> tuple[bytes, os.stat_result]:
    """The bytes and the status of a drop. Raises Refused where the drop is at fault, OSError."""
    try:
        return files.read_untrusted(box, file, CAP)
    except ValueError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        if error.errno in FAULTS:
            raise Refused(os.strerror(error.errno or 0).lower()) from None
        raise


def _check(queue: Queue, drop: Name, data: bytes, uid: int) -> Asked:
    try:
        request = asked.parse(section.split(data)[0])
    except Bad as error:
        raise Refused(error.show(drop.file)) from None
    if request.job.get("id") != drop.id:
        raise Refused(f"its job section has id '{request.job.get('id')}', its name '{drop.id}'")
    if request.job.get("name") != drop.name:
        raise Refused(
            f"its job section has name '{request.job.get('name')}', its file '{drop.name}'"
        )
    refusal = queue.refusal(uid, {kind for kind, _ in asked.isolations(request)})
    if refusal:
        raise Refused(refusal)
    return request


def _known(
    queue: Queue, drop: Name, request: Asked, ids: dict[str, Name], dead: dict[str, str]
) -> bool:
    if drop.id in ids:
        found = ids[drop.id]
        now = queue.now(drop.id) or found
        same = queue.head(now)[0] == request.data
        # Who made that copy may have been cut before it was durable; the drop goes now.
        queue.where(now)[0].sync()
    elif drop.id in dead:
        same = dead[drop.id] == request.sha256
    else:
        return False
    if not same:
        raise Refused(f"id {drop.id} is taken by a job that asks something else")
    return True


def _publish(
    queue: Queue, drop: Name, request: Asked, status: os.stat_result, number: int
) -> Name:
    priority = asked.priority(request)
    who = people.who(status.st_uid)
    records = [
        trace.Record(trace.stamp(status.st_mtime), "push", "-", (who, "sha256:" + request.sha256)),
        trace.Record(trace.stamp(time.time()), "admit", "-", (people.who(), str(number))),
    ]
    data = request.data + section.TRACE + b"".join(map(trace.render, records))
    file = name.queued(priority, number, drop.id, drop.name)
    # A job may narrow who reads it, never widen.
    mode = min(MODES[str(queue.setting("readers"))], MODES[str(request.job.get("readers", "all"))])
    queue.directory("wait").publish(file, data, mode)
    return Name("wait", file, drop.id, drop.name, priority, number)


def reserve(queue: Queue, count: int) -> int:
    """The first of `count` admission numbers that nobody will ever use again."""
    free = queue.next_number
    queue.directory(".").replace("number", b"%d\n" % (free + count))
    return free


def _refuse(queue: Queue, file: str, reason: str) -> None:
    """Move a drop into bad/, its reason first; where it cannot be moved, say so once."""
    box, bad = queue.directory("in"), queue.directory("bad")
    try:
        inode = os.lstat(os.path.join(box.path, file)).st_ino
    except FileNotFoundError:
        return
    # A name from outside is made harmless, and told apart by its inode.
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in file)
    safe = f"{safe[:120].lstrip('.-') or 'drop'}.{inode}"
    try:
        why = f"{trace.escape(file)}: {reason}\n".encode("utf-8", "surrogateescape")
        bad.publish(safe + ".why", why, 0o644)
        queue.note("refuse", trace.escape(file), reason)
    except FileExistsError:
        pass  # said before
    try:
        os.rename(file, safe, src_dir_fd=box.fd, dst_dir_fd=bad.fd)
        bad.sync()
    except OSError:
        pass  # another user's directory: it stays, and its reason is said
