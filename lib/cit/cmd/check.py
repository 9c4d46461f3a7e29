"""cit-check - say what is wrong with a job file, and where"""

from __future__ import annotations

import os
import sys

from cit import asked, formats, locate, lurch, name, request
from cit.errors import BAD, DENIED, DONE, MISSING, USAGE, Bad, Failure
from cit.options import Parser

# Text from a file must not act on the terminal that shows it.
_HARMLESS = {n: f"\\x{n:02x}" for n in (*range(0x20), *range(0x7F, 0xA0)) if n not in (9, 10)}


def parser() -> Parser:
    p = Parser(
        "cit-check",
        description="Say what is wrong with job files, and with all else that cit-push takes.",
    )
    p.add_argument(
        "files", nargs="+", metavar="FILE", help="file, or the id of a job; - is standard input"
    )
    p.add_argument("-q", "--quiet", action="store_true", help="print nothing: the exit code tells")
    p.add_argument(
        "--lurch", action="store_true", help="print the program as Lurch, where nothing is wrong"
    )
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    codes = {DONE}
    for word in args.files:
        try:
            path, data = _read(word)
            complaints = _complaints(path, data)
            if args.lurch and not complaints:
                sys.stdout.write(_lurch(path, data))
        except Failure as failure:
            codes.add(failure.code)
            complaints = [f"cit-check: {failure}"]
        else:
            codes |= {BAD} if complaints else set()
        for complaint in [] if args.quiet else complaints:
            sys.stderr.write(complaint.translate(_HARMLESS) + "\n")
    # What is wrong with a file says more than that another is missing.
    return BAD if BAD in codes else max(codes)


def _complaints(path: str, data: bytes) -> list[str]:
    kind = "queue" if os.path.basename(path) == "queue.toml" else "job"
    bads = formats.check(data, kind)
    if not bads and kind == "job":
        bads = _program(data)
    return [bad.show(path.replace("\n", "\\n")) for bad in bads]


def _program(data: bytes) -> list[Bad]:
    """What cit-push would say of the rest: the program, once the sections are right."""
    try:
        _compose(data)
    except Bad as bad:
        return [bad]
    return []


def _compose(data: bytes) -> asked.Asked:
    return request.composed("", data, name.make(0, bytes(10)), "check", "check", {})


def _lurch(path: str, data: bytes) -> str:
    if os.path.basename(path) == "queue.toml":
        raise Failure(USAGE, f"--lurch: '{path}' has no program")
    return lurch.write(asked.expression(_compose(data))) + "\n"


def _read(word: str) -> tuple[str, bytes]:
    """The path of a file, as complaints show it, and its bytes. Raises Failure."""
    if word == "-":
        return "-", sys.stdin.buffer.read()
    path = locate.file(word)
    try:
        with open(path, "rb") as file:
            return path, file.read()
    except FileNotFoundError:
        raise Failure(MISSING, f"cannot open '{path}': no such file") from None
    except IsADirectoryError:
        raise Failure(MISSING, f"cannot read '{path}': is a directory") from None
    except PermissionError:
        raise Failure(DENIED, f"cannot open '{path}': permission denied") from None
