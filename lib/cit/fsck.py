"""The checker of docs/states.md: is every job of a queue whole, and in one place?"""

from __future__ import annotations

import hashlib
import os

from cit import asked, files, job, jobfile, section, trace
from cit.errors import MISSING, Bad, Failure
from cit.queue import STATES, Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cit.name import Name


def check(queue: Queue, acknowledged: Iterable[str] = ()) -> Iterator[str]:
    """What is wrong, a line each. Every acknowledged id must be somewhere.

    Jobs move while we look, so only what is wrong twice is told.
    """
    known = list(acknowledged)
    found = list(_look(queue, known))
    again = set(_look(queue, known)) if found else set()
    yield from (complaint for complaint in found if complaint in again)


def ids(path: str) -> list[str]:
    """The ids in a file, `-` is standard input. Raises Failure(MISSING)."""
    try:
        with open(0 if path == "-" else path, encoding="utf-8") as file:
            return file.read().split()
    except (FileNotFoundError, IsADirectoryError) as error:
        reason = str(error.strerror).lower()
        raise Failure(MISSING, f"cannot read '{path}': {reason}") from None


def _look(queue: Queue, acknowledged: list[str]) -> Iterator[str]:
    places: dict[str, list[Name]] = {}
    for found in queue.every():
        places.setdefault(found.id, []).append(found)
    for state in STATES:
        yield from _strangers(queue, state)
    numbers: dict[int, str] = {}
    for id, copies in sorted(places.items()):
        real = [copy for copy in copies if copy.state != "bad"]
        yield from _copies(id, real)
        for copy in real:
            yield from _file(queue, copy)
        number = real[-1].number if real else 0
        if number and numbers.setdefault(number, id) != id:
            yield f"{id}: has the admission number {number} of {numbers[number]}"
    if numbers and max(numbers) >= _free(queue):
        yield f"number: {max(numbers)} is in use, and would be given again"
    dead = queue.tombstones()
    for id in acknowledged:
        if id not in places and id not in dead:
            yield f"{id}: acknowledged, and nowhere to be found"


def _free(queue: Queue) -> int:
    """The number that is given next; 1 where that cannot be read, so that any in use is told."""
    try:
        return queue.next_number
    except ValueError:
        return 1


def _strangers(queue: Queue, state: str) -> Iterator[str]:
    if state in ("in", "bad"):
        return  # anybody may drop anything; the next tick deals with it
    known = {os.path.join(state, n.day, n.file) for n in queue.names(state)}
    for root, directories, listed in os.walk(os.path.join(queue.path, state)):
        if state != "done" or root.count("/") > queue.path.count("/") + 2:
            directories.clear()
        for file in listed:
            path = os.path.relpath(os.path.join(root, file), queue.path)
            if path not in known and not file.startswith("."):
                yield f"{path}: is no job's name"


def _copies(id: str, copies: list[Name]) -> Iterator[str]:
    states = [copy.state for copy in copies]
    admitted = [copy for copy in copies if copy.state != "in"]
    # A drop beside it is that of an admission that was cut, or somebody's who reused the id:
    # the next tick deals with either.
    if len(admitted) > 1:
        yield f"{id}: is in {' and '.join(states)} at once"


def _file(queue: Queue, found: Name) -> Iterator[str]:
    where = os.path.relpath(queue.file(found), queue.path)
    try:
        head, rest = queue.head(found)
        request = asked.parse(head)
    except Bad as error:
        if found.state != "in":  # what lies in the drop box is not checked yet
            yield error.show(where)
        return
    except FileNotFoundError:
        return  # moved meanwhile
    if found.state == "in":
        return
    if request.job["id"] != found.id or request.job["name"] != found.name:
        yield f"{where}: its name is not that of its job section"
    if not rest.startswith(section.TRACE):
        yield f"{where}: has no trace"
        return
    try:
        yield from _trace(queue, found, where, request.sha256)
    except FileNotFoundError:
        return  # moved meanwhile


def _trace(queue: Queue, found: Name, where: str, sha256: str) -> Iterator[str]:
    begun: set[tuple[str, str]] = set()
    state = job.Job()
    fd = queue.open(found)
    try:
        for record in jobfile.records(fd, *jobfile.KINDS):
            state.add(record)
            if record.kind == "begin":
                attempt = record.run, job.column(record, 1)
                if attempt in begun:
                    yield f"{where}: attempt {attempt[1]} of run {record.run} begins twice"
                begun.add(attempt)
        if state.sha256 != "sha256:" + sha256:
            yield f"{where}: what it asks is not what was pushed"
        if found.number and state.number != found.number:
            yield f"{where}: was admitted as {state.number}"
        if found.state == "done":
            yield from _seal(fd, where, state)
    finally:
        os.close(fd)


def _seal(fd: int, where: str, state: job.Job) -> Iterator[str]:
    if not state.status:
        yield f"{where}: is done and has no result"
    if not state.seal:
        yield f"{where}: is done and has no seal"
        return
    size = os.fstat(fd).st_size
    tail = files.read(fd, min(size, 4096), max(size - 4096, 0))
    line = tail.removesuffix(b"\n").rpartition(b"\n")[2] + b"\n"
    digest, left, offset = hashlib.sha256(), size - len(line), 0
    while left > 0:
        part = files.read(fd, min(left, 1 << 20), offset)
        digest.update(part)
        left -= len(part)
        offset += len(part)
    record = trace.parse(line)
    if record is None or record.kind != "seal":
        yield f"{where}: its last record is not a seal"
    elif job.column(record, 1) != "sha256:" + digest.hexdigest():
        yield f"{where}: its seal does not fit its bytes"
