"""Answers: what people ask of a job that somebody else holds.

A file in `answers/` holds one record: stop, hold, release, note. Its name begins with
the id of the job; its owner, as the kernel knows him, is its author, whatever the
text says. The holder of the job writes it into the trace and then removes the file.
"""

from __future__ import annotations

import errno
import os
import time

from cit import files, name, people, trace
from cit.errors import BAD, DENIED, Failure
from cit.job import column
from cit.name import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    from cit.job import Job
    from cit.queue import Queue

    class Answer(NamedTuple):
        file: str
        id: str
        kind: str
        run: str
        text: str
        uid: int
        token: str  # tells this answer from an equal one
else:
    from collections import namedtuple

    Answer = namedtuple("Answer", "file id kind run text uid token")

KINDS = frozenset({"stop", "hold", "release", "note"})
CAP = 64 << 10
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)  # not the fault of a file
_RUN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.")


def send(queue: Queue, found: Name, kind: str, text: str, run: str = "-") -> None:
    """Ask something of a job, durable on return."""
    record = trace.Record(trace.stamp(time.time()), kind, run, (text,))
    data = trace.render(record)
    if len(data) > CAP:
        raise Failure(BAD, f"cannot {kind} job '{found.id}': over {CAP} bytes of text")
    file = f"{found.id}.{run}-{os.urandom(8).hex()}"
    try:
        queue.directory("answers").publish(file, data, 0o600 if queue.mine else 0o644)
    except PermissionError:
        raise Failure(DENIED, f"cannot {kind} job '{found.id}': permission denied") from None


def pending(queue: Queue, id: str = "") -> list[Answer]:
    """The answers that wait, for one job or for all; what cannot be one is removed.

    Raises OSError where they cannot be read now.
    """
    directory = queue.directory("answers")
    found = []
    for file in sorted(directory.names()):
        if not file.startswith(id):
            continue
        answer = _read(directory, file)
        if answer:
            found.append(answer)
    # In the order in which they were made, as far as the clock can tell.
    return [answer for _, answer in sorted(found)]


def refusal(queue: Queue, answer: Answer, job: Job) -> str:
    """Why this person may not; "" where he may: the queue's owner, and who pushed the job."""
    if answer.uid in (queue.owner, 0) or people.who(answer.uid) == job.who:
        return ""
    return f"{people.who(answer.uid)} may not {answer.kind} a job of {job.who}"


def repeated(job: Job, answer: Answer) -> bool:
    """Whether the trace has this answer: a cut came before its file was removed."""
    return any(column(record, 2) == answer.token for record in [*job.acts, *job.notes])


def fields(answer: Answer) -> tuple[str, ...]:
    """The columns of its record: who, text, token."""
    return people.who(answer.uid), answer.text, answer.token


def _read(directory: files.Directory, file: str) -> tuple[str, Answer] | None:
    try:
        data, status = files.read_untrusted(directory, file, CAP)
    except FileNotFoundError:
        return None  # its author took it back
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno in SHORT:
            raise  # it was asked, and is read another time
        _discard(directory, file)
        return None
    record = trace.parse(data) if data.find(b"\n") == len(data) - 1 else None
    # The run is copied as it is: a newline in it would be a line, even a mark, in the job.
    if (
        record is None
        or record.kind not in KINDS
        or not (record.run == "-" or _RUN.issuperset(record.run))
        or not name.is_id(file[:26])
    ):
        _discard(directory, file)
        return None
    text = record.fields[0] if record.fields else ""
    token = file.rpartition("-")[2]
    answer = Answer(file, file[:26], record.kind, record.run, text, status.st_uid, token)
    return record.time, answer


def _discard(directory: files.Directory, file: str) -> None:
    try:
        directory.remove(file)
    except OSError:
        pass  # a directory, say: it is in nobody's way
