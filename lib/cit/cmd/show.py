"""cit-show - show everything about a job but its log"""

from __future__ import annotations

import argparse
import sys
import time

from cit import config, row, sheet, sight, story, table, terminal
from cit.errors import DONE
from cit.options import Parser


def parser() -> argparse.ArgumentParser:
    p = Parser("cit-show", description="Show everything about jobs but their logs.")
    p.add_argument("jobs", nargs="+", metavar="JOB", help="id of a job, a part of one, or a name")
    p.add_argument("--json", action="store_true", help="an object for each job")
    p.add_argument("--color", choices=terminal.COLORS, help="colours [auto]")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    color = terminal.colored(args.color or config.value("color"))
    for seen in [sight.find(word, args.queue) for word in args.jobs]:
        now = time.time()
        told = story.tell(seen, now, row.read(seen, now).reason)
        if args.json:
            import json

            sys.stdout.write(json.dumps(told) + "\n")
        elif terminal.there(1):
            for line in sheet.lines(told, now, terminal.width(1), color=color):
                sys.stdout.write(line + "\n")
        else:
            for fact in story.facts(told):
                sys.stdout.write(table.tabbed(fact))
    return DONE
