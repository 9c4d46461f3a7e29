"""cit-push - put jobs into a queue"""

from __future__ import annotations

import argparse
import os
import sys
import time

from cit import asked, home, name, send, start, trace
from cit.errors import AWAY, DONE, MISSING, USAGE, Bad, Failure
from cit.home import Receipt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cit.asked import Asked
    from cit.queue import Queue


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser("cit-push", allow_abbrev=False,
        usage="cit-push [OPTION]... FILE...\n       cit-push [OPTION]... -- COMMAND [ARG]...",
        description="Put jobs into a queue and print their ids, each when its job is safe.")  # fmt: skip
    p.add_argument("files", nargs="*", metavar="FILE", help="job file, TOML, Lurch program or script; - is standard input")
    p.add_argument("-q", "--quiet", action="store_true", help="print no ids")
    p.add_argument("-0", "--null", action="store_true", help="end ids with NUL, not newline")
    p.add_argument("-w", "--wait", action="store_true", help="wait for the end; exit with the job's code")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    p.add_argument("--name", help="name of the job, else made from the file's")
    p.add_argument("--priority", type=int, metavar="N", help="0 to 99, low comes first [50]")
    p.add_argument("--isolate", metavar="KIND:SPEC", help="none, chroot:busybox, chroot:host")
    p.add_argument("--set", action="append", default=[], metavar="VAR=VALUE", help="a variable of the program")
    p.add_argument("--env", action="append", default=[], metavar="VAR=VALUE", help="an environment variable")
    p.add_argument("--limit", action="append", default=[], metavar="LIMIT=VALUE",
                   help="time, idle, memory, procs, disk, log, grace")  # fmt: skip
    p.add_argument("--files", dest="bring", action="append", default=[], metavar="PATH", help="bring a file or directory into the workspace")
    p.add_argument("--dry-run", action="store_true", help="print the job file, push nothing")
    p.add_argument("--flush", action="store_true", help="send what is in the outbox")
    return p


def main(argv: list[str]) -> int:
    # What follows -- is a command, options and all.
    command = argv[argv.index("--") + 1 :] if "--" in argv else []
    args = parser().parse_args(argv[: argv.index("--")] if "--" in argv else argv)
    if bool(args.files) + bool(command) + args.flush != 1:
        raise Failure(USAGE, "expected files, or -- and a command, or --flush")
    changes = _changes(args)
    path, queue, away = _target(args.queue)
    code = _flush(queue, path) if not args.dry_run else DONE
    if args.flush:
        return code
    end = "\0" if args.null else "\n"
    receipts: list[Receipt] = []
    last = None
    try:
        for file in args.files or [None]:
            last, fresh = _compose(file, command, args.bring, changes, queue, path)
            if args.dry_run:
                sys.stdout.buffer.write(last.data)
                continue
            act = "pushed"
            try:
                if queue is None:
                    raise away
                send.send(queue, last, fresh=fresh)
            except send.Away as failure:
                act, away = "kept", failure
                send.keep(last, path)
                code = AWAY
            receipts.append(_receipt(act, last, path))
            if not args.quiet:
                sys.stdout.write(last.job["id"] + end)
                sys.stdout.flush()
    finally:
        home.receive(receipts)
        if receipts and queue is not None:
            home.know(queue.path)
            if start.wanted(queue):
                start.command(queue, "queue", "tick")
    if code == AWAY:
        raise Failure(AWAY, f"{away}; kept in the outbox")
    if args.wait and last is not None and queue is not None and not args.dry_run:
        from cit import follow

        return follow.wait(queue, last.job["id"])
    return code


def _target(option: str | None) -> tuple[str, Queue | None, send.Away]:
    try:
        queue = send.target(option)
        return queue.path, queue, send.Away("")
    except send.Away as away:
        from cit import config

        return os.path.abspath(option) if option else config.queue(), None, away


def _compose(
    file: str | None, command: list[str], bring: list[str], changes: dict[str, Any],
    queue: Queue | None, path: str,
) -> tuple[Asked, bool]:  # fmt: skip
    """What the job asks, and whether its id is new."""
    id = name.make(int(time.time() * 1000), os.urandom(10))
    if file is None:
        from cit import program

        isolate = asked.isolation(changes)
        data, called = program.command(command, isolate).encode("utf-8", "surrogateescape"), command[0]
    else:
        data, called = _read(file), "stdin" if file == "-" else os.path.basename(file)
    if bring:
        from cit import bundle

        data = asked.attach(data, "files", "tar", bundle.pack(bring))
    to = str(queue.setting("name")) if queue is not None else send.called(path)
    try:
        request = asked.compose(data, id, to, _stem(os.path.basename(called)), changes)
    except Bad as bad:
        raise Bad(bad.show(file or "command")) from None
    return request, request.job["id"] == id


def _stem(file: str) -> str:
    stem, dot, suffix = file.rpartition(".")
    return stem if dot and suffix in ("job", "toml", "lurch", "sh") else file


def _read(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(16 << 20)
        with open(path, "rb") as file:
            return file.read(16 << 20)
    except FileNotFoundError:
        raise Failure(MISSING, f"cannot open '{path}': no such file") from None
    except IsADirectoryError:
        raise Failure(MISSING, f"cannot read '{path}': is a directory") from None


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    """The keys of the job section that options give."""
    changes: dict[str, Any] = {}
    for key in ("name", "priority", "isolate"):
        if getattr(args, key) is not None:
            changes[key] = getattr(args, key)
    for key, option, pairs in (
        ("vars", "--set", args.set), ("env", "--env", args.env), ("limits", "--limit", args.limit)
    ):  # fmt: skip
        for pair in pairs:
            word, sign, value = pair.partition("=")
            if not sign or not word:
                raise Failure(USAGE, f"{option}: expected NAME=VALUE, found '{pair}'")
            number = key == "limits" and value.isdecimal()
            changes.setdefault(key, {})[word] = int(value) if number else value
    return changes


def _flush(queue: Queue | None, path: str) -> int:
    """Send what waits in the outbox for this queue; those that still cannot go stay there."""
    for letter, goal in home.kept():
        if queue is None or goal != path:
            continue
        request = asked.parse(home.letter(letter))
        try:
            send.send(queue, request, fresh=False)
        except send.Away:
            return AWAY
        home.receive([_receipt("pushed", request, path)])
        home.sent(letter)
    return DONE


def _receipt(act: str, request: Asked, path: str) -> Receipt:
    job = request.job
    return Receipt(trace.stamp(time.time()), act, job["id"], job["name"], path, request.sha256)
