"""What a job takes over from the one that it does again: runs that are not executed anew.

The section `history` of the new job holds the records of those runs. An answer is that
of a leaf: a run with nothing below it ended as it did because of what it did itself, and
all above it follows when the program is walked. What built an isolation is never taken
over, nor what ended because of the machine or of a person: that is done anew.

A run is below another if a number comes next in its path, since every child has one: in
`1.2.1.pause` and `1.2.s1` a word does, and they stand beside the runs 1.2.1 and 1.2.
"""

from __future__ import annotations

from collections import namedtuple
from itertools import accumulate, takewhile

from cit import replay
from cit.errors import Bad
from cit.wants import Ask, Await, Exec, Reply, Sleep, Spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any, NamedTuple

    from cit.stages import Named
    from cit.trace import Record
    from cit.wants import Want

    class Taken(NamedTuple):
        """The records that were taken over, by run; `job` is the id of where they come from."""

        job: str = ""
        runs: Mapping[str, tuple[Record, ...]] = {}
else:
    Taken = namedtuple("Taken", "job runs", defaults=("", {}))

# What happened to a run is not a property of the job.
ANEW = ("lost", "cancelled", "setup")
PRELUDE = "0"  # what a job needs it needs again
NOTED = ("data", "stage", "artefact", "ask", "answer", "wait", "spawn")


def order(run: str) -> tuple[tuple[int, int, str, int], ...]:
    """Where a run stands among others: 1.2 before 1.10, both before 1.s1, and that before 1.s2."""
    return tuple(map(_place, run.split(".")))


def _place(word: str) -> tuple[int, int, str, int]:
    if word.isdecimal():
        return 0, int(word), "", 0
    stem = word.rstrip("0123456789")
    return 1, 0, stem, int(word[len(stem) :] or 0)


def before(run: str) -> Callable[[str], bool]:
    """Whether a run stands before this one."""
    at = order(run)
    return lambda other: order(other) < at


def since(
    run: str, records: Iterable[Record], stages: Mapping[str, Named]
) -> Callable[[str], bool]:
    """Whether what a run came to holds still, where this one is done anew and all after it.

    After a stage come those stages beside it that need it, wherever they stand, and those that
    come last; and both with a stage and with a cell of a matrix come others that were not ok,
    since with these what they are parts of would fail as before. All else has its place in the
    program. `stages` are those that have begun, by run.
    """
    steps: dict[str, str] = {}
    ended: dict[str, str] = {}
    for record in records:
        if record.kind == "begin":
            steps[record.run] = (*record.fields, "")[0]
            ended.pop(record.run, None)
        elif record.kind == "end":
            ended[record.run] = (*record.fields, "")[0]
    above = list(accumulate(run.split("."), "{}.{}".format))
    forks = {of: _branch(of, run, steps) for of in above if steps.get(of) in ("stages", "matrix")}
    forks = {of: mine for of, mine in forks.items() if mine}
    anew = {of: _anew(of, mine, steps, ended, stages)
            for of, mine in forks.items() if steps[of] == "stages"}  # fmt: skip
    stands = before(run)

    def holds(other: str) -> bool:
        for fork, mine in forks.items():
            its = _branch(fork, other, steps)
            if not its:
                break
            if its != mine:
                return its not in anew[fork] if fork in anew else _good(its, other, steps, ended)
        return stands(other)

    return holds


def _branch(fork: str, run: str, steps: Mapping[str, str]) -> str:
    """The stage of `stages`, or the cell of a matrix, that a run is or is in; "" where in none.

    A cell has a place and a turn; a stage a place, and an `s` for each that it was made by.
    """
    if not run.startswith(f"{fork}."):
        return ""
    place, *rest = run[len(fork) + 1 :].split(".")
    if not place.isdecimal():
        return ""  # the pause after this attempt
    more = rest[:1] if steps[fork] == "matrix" else takewhile(_made, rest)
    return ".".join([fork, place, *more])


def _made(word: str) -> bool:
    return word[:1] == "s" and word[1:].isdecimal()


def _anew(
    fork: str, first: str, steps: Mapping[str, str], ended: Mapping[str, str],
    stages: Mapping[str, Named],
) -> set[str]:  # fmt: skip
    """Which of the stages of one `stages` are done anew where the first one is, that one too."""
    own = [of for of, step in steps.items()
           if step == "stage" and _branch(fork, of, steps) == of]  # fmt: skip
    # Something of these is done anew in any case, and what needs them would be out of date.
    lost = {_branch(fork, of, steps) for of, status in ended.items() if status in ANEW}
    anew = {first}
    before: dict[str, set[str]] = {}  # what each needs, directly or not, and itself
    known: dict[str, dict[str, str]] = {}  # by who made a stage, what the names in it stand for
    for run in own:  # in the order in which they began: what one needs was there before
        maker = run.rpartition(".")[0] if _made(run.rpartition(".")[2]) else ""
        if run not in stages:
            anew.add(run)  # it is not as the program says
            continue
        if maker not in known:
            around = {fork} | before.get(maker, set())
            known[maker] = {stages[of].name: of for of in own
                            if of in stages and of.rpartition(".")[0] in around}  # fmt: skip
        needs = {known[maker][name] for name in stages[run].needs if name in known[maker]}
        needs |= {maker} if maker else set()
        before[run] = {run}.union(*(before.get(of, ()) for of in needs))
        failed = ended.get(run, "ok") != "ok"
        if failed or stages[run].final or not needs.isdisjoint(anew | lost):
            anew.add(run)
    return anew


