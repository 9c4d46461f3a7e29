"""This machine, as far as a plan asks."""

from __future__ import annotations

import os

from cit import plan

PATH = "/usr/local/bin:/usr/bin:/bin"  # where the commands of a job are found


def this(tools: list[str]) -> plan.Machine:
    """Its memory and processors, and which of these tools it has."""
    import shutil

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = {tool for tool in tools if shutil.which(tool, path=PATH)}
    return plan.Machine(memory, os.cpu_count() or 1, found)
