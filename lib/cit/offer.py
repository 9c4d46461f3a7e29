"""What this machine offers to jobs, and the lines that would add what it lacks."""

from __future__ import annotations

import pkgutil

from cit import cgroup, config, hierarchy, isolate, isolation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Fact = tuple[str, bool, str, str]


def facts() -> Iterator[Fact]:
    """What, whether it is there, a detail, and what an administrator would run."""
    for module in pkgutil.iter_modules(isolate.__path__):
        way = isolation.find(module.name)
        assert way is not None
        lacks = way.missing()
        yield f"isolation {module.name}", not lacks, way.HELP, "; ".join(lacks)
    for fact in cgroup.report(hierarchy.find(config.value("cgroup"))):
        yield fact.what, fact.ok, fact.detail, fact.fix
