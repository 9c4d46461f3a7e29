"""cit-run --step, questions to who watches, and --linger."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from cit.queue import Queue

Cit = Callable[..., Any]
TWO = '(isolate (none) (sequence (exec "/bin/echo" ("one")) (exec "/bin/echo" ("two words"))))'


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init", "--start", "push").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.lurch"
    path.write_text(TWO)
    return path


def test_each_step_is_shown_and_done_when_enter_is_pressed(
    cit: Cit, queue: Queue, two: Path
) -> None:
    ended = cit("run", "--step", two, input="\n\n\n")

    assert (0, "one\ntwo words\n") == (ended.code, ended.out)
    assert "1.2.1: run /bin/echo one" in ended.err
    assert "1.2.2: run /bin/echo 'two words'" in ended.err


def test_q_stops_there_and_what_was_done_stays_done(cit: Cit, queue: Queue, two: Path) -> None:
    ended = cit("run", "--step", two, input="\n\nq\n")

    assert (130, "one\n") == (ended.code, ended.out)
    [job] = [queue.job(found) for found in queue.names("done")]
    assert ("cancelled", "1.2.1", "ok") == (job.status, "1.2.1", job.runs["1.2.1"].status)


def test_c_goes_on_without_asking(cit: Cit, queue: Queue, two: Path) -> None:
    ended = cit("run", "--step", two, input="c\n")

    assert (0, "one\ntwo words\n") == (ended.code, ended.out)
    assert "1.2.2" not in ended.err


def test_the_end_of_input_is_no_consent(cit: Cit, queue: Queue, two: Path) -> None:
    ended = cit("run", "--step", two)

    assert (130, "") == (ended.code, ended.out)


def test_a_word_that_means_nothing_is_asked_again(cit: Cit, queue: Queue, two: Path) -> None:
    ended = cit("run", "--step", two, input="what\n\n\n\n")

    assert 0 == ended.code
    assert 2 == ended.err.count("1.1: build none")


def test_step_without_a_job_is_refused(cit: Cit, queue: Queue) -> None:
    ended = cit("run", "--step")

    assert (2, "") == (ended.code, ended.out)


def test_a_question_is_told_to_who_runs_the_job(cit: Cit, queue: Queue, tmp_path: Path) -> None:
    (tmp_path / "ask.lurch").write_text('(approve 0.2 "deploy?" t)')

    ended = cit("run", tmp_path / "ask.lurch")

    [found] = queue.names("done")
    assert 0 == ended.code
    assert ended.err.startswith(f"cit-run: 'deploy?': cit-answer {found.id}.1 yes|no (until ")


# --- parked jobs where no cron comes by ------------------------------------------------------


@pytest.fixture
def lingering(cit: Cit, queue: Queue) -> Iterator[None]:
    """Whatever lingers in the background is gone afterwards."""
    yield
    for entry in os.listdir("/proc"):
        try:
            environ = Path(f"/proc/{entry}/environ").read_bytes() if entry.isdecimal() else b""
        except OSError:
            continue
        if f"CIT_QUEUE={queue.path}".encode() in environ.split(b"\0"):
            os.kill(int(entry), signal.SIGKILL)


def test_a_job_whose_queue_has_no_cron_goes_on_when_its_time_comes(
    cit: Cit, queue: Queue, tmp_path: Path, lingering: None
) -> None:
    (tmp_path / "pause.lurch").write_text("(sequence (pause 1.5) (no-op))")

    cit("push", tmp_path / "pause.lurch", env={"CIT_START": "push", "CIT_PATIENCE": "0"})

    until(lambda: queue.names("park"), "the park")
    [found] = until(lambda: queue.names("done"), "the end")
    job = queue.job(found)
    assert ("ok", 2) == (job.status, job.attempt)


def test_one_lingers_for_all_and_ends_with_the_last(
    cit: Cit, queue: Queue, tmp_path: Path, world: Path, lingering: None
) -> None:
    (tmp_path / "pause.lurch").write_text("(pause 2)")
    env = {"CIT_PATIENCE": "0"}
    cit("push", tmp_path / "pause.lurch")
    cit("run", env=env)
    argv = ["cit-run", "--linger"]

    with subprocess.Popen(argv, env={**os.environ, **env}) as first:
        until(lambda: queue.locks.held((1 << 62) + 2), "who stays")
        second = cit("run", "--linger", env=env)

        assert (0, None) == (second.code, first.poll())
        assert 0 == first.wait(90)
    assert "ok" == queue.job(queue.names("done")[0]).status


# --- what is cut off ---------------------------------------------------------------------------

CLEANS = """
[[stage]]
name = "work"
run = "echo begun > ledger; sleep 1000"
[[stage]]
name = "clean"
finally = true
run = "echo cleaning >> ledger; test $CIT_ATTEMPT = 2 || sleep 1000; echo clean >> ledger"
[retry]
on_lost = "again"
"""


def test_clean_up_after_a_stop_goes_on_after_a_crash(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "cleans.toml").write_text(CLEANS)
    id = cit("push", tmp_path / "cleans.toml").out.strip()
    ledger = Path(queue.home) / "cleans" / id / "ledger"
    cit("queue", "tick")
    with subprocess.Popen(["cit-run", "-j", "1"]) as runner:
        until(ledger.exists, "the job")
        cit("stop", id)
        until(lambda: "cleaning" in ledger.read_text(), "its clean-up")
        runner.kill()

    ended = cit("run", "-j", "1")

    job = queue.job(queue.find(id))
    assert 0 == ended.code
    assert "cancelled" == job.status
    assert "begun\ncleaning\ncleaning\nclean\n" == ledger.read_text()
    assert "ok" == job.runs["1.2"].status
