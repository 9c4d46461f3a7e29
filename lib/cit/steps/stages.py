"""stages: run stages side by side, each once those that it needs are ok."""

from __future__ import annotations

from collections import ChainMap
from heapq import heappop, heappush

from cit import lurch, program, stageform, stagetext
from cit.errors import Bad
from cit.stages import MOST, SLOTS, Named, complaint, worst
from cit.wants import INTEGER, STEPS, Arg, Do, Fork, Join, Shows, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from cit.wants import Call, Node, Outcome, Steps

    # The place of the stage; of one made later the place of the first that made any, and
    # then a number for each that was made by the one before.
    Key: TypeAlias = tuple[int, ...]

HELP = "run stages side by side, each once those that it needs are ok"
ARGS = (
    Arg("slots", INTEGER, "how many run at a time, else as the job says", None, low=1, high=MOST),
    Arg("stages", STEPS, "the stages"),
)
SHOWS = Shows("stages", "will run stages", "runs its stages")
GROWS = True


def arrange(forms: tuple[lurch.Node, ...]) -> tuple[lurch.Node, ...]:
    """The number may be left out: `(stages (stage ...) ...)`."""
    if not forms or forms[0].kind == lurch.LIST:
        return (lurch.symbol("null"), *forms)
    return forms


def review(args: dict[str, Any], children: tuple[Node, ...]) -> tuple[int, str] | None:
    """Stages and nothing else, which need one another without a circle."""
    for place, child in enumerate(children):
        if child.step != "stage":
            return place, f"'{child.step}' is no stage"
    if len(children) > MOST:
        return MOST, f"over {MOST} stages"
    return complaint([_named(child) for child in children])


def run(call: Call) -> Steps:
    """The outcome is that of the first stage that failed and may not; or was stopped.

    Which stages run follows from how those before them ended, and never from the order in
    which they did: else a program could not be gone on with after a crash.
    """
    plan = _Plan(call)
    running = 0
    while True:
        while plan.ready and running < (call.args["slots"] or SLOTS):
            running += 1
            yield Fork(plan.next())
        if running:
            do, outcome = yield Join()
            running -= 1
            plan.over(_key(do), outcome)
        elif not plan.close():
            return plan.outcome()


