"""Answers, holds, stops and wakes cut at their system calls: no job and no answer is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

import harness
import pytest
from harness import Home
from waiting import until

KILLS = harness.size(8, 400)  # of each act
ROUNDS = 20  # ticks and runners until a job has to be done: far more than it needs
PROGRAM = """\
(isolate (none)
  (sequence
    {first}
    (exec "/bin/sh" ("-c" "echo {tag} >>'{ledger}'"))))
"""


class Act(NamedTuple):
    """What is done to a job under a fault; `{id}` is the job."""

    first: str  # the step that it is parked at
    words: tuple[str, ...]
    status: str  # how a job ends whose act was acknowledged


ASK = '(approve "go?")'
UNTIL = "(no-op)"  # held until an instant, which has come
ACTS = {
    "answer": Act(ASK, ("cit-answer", "{id}", "yes", "--reason", "well"), "ok"),
    "hold": Act(ASK, ("cit-hold", "--until", "1ms", "{id}"), "ok"),
    "stop": Act(ASK, ("cit-stop", "{id}"), "cancelled"),
    "stop of a run": Act(ASK, ("cit-stop", "{id}.1.2.1"), "cancelled"),
    "wake": Act(UNTIL, ("cit-queue", "tick"), "ok"),
    "move": Act("", ("cit-queue", "move", "--first", "{id}"), "ok"),
}


def lay(home: Home, act: Act, number: int) -> str:
    """A job that waits for a person, or in the line: its id."""
    tag = f"p{number:06d}"
    path = home.jobs / f"{tag}.lurch"
    path.write_text(PROGRAM.format(first=act.first, tag=tag, ledger=home.ledger))
    id = home.must("cit-push", path).strip()
    home.must("cit-queue", "tick")
    if act.first == ASK:
        home.must("cit-run", "-j", "1")
        assert state(home, id) == "park"
    if act.first == UNTIL:
        home.must("cit-hold", "--until", "1ms", id)
        now = time.time()  # a name has whole seconds
        until(lambda: time.time() > now + 1, "an instant to pass")
    return id


def state(home: Home, id: str) -> str:
    return "+".join(copy.state for copy in home.copies() if copy.id == id)


def do(home: Home, act: Act, id: str, under: list[str]) -> bool:
    """Do it, perhaps cut; whether it was acknowledged."""
    name, *words = (word.format(id=id) for word in act.words)
    return home.run(name, *words, under=under).code == 0


def finish(home: Home, id: str) -> None:
    """Let it come to its end, and answer what it asks and nobody answered."""
    for _ in range(ROUNDS):
        home.must("cit-queue", "tick")
        home.must("cit-run", "-j", "1")
        if state(home, id) == "done":
            return
        if home.must("cit-ls", "--asking", id) and state(home, id) == "park":
            home.run("cit-answer", id, "yes")  # 1 where it is held for a moment: then again


@pytest.mark.parametrize("name", ACTS)
def test_what_is_asked_of_a_parked_job_is_cut_and_neither_lost_nor_done_twice(
    home: Home, rng: random.Random, figure: Callable[[str], None], name: str
) -> None:
    act = ACTS[name]
    rng.seed(f"{harness.SEED} {name}")
    log = home.place / "strace"
    number, ids = 0, []
    for under in ([], harness.strace(log)):  # the first one does more than those that follow
        number += 1
        ids.append(lay(home, act, number))
        assert do(home, act, ids[-1], under)
        finish(home, ids[-1])
    chances, kills = harness.points(log, str(home.path)), 0

    for point in harness.choose(chances, KILLS, rng):
        number += 1
        id = lay(home, act, number)
        ids.append(id)
        inject = f"inject={point.syscall}:signal=KILL:when={point.number}"
        done = do(home, act, id, harness.strace(log, "-e", inject))
        kills += harness.killed(log)
        home.must("cit-queue", "tick")
        if done and name == "answer":
            assert "" == home.must("cit-ls", "--asking", id), point

        finish(home, id)

        [copy] = [copy for copy in home.copies() if copy.id == id]
        assert "done" == copy.state, point
        ended = harness.outcome(copy.path)
        assert ended in {"ok", act.status} and (ended == act.status or not done), point
        assert len(harness.records(copy.path, "answer")) == (act.first == ASK and ended == "ok")
        for kind in ("stop", "hold"):
            assert len(harness.records(copy.path, kind)) <= 1, point

    assert [] == harness.complaints(home, ids, {("ok", 1), ("cancelled", 0)})
    assert kills >= KILLS * 0.6, "most of the chosen system calls did not come"
    figure(f"{kills} kills of {name} at {len(chances)} places")
