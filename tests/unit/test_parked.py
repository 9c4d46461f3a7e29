"""Jobs that are laid by: a tick lets them go on in time, once, and loses no answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import asked, expiry, fsck, held, manager, name, people, trace, wishes
from cit.name import FOR_ANSWER, FOR_OTHERS
from cit.queue import Queue

Push = Callable[..., str]
Lay = Callable[..., str]
NOW = 1795293421.0


@pytest.fixture
def lay(queue: Queue, push: Push) -> Lay:
    """Have a job that ran until it asked something, or waited, and was parked: its id."""

    def put(
        due: int = FOR_ANSWER, verb: str = "approve", what: str = "", who: str = "",
        deadline: float = 0, called: str = "deploy", until: str = "",
    ) -> str:  # fmt: skip
        id = push(name=called)
        with take(queue, id) as hold:
            hold.move("run")
            hold.record("claim", "-", "host", "1", "boot", "1", "0")
            hold.record("begin", "1", "sequence", "1")
            if verb:
                hold.record("begin", "1.1", verb, "1")
                end = trace.stamp(deadline) if deadline else ""
                hold.record("ask", "1.1", verb, "deploy?", "no", end, who)
            hold.record("park", "-", until, what)
            hold.sync()
            hold.move("park", due)
        return id

    return put


def take(queue: Queue, id: str) -> held.Held:
    hold = held.take(queue, queue.find(id))
    assert hold
    return hold


def sum_of(queue: Queue, id: str) -> str:
    return asked.parse(queue.head(queue.find(id))[0]).sha256


def say(queue: Queue, id: str, value: str = "yes", run: str = "1.1", sha256: str = "") -> None:
    more = (value, sha256 or sum_of(queue, id))
    wishes.send(queue, queue.find(id), "answer", "looks good", run, more)


def state(queue: Queue, id: str) -> str:
    return queue.find(id).state


def log(queue: Queue) -> list[str]:
    days = sorted((Path(queue.path) / "log").glob("*.tab"))
    return [r.fields[1] for day in days for r in trace.records(day.read_bytes())]


def clean(queue: Queue, *ids: str) -> bool:
    return [] == list(fsck.check(queue, ids))


# --- answers ---------------------------------------------------------------------------------


def test_an_answer_is_written_down_and_the_job_goes_on(queue: Queue, lay: Lay) -> None:
    id = lay()
    say(queue, id)

    manager.tick(queue)

    told = queue.job(queue.find(id))
    [answer] = told.answers
    assert ("wait", {}) == (state(queue, id), told.asks)
    assert (people.who(), "yes", "looks good") == answer.fields[:3]
    assert sum_of(queue, id) == answer.fields[4]
    assert [] == wishes.pending(queue)


def test_a_question_stays_open_until_it_is_answered(queue: Queue, lay: Lay) -> None:
    id = lay(who="alice,@ops")

    manager.tick(queue)

    question = queue.job(queue.find(id)).asks["1.1"]
    assert ("park", "approve", "deploy?", "no", "", ("alice", "@ops")) == (
        state(queue, id), question.verb, question.comment, question.default, question.deadline,
        question.who,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "run", "sha256", "why"),
    [
        ("maybe", "1.1", "", "expected yes or no, found 'maybe'"),
        ("yes", "1", "", "run 1 asks nothing"),
        ("yes", "1.2", "", "run 1.2 asks nothing"),
        ("yes", "1.1", "0" * 64, "it is for a job that asks something else"),
        ("y\0", "1.1", "", f"a value has no NUL, and at most {wishes.CAP} bytes"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_and_written_into_the_log(
    queue: Queue, lay: Lay, value: str, run: str, sha256: str, why: str
) -> None:
    id = lay()
    say(queue, id, value, run, sha256)

    manager.tick(queue)

    assert ("park", [f"cannot answer: {why}"]) == (state(queue, id), log(queue))
    assert [] == wishes.pending(queue)


def test_what_was_stopped_is_not_answered_any_more(queue: Queue, lay: Lay) -> None:
    """A yes would let the program go on behind the step that somebody stopped."""
    id = lay()
    wishes.send(queue, queue.find(id), "stop", "", "1.1")
    manager.tick(queue)
    say(queue, id)

    manager.tick(queue)

    assert ("wait", []) == (state(queue, id), queue.job(queue.find(id)).answers)
    assert ["cannot answer: run 1.1 was stopped"] == log(queue)


def test_an_answer_without_the_sum_of_the_job_is_refused(queue: Queue, lay: Lay) -> None:
    id = lay()
    wishes.send(queue, queue.find(id), "answer", "", "1.1", ("yes",))

    manager.tick(queue)

    assert ("park", 1) == (state(queue, id), len(log(queue)))


def test_a_let_takes_any_text(queue: Queue, lay: Lay) -> None:
    id = lay(verb="let")
    value = "x\t\n%% job \udcff" * 4000
    say(queue, id, value)

    manager.tick(queue)

    assert value == queue.job(queue.find(id)).answers[0].fields[1]
    assert clean(queue, id)


def test_the_second_answer_is_refused(queue: Queue, lay: Lay) -> None:
    id = lay()
    say(queue, id, "no")
    manager.tick(queue)
    say(queue, id, "yes")

    manager.tick(queue)

    assert ["no"] == [answer.fields[1] for answer in queue.job(queue.find(id)).answers]
    assert [f"cannot answer: {people.who()} has answered it"] == log(queue)


def test_an_answer_that_came_in_time_counts_and_a_late_one_does_not(
    queue: Queue, lay: Lay
) -> None:
    late = lay(deadline=time.time() - 5)
    early = lay(deadline=time.time() + 500)
    for id in (late, early):
        say(queue, id)
    [first, second] = wishes.pending(queue)

    manager.tick(queue)

    assert ("park", "wait") == (state(queue, late), state(queue, early))
    assert log(queue)[0].startswith("cannot answer: it had to be answered until ")
    # A tick that comes after the deadline reads what was there before it.
    told = queue.job(queue.find(late))
    assert "" == wishes.refusal(
        queue, first._replace(made=trace.seconds(told.asks["1.1"].deadline) - 1), told, time.time()
    )


def test_who_may_answer_is_said_by_the_question(queue: Queue, lay: Lay) -> None:
    named, other = lay(who="daemon,@nogroup"), lay()
    uid = 1  # daemon, wherever Debian is
    for id, may in ((named, True), (other, False)):
        say(queue, id)
        told = queue.job(queue.find(id))
        [answer] = wishes.pending(queue, id)
        assert may == (wishes.stranger(queue, answer._replace(uid=uid), told) == "")
    queue.owner, who = 4_000_000_000, "the owner, who is not named"
    told = queue.job(queue.find(named))
    [answer] = wishes.pending(queue, named)
    assert wishes.stranger(queue, answer._replace(uid=queue.owner), told), who
    assert "" == wishes.stranger(queue, answer._replace(uid=0), told)


def test_a_job_that_is_held_back_keeps_its_answer_and_stays(queue: Queue, lay: Lay) -> None:
    id = lay()
    wishes.send(queue, queue.find(id), "hold", "")
    manager.tick(queue)
    say(queue, id)

    manager.tick(queue)

    assert ("hold", 1) == (state(queue, id), len(queue.job(queue.find(id)).answers))
    wishes.send(queue, queue.find(id), "release", "")
    manager.tick(queue)
    assert "wait" == state(queue, id)


@pytest.mark.parametrize("moved", [False, True])
def test_an_answer_whose_file_is_still_there_after_a_cut_counts_once(
    queue: Queue, lay: Lay, moved: bool
) -> None:
    id = lay()
    say(queue, id)
    [answer] = wishes.pending(queue)
    with take(queue, id) as hold:
        hold.record("answer", "1.1", *wishes.fields(answer))
        hold.sync()
        if moved:
            hold.move("wait")

    manager.tick(queue)

    assert ("wait", 1) == (state(queue, id), len(queue.job(queue.find(id)).answers))
    assert ([], []) == (wishes.pending(queue), log(queue))


# --- stop, hold, release ---------------------------------------------------------------------


@pytest.mark.parametrize("where", ["park", "hold"])
@pytest.mark.parametrize("run", ["-", "1.1"])
def test_a_job_that_has_begun_is_stopped_by_its_runner(
    queue: Queue, lay: Lay, where: str, run: str
) -> None:
    id = lay()
    if where == "hold":
        with take(queue, id) as hold:
            hold.move("hold")
    wishes.send(queue, queue.find(id), "stop", "", run)

    manager.tick(queue)

    told = queue.job(queue.find(id))
    assert ("wait", "", [("stop", run)]) == (
        state(queue, id), told.status, [(act.kind, act.run) for act in told.acts],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("run", "why"), [("1.9", "it has begun no run 1.9"), ("1.2", "run 1.2 has ended")]
)
def test_a_run_that_is_unknown_or_has_ended_is_not_stopped(
    queue: Queue, lay: Lay, run: str, why: str
) -> None:
    id = lay()
    with take(queue, id) as hold:
        hold.record("begin", "1.2", "exec", "1")
        hold.record("end", "1.2", "ok", "0", "")
        hold.sync()
    wishes.send(queue, queue.find(id), "stop", "", run)

    manager.tick(queue)

    assert ("park", [f"cannot stop: {why}"]) == (state(queue, id), log(queue))


def test_a_job_is_held_back_until_an_instant_and_can_be_released_before(
    queue: Queue, push: Push
) -> None:
    until = time.time() + 3600.5
    ids = [push(), push()]
    for id in ids:
        wishes.send(queue, queue.find(id), "hold", "later", "-", (trace.stamp(until),))
    manager.tick(queue)
    laid = [queue.find(id) for id in ids]
    wishes.send(queue, queue.find(ids[0]), "release", "")

    manager.tick(queue)

    assert [("park", int(until) + 1)] * 2 == [(found.state, found.due) for found in laid]
    assert ["wait", "park"] == [state(queue, id) for id in ids]
    told = queue.job(queue.find(ids[1]))
    assert (True, False) == (told.withheld(until - 1), told.withheld(until + 1))


def test_a_job_that_never_ran_is_stopped_where_it_lies(queue: Queue, push: Push) -> None:
    id = push()
    with take(queue, id) as hold:
        hold.move("park", FOR_ANSWER)
    wishes.send(queue, queue.find(id), "stop", "")

    manager.tick(queue)

    assert ("done", "cancelled") == (state(queue, id), queue.job(queue.find(id)).status)
    assert clean(queue, id)


# --- time ------------------------------------------------------------------------------------


def test_a_job_whose_time_has_come_goes_on_in_its_old_place(queue: Queue, lay: Lay) -> None:
    now = int(time.time())
    over, later = lay(now - 1, ""), lay(now + 3600, "")

    manager.tick(queue)

    assert ["wait", "park"] == [state(queue, id) for id in (over, later)]
    assert queue.find(over).number < queue.find(later).number


def test_a_job_that_was_parked_while_the_clock_was_ahead_looks_anew(
    queue: Queue, lay: Lay
) -> None:
    sleeps, asks = lay(int(time.time()) + 10**6, ""), lay(FOR_ANSWER)

    manager.wake(queue, time.time() - 30)
    soon = [state(queue, id) for id in (sleeps, asks)]
    manager.wake(queue, time.time() - 90)

    assert (["park", "park"], ["wait", "park"]) == (
        soon, [state(queue, id) for id in (sleeps, asks)],
    )  # fmt: skip


def test_a_job_that_somebody_holds_is_not_moved(queue: Queue, lay: Lay) -> None:
    id = lay(1, "")
    with take(Queue(queue.path), id):
        manager.tick(queue)

        assert "park" == state(queue, id)


def test_the_next_instant_is_known_by_names(queue: Queue, lay: Lay) -> None:
    seen = [manager.due(queue)]
    for due in (FOR_ANSWER, FOR_OTHERS, 2_000_000_005, 2_000_000_004):
        lay(due, "", what="job x")
        seen.append(manager.due(queue))

    assert [None, None, None, 2_000_000_005.0, 2_000_000_004.0] == seen


def test_a_thousand_parked_jobs_cost_a_tick_little(queue: Queue, lay: Lay) -> None:
    source = queue.file(queue.find(lay()))
    data = Path(source).read_bytes()
    for number in range(2, 1002):
        due = FOR_ANSWER if number % 2 else 2_000_000_000
        id = name.make(number, bytes(10))
        file = name.parked(due, 50, number, id, "deploy")
        (Path(queue.path) / "park" / file).write_bytes(data)
    manager.tick(queue)
    before = time.process_time()

    manager.tick(queue)

    assert time.process_time() - before < 0.2
    assert 1001 == len(queue.names("park"))


# --- others ----------------------------------------------------------------------------------


def test_a_job_that_awaits_others_goes_on_when_one_is_over(
    queue: Queue, lay: Lay, push: Push
) -> None:
    id = push(name="build")
    waits = lay(FOR_OTHERS, "", f"job {id}, artefact build/tree")
    by_name = lay(FOR_OTHERS, "", "job build")
    never = lay(FOR_OTHERS, "", "job other")
    manager.tick(queue)
    before = [state(queue, each) for each in (waits, by_name, never)]
    with take(queue, id) as hold:
        hold.finish("failed", 3)

    seen = manager.awaited(queue)
    manager.tick(queue)

    assert (["park"] * 3, True) == (before, seen)
    assert ["wait", "wait", "park"] == [state(queue, each) for each in (waits, by_name, never)]


def test_what_awaits_others_does_so_until_its_time_is_over(queue: Queue, lay: Lay) -> None:
    ids = [
        lay(FOR_OTHERS, "", "job other", until=trace.stamp(time.time() + more))
        for more in (-1, 3600)
    ]

    manager.tick(queue)

    assert ["wait", "park"] == [state(queue, id) for id in ids]


def test_who_awaits_others_until_an_instant_has_a_next_one(queue: Queue, lay: Lay) -> None:
    lay(FOR_OTHERS, "", "job other", until=trace.stamp(2_000_000_000))

    assert 2_000_000_000.0 == manager.due(queue)


def test_a_thousand_jobs_that_await_others_cost_a_tick_one_look_at_the_directories(
    queue: Queue, lay: Lay
) -> None:
    id = lay(FOR_OTHERS, "", "job other")
    data = Path(queue.file(queue.find(id))).read_bytes()
    for number in range(2, 1002):
        other = name.make(number, bytes(10))
        file = name.parked(FOR_OTHERS, 50, number, other, "deploy")
        wanted = name.make(number + 5000, bytes(10)).encode()
        text = data.replace(b"job other", b"job " + wanted)
        (Path(queue.path) / "park" / file).write_bytes(text)
    before = time.process_time()

    manager.tick(queue)

    assert time.process_time() - before < 2
    assert 1001 == len(queue.names("park"))


def test_nobody_awaits_others_where_all_await_people(queue: Queue, lay: Lay) -> None:
    lay()
    lay(2_000_000_000, "")

    assert not manager.awaited(queue)


# --- expiry ----------------------------------------------------------------------------------


@pytest.fixture
def expiring(queue: Queue) -> Queue:
    with open(os.path.join(queue.path, "queue.toml"), "a", encoding="ascii") as file:
        file.write('expire = "1h"\n')
    return Queue(queue.path)


def serve(queue: Queue, seconds: float) -> None:
    """Let so much time pass at once, as if the machine had been up and the queue not paused."""
    path = Path(queue.path) / "served"
    first, *rest = path.read_text().splitlines()
    boot, uptime, total = first.split()
    path.write_text("\n".join([f"{boot} {uptime} {float(total) + seconds}", *rest, ""]))


def test_a_job_that_nobody_starts_in_time_expires(
    expiring: Queue, push: Push, lay: Lay
) -> None:
    old, begun = push(), lay(1, "")
    manager.tick(expiring)
    serve(expiring, 3500)
    manager.tick(expiring)
    young, before = push(), state(expiring, old)
    manager.tick(expiring)
    serve(expiring, 150)

    manager.tick(expiring)

    told = expiring.job(expiring.find(old))
    assert ("wait", "done", "expired", "121") == (
        before, state(expiring, old), told.status, told.code,
    )  # fmt: skip
    assert ["wait", "wait"] == [state(expiring, id) for id in (young, begun)]
    assert clean(expiring, old, young, begun)


def test_no_clock_that_is_set_wrong_ends_a_job(expiring: Queue, push: Push) -> None:
    id = push()
    manager.tick(expiring)
    file = expiring.file(expiring.find(id))
    os.utime(file, (0, 0))

    manager.expire(expiring, time.time() + 10**8)

    assert "wait" == state(expiring, id)


def test_time_of_a_pause_and_before_a_boot_is_not_counted(expiring: Queue, push: Push) -> None:
    push()
    manager.tick(expiring)
    path = Path(expiring.path) / "served"
    _boot, uptime, _total = path.read_text().split("\n")[0].split()
    path.write_text(path.read_text().replace(uptime, "0.0", 1))
    manager.pause(expiring, "")
    manager.tick(expiring)
    paused = expiry.read(expiring)
    manager.resume(expiring, "")
    path.write_text(path.read_text().replace(path.read_text().split()[0], "other", 1))

    manager.tick(expiring)

    booted = expiry.read(expiring)
    assert paused and booted and paused.total == 0.0
    assert 0 < booted.total <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_pause_during_which_nobody_looked_is_not_counted(expiring: Queue, push: Push) -> None:
    push()
    manager.tick(expiring)
    manager.pause(expiring, "")
    path = Path(expiring.path) / "served"
    boot, uptime, total = path.read_text().split("\n")[0].split()
    # As if the last look had been at the start of the machine, and the pause since.
    path.write_text(path.read_text().replace(f"{boot} {uptime}", f"{boot} 0.000", 1))
    manager.resume(expiring, "")

    manager.tick(expiring)

    served = expiry.read(expiring)
    assert served and float(uptime) <= served.uptime
    assert served.total - float(total) <= served.uptime - float(uptime)


def test_a_job_that_was_held_back_does_not_expire_when_it_is_released(
    expiring: Queue, push: Push
) -> None:
    id = push()
    manager.tick(expiring)
    wishes.send(expiring, expiring.find(id), "hold", "")
    manager.tick(expiring)
    serve(expiring, 5000)
    wishes.send(expiring, expiring.find(id), "release", "")

    manager.tick(expiring)

    assert "wait" == state(expiring, id)


def test_a_job_that_was_held_until_a_time_does_not_expire_when_it_is_over(
    expiring: Queue, push: Push
) -> None:
    id = push()
    manager.tick(expiring)
    until = time.time() + 5000
    wishes.send(expiring, expiring.find(id), "hold", "", "-", (trace.stamp(until),))
    manager.tick(expiring)
    held_back = state(expiring, id)
    manager.wake(expiring, until + 1)
    serve(expiring, 5000)

    manager.expire(expiring, until + 3000)

    assert ("park", "wait") == (held_back, state(expiring, id))


def test_without_a_limit_nothing_is_counted(queue: Queue, push: Push) -> None:
    push()

    manager.tick(queue)

    assert not (Path(queue.path) / "served").exists()
