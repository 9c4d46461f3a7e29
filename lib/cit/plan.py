"""What may run where. Pure: whoever asks says what jobs, machine and time there are."""

from __future__ import annotations

from collections import namedtuple

from cit.amount import human_size, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import NamedTuple

    class Machine(NamedTuple):
        memory: int  # bytes
        procs: int  # processors
        tools: Collection[str]  # of those that were asked for, the ones on PATH
else:
    Machine = namedtuple("Machine", "memory procs tools")


def missing(needs: Mapping[str, object], machine: Machine) -> str:
    """What a job needs and this machine will never have; "" where it can run.

    `needs` is the table `[needs]` of the job: memory ("2G"), procs (a count), tools (names).
    """
    memory = needs.get("memory")
    if isinstance(memory, str | int) and size(memory) > machine.memory:
        has = human_size(machine.memory)
        return f"needs memory {memory}, this machine has {has}"
    procs = needs.get("procs")
    if isinstance(procs, int) and procs > machine.procs:
        return f"needs {procs} processors, this machine has {machine.procs}"
    tools = needs.get("tools")
    lacking = [t for t in tools if t not in machine.tools] if isinstance(tools, list) else []
    if lacking:
        return f"needs {', '.join(map(repr, lacking))}, which this machine does not have"
    return ""


def tools(needs: Mapping[str, object]) -> list[str]:
    """The programs that a job asks to find on PATH."""
    found = needs.get("tools")
    return [str(tool) for tool in found] if isinstance(found, list) else []
