"""Wishes that wait in `answers/`: what people ask of a job that somebody else holds.

A file there holds one record: stop, hold, release, note, answer. Its name begins
with the id of the job; its owner, as the kernel knows him, is its author, whatever the
text says. The holder of the job writes it into the trace and then removes the file. Beside
an answer lies a mark, by which others see that there is one.

What it may say after its text: `hold` until when, as a stamp; `answer` the value and the
sha256 of what the job asks, so that nobody approves other bytes than those he saw.
"""

from __future__ import annotations

import errno
import os
import time

from cit import files, name, people, trace, wording
from cit.amount import human_duration
from cit.errors import BAD, DENIED, Failure
from cit.job import column
from cit.name import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    from cit.job import Job, Question
    from cit.queue import Queue

    class Wish(NamedTuple):
        file: str
        id: str
        kind: str
        run: str
        text: str
        uid: int
        token: str  # tells this wish from an equal one
        more: tuple[str, ...] = ()  # what the kind has besides
        made: float = 0.0  # when it came, by the clock of the kernel
else:
    from collections import namedtuple

    Wish = namedtuple("Wish", "file id kind run text uid token more made", defaults=((), 0.0))

KINDS = frozenset({"stop", "hold", "release", "note", "answer"})
TRIES = 3
CAP = 64 << 10  # bytes of a text, or of a value
FILE_CAP = 9 * CAP  # a byte may take four when it is written
VALUES = {
    "approve": {"yes": "yes", "y": "yes", "t": "yes", "no": "no", "n": "no", "f": "no"},
}  # others take any text
MARK = "answered"
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)  # not the fault of a file
_RUN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.")


def send(
    queue: Queue, found: Name, kind: str, text: str, run: str = "-", more: tuple[str, ...] = ()
) -> None:
    """Ask something of a job, durable on return."""
    if any(_long(field) for field in (text, *more)):
        raise Failure(BAD, f"cannot {kind} job '{found.id}': over {CAP} bytes of text")
    record = trace.Record(trace.stamp(time.time()), kind, run, (text, *more))
    data = trace.render(record)
    file = f"{found.id}.{run}-{os.urandom(8).hex()}"
    try:
        queue.directory("answers").publish(file, data, 0o600 if queue.mine else 0o644)
    except PermissionError:
        raise Failure(DENIED, f"cannot {kind} job '{found.id}': permission denied") from None


def mark(queue: Queue, found: Name, run: str) -> None:
    """Have others see that a question was answered, before whoever holds the job hears of it.

    They cannot list what is in the drop box, but can ask for a name. The mark is no wish, so the
    first look of a holder, who takes the answer itself, removes it.
    """
    try:
        queue.directory("answers").publish(f"{found.id}.{run}-{MARK}", b"", 0o644)
    except OSError:
        pass  # somebody else's is there, or the disk is full: the answer itself is safe


def marked(queue: Queue, found: Name, run: str) -> int | None:
    """The uid of who says that he has answered a question; None where nobody does."""
    try:
        mark = os.lstat(os.path.join(queue.path, "answers", f"{found.id}.{run}-{MARK}"))
    except OSError:
        return None
    return mark.st_uid if mark.st_nlink == 1 else None  # more: somebody's link to another's file


def pending(queue: Queue, id: str = "") -> list[Wish]:
    """The wishes that wait, for one job or for all; what cannot be one is removed.

    Raises OSError where they cannot be read now.
    """
    directory = queue.directory("answers")
    found = []
    for file in sorted(directory.names()):
        if not file.startswith(id):
            continue
        wish = _read(directory, file)
        if wish:
            found.append(wish)
    # In the order in which they were made, as far as the clock can tell.
    return [wish for _, wish in sorted(found)]


def refusal(queue: Queue, wish: Wish, job: Job, now: float = 0.0) -> str:
    """Why it is not done; "" where it is. `job` is all that its trace says up to this moment."""
    return stranger(queue, wish, job) or moot(wish, job, now)


def stranger(queue: Queue, wish: Wish, job: Job) -> str:
    """Why this person may not; "" where he may.

    The queue's owner and who pushed the job may, or who pushed the one that spawned it, unless a
    question is for others; root always.
    """
    question = job.asks.get(wish.run) if wish.kind == "answer" else None
    if wish.kind == "answer" and question is None:
        return ""  # whom it was for is not known any more; moot() refuses it
    if question and question.who:
        may = people.allowed(wish.uid, queue.owner, list(question.who))
    else:
        who = people.who(wish.uid)
        may = wish.uid in (0, queue.owner) or who == job.who
        may = may or who == behalf(queue, wish.id, job, asker=who)
    if may or wish.uid == 0:
        return ""
    if question and question.who:
        return f"{people.who(wish.uid)} may not answer: that is for {', '.join(question.who)}"
    return f"{people.who(wish.uid)} may not {wish.kind} a job of {job.who}"


def behalf(queue: Queue, id: str, job: Job, found: Name | None = None, asker: str = "") -> str:
    """Who pushed the first of those jobs that spawned one another down to this one; "" else.

    A job says itself where it comes from, which is only text. It counts where the owner of the
    queue pushed it, as his runners do, and the trace of that other job says so as well. It is
    looked for, unless it is `found`. Where there is an `asker`, "" for everybody else: the other
    trace may be long, and is not read for whom the job does not even name.
    """
    if job.who != people.who(queue.owner):
        return ""
    for _ in range(TRIES):
        try:
            found = found or queue.now(id)
            return _behalf(queue, found, asker) if found else ""
        except FileNotFoundError:
            found = None  # one of the two moves at this moment
        except Failure:
            break  # what is no job asks for nobody
    return ""


