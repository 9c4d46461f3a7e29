"""cit-note - write a note into a job"""

from __future__ import annotations

from cit import wishing
from cit.errors import DONE, USAGE, Failure
from cit.options import Parser


def parser() -> Parser:
    p = Parser("cit-note", description="Write a note into a job, also a finished one.")
    p.add_argument("job", metavar="JOB", help="an id, a unique part of one, or a name")
    p.add_argument("text", nargs="+", metavar="TEXT", help="the note; words are joined")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    text = " ".join(args.text)
    if not text.strip():
        raise Failure(USAGE, "expected a text")
    wishing.each(args.queue, [args.job], "note", text)
    return DONE
