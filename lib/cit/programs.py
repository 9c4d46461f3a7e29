"""Stored programs: texts with a name, in versions, kept in the queue.

    programs/NAME/NUMBER.FORMAT     a version, as its author wrote it: lurch, sh, stages or toml
    programs/NAME/NUMBER.removed    the program was removed; what is below is void

Numbers go up from 1, and none ever stands for two texts: what a job says it ran is what
it ran. So a removal takes a number as well. Only the owner of a queue changes programs,
one command at a time, by a lock: files of two formats could have one number otherwise.
"""

from __future__ import annotations

import os
import time
from collections import namedtuple

from cit import (
    asked,
    files,
    formats,
    isolation,
    layout,
    locks,
    lurch,
    name,
    people,
    section,
    tables,
    toml,
)
from cit.errors import BAD, DENIED, LATER, MISSING, NO, USAGE, Bad, Failure
from cit.queue import MODES
from cit.request import composed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple

    from cit.asked import Asked
    from cit.queue import Queue

    class Program(NamedTuple):
        name: str
        version: int
        format: str  # the suffix of its file
        text: bytes
else:
    Program = namedtuple("Program", "name version format text")

LONGEST = 64
PATIENCE = 10.0  # seconds for which another command may change programs
REMOVED = "removed"
FORMATS = {*tables.KINDS["program"].formats, "toml", REMOVED}
NAMES = "at most 64 of a-z, A-Z, 0-9, '._-+' and space, beginning with a letter or digit"
# What only the job that is made of it can say.
_OURS = ("id", "queue", "origin")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME = _PLAIN | frozenset("._-+ ")


def is_name(text: str) -> bool:
    """Whether a program can be called so; then it is also a safe name for a directory."""
    safe = 0 < len(text) <= LONGEST and text[0] in _PLAIN and _NAME.issuperset(text)
    return safe and not text.endswith(" ")


def check(text: bytes) -> str:
    """The format of the text of a program. Raises Bad, with its place; Failure(BAD).

    Whether the machine has what it wants is asked when it is started.
    """
    if not text.strip():
        raise Bad("expected a program, found nothing", 1, 1)
    if text.lstrip().startswith(b"%%"):
        raise Bad("expected a program, found a job file; cit-push takes it", 1, 1)
    for part in formats.sections(text):
        if part.kind == "job":
            head = toml.loads(part.body)
            for key in _OURS:
                if key in head:
                    find = toml.finder(text.decode())
                    raise Bad(f"'{key}' is for a job to say, not for a program", *find((key,)))
    made = asked.compose(text, name.make(0, bytes(10)), "main", "program", {})
    for kind, spec in sorted(asked.isolations(made)):
        way = isolation.find(kind)
        wrong = way and way.check(spec)
        if wrong:
            raise Failure(BAD, wrong)
    body = section.find(formats.sections(text), "program")
    assert body is not None  # or it had been refused
    return body.format if body.body == text else "toml"


def names(queue: Queue) -> list[str]:
    """The programs of a queue, in the order of the alphabet. Raises Failure(DENIED)."""
    listed = sorted(os.listdir(queue.directory("programs").path))
    return [called for called in listed if is_name(called) and versions(queue, called)]


def versions(queue: Queue, called: str) -> dict[int, str]:
    """The versions of a program, the oldest first, and the format of each; empty for none."""
    found = _numbers(queue, called) if is_name(called) else {}
    void = max((number for number in found if found[number] == REMOVED), default=0)
    return {number: found[number] for number in sorted(found) if number > void}


def find(queue: Queue, called: str, version: int | None = None) -> Program:
    """A version of a program, the newest where none is named. Raises Failure(MISSING), DENIED."""
    known = versions(queue, called)
    if not known:
        raise Failure(MISSING, f"no program '{called}' in '{queue.path}'")
    number = max(known) if version is None else version
    if number not in known:
        some = f"it has {min(known)} to {max(known)}" if len(known) > 1 else f"it has {max(known)}"
        raise Failure(MISSING, f"no version {number} of program '{called}': {some}")
    directory = queue.directory(f"programs/{called}")
    try:
        fd = directory.open(f"{number}.{known[number]}")
    except PermissionError:
        raise Failure(DENIED, f"cannot read program '{called}': permission denied") from None
    except FileNotFoundError:
        raise Failure(MISSING, f"program '{called}' was removed just now") from None
    try:
        return Program(called, number, known[number], files.read(fd, section.ASKED_CAP))
    finally:
        os.close(fd)


