"""Many pushers and runners at once, stopped and continued at random."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import harness
from harness import Home
from waiting import until

PUSHERS, RUNNERS, JOBS = harness.size(2, 8), harness.size(2, 4), harness.size(40, 2000)
CALL = 10  # jobs in one push


def test_jobs_run_once_whoever_is_stopped_and_continued(
    home: Home, rng: random.Random, figure: Callable[[str], None]
) -> None:
    files = [home.script() for _ in range(JOBS)]
    calls = [files[at : at + CALL] for at in range(0, JOBS, CALL)]
    acknowledged: list[str] = []
    running: list[subprocess.Popen[bytes]] = []
    failed: list[tuple[str, int]] = []
    guard, over = threading.Lock(), threading.Event()

    def step(name: str, *args: object) -> bytes:
        process = home.start(name, *map(str, args), out=subprocess.PIPE)
        with guard:
            running.append(process)
        out = process.communicate()[0]
        with guard:
            running.remove(process)
        if process.returncode not in (0, 75):
            failed.append((name, process.returncode))
        return out

    def pushes() -> None:
        while calls:
            try:
                batch = calls.pop()
            except IndexError:
                return
            acknowledged.extend(step("cit-push", *batch).decode().split())

    def repeat(*words: str) -> Callable[[], None]:
        def loop() -> None:
            while not over.is_set():
                step(*words)

        return loop

    def disturb() -> None:
        stopped: list[subprocess.Popen[bytes]] = []
        while not over.is_set():
            with guard:
                for process in rng.sample(running, min(2, len(running))):
                    harness.signal_session(process, signal.SIGSTOP)
                    stopped.append(process)
            time.sleep(rng.uniform(0.001, 0.1))
            for process in stopped:
                harness.signal_session(process, signal.SIGCONT)
            stopped.clear()
            time.sleep(rng.uniform(0.001, 0.05))

    pushers = [threading.Thread(target=pushes) for _ in range(PUSHERS)]
    others = [
        threading.Thread(target=repeat("cit-run", "-j", str(RUNNERS))) for _ in range(RUNNERS)
    ]
    others += [
        threading.Thread(target=repeat("cit-queue", "tick")),
        threading.Thread(target=disturb),
    ]
    for thread in pushers + others:
        thread.start()
    for thread in pushers:
        thread.join()
    try:
        until(lambda: failed or home.executions().total() >= JOBS, "all jobs", 60 + JOBS / 5)
    finally:
        over.set()  # nobody is left stopped, whatever became of the jobs
        for thread in others:
            thread.join()
    home.settle()

    assert [] == failed, [path.read_text() for path in home.path.glob("bugs/*")]
    assert JOBS == len(set(acknowledged))
    assert [] == harness.complaints(home, acknowledged)
    figure(f"{PUSHERS} pushers, {RUNNERS} runners, {JOBS} jobs, stopped at random: each ran once")
