"""cit-logs - print or follow the log of a job"""

from __future__ import annotations

import argparse
import sys
import time

from cit import config, files, job, locate, logs, printed, progress, terminal, watch
from cit.errors import DONE, MISSING, USAGE, Failure
from cit.options import Parser
from cit.printed import Look, Printer
from cit.silence import Silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cit.logs import Log, Wanted

STREAMS = ("out", "err", "cit")


def parser() -> argparse.ArgumentParser:
    p = Parser("cit-logs", description="Print or follow the log of a job, or of one run of it.")
    p.add_argument(
        "job",
        metavar="JOB",
        help="id or name of a job; JOB.1.2 is run 1.2 of it, with those below it, and so is"
        " JOB:STAGE for one with a name",
    )
    p.add_argument("-f", "--follow", action="store_true",
                   help="go on until the end, and exit with the job's code")  # fmt: skip
    p.add_argument("-n", "--number", type=int, metavar="N", help="begin with the last N lines")
    p.add_argument(
        "--since", metavar="TIME", help="begin then: 10m (so long ago), 17:30, 2026-11-24T08:00"
    )
    p.add_argument(
        "--stream", choices=STREAMS, action="append", help="only this stream, on standard output"
    )
    p.add_argument("--raw", action="store_true", help="the bytes as they were printed")
    p.add_argument(
        "--time",
        choices=("none", "relative", "absolute"),
        help="when, before each line [relative on a terminal]",
    )
    p.add_argument("--runs", action=argparse.BooleanOptionalAction,
                   help="which run, before each line [on a terminal, where some run side by side]")
    p.add_argument("--json", action="store_true", help="an object for each line")
    p.add_argument("--color", choices=terminal.COLORS, help="colours, those of the job too [auto]")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p  # fmt: skip


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.number is not None and args.number < 0:
        raise Failure(USAGE, "expected a number of lines")
    since = logs.moment(args.since, time.time()).encode() if args.since else b""
    seen, run = locate.run(args.job, args.queue)
    if seen.queue is None or seen.name.state not in logs.READABLE:
        raise Failure(MISSING, f"no log of '{seen.name.id}' is here: cit-why tells why")
    silence = Silence("cit-logs")
    found = logs.admitted(seen.queue, seen.name, silence.tell) if args.follow else seen.name
    with logs.Log(seen.queue, found) as log:
        printer = _printer(args, log, run)
        wanted = logs.selection(run, args.stream or STREAMS[: 2 if args.raw else 3], since)
        if args.number is not None:
            for block in log.last(args.number, wanted):
                printer.block(block)
            printer.flush()
        if args.follow:
            return _follow(log, run, wanted, printer, silence)
        return _print(log, run, wanted, printer)


def _printer(args: argparse.Namespace, log: Log, run: str) -> Printer:
    tty = terminal.there(1)
    runs = args.runs
    if runs is None:
        runs = (logs.forked(log.head(), run) or None) if tty else False
    times = args.time or ("relative" if tty and not args.raw else "none")
    look = Look(
        raw=args.raw,
        color=terminal.colored(args.color or config.value("color")),
        times=times,
        start=log.began() if times == "relative" else 0,
        runs=runs,
        aligned=tty,
        apart=not args.stream and not args.json and (args.raw or not tty),
        called=log.called if args.runs is None else str,
    )
    made = printed.Objects if args.json else Printer
    return made(look, files.write)


def _pieces(log: Log, run: str, printer: Printer) -> Iterator[bytes]:
    """What is left of the trace; from where things go on side by side lines say their run."""
    for data in log.pieces():
        if printer.look.runs is None and logs.forked(data, run):
            printer.look = printer.look._replace(runs=True)
        yield data


def _print(log: Log, run: str, wanted: Wanted, printer: Printer) -> int:
    for data in _pieces(log, run, printer):
        for block in filter(wanted, printed.blocks(data)):
            printer.block(block)
        printer.flush()
    printer.end()
    if run and not log.has(run):
        raise Failure(MISSING, f"job '{log.name.id}' has begun no run '{run}'")
    if log.name.state in ("in", "wait", "hold", "bad") and terminal.there(2):
        sys.stderr.write(f"cit-logs: job '{log.name.id}' has not begun: cit-why tells why\n")
    return DONE


def _follow(log: Log, run: str, wanted: Wanted, printer: Printer, silence: Silence) -> int:
    """Print until the end of the job, or of the run; its code."""
    with terminal.Line() as line, watch.Watch(f"/proc/self/fd/{log.fd}") as watching:
        line.wanted = line.wanted and terminal.there(1)
        # What was skipped may have told of the end already.
        state = log.job() if log.skipped else job.Job()
        usual = progress.usual(logs.took(log.queue, log.name.name)) if line.wanted else 0.0
        while True:
            for data in _pieces(log, run, printer):
                line.clear()
                for block in filter(wanted, printed.blocks(data)):
                    printer.block(block)
                    silence.broken()
                printer.flush()
                logs.turn(state, data)
            code = logs.code(state, run)
            if code is not None:
                printer.end()
                return code
            silence.tell(log.queue, log.name.id, log.name.name, line.clear)
            line.show(logs.bottom(log, state, usual))
            watching.wait(logs.RESCAN)
