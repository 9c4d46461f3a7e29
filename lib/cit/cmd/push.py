"""cit-push - put jobs into a queue"""

from __future__ import annotations

import os
import sys
import time

from cit import asked, home, request, send, start, trace
from cit.errors import AWAY, DONE, USAGE, Failure
from cit.home import Receipt
from cit.options import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.asked import Asked
    from cit.queue import Queue


def parser() -> Parser:
    p = Parser(
        "cit-push",
        usage="cit-push [OPTION]... FILE...\n       cit-push [OPTION]... -- COMMAND [ARG]...",
        description="Put jobs into a queue and print their ids, each when its job is safe.",
    )  # fmt: skip
    p.add_argument(
        "files", nargs="*", metavar="FILE",
        help="job file, TOML, Lurch program or script; - is standard input",
    )  # fmt: skip
    request.options(p)
    p.add_argument("-w", "--wait", action="store_true", help="wait; exit with the job's code")
    p.add_argument("-q", "--quiet", action="store_true", help="print no ids")
    p.add_argument("-0", "--null", action="store_true", help="end ids with NUL, not newline")
    p.add_argument("--dry-run", action="store_true", help="print the job file, push nothing")
    p.add_argument("--flush", action="store_true", help="send what is in the outbox")
    return p


def main(argv: list[str]) -> int:
    own, command = request.command(argv)
    args = parser().parse_args(own)
    if bool(args.files) + bool(command) + args.flush != 1:
        raise Failure(USAGE, "expected files, or -- and a command, or --flush")
    changes = request.changes(args)
    ids = request.Ids()
    if args.dry_run:
        for file in args.files or [None]:
            to = send.would_be(args.queue)
            job = request.compose(file, command, args.bring, changes, ids.next(), to)
            sys.stdout.buffer.write(job.data)
        return DONE
    if args.flush:
        return _flush_all(args.queue)
    queue, path, away = _target(args.queue)
    to = str(queue.setting("name")) if queue else send.called(path)
    away = _flush(queue)[0] if queue else away
    receipts: list[Receipt] = []
    try:
        for file in args.files or [None]:
            id = ids.next()
            job = request.compose(file, command, args.bring, changes, id, to)
            away = _send(queue, path, job, away, fresh=job.job["id"] == id)
            receipts.append(_receipt("kept" if away else "pushed", job, path))
            if not args.quiet:
                sys.stdout.write(job.job["id"] + ("\0" if args.null else "\n"))
                sys.stdout.flush()
    finally:
        home.receive(receipts)
        if queue and receipts:
            home.know(queue.path)
        if queue and start.wanted(queue):
            start.command(queue, "queue", "tick")
    if away:
        raise Failure(AWAY, f"{away}; kept in the outbox")
    if args.wait and queue and receipts:
        from cit import follow

        return max(follow.wait(queue, receipt.id) for receipt in receipts)
    return DONE


def _target(option: str | None) -> tuple[Queue | None, str, send.Away | None]:
    try:
        queue = send.target(option)
        return queue, queue.path, None
    except send.Away as away:
        return None, away.path, away


def _send(
    queue: Queue | None, path: str, job: Asked, away: send.Away | None, *, fresh: bool
) -> send.Away | None:
    """Publish the job, or keep it; why it had to be kept."""
    if queue and not away:
        try:
            send.send(queue, job, fresh=fresh)
            return None
        except send.Away as failure:
            away = failure
    send.keep(job, path)
    return away


def _flush_all(option: str | None) -> int:
    """Send what waits in the outbox, for one queue or for all; the worst code."""
    goals = [os.path.abspath(option)] if option else [goal for _, goal in home.kept()]
    worst = DONE
    for goal in dict.fromkeys(goals):
        try:
            queue = send.known(goal)
            away, code = _flush(queue)
            if away:
                raise away
            if start.wanted(queue):
                start.command(queue, "queue", "tick")
        except Failure as failure:
            _say(str(failure))
            code = failure.code
        worst = max(worst, code)
    return worst


def _flush(queue: Queue) -> tuple[send.Away | None, int]:
    """Send what waits in the outbox for this queue; why the rest has to stay there.

    What can never be sent stays too, and is said, with a code: it keeps nothing else back.
    """
    code = DONE
    for letter, goal in home.kept():
        if goal != queue.path:
            continue
        try:
            job = asked.parse(home.letter(letter))
            send.send(queue, job, fresh=False)
        except FileNotFoundError:
            continue  # another command has sent it just now
        except send.Away as away:
            return away, code
        except Failure as failure:
            _say(f"cannot send job '{letter.id}': {failure}")
            code = failure.code
            continue
        home.receive([_receipt("pushed", job, queue.path)])
        home.sent(letter)
    return None, code


def _say(text: str) -> None:
    sys.stderr.write(f"cit-push: {text}\n")


def _receipt(act: str, job: Asked, path: str) -> Receipt:
    now = trace.stamp(time.time())
    return Receipt(now, act, job.job["id"], job.job["name"], os.path.abspath(path), job.sha256)
