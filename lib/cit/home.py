"""What a user keeps beside his queues: receipts, the queues he knows, the outbox.

    pushed.tab      TIME, pushed|ran|kept|stopped, ID, NAME, QUEUE, SHA256: what he sent where
    queues          a path a line
    outbox/         ID-NAME.job, and ID-NAME.job.to with the path of its queue

Receipts are a convenience: a crash between publishing a job and its receipt loses the
receipt, never the job.
"""

from __future__ import annotations

import os

from cit import config, files, name, trace
from cit.errors import Bad
from cit.name import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Receipt(NamedTuple):
        time: str
        act: str
        id: str
        name: str
        queue: str
        sha256: str
else:
    from collections import namedtuple

    Receipt = namedtuple("Receipt", "time act id name queue sha256")


def make() -> str:
    """$CIT_HOME, made where it is not there; private."""
    path = config.home()
    os.makedirs(path, 0o700, exist_ok=True)
    return path


def receive(receipts: list[Receipt]) -> None:
    """Append receipts, durable on return."""
    lines = [
        trace.render(trace.Record(r.time, r.act, r.id, (r.name, r.queue, r.sha256)))
        for r in receipts
    ]
    if lines:
        files.append(os.path.join(make(), "pushed.tab"), b"".join(lines), 0o600)


def receipts() -> list[Receipt]:
    """All receipts, the oldest first."""
    try:
        with open(os.path.join(config.home(), "pushed.tab"), "rb") as file:
            found = trace.records(file.read())
    except FileNotFoundError:
        return []
    return [
        Receipt(r.time, r.kind, r.run, *r.fields[:3]) for r in found if len(r.fields) >= 3
    ]


def queues() -> list[str]:
    """The paths of the queues that this user made or pushed to, in that order."""
    try:
        with open(os.path.join(config.home(), "queues"), encoding="utf-8",
                  errors="surrogateescape") as file:  # fmt: skip
            whole = [line for line in file.read().split("\n")[:-1] if not line.endswith("\x18")]
            return list(dict.fromkeys(map(trace.unescape, whole)))
    except FileNotFoundError:
        return []


def know(path: str) -> None:
    """Remember a queue."""
    if path not in queues():
        line = trace.escape(path).encode("utf-8", "surrogateescape") + b"\n"
        files.append(os.path.join(make(), "queues"), line, 0o600)


def keep(file: str, data: bytes, queue: str) -> None:
    """Put a job into the outbox, durable on return. Raises OSError.

    Bad where one of its id is there that asks something else, or goes elsewhere.
    """
    path = os.path.join(make(), "outbox")
    files.make_directory(path, 0o700)
    outbox = files.Directory(path)
    try:
        if not os.path.lexists(os.path.join(path, file)):
            # The address first: a letter without one could not be sent.
            outbox.replace(file + ".to", os.fsencode(queue))
            try:
                outbox.publish(file, data)
                return
            except FileExistsError:
                pass  # another command keeps it at this moment
        for kept, wanted in ((file, data), (file + ".to", os.fsencode(queue))):
            with open(os.path.join(path, kept), "rb") as there:
                if there.read() != wanted:
                    raise Bad(f"'{file}' is in the outbox already, and is not the same job")
        outbox.settle(file)
    finally:
        outbox.close()


def kept() -> list[tuple[Name, str]]:
    """The jobs in the outbox and the queue each is for, the oldest first."""
    path = os.path.join(config.home(), "outbox")
    try:
        listed = sorted(os.listdir(path))
    except FileNotFoundError:
        return []
    found = []
    for file in listed:
        parsed = name.parse("in", file)
        if parsed:
            try:
                with open(os.path.join(path, file + ".to"), "rb") as address:
                    found.append((parsed._replace(state="outbox"), os.fsdecode(address.read())))
            except FileNotFoundError:
                continue  # another command has sent it just now
    return found


def letter(kept: Name) -> bytes:
    """The bytes of a job in the outbox."""
    with open(os.path.join(config.home(), "outbox", kept.file), "rb") as file:
        return file.read()


def sent(kept: Name) -> None:
    """Remove a job from the outbox, since its queue has it."""
    outbox = files.Directory(os.path.join(config.home(), "outbox"))
    try:
        outbox.remove(kept.file)
        outbox.remove(kept.file + ".to")
    finally:
        outbox.close()
