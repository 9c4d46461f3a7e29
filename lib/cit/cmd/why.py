"""cit-why - say why a job is not running"""

from __future__ import annotations

import argparse
import sys
import time

from cit import machine, reason, sight, table, terminal
from cit.errors import DONE
from cit.options import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.reason import Reason
    from cit.sight import Seen


def parser() -> argparse.ArgumentParser:
    p = Parser("cit-why", description="Say in one sentence why a job is not running, what it is"
               " doing, or how it ended; and below it what there is to know.")  # fmt: skip
    p.add_argument("jobs", nargs="+", metavar="JOB", help="id of a job, a part of one, or a name")
    p.add_argument("--json", action="store_true", help="an object for each job")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    for seen in [sight.find(word, args.queue) for word in args.jobs]:
        why = reason.why(seen, time.time(), machine.this)
        if args.json:
            import json

            sys.stdout.write(json.dumps(_object(seen, why)) + "\n")
        else:
            sys.stdout.write(table.visible(f"{seen.name.name} {why.sentence}") + "\n")
            _details(why)
    return DONE


def _details(why: Reason) -> None:
    if terminal.there(1):
        # Nothing is cut: some of it is to be copied.
        for line in table.lines(why.details):
            sys.stdout.write(f"{table.GAP}{line}\n")
    else:
        for detail in why.details:
            sys.stdout.write(table.tabbed(detail))


def _object(seen: Seen, why: Reason) -> dict[str, object]:
    return {
        "id": seen.name.id,
        "name": seen.name.name,
        "state": seen.name.state,
        "queue": seen.path,
        "why": why.sentence,
        "details": why.details,
    }
