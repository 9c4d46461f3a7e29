"""cit-run - run a job here and now, or serve a queue"""

from __future__ import annotations

import os
import sys

from cit import config, files, home, manager, request, runner, send
from cit.errors import DONE, NO, USAGE, Failure
from cit.options import Parser
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cit.command import Echo


def parser() -> Parser:
    p = Parser(
        "cit-run",
        usage="cit-run [OPTION]... [FILE]\n       cit-run [OPTION]... -- COMMAND [ARG]...",
        description="With FILE or COMMAND: run that job here and now, with its exit code."
        " Without: serve the queue once.",
    )  # fmt: skip
    p.add_argument("file", nargs="?", metavar="FILE", help="a job in any form; - is standard input")
    request.options(p)
    p.add_argument("-j", "--slots", type=int, metavar="N", help="jobs at once; else the queue's")
    p.add_argument("--step", action="store_true", help="with FILE: ask before each step")
    p.add_argument("--watch", action="store_true", help="serve the queue until interrupted")
    p.add_argument("--linger", action="store_true",
                   help="then wait for parked jobs that have a time at which they go on")
    p.add_argument("--check", action="store_true", help="say what this machine offers and lacks")
    p.add_argument("-q", "--quiet", action="store_true", help="do not show the job's output")
    return p


def main(argv: list[str]) -> int:
    own, command = request.command(argv)
    args = parser().parse_args(own)
    if args.slots is not None and args.slots < 1:
        raise Failure(USAGE, "-j: expected at least one slot")
    if args.check:
        return _check()
    given = args.file is not None or command
    if args.file is not None and command:
        raise Failure(USAGE, "expected a file or a command, not both")
    if (args.watch or args.linger) and given:
        raise Failure(USAGE, "--watch and --linger serve a queue: expected no file or command")
    if given:
        return _run(args, command)
    if "--" in argv or args.step or args.bring or request.changes(args):
        raise Failure(USAGE, "expected a file or a command to run")
    path = os.path.abspath(args.queue) if args.queue else config.queue()
    queue = Queue(path)
    return _serve(queue, args)


def _serve(queue: Queue, args: argparse.Namespace) -> int:
    code, us = DONE, os.getpid()
    if not args.watch:
        if queue.mine:  # else it is refused below
            manager.tick(queue)
        code = runner.serve(queue.path, args.slots)
        if not args.linger or os.getpid() != us:  # a worker comes back here too
            return code
    from cit import serving

    if args.watch:
        serving.serve(queue, args.slots)
    else:
        serving.linger(queue, args.slots)
    return code


def _run(args: argparse.Namespace, command: list[str]) -> int:
    queue = send.target(args.queue)
    id = request.Ids().next()
    job = request.compose(
        args.file, command, args.bring, request.changes(args), id, str(queue.setting("name"))
    )
    echo = None if args.quiet else _echo()
    lacking = runner.lacking(job)
    if lacking:
        raise Failure(NO, f"job '{job.job['name']}' cannot run here: it {lacking}")
    outcome = runner.run(queue.path, job, echo, stepping=args.step)
    home.receive([send.receipt("ran", job, queue.path)])
    if outcome.status not in ("ok", "failed"):
        why = outcome.reason or (_signal(outcome.signal) if outcome.signal else "")
        told = f"{outcome.status}: {why}" if why else outcome.status
        sys.stderr.write(f"cit-run: job '{job.job['id']}' ended as {told}\n")
    return outcome.code


def _echo() -> Echo:
    """Shows what the job prints. When nobody reads it any more, the job still goes on."""
    unread: set[str] = set()

    def echo(stream: str, data: bytes) -> None:
        if stream not in unread:
            try:
                files.write(1 if stream == "out" else 2, data)
            except OSError:  # nobody reads it, or what is written to is full
                unread.add(stream)

    return echo


def _signal(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has a number only
        return str(number)


def _check() -> int:
    from cit import offer

    complete = True
    for what, ok, detail, fix in offer.facts():
        complete = complete and ok
        # What an administrator would run may be several lines; a record is one.
        print(what, "yes" if ok else "no", detail, fix.replace("\n", "; ") or "-", sep="\t")
    return DONE if complete else NO
