"""Output that looks like marks and records, and runners that are killed while it comes."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import harness
from harness import Home
from waiting import until

KILLS = harness.size(4, 300)
# Every write(2) of the job is one printf, so that marks and records arrive in pieces.
PIECES = [
    "%% trace 1 tab\n",
    "2026-11-21T20:37:01.123Z\tresult\t-\tok\t0\n",
    "2026-11-21T20:37:01.123Z\tend\t1",
    "\tok\t0\t-\n",
    "%",
    "% job 1 toml\nname = 'other'\n",
    "\n2026-11-21T20:37:01.123Z\tlog\t1\tout\t\x18\n",
    "\x18\n\r\n\\n\\t\\x18 \x1b[2J\x00\x7f \xff\n",
    "2026-11-21T20:37:01.123Z\tseal\t-\tcit\t" + "0" * 64,
]
TEXT = "".join(PIECES).encode("latin-1")


def script(times: int) -> str:
    """Shell that prints all pieces so often."""

    def octal(text: str) -> str:
        return "".join(f"\\{byte:03o}" for byte in text.encode("latin-1"))

    lines = "\n".join(f"printf '{octal(piece)}'" for piece in PIECES)
    return f"n=0\nwhile [ $n -lt {times} ]; do\n{lines}\nn=$((n+1))\ndone"


def log(home: Home, id: str) -> bytes:
    out = home.run("cit-logs", "--raw", id)
    assert out.code == 0, out
    return out.out.encode("utf-8", "surrogateescape")


def test_output_that_imitates_records_is_log_and_nothing_else(home: Home) -> None:
    [id] = home.push(1, script(200))

    home.settle()

    assert TEXT * 200 == log(home, id)
    assert [] == harness.complaints(home, [id])


def test_imitations_stay_log_when_the_runner_is_killed(
    home: Home, rng: random.Random, figure: Callable[[str], None]
) -> None:
    for kill in range(KILLS):
        [id] = home.push(1, script(1_000_000))
        home.must("cit-queue", "tick")
        runner = home.start("cit-run", "-j", "1")
        until(lambda k=kill: len(home.executions()) > k, "the job to begin")
        time.sleep(rng.uniform(0, 0.15))
        harness.signal_session(runner, signal.SIGKILL)
        runner.wait()

        home.settle()

        [copy] = [copy for copy in home.copies() if copy.id == id]
        assert "lost" == harness.outcome(copy.path)
        printed = log(home, id)
        assert (TEXT * (len(printed) // len(TEXT) + 1)).startswith(printed)
        assert [] == harness.complaints(home, [id], {("lost", 1)})
    figure(f"{KILLS} runners killed under output that imitates records: all of it read as log")
