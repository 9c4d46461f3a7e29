"""What each run of a job does, as its step shows it, and what people call it.

Which step a run belongs to, and with which values, only the program can tell: its loops,
attempts, matrices and added stages make runs while it goes. So it is walked once more
with the answers of the trace, and its steps are listened to.

A run is called by its labels: the names of the stages that it is in, and the values of the
loops and matrices (`py=3.10`), the outermost first.
"""

from __future__ import annotations

from cit import program, walk
from cit.errors import Bad
from cit.replay import Replay
from cit.wants import NAME, STRINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    Base = dict[str, Any]
    from cit.trace import Record
    from cit.wants import Call, Node, Step, Steps
else:
    Base = dict

MOST = 50_000  # places in a program, turns and all, where labels are looked for
LONGEST = 200  # characters of the value of a turn that its label has: what nobody types

class _Listening(Base):
    """The steps by name, each as one that is listened to."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._steps = steps
        self.calls: dict[str, Call] = {}

    def __contains__(self, name: object) -> bool:
        # A stage that was made may have steps that nothing before it had.
        return name in self._steps

    def __missing__(self, name: str) -> Any:
        self[name] = _Heard(self._steps[name], self.calls)
        return self[name]


class _Heard:
    """A step that notes what its runs are given."""

    def __init__(self, step: Step, calls: dict[str, Call]) -> None:
        self._step, self._calls = step, calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def run(self, call: Call) -> Steps:
        self._calls[call.run] = call
        return self._step.run(call)


def calls(
    tree: Node,
    records: Collection[Record],
    steps: Mapping[str, Step],
    variables: Mapping[str, str],
    root: str = "1",
) -> dict[str, Call]:
    """What every run was given that a trace has begun, by run.

    Only what comes before the place where the trace and the program disagree, if they do.
    """
    begun = {r.run: r.fields for r in records if r.kind == "begin"
             and (r.run == root or r.run.startswith(root + "."))}  # fmt: skip
    heard = _Listening(steps)
    tries = [int(f[1]) for f in begun.values() if len(f) > 1 and f[1].isdecimal()]
    old = Replay((r.kind, r.run, r.fields) for r in records)
    walking = walk.walk(tree, heard, variables, max(tries, default=1) - 1, root)
    try:
        want = next(walking)
        while True:
            if want is None:
                known = old.next()
                if known is None:
                    break
                want = walking.send(known)
                continue
            found = old.find(want)
            later = found is None or old.early(want.run, found[0])
            want = walking.send(walk.LATER if later or not found else found[0])
    except (StopIteration, Bad):
        pass  # over, or another program from here on: what is known is known
    return {
        run: call
        for run, call in heard.calls.items()
        if run in begun and begun[run][:1] == (call.node.step,)
    }


def commands(calls: Mapping[str, Call], steps: Mapping[str, Step]) -> dict[str, str]:
    """What every run says of itself.

    The value of a turn comes first: what follows is the same for all turns, and a terminal cuts
    what comes last.
    """
    found = {}
    for run, call in calls.items():
        turn = _turn(calls, call, steps)
        lead = f"{turn}: " if turn else ""
        found[run] = lead + program.show(call.node._replace(args=call.args), steps, "written")
    return found


def labels(
    tree: Node, calls: Mapping[str, Call], steps: Mapping[str, Step], root: str = "1"
) -> dict[str, tuple[str, ...]]:
    """By run, the labels of the stages and of the turns that have one, their own last.

    Those as well that have not begun, as far as the program is written out: no stages that
    others make, no turns of an attempt, and none with a value that has variables. Of these
    only as many as MOST places have: loops in loops have more than anybody names, or can hold.
    """
    found: dict[str, tuple[str, ...]] = {}
    room = MOST - _write(found, tree, root, (), steps, MOST)
    for call in sorted(calls.values(), key=lambda call: call.run.count(".")):
        turns, made = _turns(calls, call, steps), call.node.step == "stage"
        if call.run not in found and (turns or made):
            around, turn = _around(found, call.run), _turn(calls, call, steps)
            if turn:
                around = found[call.run] = (*around, turn)
            room -= _write(found, call.node, call.run, around, steps, room)
    return found


def _write(
    found: dict[str, tuple[str, ...]], tree: Node, root: str, around: tuple[str, ...],
    steps: Mapping[str, Step], room: int,
) -> int:  # fmt: skip
    """Add the labels that can be read off a program, of a run and those below it.

    After `room` places none is looked into; how many were.
    """
    look, left = [(tree, root, around)], room
    while look:
        node, run, around = look.pop()
        step = steps[node.step]
        if node.step == "stage":
            around = found[run] = (*around, node.args["name"])
        if left <= 0:
            continue
        left -= 1
        if not getattr(step, "TURNS", False):
            below = [(child, f"{run}.{place}", around)
                     for place, child in enumerate(node.children, 1)]  # fmt: skip
            look += reversed(below)
            continue
        names = [node.args[arg.name] for arg in step.ARGS if arg.kind == NAME]
        values = [value for arg in step.ARGS if arg.kind == STRINGS
                  for value in node.args[arg.name]]  # fmt: skip
        if not names or any("${" in value for value in values):
            left -= len(values)  # they were looked at
            continue
        for turn, value in enumerate(values[:left], 1):
            for place, child in enumerate(node.children, 1):
                path = f"{run}.{place}.{turn}"
                found[path] = (*around, _label(f"{names[0]}={value}"))
                look.append((child, path, found[path]))
    return room - left


def _around(labels: Mapping[str, tuple[str, ...]], run: str) -> tuple[str, ...]:
    """The labels of what a run is in. A stage that was made is in the one that made it."""
    while run := run.rpartition(".")[0]:
        if run in labels:
            return labels[run]
    return ()


def _turns(calls: Mapping[str, Call], call: Call, steps: Mapping[str, Step]) -> Call | None:
    """The loop, or the matrix, of which a run is a turn."""
    above = calls.get(".".join(call.run.split(".")[:-2]))
    return above if above and getattr(steps[above.node.step], "TURNS", False) else None


def _turn(calls: Mapping[str, Call], call: Call, steps: Mapping[str, Step]) -> str:
    """`py=3.10` of the run that is a turn of a loop, or a cell of a matrix, else nothing."""
    above = _turns(calls, call, steps)
    if above is None:
        return ""
    names = [above.args[arg.name] for arg in steps[above.node.step].ARGS if arg.kind == NAME]
    return _label(" ".join(f"{name}={call.variables[name]}" for name in names))


def _label(text: str) -> str:
    return " ".join(text[:LONGEST].split())
