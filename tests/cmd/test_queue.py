"""cit-queue: make, tend, look over and check queues."""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cit import held, home, people, trace
from cit.queue import Queue

Cit = Callable[..., Any]


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


def push(cit: Cit, *arguments: str) -> str:
    ended = cit("push", *(arguments or ["--", "/bin/true"]))
    assert 0 == ended.code
    return str(ended.out.strip())


def finish(queue: Queue, id: str) -> None:
    hold = held.take(queue, queue.find(id))
    assert hold
    with hold:
        hold.finish("ok", 0)


def log(queue: Queue) -> list[tuple[str, ...]]:
    days = (Path(queue.path) / "log").glob("*.tab")
    return [
        (record.kind, *record.fields)
        for day in days
        for record in trace.records(day.read_bytes())
    ]


# --- init ------------------------------------------------------------------------------------


def test_a_queue_is_made_where_configuration_says(cit: Cit, tmp_path: Path) -> None:
    ended = cit("queue", "init", env={"CIT_QUEUE": str(tmp_path / "q")})

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    queue = Queue(str(tmp_path / "q"))
    assert ("q", "push") == (queue.setting("name"), queue.setting("start"))
    assert [queue.path] == home.queues()


@pytest.mark.parametrize(("rule", "who"), [("no-one", "user"), ("@no-one", "group")])
def test_who_is_not_there_cannot_be_let_push(
    cit: Cit, tmp_path: Path, rule: str, who: str
) -> None:
    ended = cit("queue", "init", "q", "--push", "owner", "--push", rule)

    why = f"--push: no {who} 'no-one' on this machine"
    assert (2, "", f"cit-queue: {why}\n") == tuple(ended)
    assert not (tmp_path / "q").exists()


def test_an_owner_who_shuts_himself_out_is_told_so(cit: Cit, tmp_path: Path) -> None:
    entries = (entry for entry in pwd.getpwall() if entry.pw_uid != os.geteuid())
    other = next(entries).pw_name

    shut, open = (cit("queue", "init", name, "--push", other, *more)
                  for name, more in (("a", ()), ("b", ("--push", "owner"))))  # fmt: skip

    why = f"its owner may not push into queue '{tmp_path}/a': --push owner was not given"
    assert (0, "", f"cit-queue: {why}\n") == tuple(shut)
    assert (0, "", "") == tuple(open)


def test_a_queue_is_made_as_it_was_asked_for(cit: Cit, tmp_path: Path) -> None:
    group = f"@{grp.getgrgid(0).gr_name}"

    ended = cit(
        "queue", "init", "q", "--name", "ours", "--slots", "3", "--readers", "all", "--push",
        "owner", "--push", group, "--none", "all", "--start", "cron",
    )  # fmt: skip

    assert 0 == ended.code
    queue = Queue(str(tmp_path / "q"))
    assert ("ours", 3, "all", ["owner", group], "all", "cron") == tuple(
        queue.setting(key) for key in ("name", "slots", "readers", "push", "none", "start")
    )
    assert 0o1733 == stat.S_IMODE(os.stat(tmp_path / "q" / "in").st_mode)


def test_a_queue_for_others_is_served_by_cron(cit: Cit, tmp_path: Path) -> None:
    cit("queue", "init", "q", "--push", "*")

    assert "cron" == Queue(str(tmp_path / "q")).setting("start")


def test_a_queue_that_is_there_stays_as_it_is(cit: Cit, queue: Queue) -> None:
    ended = cit("queue", "init", "--slots", "9")

    assert (1, f"cit-queue: there is a queue '{queue.path}' already\n") == (ended.code, ended.err)
    assert 0 == Queue(queue.path).setting("slots")


def test_who_wants_the_demo_beside_his_queue_is_told_how(cit: Cit, queue: Queue) -> None:
    ended = cit("queue", "init", "--demo")

    why = f"there is a queue '{queue.path}' already; for another: cit-queue init --demo DIR"
    assert (1, "", f"cit-queue: {why}\n") == tuple(ended)


@pytest.mark.parametrize(
    "arguments",
    [["--name", "A B"], ["--slots", "-1"], ["--slots", "x"], ["--push", "a b"], ["--push", ""],
     ["--readers", "me"]],
)  # fmt: skip
def test_a_queue_that_cannot_be_is_not_made(
    cit: Cit, tmp_path: Path, arguments: list[str]
) -> None:
    ended = cit("queue", "init", "q", *arguments)

    assert (2, "") == (ended.code, ended.out)
    assert 1 == ended.err.count("\n")
    assert not (tmp_path / "q").exists()


