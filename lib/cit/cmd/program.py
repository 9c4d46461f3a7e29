"""cit-program - keep programs in a queue, and start them"""

from __future__ import annotations

import os
import sys

from cit import catalogue, config, editor, programs, request, send, terminal
from cit.errors import DONE, USAGE, Bad, Failure
from cit.options import Parser
from cit.posting import Posting
from cit.queue import Queue
from cit.silence import Silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def parser() -> Parser:
    top = Parser("cit-program", description="Keep programs in a queue, and start them as jobs.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help: str, *options: str) -> Parser:
        made = verbs.add_parser(name, help=help, description=help)
        if name != "ls":
            made.add_argument("program", metavar="NAME", help="name of the program")
        if name != "start":
            made.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
        if "version" in options:
            made.add_argument("--version", dest="number", type=int, metavar="N",
                              help="not the newest one")  # fmt: skip
        if "reason" in options:
            made.add_argument("--reason", default="", help="why, for the log of the queue")
        return made

    made = verb("import", "store a program, as a new version; print its number", "reason")
    made.add_argument("file", nargs="?", default="-", metavar="FILE",
                      help="Lurch program, script, stages or TOML; - is standard input [-]")
    made = verb("export", "print a program", "version")
    made.add_argument("--canonical", action="store_true", help="a Lurch program as cit writes it")
    verb("edit", "change a program in $VISUAL or $EDITOR, as a new version", "reason")
    made = verb("ls", "list the programs, and the last run of each")
    made.add_argument("--json", action="store_true", help="an object a line")
    made = verb("start", "push a job that is a program; print its id", "version")
    request.tuning(made)
    made.add_argument("-w", "--wait", action="store_true", help="wait; exit with the job's code")
    made.add_argument("-q", "--quiet", action="store_true", help="print no id")
    made.add_argument("--dry-run", action="store_true", help="print the job file, push nothing")
    verb("rm", "remove a program, with all its versions", "reason")
    return top


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.verb != "ls" and not programs.is_name(args.program):
        raise Failure(USAGE, f"'{args.program}' cannot be the name of a program: {programs.NAMES}")
    if args.verb == "import":
        queue = send.target(args.queue)  # which a new user may not have yet
    else:
        queue = send.known(os.path.abspath(args.queue) if args.queue else config.queue())
    act = {"import": _import, "export": _export, "edit": _edit, "ls": _ls, "start": _start,
           "rm": _rm}  # fmt: skip
    return act[args.verb](queue, args)


def _import(queue: Queue, args: argparse.Namespace) -> int:
    programs.own(queue)
    text = request.read(args.file)
    try:
        made = programs.store(queue, args.program, text, reason=args.reason)
    except Bad as bad:
        bad.path = bad.path or ("standard input" if args.file == "-" else args.file)
        raise
    print(made.version)
    return DONE


def _export(queue: Queue, args: argparse.Namespace) -> int:
    program = programs.find(queue, args.program, args.number)
    text = programs.canonical(program) if args.canonical else program.text
    sys.stdout.buffer.write(text)
    return DONE


def _rm(queue: Queue, args: argparse.Namespace) -> int:
    programs.remove(queue, args.program, args.reason)
    return DONE


def _edit(queue: Queue, args: argparse.Namespace) -> int:
    before = programs.versions(queue, args.program)
    made = editor.change(queue, args.program, args.reason, _say)
    if made.version in before:
        _say(f"program '{made.name}' is as it was")
    print(made.version)
    return DONE


def _start(queue: Queue, args: argparse.Namespace) -> int:
    program = programs.find(queue, args.program, args.number)
    id = request.Ids().next()
    job = programs.request(queue, program, id, {}, request.changes(args))
    if args.dry_run:
        sys.stdout.buffer.write(job.data)
        return DONE
    with Posting(queue, queue.path) as posting:
        posting.post(job, fresh=True)
        if not args.quiet:
            print(id, flush=True)
    tell = None if args.quiet else Silence("cit-program").tell
    return posting.settle(wait=args.wait, tell=tell)


def _ls(queue: Queue, args: argparse.Namespace) -> int:
    form = "json" if args.json else "screen" if terminal.there(1) else "\n"
    sys.stdout.writelines(catalogue.lines(queue, form))
    return DONE


def _say(text: str) -> None:
    sys.stderr.write(f"cit-program: {text}\n")
