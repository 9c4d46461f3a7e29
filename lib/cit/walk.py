"""Walk a program: from its tree and the answers of a runner to the next want.

Pure: no clock, no file, no environment; the steps are handed in. The same answers give
the same wants, so a program goes on after a crash by being walked again with the
answers that its trace holds (replay.py).

Runs are named by place: the root is "1", its first child "1.1", and an iteration or
attempt adds a component of its own. Every run yields Begin first and End last; an
isolation that was built is always taken down, after the End of the run that it was for.
Breaks and stops travel as Leave through the steps above, so that each can put away what
it holds; a step that does not care never hears of them. A run that was cancelled leaves
all that is above it, up to the branch it is in.

What a run reports as data is `${data.NAME}` for every step that begins after its End.
Of two that report one name side by side either may be seen.

A runner that answers each want at once walks the branches of a program one after
another. One that can do several things at a time sends LATER instead of an answer, and
is given the next want of another branch; None means that every branch waits, and is
answered with (run, answer) for the want of one of them.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from cit.wants import (
    ALL,
    SETTINGS,
    STRING,
    STRINGS,
    Begin,
    Call,
    Do,
    Down,
    End,
    Fork,
    Isolation,
    Join,
    Leave,
    Outcome,
    Up,
    ended,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any, TypeAlias

    from cit.wants import Node, Step, Want

    # It ends when its last want is answered, with None, and so without StopIteration: making
    # that for every run would cost as much as a want.
    Live: TypeAlias = Generator[Do | Fork | Join | Want, Any, None]

LATER = object()  # instead of an answer: noted, it will come as (run, answer)
ALL_CAP = 4 << 20  # characters of a list of them; Linux takes no such arguments either
NESTED = 16  # names within names: each costs its length once more
LAST = 1 << 40  # a place that no text has
NONE_YET: list[tuple[Do, Outcome]] = []  # shared by the many runs that never fork: never added to
CAP = 128 << 10  # characters of an expanded string; Linux takes no longer argument


class _Run:
    """A run on its way, and the one that it reports to."""

    __slots__ = ("parent", "do", "forked", "node", "run", "variables", "isolation", "cleanup",
                 "generator", "joined", "joining", "branches", "grows", "stages",
                 "outcome")  # fmt: skip
    generator: Live
    outcome: Outcome  # once the generator is at its end

    def __init__(self, parent: _Run | None, do: Do, node: Node, root: str) -> None:
        self.parent, self.do, self.node, self.forked = parent, do, node, False
        self.stages: tuple[str, ...] = ()  # texts from below that no step has taken yet
        self.grows = False
        if parent is None:
            self.run, self.variables, self.cleanup = root, do.variables, False
            self.isolation = do.isolation
        else:
            self.run = f"{parent.run}.{do.child + 1}"
            for word in do.path:
                self.run += f".{word}"
            self.variables = parent.variables
            if do.variables:
                self.variables = {**parent.variables, **do.variables}
            self.isolation = do.isolation or parent.isolation
            self.cleanup = do.cleanup or parent.cleanup
        # The forked children that have ended; waits for one of them; how many go on.
        self.joined, self.joining, self.branches = NONE_YET, False, 0


def walk(
    tree: Node,
    steps: Mapping[str, Step],
    variables: Mapping[str, str] | None = None,
    again: int = 0,
    root: str = "1",
) -> Generator[Want | None, Any, Outcome]:
    """Yield the wants of the program, be sent the answers, return the Outcome.

    `variables` are those of the job, `root` is its first run. A run that was lost is executed
    up to `again` times more under its own name, with the attempt counted in Begin.
    """
    walking = _Walk(steps, again)
    first = walking.open(None, Do(0, (), variables or {}, node=tree), root)
    ready: deque[tuple[_Run, Any]] = deque([(first, None)])
    waiting: dict[str, _Run] = {}
    while True:
        if not ready:
            run, answer = yield None
            ready.append((waiting.pop(run), answer))
        # The run that goes on, and what it is sent: from here to where its branch waits or ends.
        at, value = ready.popleft()
        while True:
            if value is None:
                asked = next(at.generator, None)
            elif isinstance(value, Leave):
                asked = at.generator.throw(value)
            else:
                asked = at.generator.send(value)
            if asked is None:
                outcome = at.outcome
                assert not at.branches, f"{at.run} ended before what it forked"
                parent = at.parent
                if parent is None:
                    return outcome
                if at.stages or outcome.stages:
                    outcome = _handed(at, parent, outcome)
                if at.forked:
                    parent.branches -= 1
                    parent.joined.append((at.do, outcome))
                    if parent.joining:
                        parent.joining = False
                        ready.append((parent, parent.joined.pop(0)))
                    break
                at, value = parent, Leave(outcome) if outcome.leave else outcome
                continue
            if isinstance(asked, (Begin, End)):  # nearly all that a long program wants
                value = yield asked
                if value is LATER:
                    waiting[asked.run] = at
                    break
            elif isinstance(asked, Do):
                at, value = walking.open(at, asked), None
            elif isinstance(asked, Fork):
                if not at.branches and not at.joined:
                    at.joined = []
                at.branches += 1
                branch = walking.open(at, asked.do)
                branch.forked = True
                ready.append((branch, None))
                value = None
            elif isinstance(asked, Join):
                if not at.joined:
                    assert at.branches, "nothing to join"
                    at.joining = True
                    break
                value = at.joined.pop(0)
            else:
                value = yield asked
                if value is LATER:
                    waiting[asked.run] = at
                    break


def _handed(at: _Run, parent: _Run, outcome: Outcome) -> Outcome:
    """What the parent is told: texts of stages are kept for the nearest step that takes them."""
    stages = at.stages + outcome.stages
    if parent.grows:
        return outcome._replace(stages=stages)
    parent.stages += stages
    return outcome._replace(stages=())


class _Walk:
    """What all runs of a walk have in common."""

    def __init__(self, steps: Mapping[str, Step], again: int) -> None:
        self.steps, self.again = steps, again
        self.known: dict[str, tuple[Step, bool, list[str]]] = {}  # whether it grows; what expands
        self.data: dict[str, str] = {}  # what ended runs reported, as variables

    def open(self, parent: _Run | None, do: Do, root: str = "") -> _Run:
        node = do.node
        if node is None:
            assert parent is not None
            node = parent.node.children[do.child]
        run = _Run(parent, do, node, root)
        step, run.grows, expands = self.known.get(node.step) or self._learn(node.step)
        run.generator = self._live(run, step, expands)
        return run

    def _learn(self, name: str) -> tuple[Step, bool, list[str]]:
        step = self.steps[name]
        expands = [arg.name for arg in step.ARGS if arg.kind in (STRING, STRINGS, SETTINGS)]
        self.known[name] = step, getattr(step, "GROWS", False), expands
        return self.known[name]

    def _live(self, at: _Run, step: Step, expands: list[str]) -> Live:
        """One run, from its Begin to its End, and once more if it was lost and may be."""
        node, run, attempt = at.node, at.run, 0
        outcome: Outcome
        while True:
            attempt += 1
            up = None
            refused = yield Begin(run, node.step, attempt, at.cleanup)
            if refused is not None:
                outcome = refused._replace(leave=ALL)
            else:
                isolation = at.isolation
                built = (yield Up(run, *node.isolate)) if node.isolate else None
                if node.isolate and isinstance(built, str):
                    up = isolation = Isolation(*node.isolate, built, run)
                if isinstance(built, Outcome):
                    outcome = built
                else:
                    try:
                        args = self._expanded(at, expands) if expands else node.args
                        call = Call(node, args, run, isolation, at.variables, self.steps)
                        outcome = yield from step.run(call)
                    except Leave as leave:
                        outcome = leave.outcome
                    except OverflowError as error:
                        outcome = ended("nostart", str(error), 126)
            if outcome.status == "cancelled":
                outcome = outcome._replace(leave=ALL)
            yield End(run, outcome)
            if up:
                yield Down(run, up)
            if outcome.data:
                self._report(outcome.data)
                outcome = outcome._replace(data=())
            # Only what runs itself is run again: its parents are lost because it was.
            if outcome.status != "lost" or outcome.leave or node.children or attempt > self.again:
                at.outcome = outcome
                return

    def _expanded(self, at: _Run, expands: list[str]) -> dict[str, Any]:
        """The arguments of a run with the variables put in."""
        variables = {**self.data, **at.variables} if self.data else at.variables
        new, put = dict(at.node.args), partial(expand, variables=variables)
        for name in expands if variables else ():
            value = new[name]
            if isinstance(value, tuple):
                new[name] = _all(put, value)
            elif value is not None:
                new[name] = put(value)
        return new

    def _report(self, data: tuple[tuple[str, str], ...]) -> None:
        self.data.update((f"data.{name}", value) for name, value in data)


def _all(put: Callable[[str], str], texts: tuple[str, ...]) -> tuple[str, ...]:
    size, found = 0, []
    for text in texts:
        if "${" in text:
            text = put(text)
        found.append(text)
        size += len(text)
        if size > ALL_CAP:
            raise OverflowError(f"a list with its variables put in is over {ALL_CAP} characters")
    return tuple(found)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put the values in for ${NAME}. Names may hold others: ${a_${b}}, the inner one first.

    Unknown ones stay as they are. A value is data: nothing is looked for in it, so this
    ends. Raises OverflowError when the result is over CAP, which stops what doubles.
    """
    if "${" not in text:
        return text
    open_: list[list[str]] = [[]]  # the pieces of the text, then of each name that is open
    at = size = 0
    begin = end = -1
    while True:
        # Looked for again only when passed, or a long text costs its square.
        if begin < at:
            begin = text.find("${", at) % (LAST + 1)
        if end < at:
            end = text.find("}", at) % (LAST + 1)
        stop = begin if len(open_) == 1 else min(begin, end)
        open_[-1].append(text[at:stop])
        if stop == LAST:
            break
        if stop == begin:
            at = stop + 2
            if len(open_) <= NESTED:
                open_.append([])
            else:
                open_[-1].append("${")
            continue
        name = "".join(open_.pop())
        value = variables.get(name)
        size += len(value or "")
        if size > CAP:
            raise OverflowError(f"a string with its variables put in is over {CAP} characters")
        open_[-1].append(f"${{{name}}}" if value is None else value)
        at = stop + 1
    return "${".join("".join(pieces) for pieces in open_)
