"""Waiting for what announces itself to nobody: another process, the kernel, a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0  # seconds: more than anything takes on a busy machine


def until(question: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """Ask again and again until the answer is yes, or not empty; the answer.

    `what` is waited for, in the words of the failure. Where something can be awaited, a pipe,
    a child or a job, wait for that instead.
    """
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.005)
    return answer