class _Plan:
    """Which stages there are, which are over, and which can begin."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.nodes: dict[Key, Node] = {}
        self.needs: dict[Key, set[Key]] = {}
        self.share: dict[Key, int] = {}  # how many it may make, with all that those make
        self.needed: dict[Key, list[Key]] = {}  # by which others, of one that is not over
        self.left: dict[Key, int] = {}  # of one that waits: how many it still waits for
        self.ready: list[Key] = []
        self.finals: set[Key] = set()  # that have not begun to wait
        self.closing = False
        self.outcomes: dict[Key, Outcome] = {}
        self.good: set[Key] = set()
        self.made: dict[Key, list[Key]] = {}  # by which stage
        children = call.node.children
        self.names: dict[str, Key] = {
            node.args["name"]: (place,) for place, node in enumerate(children)
        }
        self.last: dict[str, bool | None] = {
            node.args["name"]: node.args["finally"] for node in children
        }
        for key, node in zip(self.names.values(), children, strict=True):
            self._add(key, node, {self.names[need] for need in node.args["needs"]}, MOST)

    def next(self) -> Do:
        """What is to be run, the first by place."""
        key = heappop(self.ready)
        node, made = self.nodes[key], len(key) > 1
        path = tuple(f"s{number}" for number in key[1:])
        return Do(key[0], path, cleanup=node.args["finally"], node=node if made else None)

    def over(self, key: Key, outcome: Outcome) -> None:
        """A stage has ended: what needs it can begin, or never will."""
        # A person who stops a stage has not allowed it to fail.
        allowed = self.nodes[key].args["allow_failure"] and outcome.status != "cancelled"
        good = allowed or outcome.status == "ok"
        wrong = self._make(key, outcome.stages) if outcome.stages else ""
        if wrong and good:
            good, outcome = False, ended("setup", wrong)
        self.outcomes[key] = outcome
        if good:
            self.good.add(key)
        for other in self.needed.pop(key, ()) if good or self.closing else ():
            self.left[other] -= 1
            if not self.left[other]:
                self._start(other)

    def close(self) -> bool:
        """All that could run is over: those that come last begin. False where there are none."""
        self.closing, finals, self.finals = True, self.finals, set()
        for key in sorted(finals):
            # What else they need is over; and of one another they only wait for the end.
            self._wait(key, self.needs[key] & finals)
        return bool(self.ready)

    def outcome(self) -> Outcome:
        """That of all of them."""
        bad = [self.outcomes[key] for key in sorted(self.outcomes) if key not in self.good]
        return worst(bad)._replace(leave=0, stages=(), value=None)

    def _add(self, key: Key, node: Node, needs: set[Key], share: int) -> None:
        self.nodes[key], self.needs[key], self.share[key] = node, needs, share
        if node.args["finally"]:
            self.finals.add(key)
        else:
            self._wait(key, needs - self.good)

    def _wait(self, key: Key, needs: set[Key]) -> None:
        """For all of these. One that is over and not good is waited for in vain."""
        self.left[key] = len(needs)
        for other in needs:
            self.needed.setdefault(other, []).append(key)
        if not needs:
            self._start(key)

    def _start(self, key: Key) -> None:
        del self.left[key]
        heappush(self.ready, key)

    # --- stages that stages make --------------------------------------------------------------

    def _make(self, key: Key, texts: tuple[str, ...]) -> str:
        """Add the stages that a stage asks for; what is wrong with them, else an empty text."""
        maker, share = self.nodes[key], self.share[key]
        told = f"stage '{maker.args['name']}' asks for more stages"
        if maker.args["finally"]:
            return f"{told}, and comes last"
        ground = stageform.Ground(_isolation(maker), tuple(self.call.variables))
        made: list[tuple[Node, str]] = []
        for number, written in enumerate(texts, 1):
            place = f"line {{}} of text {number}" if len(texts) > 1 else "line {}"
            try:
                for stage in stagetext.read(written):
                    form = stageform.make(stage, ground)
                    node = program.load(form, self.call.steps, isolated=True, around="stages")
                    made.append((node, place.format(node.line)))
            except Bad as error:
                return f"{told}: {place.format(error.line)}: {error}"
            if len(made) > share:
                return f"{told}: over {share}"
        known = self._known(key)
        nodes = [node for node, _ in made]
        last: dict[str, bool | None] = {}  # None where two have the name
        for name, found in known.items():
            last[name] = self.nodes[found[0]].args["finally"] if len(found) == 1 else None
        wrong = complaint([_named(node) for node in nodes], ChainMap(last, self.last))
        if wrong:
            return f"{told}: {made[wrong[0]][1]}: {wrong[1]}"
        keys = self.made[key] = [(*key, number) for number in range(1, len(nodes) + 1)]
        own = {node.args["name"]: new for node, new in zip(nodes, keys, strict=True)}
        names = ChainMap(own, {name: found[0] for name, found in known.items()}, self.names)
        for node, new in zip(nodes, keys, strict=True):
            # Without its maker there would be none of it: if that failed, it cannot begin.
            needs = {key, *(names[need] for need in node.args["needs"])}
            self._add(new, node, needs, (share - len(nodes)) // len(nodes))
        return ""

    def _known(self, key: Key) -> dict[str, list[Key]]:
        """What was made by stages that had to be over before this one.

        Beside those of the program these are all that it may name in what it asks for: of
        others it is not certain whether they are there already.
        """
        before, look = {key}, [key]
        while look:
            more = self.needs[look.pop()] - before
            before |= more
            look += more
        known: dict[str, list[Key]] = {}
        for other in before & self.made.keys():
            for new in self.made[other]:
                known.setdefault(self.nodes[new].args["name"], []).append(new)
        return known


def _named(node: Node) -> Named:
    return Named(node.args["name"], node.args["needs"], node.args["finally"])


def _key(do: Do) -> Key:
    return (do.child, *(int(str(part)[1:]) for part in do.path))


def _isolation(node: Node) -> tuple[str, str] | None:
    """Where the commands of a stage run; None where it says nothing itself."""
    look = [node]
    while look:
        node = look.pop()
        if node.step == "isolate":
            builder = node.children[node.args["builder"]]
            return builder.step, str(next(iter(builder.args.values()), ""))
        look += reversed(node.children)
    return None
