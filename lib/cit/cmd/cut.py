"""cit-cut - print sections and records of a job file"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from cit import locate, section, trace, wording
from cit.errors import DONE, MISSING, NO, USAGE, Bad, Failure
from cit.options import Parser
from cit.section import Section
from cit.tables import KINDS, RECORDS


def parser() -> Parser:
    p = Parser(
        "cit-cut",
        description="Print bodies of sections byte for byte, or records of the trace.",
    )
    p.add_argument("file", metavar="FILE", help="file, or the id of a job; - is standard input")
    p.add_argument(
        "kinds", nargs="*", metavar="KIND", help="of a section (program), of records (log)"
    )
    p.add_argument("--run", metavar="RUN", help="only records of this run and of those below it")
    p.add_argument("--list", action="store_true", help="list the sections, with their lines")
    return p


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if bool(args.kinds) == args.list:
        raise Failure(USAGE, "expected the kinds to print, or --list")
    path = args.file if args.file == "-" else locate.file(args.file)
    found: set[str] = set()
    try:
        with open(0 if path == "-" else path, "rb") as file:
            body = _body(file)
            pieces = _marks(body) if args.list else _cut(body, args.kinds, args.run, found)
            for piece in pieces:
                sys.stdout.buffer.write(piece)
    except Bad as bad:
        raise Bad(bad.show(path)) from None
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Failure(MISSING, f"cannot read '{path}': {str(error.strerror).lower()}") from None
    known = {kind for kind in KINDS if KINDS[kind].formats} | RECORDS.keys()
    for kind in args.kinds:
        if kind not in found and kind not in known:
            raise Failure(NO, wording.unknown("section or record", kind, known))
    return DONE if found or args.list else NO


def _body(file: Iterable[bytes]) -> Iterator[tuple[Section, bytes]]:
    """Each section, and each line of its body as it was before it was written here.

    Read in pieces: a trace may have gigabytes. A section comes with b"" first.
    """
    mark, last = None, b""
    for number, line in enumerate(file, 1):
        if line.startswith(b"%%") and not line.startswith(b"%%%"):
            if mark is not None:
                yield mark, _end(mark, last)
            mark, last = _mark(line, number), b""
        elif mark is None:
            section.parse(line)  # which says what it expected instead
        else:
            yield mark, last
            last = line[1:] if line.startswith(b"%%%") else line
    if mark is None:
        section.parse(b"")
    else:
        yield mark, _end(mark, last)


def _mark(line: bytes, number: int) -> Section:
    try:
        return section.parse(line)[0]._replace(line=number)
    except Bad as bad:
        raise Bad(str(bad), number, 1, bad.text) from None


def _end(mark: Section, line: bytes) -> bytes:
    return line.removesuffix(b"\n") if "nonl" in mark.attrs else line


def _marks(body: Iterable[tuple[Section, bytes]]) -> Iterator[bytes]:
    before = 0
    for mark, _ in body:
        if mark.line != before:
            attrs = " ".join(f"{key}={text}" if text else key for key, text in mark.attrs.items())
            row = [str(mark.line), mark.kind, str(mark.version), mark.format, attrs or "-"]
            yield "\t".join(row).encode() + b"\n"
        before = mark.line


def _cut(
    body: Iterable[tuple[Section, bytes]], kinds: list[str], run: str | None, found: set[str]
) -> Iterator[bytes]:
    """What is wanted of it, in its order; the kinds that were there are added to `found`."""
    wanted = {kind.encode() for kind in kinds}
    for mark, line in body:
        if mark.kind in kinds and (mark.kind != "trace" or run is None):
            found.add(mark.kind)
            yield line
        elif mark.kind == "trace" and _record(line, wanted, run):
            found.add(line.split(b"\t", 2)[1].decode())
            yield line


def _record(line: bytes, kinds: set[bytes], run: str | None) -> bool:
    """Whether a line is a whole record of one of these kinds, and of this run or below it."""
    words = line.split(b"\t", 3)
    if len(words) < 3 or (words[1] not in kinds and b"trace" not in kinds):
        return False
    if not line.endswith(b"\n") or line.endswith(trace.TEAR):
        return False
    path = words[2].removesuffix(b"\n").decode("ascii", "replace")
    return run is None or path == run or path.startswith(run + ".")
