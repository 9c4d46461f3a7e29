"""cit-ls - list jobs"""

from __future__ import annotations

import argparse
import os
import sys
import time

from cit import config, listing, row, terminal
from cit.errors import DONE, USAGE, Failure
from cit.listing import Listing, Wanted
from cit.options import Parser
from cit.queue import Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from cit.row import Row
    from cit.sight import Seen

SCREEN = 20  # lines on a terminal, where nobody says how many


def parser() -> argparse.ArgumentParser:
    p = Parser("cit-ls", description="List jobs: what runs, what waits in its order, what is held"
               " or parked, and what is finished, the newest first.")  # fmt: skip
    p.add_argument("jobs", nargs="*", metavar="JOB", help="only these: ids, parts of one, or names")
    p.add_argument("-n", "--number", type=int, metavar="N",
                   help=f"the first N [{SCREEN} on a terminal]")  # fmt: skip
    p.add_argument("--all", action="store_true", help="all of them, on a terminal too")
    p.add_argument("--state", action="append", metavar="STATE",
                   help=f"only in this state: {', '.join(listing.ORDER)}")  # fmt: skip
    p.add_argument("--status", action="append", metavar="STATUS",
                   help="only finished ones that ended so: ok, failed, ...")  # fmt: skip
    p.add_argument("--name", metavar="NAME", help="only of this name, which may have * and ?")
    p.add_argument("--runs", metavar="NAME",
                   help="the runs of a program or of a name: times, code, CPU, memory")  # fmt: skip
    p.add_argument("--mine", action="store_true", help="what you pushed or ran, in any queue")
    p.add_argument("--asking", action="store_true", help="what they ask of people")
    p.add_argument("--tree", action="store_true", help="who spawned, awaited or repeated whom")
    p.add_argument("--json", action="store_true", help="an object for each job")
    p.add_argument("-0", "--null", action="store_true", help="end records with NUL, not newline")
    p.add_argument("--color", choices=terminal.COLORS, help="colours [auto]")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.asking or args.tree:
        from cit import questions, relations

        tell = relations.tell if args.tree else questions.tell
        sys.stdout.writelines(tell(vars(args)))
        return DONE
    statuses = _words(args.status)
    states = _words(args.state) or (["done"] if statuses else listing.ORDER)
    listing.check(states, statuses)
    screen = terminal.there(1) and not args.json and not args.null
    limit = args.number
    if limit is None:
        limit = SCREEN if screen and not args.all else sys.maxsize
    if limit < 0:
        raise Failure(USAGE, "expected a number of jobs")
    form = "screen" if screen else "json" if args.json else "\0" if args.null else "\n"
    if args.runs:
        return _runs(args, states, statuses, limit, form)
    wanted = Wanted(states, args.jobs, args.name)
    path = os.path.abspath(args.queue) if args.queue else ""
    jobs, failure = (listing.mine(path), None) if args.mine else listing.jobs(wanted, path)
    now = time.time()
    rows = _rows(jobs, wanted, statuses, now)
    some = (row for _, row in zip(range(limit), rows, strict=False))
    if screen:
        color = terminal.colored(args.color or config.value("color"))
        for line in row.screen(list(some), now, terminal.width(1), color=color):
            sys.stdout.write(line + "\n")
        if isinstance(jobs, Listing) and not (wanted.sieve or args.name or statuses):
            sys.stderr.write(listing.rest(jobs.counts, limit))
    else:
        for each in some:
            sys.stdout.write(row.record(each, form))
    for _ in rows if wanted.missing else ():
        pass  # what is not shown may be it
    if wanted.missing and isinstance(jobs, Listing):
        jobs.queue.look()  # there may be one that is not for the caller to see
    if failure:
        raise failure
    wanted.expect()
    return DONE


def _runs(
    args: argparse.Namespace, states: Collection[str], statuses: list[str], limit: int, form: str
) -> int:
    from cit import runs

    if args.jobs or args.name or args.mine:
        raise Failure(USAGE, "--runs says what to list: it goes with no JOB, --name or --mine")
    queue = Queue(args.queue or config.queue())
    queue.look()
    rows = runs.find(queue, args.runs, states, statuses)
    some = (each for _, each in zip(range(limit), rows, strict=False))
    color = form == "screen" and terminal.colored(args.color or config.value("color"))
    for line in runs.lines(some, form, color=color):
        sys.stdout.write(line)
    if form == "screen" and next(rows, None):
        sys.stderr.write(f"cit-ls: the newest {limit}; --all shows them all\n")
    return DONE


def _words(lists: list[str] | None) -> list[str]:
    return [word for text in lists or () for word in text.split(",")]


def _rows(jobs: Iterable[Seen], wanted: Wanted, statuses: list[str], now: float) -> Iterator[Row]:
    for seen in jobs:
        if wanted(seen.name):
            each = row.read(seen, now)
            if not statuses or each.status in statuses:
                yield each
