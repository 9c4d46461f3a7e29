"""cit-stop - stop jobs, also before they start"""

from __future__ import annotations

from cit import wishing
from cit.errors import DONE
from cit.options import Parser


def parser() -> Parser:
    p = Parser(
        "cit-stop",
        description="Stop jobs, or one run of a job: what waits never starts, what runs is ended.",
    )
    p.add_argument("jobs", nargs="+", metavar="JOB",
                   help="an id, a unique part of one, or a name; .RUN or :STAGE stops only that")
    p.add_argument("--reason", default="", help="why, for the record")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    wishing.each(args.queue, args.jobs, "stop", args.reason)
    return DONE
