"""Start cit's own commands in the background, where a queue wants that."""

from __future__ import annotations

import os
import sys

from cit import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.queue import Queue


def wanted(queue: Queue) -> bool:
    """Whether a push starts a tick, and a tick a runner: `start` of the queue, or CIT_START.

    Never within a job: a runner would end with that job, and what it runs be lost. Whoever
    runs the job looks for what it pushed.
    """
    if os.environ.get("CIT_ID"):
        return False
    return queue.mine and (config.value("start") or queue.setting("start")) == "push"


def command(queue: Queue, name: str, *argv: str) -> int:
    """Start `cit-NAME` for a queue, detached from this process and its terminal; its pid.

    What it complains of goes to log/background.txt of the queue.
    """
    program = os.path.join(os.path.dirname(os.path.realpath(sys.argv[0])), f"cit-{name}")
    log = os.path.join(queue.path, "log", "background.txt")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # The settings of the caller hold for what he starts; his queue is named outright.
    environment = {**os.environ, "CIT_QUEUE": queue.path}
    return os.posix_spawn(
        program,
        [f"cit-{name}", *argv],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, log, flags, 0o600),
        ],
        setsid=True,
    )
