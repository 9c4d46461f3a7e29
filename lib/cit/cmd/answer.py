"""cit-answer - answer what a job asks"""

from __future__ import annotations

import sys
import time

from cit import questions, table, terminal, wishes, wishing
from cit.errors import DONE, NO, Failure
from cit.options import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.job import Question
    from cit.wishing import Posed


def parser() -> Parser:
    p = Parser(
        "cit-answer",
        description="Answer what a job asks, and that waits for it. Without a value the question"
        " is shown; on a terminal the value is asked for.",
    )
    p.add_argument("job", metavar="JOB",
                   help="an id, a unique part of one, or a name; .RUN or :STAGE where it asks"
                        " several things")
    p.add_argument("value", nargs="?", metavar="VALUE", help="yes or no; for a let, any text")
    p.add_argument("--reason", default="", help="why, for the record and the job")
    p.add_argument("--queue", metavar="QUEUE", help="directory of the queue")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    posed = wishing.question(args.job, args.queue)
    value = args.value
    if value is None:
        if posed.question is None:
            why = "it asks nothing that you can see"
            if posed.job:
                why = wishes.answered(posed.job, posed.run or "-", time.time())
            raise Failure(NO, f"cannot answer job '{posed.name.id}': {why}")
        value = _asked(posed, posed.question)
    if value is not None:
        wishing.answer(posed, value, args.reason)
    return DONE


def _asked(posed: Posed, question: Question) -> str | None:
    """Show the question, and read a value where there is a terminal; None for none."""
    for label, text in (
        ("run", f"{posed.name.id}.{question.run}"),
        ("job", posed.name.name),
        ("asks", question.verb),
        ("comment", question.comment),
        ("until", question.deadline or "somebody answers"),
        *_otherwise(question),
        ("who", _who(posed, question)),
        ("sha256", posed.sha256),
    ):
        if text:
            sys.stdout.write(f"{label:8} {table.cell(text)}\n")
    sys.stdout.flush()
    if not (terminal.there(0) and terminal.there(1)):
        return None
    approves = question.verb == "approve"
    sys.stderr.write("yes or no: " if approves else f"value [{table.cell(question.default)}]: ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    # To approve nothing is taken for granted; the end of input is no answer at all.
    default = None if approves or not line else question.default
    return line.removesuffix("\n") or default


def _otherwise(question: Question) -> list[tuple[str, str]]:
    if question.deadline:
        return [("else", question.default)]
    # To approve nothing is offered, and without a deadline nothing is taken.
    return [("offers", question.default)] if question.verb != "approve" else []


def _who(posed: Posed, question: Question) -> str:
    assert posed.job  # it is where the question was found
    return ", ".join(question.who or questions.those(posed.queue, posed.name, posed.job))
