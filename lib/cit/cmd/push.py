"""cit-push - put jobs into a queue"""

from __future__ import annotations

import os
import sys

from cit import home, request, send, start
from cit.errors import DONE, USAGE, Failure
from cit.options import Parser
from cit.posting import Posting
from cit.silence import Silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.asked import Asked
    from cit.queue import Queue


def parser() -> Parser:
    p = Parser(
        "cit-push",
        usage="cit-push [OPTION]... FILE...\n       cit-push [OPTION]... -- COMMAND [ARG]...\n"
              "       cit-push --again JOB [OPTION]...",
        description="Put jobs into a queue and print their ids, each when its job is safe.",
    )  # fmt: skip
    p.add_argument(
        "files", nargs="*", metavar="FILE",
        help="job file, TOML, Lurch program or script; - is standard input",
    )  # fmt: skip
    request.options(p)
    request.repetition(p)
    p.add_argument("-w", "--wait", action="store_true", help="wait; exit with the job's code")
    p.add_argument("-q", "--quiet", action="store_true", help="print no ids")
    p.add_argument("-0", "--null", action="store_true", help="end ids with NUL, not newline")
    p.add_argument("--dry-run", action="store_true", help="print the job file, push nothing")
    p.add_argument("--flush", action="store_true", help="send what is in the outbox")
    return p


def main(argv: list[str]) -> int:
    own, command = request.command(argv)
    args = parser().parse_args(own)
    again = request.repeated(args)
    if bool(args.files) + bool(command) + args.flush + again != 1:
        raise Failure(USAGE, "expected files, or -- and a command, or --again, or --flush")
    changes = request.changes(args)
    ids = request.Ids()
    if args.flush:
        return _flush(args.queue)
    goal = args.queue
    if again:
        from cit.again import compose, find  # few pushes look at another job

        earlier = find(args.again, goal)
        goal = goal or earlier.path

    def make(file: str | None, id: str, to: str) -> Asked:
        if again:
            return compose(earlier, args.begin, args.only, changes, id, to)
        return request.compose(file, command, args.bring, changes, id, to)

    if args.dry_run:
        for file in args.files or [None]:
            sys.stdout.buffer.write(make(file, ids.next(), send.would_be(goal)).data)
        return DONE
    queue, path, away = _target(goal)
    to = str(queue.setting("name")) if queue else send.called(path)
    for failure in send.flush(queue) if queue else ():
        if isinstance(failure, send.Away):
            away = failure
        else:
            _say(failure)
    with Posting(queue, path, away) as posting:
        for file in args.files or [None]:
            id = ids.next()
            job = make(file, id, to)
            posting.post(job, fresh=job.job["id"] == id)
            if not args.quiet:
                sys.stdout.write(job.job["id"] + ("\0" if args.null else "\n"))
                sys.stdout.flush()
    tell = None if args.quiet else Silence("cit-push").tell
    return posting.settle(wait=args.wait, tell=tell)


def _target(option: str | None) -> tuple[Queue | None, str, send.Away | None]:
    try:
        queue = send.target(option)
        return queue, queue.path, None
    except send.Away as away:
        return None, away.path, away


def _flush(option: str | None) -> int:
    """Send what waits in the outbox, for one queue or for all; the worst code."""
    goals = [os.path.abspath(option)] if option else [goal for _, goal in home.kept()]
    worst = DONE
    for goal in dict.fromkeys(goals):
        try:
            queue = send.known(goal)
            for failure in send.flush(queue):
                _say(failure)
                worst = max(worst, failure.code)
            if start.wanted(queue):
                start.command(queue, "queue", "tick")
        except Failure as failure:
            _say(failure)
            worst = max(worst, failure.code)
    return worst


def _say(failure: Failure) -> None:
    sys.stderr.write(f"cit-push: {failure}\n")
