"""From what a person typed to what a job asks: shared by cit-push and cit-run."""

from __future__ import annotations

import os
import sys
import time

from cit import asked, isolation, name, people, program, schema, tables, whom, wording
from cit.errors import MISSING, USAGE, Bad, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from cit.asked import Asked

CAP = 16 << 20  # bytes: anything longer is refused by its size without being read whole
SUFFIXES = ("job", "toml", "lurch", "stages", "sh")


def options(p: argparse.ArgumentParser) -> None:
    """The options that say something about the job."""
    tuning(p)
    p.add_argument("--name", help="name of the job, else made from the file's")
    p.add_argument("--isolate", metavar="KIND:SPEC", help="none, chroot:busybox or chroot:host")
    p.add_argument(
        "--files", dest="bring", action="append", default=[], metavar="PATH",
        help="bring a file or directory into the workspace",
    )  # fmt: skip


def tuning(p: argparse.ArgumentParser) -> None:
    """Those of them that go with any program."""
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    p.add_argument("--priority", type=int, metavar="N", help="0 to 99, low comes first [50]")
    p.add_argument(
        "--set", action="append", default=[], metavar="VAR=VALUE", help="a variable of the program"
    )
    p.add_argument(
        "--env", action="append", default=[], metavar="VAR=VALUE", help="an environment variable"
    )
    p.add_argument(
        "--limit", action="append", default=[], metavar="LIMIT=VALUE",
        help="time, idle, memory, procs, disk, log or grace",
    )  # fmt: skip


def repetition(p: argparse.ArgumentParser) -> None:
    """The options that make a job of another one."""
    p.add_argument("--again", metavar="JOB", help="do this job again: an id, a part of one, a name")
    one = p.add_mutually_exclusive_group()
    one.add_argument("--from", dest="begin", metavar="RUN",
                     help="with --again: do anew this run or stage and what comes after it")
    one.add_argument("--only", metavar="RUN",
                     help="with --again: take over all that was done but this run or stage")


def repeated(args: argparse.Namespace) -> bool:
    """Whether it is made of another one. Raises Failure(USAGE) for what does not go with that."""
    if args.again is None and not (args.begin is None and args.only is None):
        raise Failure(USAGE, "--from and --only go with --again")
    if args.again is not None and args.bring:
        raise Failure(USAGE, "--files: the job brings what it brought before")
    return args.again is not None


def command(argv: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and the command after `--`, options and all."""
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def changes(args: argparse.Namespace) -> dict[str, Any]:
    """The keys of the job section that options give. Raises Failure(USAGE)."""
    found: dict[str, Any] = {}
    for key in ("name", "priority", "isolate"):
        if getattr(args, key, None) is not None:
            found[key] = getattr(args, key)
            _check(f"--{key}", key, found[key])
    tables = (("vars", "set"), ("env", "env"), ("limits", "limit"))
    for key, option in tables:
        for pair in getattr(args, option):
            word, sign, value = pair.partition("=")
            if not sign or not word:
                raise Failure(USAGE, f"--{option}: expected NAME=VALUE, found '{pair}'")
            try:
                pair.encode()
            except UnicodeEncodeError:
                raise Failure(USAGE, f"--{option}: expected UTF-8, found '{pair}'") from None
            number = key == "limits" and value.isascii() and value.isdecimal()
            found.setdefault(key, {})[word] = int(value) if number else value
            _check(f"--{option}", key, {word: found[key][word]})
    return found


def _check(option: str, key: str, value: object) -> None:
    """Raise Failure(USAGE) for what a key of the job section cannot be.

    A complaint about the job that is made of it would have a place in a text nobody sees.
    """
    known = tables.KINDS["job"].schema["properties"][key]
    for path, message in schema.complaints(known, value):
        if key == "limits":
            limit = str(path[0])
            if limit not in known["properties"]:
                message = wording.unknown("limit", limit, known["properties"])
            else:
                option = f"{option} {limit}"
        raise Failure(USAGE, f"{option}: {message}")


class Ids:
    """New ids, each above the one before, so that jobs pushed together keep their order."""

    def __init__(self) -> None:
        self._time = 0
        self._random = 0

    def next(self) -> str:
        now = int(time.time() * 1000)
        if now > self._time:
            self._time = now
            # The highest bit is left free, so that counting up never overflows.
            self._random = int.from_bytes(os.urandom(10), "big") >> 1
        else:
            self._random += 1
        return name.make(self._time, self._random.to_bytes(10, "big"))


def compose(
    file: str | None, command: list[str], bring: list[str], changes: dict[str, Any],
    id: str, queue: str,
) -> Asked:  # fmt: skip
    """What the job of a file, or else of a command, asks. Raises Failure, Bad with its place."""
    if file is None:
        text = program.command(command, asked.isolation(changes))
        data, called = text.encode("utf-8", "surrogateescape"), command[0]
    else:
        data, called = read(file), "stdin" if file == "-" else file
    if bring:
        from cit import bundle

        data = asked.attach(data, "files", "tar", bundle.pack(bring))
    whose = "standard input" if file == "-" else file or "command"
    request = composed(whose, data, id, queue, _stem(os.path.basename(called)), changes)
    lurch = any(part.kind == "program" and part.format == "lurch" for part in request.sections)
    if file is not None and lurch and "isolate" in changes:
        raise Failure(USAGE, f"--isolate: '{file}' is a Lurch program, which says so itself")
    return request


def composed(
    whose: str, data: bytes, id: str, queue: str, called: str, changes: dict[str, Any]
) -> Asked:
    """The job that a text asks for, if its steps can be isolated, and those whom it asks are here.

    `whose` text it is stands before what is wrong with it. Raises Bad, with its place there.
    """
    try:
        made = asked.compose(data, id, queue, called, changes)
        whom.check(made.tree, data, people.lacking)
        right = set()
        for node, where in asked.isolating(made):
            wrong = None if where in right else isolation.complaint(*where)
            if wrong:
                raise whom.unisolated(data, node, where, wrong)
            right.add(where)
    except Bad as bad:
        bad.path = whose
        raise
    return made


def _stem(file: str) -> str:
    stem, dot, suffix = file.rpartition(".")
    return stem if dot and suffix in SUFFIXES else file


def read(path: str) -> bytes:
    """The bytes of a file; `-` is standard input. Raises Failure(MISSING)."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(CAP)
        with open(path, "rb") as file:
            return file.read(CAP)
    except FileNotFoundError:
        raise Failure(MISSING, f"cannot open '{path}': no such file") from None
    except IsADirectoryError:
        raise Failure(MISSING, f"cannot read '{path}': is a directory") from None
