"""cit-queue - make, tend and check queues"""

from __future__ import annotations

import os
import sys

from cit import amount, config, home, manager, overview
from cit.errors import DONE, NO, USAGE, Failure
from cit.options import Parser
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def parser() -> Parser:
    top = Parser("cit-queue", description="Make, tend and check queues.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help: str) -> Parser:
        made = verbs.add_parser(name, help=help, description=help)
        made.add_argument("queue", nargs="?", metavar="QUEUE", help="its directory")
        return made

    init = verb("init", "make a queue")
    init.add_argument("--name", help="what jobs call it; else the name of its directory")
    init.add_argument("--slots", type=int, default=0, metavar="N",
                      help="jobs at once; 0 is as many as processors [0]")
    init.add_argument("--readers", choices=("owner", "group", "all"),
                      help="who may look [owner]")
    init.add_argument("--group", help="the group that may look; you must be in it")
    init.add_argument("--push", action="append", metavar="WHO",
                      help="who may push: owner, a user, @GROUP or '*' [owner]")
    init.add_argument("--none", choices=("owner", "all"), default="owner",
                      help="whose jobs may run unisolated [owner]")
    init.add_argument("--start", choices=("push", "cron"),
                      help="what starts a runner [push, where only the owner may push]")
    init.add_argument("--demo", action="store_true", help="with three programs to try")
    verb("tick", "recover, answer and admit, once")
    for act, help in (("pause", "start no job from now on; what runs goes on"),
                      ("resume", "end a pause")):
        made = verb(act, help)
        made.add_argument("--reason", default="", help="why")
    move = verbs.add_parser("move", help="move a waiting job in the line",
                            description="Move a waiting job in the line.")  # fmt: skip
    move.add_argument("job", metavar="JOB", help="an id, a unique part of one, or a name")
    move.add_argument("queue", nargs="?", metavar="QUEUE", help="its directory")
    place = move.add_mutually_exclusive_group(required=True)
    place.add_argument("--priority", type=int, metavar="N", help="from 0, which is next, to 99")
    for end, help in (("first", "before all others"), ("last", "after all others")):
        place.add_argument(f"--{end}", dest="place", action="store_const", const=end, help=help)
    move.add_argument("--reason", default="", help="why")
    fsck = verb("fsck", "check that every job is whole and in one place")
    fsck.add_argument(
        "--ids", metavar="FILE", help="ids that must be there, a line each; - is standard input"
    )
    prune = verb("prune", "forget finished jobs, and remove their workspaces")
    prune.add_argument("--older", type=amount.duration, default="30d", metavar="AGE",
                       help="that ended so long ago [30d]")
    prune.add_argument("--keep", type=int, default=0, metavar="N", help="but not the newest N")
    prune.add_argument("--reason", default="", help="why")
    prune.add_argument("--dry-run", action="store_true", help="only print them")
    ls = verb("ls", "list the queues that this user knows, or one")
    ls.add_argument("--json", action="store_true", help="an object a line")
    return top


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.verb == "ls":
        paths = [os.path.abspath(args.queue)] if args.queue else home.queues()
        sys.stdout.writelines(overview.lines(paths, as_json=args.json))
        return DONE
    path = os.path.abspath(args.queue) if args.queue else config.queue()
    if args.verb == "init":
        return _init(path, args)
    act = {"tick": _tick, "pause": _pause, "resume": _resume, "fsck": _fsck, "prune": _prune,
           "move": _move}  # fmt: skip
    queue = Queue(path)
    queue.own()
    return act[args.verb](queue, args)


def _init(path: str, args: argparse.Namespace) -> int:
    from cit import fresh

    keys = ("name", "slots", "push", "readers", "none", "start")
    given = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
    fresh.make(path, given, args.group, _say, demo=args.demo)
    return DONE


def _say(text: str) -> None:
    sys.stderr.write(f"cit-queue: {text}\n")


def _tick(queue: Queue, args: argparse.Namespace) -> int:
    manager.tend(queue)
    return DONE


def _pause(queue: Queue, args: argparse.Namespace) -> int:
    manager.pause(queue, args.reason)
    return DONE


def _resume(queue: Queue, args: argparse.Namespace) -> int:
    manager.resume(queue, args.reason)
    manager.tend(queue)
    return DONE


def _fsck(queue: Queue, args: argparse.Namespace) -> int:
    from cit import fsck

    complaints = 0
    for complaint in fsck.check(queue, fsck.ids(args.ids) if args.ids else ()):
        complaints += 1
        sys.stdout.write(complaint + "\n")
    return NO if complaints else DONE


def _prune(queue: Queue, args: argparse.Namespace) -> int:
    from cit import prune

    if args.keep < 0:
        raise Failure(USAGE, "--keep: expected a number of jobs")
    names = prune.old(queue, args.older, args.keep)
    for found in names if args.dry_run else prune.prune(queue, names, args.reason):
        print(found.id)
    return DONE


def _move(queue: Queue, args: argparse.Namespace) -> int:
    from cit import line

    if args.priority is not None and not 0 <= args.priority <= line.LAST:
        raise Failure(USAGE, f"--priority: expected a number from 0 to {line.LAST}")
    manager.tick(queue)
    found = queue.find(args.job)
    end = {"first": line.first, "last": line.last}.get(args.place or "")
    line.move(queue, found, end(queue, found) if end else args.priority, args.reason)
    return DONE
