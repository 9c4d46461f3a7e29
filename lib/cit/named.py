"""Runs by the names that people know: of the stages, and of the cells of a matrix, they are in.

`test:py=3.10` is the cell `py=3.10` of the stage `test`, as cit-show shows both. Names may
be left out from the front as long as what is left stands for one run. It cannot be taken for a
path such as 1.3.2 where it stands after a colon, which no name of a job has; a stage may well
be called `2` or `3.10`.
"""

from __future__ import annotations

from collections import namedtuple
from itertools import accumulate

from cit import asked, history, needs, shown, wording
from cit.errors import MISSING, Ambiguous, Bad, Failure
from cit.job import column
from cit.name import BEFORE_STAGE
from cit.stages import Named
from cit.steps import Steps
from cit.trace import LINE_CAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import NamedTuple

    from cit.trace import Record
    from cit.wants import Call, Node

    class Program(NamedTuple):
        """What a job asks, and what its runs were given so far, before it starts and after."""

        tree: Node
        before: Mapping[str, Call]
        calls: Mapping[str, Call]
else:
    Program = namedtuple("Program", "tree before calls")

SOME = 12  # names in a complaint


def read(data: bytes, records: Sequence[Record]) -> Program:
    """What a job asks, as the bytes of it say, with its trace. Raises Bad."""
    request = asked.parse(data)
    last = {column(r, 0): column(r, 1) for r in records if r.kind == "data" and r.run == "-"}
    given = request.job.get("vars", {}) | last
    prelude = needs.prelude(request.job.get("needs", {}), asked.isolation(request.job))
    steps = Steps()
    before = shown.calls(prelude, records, steps, given, "0") if prelude else {}
    return Program(request.tree, before, shown.calls(request.tree, records, steps, given))


def commands(program: Program) -> dict[str, str]:
    """What each run does, as its step shows it."""
    steps = Steps()
    return shown.commands(program.before, steps) | shown.commands(program.calls, steps)


def labels(program: Program) -> dict[str, tuple[str, ...]]:
    """By run, the labels of its stages and cells; also of those that have not begun."""
    found = shown.labels(program.tree, program.calls, Steps())
    return dict(sorted(found.items(), key=lambda item: history.order(item[0])))


def joined(labels: Iterable[str]) -> str:
    """A name, as run() takes it."""
    return BEFORE_STAGE.join(labels)


def run(name: str, whose: str, data: bytes, records: Sequence[Record]) -> str:
    """The one run of a job that a name stands for. `whose` is the id of that job.

    A whole name goes before one that is a part of others.
    Raises Failure(MISSING) with the names that there are, Ambiguous with those it may be.
    """
    known = labels(read(data, records))
    whole = [path for path, parts in known.items() if joined(parts) == name]
    found = whole or [path for path, parts in known.items() if _means(name, parts)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(_some(_apart(found[:SOME], known), len(found)))
        raise Ambiguous(f"'{wording.short(name)}' is not unique in job '{whose}': {several}")
    raise Failure(MISSING, _unknown(name, whose, known.values()))


def allowed(data: bytes, records: Sequence[Record]) -> list[str]:
    """The names of the stages that failed and may, each once, in their order.

    As many as a line of a trace should have; none where the program cannot be read. Records may
    be those of begins and ends alone.
    """
    stages = {r.run for r in records if r.kind == "begin" and r.fields[:1] == ("stage",)}
    failed = [r.run for r in records if r.kind == "end" and r.run in stages
              and column(r, 0) not in ("ok", "cancelled")]  # fmt: skip
    if not failed:
        return []
    try:
        program = read(data, records)
    except Bad:
        return []
    names = labels(program)
    found = [run for run in sorted(failed, key=history.order)
             if run in program.calls and program.calls[run].args["allow_failure"]]  # fmt: skip
    several = dict.fromkeys(joined(names[run]) for run in found)
    sizes = accumulate(len(name) + 1 for name in several)
    return [name for name, size in zip(several, sizes, strict=True) if size <= LINE_CAP]


def stages(program: Program) -> dict[str, Named]:
    """The stages that have begun, by run."""
    calls = {run: call for run, call in program.calls.items() if call.node.step == "stage"}
    return {
        run: Named(call.args["name"], call.args["needs"], call.args["finally"])
        for run, call in calls.items()
    }


def kind(name: str) -> str:
    """What a name is that of. No name of a stage has a `=`."""
    return "cell" if "=" in name else "stage"


class Names:
    """What the runs of a job are called, by whoever shows some of them."""

    def __init__(self, look: Callable[[], tuple[bytes, Sequence[Record]]]) -> None:
        """`look` tells what the job asks, and its trace by now."""
        self._look = look
        self._names: dict[str, str] | None = None
        self._met: dict[str, str] = {}

    def __call__(self, run: str) -> str:
        """The name of a run, or of what it is in; its path where there is none."""
        if run not in self._met:
            name = "" if self._names is None else self._near(run)
            # A stage may have been made since.
            if self._names is None or (not name and _made(run)):
                self._names = self._read()
                name = self._near(run)
            self._met[run] = name or run
        return self._met[run]

    def alone(self, run: str) -> str:
        """As above, but its path where the name stands for another run as well."""
        name = self(run)
        assert self._names is not None
        return name if list(self._names.values()).count(name) == 1 else run

    def _read(self) -> dict[str, str]:
        try:
            return {run: joined(parts) for run, parts in labels(read(*self._look())).items()}
        except Bad:
            return {}

    def _near(self, run: str) -> str:
        assert self._names is not None
        while run and run not in self._names:
            run, _, last = run.rpartition(".")
            if _made(last):
                return ""  # it is beside the one that made it, not in it
        return self._names.get(run, "")


def _made(run: str) -> bool:
    """Whether the path of a run is that of a stage that another one made, or below one."""
    return any(part[:1] == "s" and part[1:].isdecimal() for part in run.split("."))


def _unknown(name: str, whose: str, known: Iterable[tuple[str, ...]]) -> str:
    """The complaint about a name that no run has."""
    names = [joined(labels) for labels in known if kind(labels[-1]) == kind(name)]
    names = list(dict.fromkeys(names))
    what = f"no {kind(name)} '{wording.short(name)}' in job '{whose}'"
    if not names:
        return f"{what}, which has none"
    near = wording.nearest(name, names) if len(names) > SOME else ""
    if near:
        return f"{what}; is it '{near}'?"
    return f"{what}; it has {', '.join(_some(names[:SOME], len(names)))}"


def _means(name: str, labels: Sequence[str]) -> bool:
    """Whether a name is made of the last of these labels, and of some before it in their order.

    A value may have a colon itself.
    """
    rests = {name}
    for label in labels[:-1]:
        rests |= {rest[len(label) + 1 :] for rest in rests if rest.startswith(label + BEFORE_STAGE)}
    return labels[-1] in rests


def _apart(runs: Sequence[str], known: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What each of some runs can be called; its path where that alone tells it from others."""
    whole = [joined(labels) for labels in known.values()]
    names = {run: joined(known[run]) for run in runs}
    return [name if whole.count(name) == 1 else run for run, name in names.items()]


def _some(names: Sequence[str], among: int) -> list[str]:
    """Names as a complaint has them that are the first of so many."""
    more = among - len(names)
    return [*map(wording.short, names), *([f"and {more} more"] if more else [])]
