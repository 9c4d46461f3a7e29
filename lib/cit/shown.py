"""What each run of a job does, as its step shows it, with the variables put in.

Which step a run belongs to, and with which values, only the program can tell: its loops,
attempts, matrices and added stages make runs while it goes. So it is walked once more
with the answers of the trace, and its steps are listened to.
"""

from __future__ import annotations

from cit import program, walk
from cit.errors import Bad
from cit.replay import Replay
from cit.wants import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    Base = dict[str, Any]
    from cit.trace import Record
    from cit.wants import Call, Node, Step, Steps
else:
    Base = dict


class _Listening(Base):
    """The steps by name, each as one that is listened to."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._steps = steps
        self.calls: dict[str, Call] = {}

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


def commands(
    tree: Node,
    records: Collection[Record],
    steps: Mapping[str, Step],
    variables: Mapping[str, str],
    root: str = "1",
) -> dict[str, str]:
    """What every run says of itself that a trace has begun, by run.

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
        run: _lead(heard.calls, call, steps)
        + program.show(call.node._replace(args=call.args), steps, "written")
        for run, call in heard.calls.items()
        if run in begun and begun[run][:1] == (call.node.step,)
    }


def _lead(calls: Mapping[str, Call], call: Call, steps: Mapping[str, Step]) -> str:
    """`py=3.10: ` of the run that is a turn of a loop, or a cell of a matrix, else nothing.

    It comes first: what follows is the same for all turns, and a terminal cuts what comes last.
    """
    above = calls.get(".".join(call.run.split(".")[:-2]))
    if above is None or not getattr(steps[above.node.step], "TURNS", False):
        return ""
    names = [above.args[arg.name] for arg in steps[above.node.step].ARGS if arg.kind == NAME]
    given = (f"{name}={call.variables[name]}" for name in names)
    return "".join(" ".join(f"{text}: ".split()) + " " for text in given)
