"""How long a job ran: the same, whichever command is asked."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from cit import trace
from cit.queue import Queue
from cit.trace import Record

if TYPE_CHECKING:
    from tests.cmd.conftest import Made
    from tests.conftest import Cit

START = 1795293421.0
CHATTER = trace.log("2026-11-21T20:37:03.000Z", "1", "out", b"x" * 99 + b"\n") * 300


def at(seconds: float, kind: str, run: str = "-", *fields: str) -> Record:
    return Record(trace.stamp(START + seconds), kind, run, fields)


def claim(seconds: float, attempt: int = 1) -> Record:
    return at(seconds, "claim", "-", "node1", "4711", "b00t", str(attempt), "0.1.0")


def beat(seconds: float, wall: float) -> Record:
    return at(seconds, "usage", "1", "rusage", f"{wall:.6f}", "0.1", "0.1", "1", "-", "-")


PARKED = [
    claim(2), at(2, "begin", "1", "approve", "1"), at(2.25, "ask", "1"), at(2.5, "park"),
    at(6, "answer", "1", "bob@x", "no"), claim(6.5, 2), at(6.75, "end", "1", "denied", "130"),
    at(7, "result", "-", "denied", "130"),
]  # fmt: skip
CUT = [
    claim(2), at(2, "begin", "1", "exec", "1"), beat(4, 2), claim(9, 2),
    at(10, "end", "1", "lost", "125"), at(10, "result", "-", "lost", "125"),
]  # fmt: skip
BOTH = [
    *CUT[:4], at(9.5, "park"), claim(19.5, 3), at(20.5, "end", "1", "lost", "125"),
    at(20.5, "result", "-", "lost", "125"),
]  # fmt: skip
ADDED_UP = [claim(2), at(5, "usage", "-", "rusage", "0.017000"), at(9, "result", "-", "ok", "0")]


@pytest.mark.parametrize(
    ("records", "took", "sentence"),
    [
        (PARKED, 1.0, "it ran for 1s, and lay aside for 4s"),
        (CUT, 3.0, "it ran for 3s, and was cut off for 5s"),
        (BOTH, 3.5, "it ran for 3.5s, was cut off for 5s, and lay aside for 10s"),
        (ADDED_UP, 0.017, "it ran for 17ms"),
        ([*ADDED_UP, *[at(20, "note", "-", "bob@x", "x" * 999)] * 99], 0.017, "it ran for 17ms"),
    ],
    ids=["parked", "cut", "both", "added up", "with notes"],
)
def test_all_commands_tell_the_same_of_a_job_that_has_ended(
    made: Made, cit: Cit, records: list[Record], took: float, sentence: str
) -> None:
    made.put("done/2026-11-21", "x", *records)

    shown = json.loads(cit("show", "--json", "x").out)["took"]
    listed = float(cit("ls", "x").out.split("\t")[7])
    run = float(cit("ls", "--runs", "x").out.split("\t")[10])
    said = cit("why", "x").out.splitlines()[0].split("; ")[1]

    assert (took, took, took, sentence) == (shown, listed, run, said)


@pytest.mark.parametrize("chatter", [b"", CHATTER], ids=["silent", "with a long log"])
@pytest.mark.parametrize("attempts", [1, 2])
def test_of_one_that_runs_what_ran_before_counts_and_what_lay_aside_does_not(
    made: Made, cit: Cit, attempts: int, chatter: bytes
) -> None:
    began = time.time() - 20
    claimed = Record(trace.stamp(began), *claim(0, attempts)[1:])
    before = [*PARKED[:4]] if attempts == 2 else []
    made.put("run", "x", *before, chatter, claimed, chatter)
    queue = Queue(str(made.path))
    assert queue.locks.hold(queue.find("x").number)

    shown = json.loads(cit("show", "--json", "x").out)["took"]
    listed = float(cit("ls", "x").out.split("\t")[7])
    most = time.time() - began

    for took in (shown, listed):
        assert 20 <= took - 0.5 * (attempts - 1) <= most + 0.001


def test_one_that_lost_its_runner_does_not_run_on(made: Made, cit: Cit) -> None:
    made.put("run", "x", *CUT[:3])

    assert 2 == json.loads(cit("show", "--json", "x").out)["took"]
    assert 2 == float(cit("ls", "x").out.split("\t")[7])
    assert 2 == float(cit("ls", "--runs", "x").out.split("\t")[10])


def test_one_that_is_parked_has_what_it_took_until_then(made: Made, cit: Cit) -> None:
    made.put("park", "x", *PARKED[:4], due=1795300000)

    assert re.search(r"^took\t0\.500$", cit("show", "x").out, re.M)
    assert 0.5 == float(cit("ls", "--runs", "x").out.split("\t")[10])
