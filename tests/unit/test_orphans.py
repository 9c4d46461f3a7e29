"""Finding and ending what a command left running."""

from __future__ import annotations

import os
import resource
import select
import traceback
from collections.abc import Callable

import pytest
from waiting import until

from cit import kernel, orphans, proc

ID = f"orphans-{os.getpid()}"
BOMBER = 54300  # a user of no other test: the kernel counts a user's processes
# A daemon as the book has it; without the id in its environment; and an ordinary child.
DAEMON = "(setsid sh -c '(sleep 1000 & echo $!)' &)"
BARE = "(setsid env -i sh -c '(sleep 1000 & echo $!)' &)"
BACKGROUND = "sleep 1000 & echo $!"


@pytest.fixture(autouse=True)
def _loaded() -> None:
    kernel.load()


def adopting(work: Callable[[], None]) -> None:
    """Do it in a process that adopts orphans; its failure is ours."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            kernel.adopt_orphans()
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def leave(script: str) -> tuple[proc.Child, int]:
    """A command that has ended but is not waited for, and the pid that it printed."""
    out, into = os.pipe()
    env = {"PATH": proc.PATH, "CIT_ID": ID, "CIT_RUN": "1.2"}
    child = proc.start(["/bin/sh", "-c", script], env, "/", stdout=into, stderr=2)
    os.close(into)
    left = int(os.read(out, 100))
    poll = select.poll()
    poll.register(child.pidfd, select.POLLIN)
    assert poll.poll(10_000)
    os.close(out)
    return child, left


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("script", [DAEMON, BARE, BACKGROUND])
def test_what_a_command_leaves_is_below_who_adopts_orphans(script: str) -> None:
    def look() -> None:
        child, left = leave(script)
        assert left in orphans.below(child.pids)
        assert child.pid not in orphans.below(child.pids)

        assert set() == orphans.end_all(keep=child.pids)

        assert not alive(left)
        assert 0 == child.wait().code

    adopting(look)


def test_who_does_not_adopt_finds_it_by_its_id() -> None:
    child, left = leave(DAEMON)
    with child:
        until(lambda: left in orphans.marked(ID), "its exec")  # it says its pid before that
        assert orphans.marked(ID[:-1]) == set()

        orphans.end_all(ID, keep=child.pids)

        assert not orphans.marked(ID)


def test_what_is_kept_is_left_alone_with_all_below_it() -> None:
    def look() -> None:
        out, into = os.pipe()
        script = "sleep 1000 & echo $!; wait"
        kept = proc.start(["/bin/sh", "-c", script], {}, "/", stdout=into, stderr=2)
        below = int(os.read(out, 100))
        child, left = leave(BACKGROUND)

        orphans.end_all(keep=(*kept.pids, *child.pids))

        assert (False, True, True) == (alive(left), alive(below), alive(kept.pid))
        orphans.end_all()

    adopting(look)


def test_nothing_to_find_is_nothing_to_do() -> None:
    def look() -> None:
        assert set() == orphans.end_all("nobody-has-this")

    adopting(look)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user of its own to count processes")
def test_a_fork_bomb_is_ended_too() -> None:
    def look() -> None:
        child = proc.start(
            # Not a shell: one that cannot fork ends, and so may all before anybody has looked.
            ["/usr/bin/perl", "-e", "for (;;) { defined fork or select undef, undef, undef, .01 }"],
            {}, "/", stdout=2, stderr=2,
            user=(BOMBER, BOMBER), limits=[(resource.RLIMIT_NPROC, 200)],
        )  # fmt: skip
        until(lambda: len(orphans.below()) >= 50, "the bomb")

        child.signal(9)
        assert set() == orphans.end_all(keep=child.pids)

        assert set() == orphans.below(child.pids)
        child.wait()

    adopting(look)


@pytest.mark.parametrize("script", [DAEMON, BACKGROUND])
def test_a_child_sweeps_up_what_it_left_and_nothing_of_another_run(script: str) -> None:
    def look() -> None:
        older = proc.start(
            ["/bin/sleep", "1000"], {"CIT_ID": ID, "CIT_RUN": "1.1"}, "/", stdout=2, stderr=2
        )
        child, left = leave(f"{script}; exit 7")

        assert set() == child.sweep(ID, run="1.2")

        assert (False, True) == (alive(left), alive(older.pid))
        assert 7 == child.wait().code
        older.close()

    adopting(look)