def test_a_group_must_be_that_of_the_caller(
    users: Callable[[str], Any], cit: Cit
) -> None:
    alice = users("alice")

    ended = cit("queue", "init", "--group", "daemon", user=alice)
    own = cit("queue", "init", "--group", alice.name, user=alice)

    assert (77, "you are not in it", 0) == (ended.code, ended.err.strip()[-17:], own.code)


# --- tick ------------------------------------------------------------------------------------


def test_a_tick_admits_what_was_pushed(cit: Cit, queue: Queue) -> None:
    id = push(cit)

    ended = cit("queue", "tick")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert "wait" == queue.find(id).state


@pytest.mark.parametrize("verb", ["tick", "pause", "resume", "fsck", "prune"])
def test_a_queue_that_is_not_there_is_missing(cit: Cit, world: Path, verb: str) -> None:
    ended = cit("queue", verb)

    assert (66, "") == (ended.code, ended.out)
    assert f"cit-queue: no queue '{world / '.cit' / 'queue'}'\n" == ended.err
    assert not (world / ".cit").exists()


def test_a_tick_that_finds_another_one_does_nothing_and_that_is_fine(
    cit: Cit, queue: Queue
) -> None:
    from cit import locks

    id = push(cit)
    queue.locks.hold(locks.MANAGER)

    ended = cit("queue", "tick")

    assert (0, "in") == (ended.code, queue.find(id).state)


# --- pause and resume ------------------------------------------------------------------------


def test_a_paused_queue_admits_and_starts_nothing(cit: Cit, queue: Queue) -> None:
    ended = cit("queue", "pause", "--reason", "new disk")
    id = push(cit)
    cit("queue", "tick")
    cit("run", "-j", "1")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert "wait" == queue.find(id).state
    assert [("pause", people.who(), "new disk")] == log(queue)


def test_a_resumed_queue_goes_on(cit: Cit, queue: Queue) -> None:
    id = push(cit)
    cit("queue", "pause")

    ended = cit("queue", "resume", "--reason", "done", env={"CIT_START": "push"})
    cit("logs", "--follow", id)

    assert (0, "ok") == (ended.code, queue.job(queue.find(id)).status)
    assert ["pause", "resume"] == [line[0] for line in log(queue)]


def test_what_is_held_until_an_instant_in_a_paused_queue_goes_on_by_itself(
    cit: Cit, queue: Queue
) -> None:
    id = push(cit)
    cit("queue", "pause")
    cit("queue", "tick")
    cit("hold", "--until", "1s", id)

    ended = cit("queue", "resume", env={"CIT_START": "push"})
    cit("logs", "--follow", id)

    assert (0, "ok") == (ended.code, queue.job(queue.find(id)).status)


def test_to_pause_twice_or_resume_what_is_not_paused_is_fine(cit: Cit, queue: Queue) -> None:
    codes = [cit("queue", verb).code for verb in ("resume", "pause", "pause", "resume", "resume")]

    assert [0] * 5 == codes
    assert ["pause", "resume"] == [line[0] for line in log(queue)]


# --- fsck ------------------------------------------------------------------------------------


def test_a_queue_in_order_is_a_silent_success(cit: Cit, queue: Queue) -> None:
    id = push(cit)

    ended = cit("queue", "fsck", "--ids", "-", input=id + "\n")

    assert (0, "", "") == (ended.code, ended.out, ended.err)


