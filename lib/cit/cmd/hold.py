"""cit-hold - hold jobs back, and release them"""

from __future__ import annotations

import time

from cit import instant, trace, wishing
from cit.errors import DONE, USAGE, Failure
from cit.options import Parser


def parser() -> Parser:
    p = Parser(
        "cit-hold",
        description="Hold jobs back: one that waits is not started, one that runs begins no"
        " further step, until it is released.",
    )  # fmt: skip
    p.add_argument("jobs", nargs="+", metavar="JOB", help="an id, a unique part of one, or a name")
    p.add_argument("--release", action="store_true", help="let them go on")
    p.add_argument("--until", metavar="TIME",
                   help="then they go on by themselves: 2h, 17:30, 2026-11-24T08:00")
    p.add_argument("--reason", default="", help="why, for the record")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.release and args.until:
        raise Failure(USAGE, "--until: not with --release")
    more = () if args.until is None else (trace.stamp(_until(args.until, time.time())),)
    wishing.each(args.queue, args.jobs, "release" if args.release else "hold", args.reason, more)
    return DONE


def _until(text: str, now: float) -> float:
    try:
        until = instant.parse(text, now)
    except ValueError as error:
        raise Failure(USAGE, f"--until: {error}, found '{text}'") from None
    if until <= now:
        raise Failure(USAGE, f"--until: {trace.stamp(until)} is over")
    return until
