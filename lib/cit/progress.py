"""At which steps a job is; and how far it may be, judged by how long earlier ones took."""

from __future__ import annotations

from cit.amount import human_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cit.job import Run

BAR = 20  # columns
SOME = 3  # runs that are named of those that run side by side


def usual(times: Sequence[float]) -> float:
    """The middle one of some durations in seconds, 0 where there is none: one slow day says
    nothing about the next."""
    ordered = sorted(times)
    middle = len(ordered) // 2
    if not ordered:
        return 0
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def line(name: str, step: str, took: float, usually: float) -> str:
    """One line: what runs, for how long, and a bar where earlier jobs say how long it takes."""
    parts = [name, step, human_duration(int(took)) if took >= 1 else "0s"]
    if usually >= 1:
        parts[-1] += f" of about {human_duration(round(usually))}"
        parts.insert(0, bar(took / usually))
    return "  ".join(filter(None, parts))


def steps(
    runs: Sequence[Run], took: Sequence[str] = (), called: Callable[[str], str] = str
) -> str:
    """`1.2.1 script, test:py=3.10, and 3 more`; `took` says for how long each has run.

    `called` says what a run is called; of one that has no name it is the path, then its step is
    said.
    """
    said = [name if name != run.path else f"{name} {run.step}"
            for run in runs[:SOME] for name in [called(run.path)]]  # fmt: skip
    if took:
        said = [f"{text} for {long}" for text, long in zip(said, took, strict=False)]
    more = [f"and {len(runs) - SOME} more"] if len(runs) > SOME else []
    return ", ".join(said + more)


def bar(share: float) -> str:
    """A bar of so much done; what takes longer than usual is full and says so with a `+`."""
    full = min(int(share * BAR), BAR)
    return "[" + "#" * full + "-" * (BAR - full) + ("+" if share > 1 else "]")