def _behalf(queue: Queue, found: Name, asker: str) -> str:
    from cit import section, toml  # few jobs are spawned

    asked = queue.head(found)[0]
    if b"spawn" not in asked:
        return ""
    head = section.find(section.parse(asked), "job")
    origin = toml.loads(head.body, head.line + 1).get("origin", {}) if head else {}
    spawned = origin.get("kind") == "spawn" and "job" in origin
    who = str(origin.get("who", ""))
    if not spawned or (asker and who != asker):
        return ""
    other = queue.now(origin["job"])
    if other is None:
        return ""
    try:
        said = [column(r, 0) for r in queue.records(other) if r.kind == "spawn"]
    except Failure:
        # Not for us to read: whoever serves the queue can, and decides.
        return "" if queue.mine else who
    return who if found.id in said else ""


def moot(wish: Wish, job: Job, now: float) -> str:
    """Why there is nothing to do, whoever asks for it; "" where there is."""
    run = job.runs.get(wish.run)
    if wish.kind == "answer":
        return _unasked(wish, job, now)
    if wish.kind == "stop" and wish.run != "-":
        if run is None:
            return f"it has begun no run {wish.run}"
        return f"run {wish.run} has ended" if run.ended else ""
    return ""


def _unasked(wish: Wish, job: Job, now: float) -> str:
    question, (value, sha256) = job.asks.get(wish.run), (*wish.more, "", "")[:2]
    if question is None:
        return answered(job, wish.run)
    at = f"{wish.run}."
    if any(r.kind == "stop" and at.startswith(f"{r.run}.") for r in job.acts):
        return f"run {wish.run} was stopped"
    # In time is what came in time, though a tick reads it later.
    if question.deadline and min(wish.made, now) >= trace.seconds(question.deadline):
        return f"it had to be answered until {question.deadline}"
    if not sha256 or sha256 != job.sha256.removeprefix("sha256:"):
        return "it is for a job that asks something else"
    return unfit(question, value)


def answered(job: Job, run: str, now: float | None = None) -> str:
    """Why a run, or the whole job for `-`, asks nothing: who has answered, as far as one has.

    What and how long before `now` is for those who read the job: the log of a queue may be for
    more people.
    """
    at = "" if run == "-" else f"{run}."
    said = next((r for r in reversed(job.answers) if f"{r.run}.".startswith(at)), None)
    what = ""
    if said:
        who = column(said, 0)
        what = f"{who} has answered it" if who else "nobody had answered it in time"
        if who and now is not None:
            passed = int(now - trace.seconds(said.time))
            when = f"{human_duration(passed)} ago" if passed > 0 else "just now"
            what = f"{who} answered {wording.short(column(said, 1))} {when}"
    if job.status:
        return f"it has ended; {what}" if what else "it has ended"
    return what or (f"run {run} asks nothing" if run != "-" else "it asks nothing")


def unfit(question: Question, value: str) -> str:
    """Why a question cannot have this value; "" where it can."""
    if "\0" in value or _long(value):
        return f"a value has no NUL, and at most {CAP} bytes"
    if question.verb in VALUES and value not in VALUES[question.verb].values():
        return f"expected yes or no, found '{value[:40]}'"
    return ""


def repeated(job: Job, wish: Wish) -> bool:
    """Whether the trace has this wish: a cut came before its file was removed.

    A token alone is no proof: its author chose it, and the trace may be for all to read.
    """
    mine = wish.kind, wish.run, people.who(wish.uid), wish.token
    said = [(r, column(r, 2)) for r in [*job.acts, *job.notes]]
    said += [(r, column(r, 3)) for r in job.answers]
    return any((r.kind, r.run, column(r, 0), token) == mine for r, token in said if token)


def fields(wish: Wish) -> tuple[str, ...]:
    """The columns of its record."""
    who = people.who(wish.uid)
    if wish.kind == "answer":
        value, sha256 = (*wish.more, "", "")[:2]
        return who, value, wish.text, wish.token, sha256
    return (who, wish.text, wish.token, *wish.more[:1])


def until(wish: Wish) -> float:
    """The end of a hold in seconds since 1970, 0 where it has none."""
    return trace.seconds(wish.more[0]) if wish.kind == "hold" and wish.more else 0.0


def _long(text: str) -> bool:
    return len(text.encode("utf-8", "surrogateescape")) > CAP


def _read(directory: files.Directory, file: str) -> tuple[str, Wish] | None:
    try:
        data, status = files.read_untrusted(directory, file, FILE_CAP)
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
        or any(map(_long, record.fields))
    ):
        _discard(directory, file)
        return None
    text = record.fields[0] if record.fields else ""
    more = record.fields[1:] if record.kind == "answer" else ()
    if record.kind == "hold" and column(record, 1):
        try:
            more = (trace.stamp(trace.seconds(column(record, 1))),)
            trace.seconds(more[0])  # a month 99 leads into a year that has no stamp
        except ValueError:
            _discard(directory, file)
            return None
    token = file.rpartition("-")[2]
    # When it got its name: not what its author says, nor what he set its time to.
    wish = Wish(file, file[:26], record.kind, record.run, text, status.st_uid, token, more,
                status.st_ctime)  # fmt: skip
    return record.time, wish


def _discard(directory: files.Directory, file: str) -> None:
    try:
        directory.remove(file)
    except OSError:
        pass  # a directory, say: it is in nobody's way