def canonical(program: Program) -> bytes:
    """The text of a Lurch program as cit writes it. Raises Failure(USAGE) for another."""
    if program.format != "lurch":
        kind = f"its format is '{program.format}', not 'lurch'"
        raise Failure(USAGE, f"program '{program.name}' has no canonical text: {kind}")
    text = program.text.decode("utf-8", "surrogateescape")
    return (lurch.write(lurch.read(text)) + "\n").encode("utf-8", "surrogateescape")


def store(
    queue: Queue, called: str, text: bytes, *, base: int | None = None, reason: str = ""
) -> Program:
    """Keep a text as the next version, durable on return; what is the newest already is kept.

    With `base`, only as the successor of that version: else Failure(NO). Raises Bad and
    Failure(BAD) for the text, Failure(USAGE) for the name, DENIED, LATER.
    """
    own(queue)
    if not is_name(called):
        raise Failure(USAGE, f"'{called}' cannot be the name of a program: expected {NAMES}")
    made = check(text)
    _hold(queue)
    try:
        known = versions(queue, called)
        newest = find(queue, called) if known else None
        if newest and newest[2:] == (made, text):
            return newest
        if base is not None and base != (newest.version if newest else 0):
            there = f"has version {newest.version}" if newest else "was removed"
            raise Failure(NO, f"program '{called}' {there} meanwhile")
        number = _publish(queue, called, made, text)
        queue.note("import", called, _because(f"version {number}", reason))
        return Program(called, number, made, text)
    finally:
        queue.locks.release(locks.PROGRAMS)


def remove(queue: Queue, called: str, reason: str = "") -> None:
    """Remove a program with all its versions. Raises Failure(MISSING), DENIED, LATER."""
    own(queue)
    _hold(queue)
    try:
        known = find(queue, called).version
        # The number first: a cut leaves texts that nobody finds, never a number to take again.
        _publish(queue, called, REMOVED, f"{people.who()}\n".encode())
        queue.note("remove", called, _because(f"version {known}", reason))
        directory = queue.directory(f"programs/{called}")
        for number, form in _numbers(queue, called).items():
            if form != REMOVED:
                directory.remove(f"{number}.{form}")
        directory.sync()
    finally:
        queue.locks.release(locks.PROGRAMS)


def request(
    queue: Queue, program: Program, id: str, origin: Mapping[str, Any], changes: Mapping[str, Any]
) -> Asked:
    """The job that a program is started as: the same bytes for the same arguments.

    `origin` is what else its section of that name says: `kind`, and `job` and `run` of a
    spawn. `changes` are keys of the job section. Raises Bad, Failure(BAD).
    """
    source = {"kind": "program", **origin, "program": program.name, "version": program.version}
    # The job is found by its name: what the text says is its author's, for other uses of it.
    ours = {"name": name.simplify(program.name), "origin": source}
    to = str(queue.setting("name"))
    whose = f"program '{program.name}'"
    return composed(whose, program.text, id, to, program.name, {**changes, **ours})


def own(queue: Queue) -> None:
    """Raise Failure(DENIED) where the caller may not change the programs of a queue."""
    if not queue.mine:
        owner = people.user(queue.owner)
        raise Failure(DENIED, f"the programs of queue '{queue.path}' are changed by {owner} alone")


def _numbers(queue: Queue, called: str) -> dict[int, str]:
    """All numbers that were ever taken for a program, and the suffix of each that is there."""
    try:
        listed = os.listdir(queue.directory(f"programs/{called}").path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: dict[int, str] = {}
    for file in listed:
        number, _, form = file.partition(".")
        # What somebody else left there, a copy that an editor made, say, is no version.
        if form in FORMATS and number.isascii() and number.isdecimal() and len(number) < 10:
            found[int(number)] = form
    return found


def _publish(queue: Queue, called: str, form: str, text: bytes) -> int:
    """Make the file of the next number; the number. The caller has the lock."""
    readers = str(queue.setting("readers"))
    path = os.path.join(queue.path, "programs", called)
    files.make_directory(path, layout.READ[readers])
    taken = _numbers(queue, called)
    if not taken:
        os.chmod(path, layout.READ[readers])  # who made it may have been cut before that
    directory = queue.directory(f"programs/{called}")
    for left in os.listdir(path):
        if left.startswith("."):
            directory.remove(left)  # of a cut, where nameless files are not to be had
    number = max(taken, default=0) + 1
    directory.publish(f"{number}.{form}", text, MODES[readers])
    return number


def _hold(queue: Queue) -> None:
    end = time.monotonic() + PATIENCE
    while not queue.locks.hold(locks.PROGRAMS):
        if time.monotonic() > end:
            raise Failure(LATER, f"another command changes the programs of '{queue.path}'")
        time.sleep(0.01)


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what
