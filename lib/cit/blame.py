"""Which run of a job is to blame for how it ended."""

from __future__ import annotations

from cit import history

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cit.job import Run

# Of these the first that went wrong counts, as it is written; of the others the last that was
# begun, such as the last attempt of a retry.
_SIDE_BY_SIDE = ("stages", "matrix")


def culprit(runs: Sequence[Run], status: str) -> Run | None:
    """The innermost run from which the others have that status; None where none has it."""
    roots = [run for run in runs if "." not in run.path and run.status == status]
    found = roots[-1] if roots else None
    while found:
        below = [
            run for run in runs
            if run.path.startswith(f"{found.path}.")
            and (run.status, run.code) == (status, found.code)
        ]  # fmt: skip
        if not below:
            return found
        runs = below  # each level has some of those around it
        first = found.step in _SIDE_BY_SIDE
        inner = min(below, key=lambda run: history.order(run.path)) if first else below[-1]
        # The nearest on the way to it, since that may have several below it in turn.
        paths = {run.path: run for run in below}
        parts = inner.path.split(".")
        ways = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        found = next(paths[way] for way in ways if way in paths)
    return None
