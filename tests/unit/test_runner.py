"""The choice of the next job, and jobs that are run here and now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cit import asked, held, locks, runner
from cit.errors import Bad
from cit.queue import Queue

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"


def test_a_job_that_waits_in_other_hands_is_waited_for_in_peace(
    queue: Queue, push: Callable[..., str]
) -> None:
    id = push()
    other = held.take(Queue(queue.path), queue.find(id))
    assert other
    release = threading.Timer(0.5, other.close)

    release.start()
    before = time.process_time()
    hold = runner._Choice(queue).next()
    busy = time.process_time() - before

    assert hold is not None and (id, "run") == (hold.name.id, hold.name.state)
    assert busy < 0.25
    hold.close()


def test_of_two_jobs_with_one_id_that_are_run_at_the_same_moment_one_is(queue: Queue) -> None:
    job = asked.compose(b"#!/bin/true\n", ID, "main", "test", {})
    manager = Queue(queue.path)
    assert manager.locks.hold(locks.MANAGER)
    ended: list[str] = []

    def begin() -> None:
        try:
            ended.append(runner._begin(Queue(queue.path), job).name.state)
        except Bad as bad:
            ended.append(str(bad))

    both = [threading.Thread(target=begin) for _ in range(2)]
    for thread in both:
        thread.start()
    both[0].join(0.3)  # both have come as far as they can
    manager.locks.release(locks.MANAGER)
    for thread in both:
        thread.join()

    assert [f"id {ID} has been pushed before", "run"] == sorted(ended)
    assert 1 == len(queue.names("run"))
