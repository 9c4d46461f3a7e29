"""cit-hold - hold jobs back, and release them"""

from __future__ import annotations

from cit import ask
from cit.errors import DONE
from cit.options import Parser


def parser() -> Parser:
    p = Parser(
        "cit-hold",
        description="Hold jobs back: one that waits is not started, one that runs begins no"
        " further step, until it is released.",
    )  # fmt: skip
    p.add_argument("jobs", nargs="+", metavar="JOB", help="an id, a unique part of one, or a name")
    p.add_argument("--release", action="store_true", help="let them go on")
    p.add_argument("--reason", default="", help="why, for the record")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    ask.each(args.queue, args.jobs, "release" if args.release else "hold", args.reason)
    return DONE