def test_each_complaint_is_a_line_and_the_code_says_no(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    (Path(queue.path) / "wait" / "README").touch()
    (tmp_path / "ids").write_text("01kak5jzc2v8e9j7m3t0q4w6xy\n")

    ended = cit("queue", "fsck", "--ids", "ids")

    assert (1, "") == (ended.code, ended.err)
    assert [
        "wait/README: is no job's name",
        "01kak5jzc2v8e9j7m3t0q4w6xy: acknowledged, and nowhere to be found",
    ] == ended.out.splitlines()


def test_ids_that_cannot_be_read_are_missing(cit: Cit, queue: Queue) -> None:
    ended = cit("queue", "fsck", "--ids", "none")

    assert (66, "cit-queue: cannot read 'none': no such file or directory\n") == (
        ended.code, ended.err,
    )  # fmt: skip


# --- prune -----------------------------------------------------------------------------------


def test_finished_jobs_are_forgotten_and_their_ids_printed(cit: Cit, queue: Queue) -> None:
    done, waiting = push(cit), push(cit)
    cit("queue", "tick")
    finish(queue, done)

    dry = cit("queue", "prune", "--older", "0s", "--dry-run")
    still = [found.id for found in queue.names("done")]
    ended = cit("queue", "prune", "--older", "0s", "--reason", "spring")

    assert (0, done + "\n", [done]) == (dry.code, dry.out, still)
    assert (0, done + "\n", "") == (ended.code, ended.out, ended.err)
    assert [waiting] == [found.id for found in queue.every()]
    assert ("prune", people.who(), "1 jobs: spring") == log(queue)[-1]
    assert 0 == cit("queue", "fsck", "--ids", "-", input=f"{done} {waiting}").code


def test_young_jobs_and_the_newest_are_kept(cit: Cit, queue: Queue) -> None:
    ids = [push(cit) for _ in range(3)]
    cit("queue", "tick")
    for id in ids:
        finish(queue, id)

    assert "" == cit("queue", "prune").out
    assert ids[0] + "\n" == cit("queue", "prune", "--older", "0s", "--keep", "2").out


@pytest.mark.parametrize("arguments", [["--older", "soon"], ["--keep", "-1"], ["--keep", "x"]])
def test_an_age_or_a_number_that_is_none_is_a_wrong_call(
    cit: Cit, queue: Queue, arguments: list[str]
) -> None:
    ended = cit("queue", "prune", *arguments)

    assert (2, 1) == (ended.code, ended.err.count("\n"))


# --- ls --------------------------------------------------------------------------------------


def test_all_queues_of_a_user_are_listed_with_their_counts(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    push(cit)
    cit("queue", "tick")
    cit("queue", "init", "other", "--push", "*")
    cit("queue", "pause", "other", "--reason", "new\ndisk")
    cit("queue", "init", "gone")
    os.rename(tmp_path / "gone", tmp_path / "moved")

    ended = cit("queue", "ls")

    assert (0, "") == (ended.code, ended.err)
    first, second, third = (line.split("\t") for line in ended.out.splitlines())
    assert [queue.path, "active", "1", "0", "0", "0", "0"] == first[:7]
    assert [str(tmp_path / "other"), "paused"] == second[:2]
    assert f"by {people.who()}: new" in second[7]
    assert [str(tmp_path / "gone"), "away"] == third[:2]
    assert [True, "-", "-"] == [first[8] > "2026", second[8], third[8].rstrip()]


def test_jobs_are_counted_by_their_states(
    made: Any, cit: Cit, terminal: Callable[..., str]
) -> None:
    states = ["wait", *["hold"] * 2, *["park"] * 3, *["run"] * 4, *["done/2026-11-21"] * 5]
    for state in states:
        made.put(state, due=1795300000)

    told = json.loads(cit("queue", "ls", "--json").out)
    head, line = terminal("queue", "ls").splitlines()

    assert ["1", "2", "3", "4", "5"] == [told[s] for s in ("wait", "hold", "park", "run", "done")]
    assert ["QUEUE", "STATE", "WAIT", "HOLD", "PARK", "RUN", "DONE"] == head.split()[:7]
    assert ["active", "1", "2", "3", "4", "5"] == line.split()[-6:]


def test_when_the_manager_was_last_there_is_told(
    cit: Cit, queue: Queue, terminal: Callable[..., str]
) -> None:
    never = json.loads(cit("queue", "ls", "--json").out)["ticked"]
    before = trace.stamp(time.time() - 1)  # the clock of the file system is a little late
    cit("queue", "tick")

    told = json.loads(cit("queue", "ls", "--json").out)["ticked"]
    head, line = terminal("queue", "ls").splitlines()

    assert ("", True) == (never, before <= told <= trace.stamp(time.time()))
    assert "TICKED" == head.split()[-1]
    assert ("s ago" == line[-5:]) or ("m ago" == line[-5:])


def test_a_queue_is_an_object_a_line_where_that_is_asked(cit: Cit, queue: Queue) -> None:
    [line] = cit("queue", "ls", "--json").out.splitlines()

    told = json.loads(line)
    assert (queue.path, "active") == (told["queue"], told["state"])


def test_who_knows_no_queue_sees_none(cit: Cit) -> None:
    assert (0, "", "") == tuple(cit("queue", "ls"))


# --- wrong calls -----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["dance"], ["tick", "a", "b"], ["tick", "--hard"]])
def test_a_wrong_call_is_told_in_a_line(cit: Cit, arguments: list[str]) -> None:
    ended = cit("queue", *arguments)

    assert (2, "", 1) == (ended.code, ended.out, ended.err.count("\n"))


def test_a_list_that_nobody_reads_any_more_ends_quietly(cit: Cit, queue: Queue) -> None:
    for number in range(50):
        (Path(queue.path) / "wait" / f"README{number}").touch()

    shell = subprocess.run(
        ["sh", "-c", "cit-queue fsck | head -n 1"], capture_output=True, timeout=30
    )

    assert (b"", 1) == (shell.stderr, shell.stdout.count(b"\n"))


# --- move ------------------------------------------------------------------------------------


@pytest.fixture
def waiting(cit: Cit, world: Path) -> tuple[Queue, list[str]]:
    """A queue and the ids of four jobs that wait in it."""
    assert 0 == cit("queue", "init").code
    ids = [cit("push", "--name", f"job{n}", "--", "true").out.strip() for n in range(4)]
    assert 0 == cit("queue", "tick").code
    return Queue(str(world / ".cit" / "queue")), ids


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["--first", "job2"], [2, 0, 1, 3]),
        (["--first", "job0"], [0, 1, 2, 3]),
        (["--last", "job1"], [0, 2, 3, 1]),
        (["--last", "job3"], [0, 1, 2, 3]),
        (["--priority", "51", "job0"], [1, 2, 3, 0]),
        (["--priority", "0", "job3"], [3, 0, 1, 2]),
    ],
)
def test_a_waiting_job_is_moved_in_the_line(
    cit: Cit, waiting: tuple[Queue, list[str]], words: list[str], order: list[int]
) -> None:
    queue, ids = waiting

    ended = cit("queue", "move", *words, "--reason", "urgent")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert [ids[n] for n in order] == [found.id for found in queue.names("wait")]
    assert 0 == cit("queue", "fsck").code
    [note] = queue.job(queue.find(words[-1])).notes
    assert note.fields[0] == people.who() and note.fields[1].endswith(": urgent")
    [day] = (Path(queue.path) / "log").glob("*.tab")
    assert f"\tmove\t{queue.find(words[-1]).id}\t" in day.read_text()