def _good(cell: str, run: str, steps: Mapping[str, str], ended: Mapping[str, str]) -> bool:
    """Whether a run is in a cell that was ok: in this one, or in one of a matrix that is this."""
    while cell and ended.get(cell) != "ok":
        cell = _branch(cell, run, steps) if steps.get(cell) == "matrix" else ""
    return bool(cell)


def beside(run: str) -> Callable[[str], bool]:
    """Whether a run is neither this one nor one that came of it."""
    return lambda other: other != run and not other.startswith(run + ".")


def near(run: str, records: Iterable[Record]) -> list[str]:
    """The runs of a trace that somebody may have meant by this one: a few, in their order."""
    from difflib import get_close_matches  # slow to import, and only for this

    begun = list(dict.fromkeys(r.run for r in records if r.kind == "begin"))
    return sorted(get_close_matches(run, begun, 5, 0.5) or begun[:5], key=order)


def select(
    records: Iterable[Record], wanted: Callable[[str], bool], builders: Collection[str] = ()
) -> list[Record]:
    """The records of a trace to take over, of those runs that are wanted and can be.

    `builders` are the steps that build isolations. Of a run that does not end as it did, since
    it has others below it, say, only what people answered is taken: `let` knows its value.
    """
    steps: dict[str, str] = {}
    runs: dict[str, list[Record]] = {}
    above: set[str] = set()
    for record in records:
        if record.kind == "begin":
            # Of an attempt that was lost nothing counts.
            runs[record.run], steps[record.run] = [record], (*record.fields, "")[0]
            run, _, last = record.run.rpartition(".")
            while run and not (last.isdecimal() and run in above):
                if last.isdecimal():
                    above.add(run)
                run, _, last = run.rpartition(".")
        elif record.run in runs and record.kind in (*NOTED, "end"):
            runs[record.run].append(record)
    found: list[Record] = []
    for run, held in runs.items():
        if not wanted(run) or steps[run] in builders or run.split(".")[0] == PRELUDE:
            continue
        end = _last(held, "end")
        if run not in above and end and (*end.fields, "")[0] not in ANEW:
            found += held
            continue
        said = [record for record in held if record.kind in ("ask", "answer")]
        found += [held[0], *said] if _last(said, "answer") else []
    return found


def taken(records: Iterable[Record], job: str, refused: Collection[str] = ()) -> Taken:
    """The runs that the records of a history tell of, but for those that are refused."""
    runs: dict[str, list[Record]] = {}
    for record in records:
        if record.run not in refused:
            runs.setdefault(record.run, []).append(record)
    return Taken(job, {run: tuple(held) for run, held in runs.items()})


def approvals(records: Iterable[Record]) -> dict[str, list[Record]]:
    """By run, the records of what was asked and answered where somebody had to approve."""
    said: dict[str, list[Record]] = {}
    for record in records:
        if record.kind in ("ask", "answer"):
            said.setdefault(record.run, []).append(record)
    return {
        run: held for run, held in said.items()
        if any(record.kind == "ask" and record.fields[:1] == ("approve",) for record in held)
    }  # fmt: skip


def find(taken: Taken, want: Want) -> tuple[Any] | None:
    """The answer of a leaf in a tuple of its own, or None where it has to be got anew.

    As in a replay: an Outcome with data and stages, a Reply, an id, or None for a Sleep.
    """
    held = taken.runs.get(want.run)
    if held is None:
        return None
    if isinstance(want, Ask):
        return _reply(held, want)
    if not isinstance(want, (Exec, Sleep, Spawn, Await)):
        return None
    end = _last(held, "end")
    try:
        outcome = replay.outcome(end.fields) if end else None
    except Bad:
        outcome = None  # written by hand
    if outcome is None or outcome.status in ANEW:
        return None
    if isinstance(want, Sleep) and outcome.status == "ok":
        return replay.DONE
    if isinstance(want, Spawn) and outcome.status == "ok":
        spawned = _last(held, "spawn")
        return (spawned.fields[0],) if spawned and spawned.fields else None
    data = tuple((r.fields[0], (*r.fields, "")[1]) for r in held if r.kind == "data" and r.fields)
    stages = tuple(r.fields[0] for r in held if r.kind == "stage" and r.fields)
    return (outcome._replace(data=data, stages=stages),)


def _reply(held: tuple[Record, ...], want: Ask) -> tuple[Reply] | None:
    """What was answered, if it was the same question."""
    ask, answer = _last(held, "ask"), _last(held, "answer")
    if answer is None or ask is None or (*ask.fields, "", "")[:2] != (want.verb, want.comment):
        return None
    who, value, reason = (*answer.fields, "", "", "")[:3]
    return (Reply(value, who, reason),)


def notes(
    taken: Taken, run: str, known: Iterable[Record] = ()
) -> list[tuple[str, tuple[str, ...]]]:
    """What to record of a run before its end: kinds and fields, where they come from first.

    `known` is the trace so far, of which an earlier attempt may have got half of it.
    """
    told = [(r.kind, r.fields) for r in taken.runs.get(run, ()) if r.kind in NOTED]
    done = sum(record.run == run and record.kind in NOTED for record in known)
    return [("log", ("cit", f"taken over from {taken.job}")), *told[done:]]


def _last(records: Iterable[Record], kind: str) -> Record | None:
    found = None
    for record in records:
        if record.kind == kind:
            found = record
    return found