def test_jobs_can_be_first_after_one_another(
    cit: Cit, waiting: tuple[Queue, list[str]]
) -> None:
    queue, ids = waiting

    for word in ("job1", "job3", "job2"):
        assert 0 == cit("queue", "move", "--first", word).code

    assert [ids[n] for n in (2, 3, 1, 0)] == [found.id for found in queue.names("wait")]


def test_before_a_job_of_priority_0_there_is_no_place(
    cit: Cit, waiting: tuple[Queue, list[str]]
) -> None:
    cit("queue", "move", "--priority", "0", "job0")
    cit("queue", "move", "--priority", "99", "job3")

    for place, word in (("--first", "job1"), ("--last", "job2")):
        ended = cit("queue", "move", place, word)
        assert (1, 1) == (ended.code, ended.err.count("\n"))


def test_a_job_that_is_held_comes_back_to_where_it_was_moved(
    cit: Cit, waiting: tuple[Queue, list[str]]
) -> None:
    queue, ids = waiting
    cit("hold", "job2")

    assert 0 == cit("queue", "move", "--first", "job2").code
    assert "hold" == queue.find("job2").state
    cit("hold", "--release", "job2")

    assert [ids[n] for n in (2, 0, 1, 3)] == [found.id for found in queue.names("wait")]


def test_what_does_not_wait_is_not_moved(cit: Cit, waiting: tuple[Queue, list[str]]) -> None:
    cit("stop", "job2")

    ended = cit("queue", "move", "--first", "job2")
    wrong = cit("queue", "move", "--priority", "100", "job1")
    none = cit("queue", "move", "job1")

    assert (1, True) == (ended.code, "it is not waiting" in ended.err)
    assert (2, 2) == (wrong.code, none.code)
    assert 66 == cit("queue", "move", "--first", "nobody").code


# --- paused ----------------------------------------------------------------------------------


def test_a_paused_queue_starts_nothing_and_says_who_paused_it_also_after_a_restart(
    cit: Cit, waiting: tuple[Queue, list[str]]
) -> None:
    queue, ids = waiting
    cit("hold", "--until", "1ms", "job0")

    cit("queue", "pause", "--reason", "new disk")
    began = time.monotonic()
    while queue.find("job0").state == "park":  # it comes back, and no further
        assert time.monotonic() < began + 10
        cit("queue", "tick")  # each is a process of its own: nothing is kept in one
        cit("run", "-j", "2")

    cit("run", "-j", "2")
    assert ids == [found.id for found in queue.names("wait")]
    assert f"the queue is paused by {people.who()}, " in cit("why", "job0").out
    assert f"by {people.who()}: new disk" in cit("queue", "ls").out
    cit("queue", "resume")
    cit("run", "-j", "2")
    assert ["ok"] * 4 == [queue.job(queue.find(id)).status for id in ids]
