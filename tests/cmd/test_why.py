from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cit import home, locks, trace
from cit.home import Receipt
from cit.queue import Queue
from cit.trace import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cmd.conftest import Made
    from tests.conftest import Cit, User

START = 1795293421.0


def at(seconds: float) -> str:
    return trace.stamp(START + seconds)


def ago(seconds: float) -> str:
    return trace.stamp(time.time() - seconds)


def record(time: str, kind: str, run: str, *fields: str) -> Record:
    return Record(time, kind, run, fields)


def claim(time: str) -> Record:
    return record(time, "claim", "-", "node1", "4711", "b00t", "1", "0.1.0")


def why(cit: Cit, *arguments: str) -> tuple[str, list[list[str]]]:
    """The sentence and the details."""
    code, out, err = cit("why", *arguments)
    assert (0, "") == (code, err)
    first, *rest = out.splitlines()
    return first, [line.split("\t") for line in rest]


@pytest.fixture
def runner(made: Made) -> Queue:
    """A queue of two slots of which one has a runner."""
    path = made.path / "queue.toml"
    path.write_text(path.read_text().replace("slots = 0", "slots = 2"))
    queue = Queue(str(made.path))
    assert queue.locks.hold(locks.SLOTS)
    return queue


# --- before it runs --------------------------------------------------------------------------


def test_a_drop_waits_for_a_tick_that_never_came(made: Made, cit: Cit) -> None:
    made.put("in")

    sentence, details = why(cit, "hello")

    assert "hello lies in the drop box: 'cit-queue tick' has not been here yet" == sentence
    assert details[1][1].startswith("* * * * * ") and "cit-queue tick" in details[1][1]


def test_a_drop_waits_for_a_tick_that_was_just_there(made: Made, cit: Cit) -> None:
    assert 0 == cit("queue", "tick").code
    made.put("in")
    os.utime(made.path / "log" / "tick", (time.time() - 20, time.time() - 20))

    sentence, details = why(cit, "hello")

    assert "hello lies in the drop box: 'cit-queue tick' was here 2" in sentence
    assert sentence.endswith("s ago")  # and nobody knows whether it comes again
    assert ["now", "crontab"] == [kind for kind, *_ in details]
    os.utime(made.path / "log" / "tick", (time.time() - 7200, time.time() - 7200))
    assert (
        "hello lies in the drop box: 'cit-queue tick' has not been here for 2h"
        == (why(cit, "hello")[0])
    )


def test_what_was_refused_says_why(made: Made, cit: Cit) -> None:
    id = made.put("bad", "refused")
    made.file(id).with_name(f"{id}-refused.job.4711.why").write_text(
        f"{id}-refused.job: bob may not push into this queue\n"
    )

    sentence, details = why(cit, "refused")

    assert "refused was refused: bob may not push into this queue" == sentence
    assert [["file", str(made.path / "bad" / f"{id}-refused.job.4711")]] == details


def test_a_held_job_says_who_holds_it_and_why(made: Made, cit: Cit) -> None:
    id = made.put("hold", "held", record(ago(180), "hold", "-", "bob@laptop", "disk full"))

    sentence, details = why(cit, "held")

    assert "held is held by bob@laptop, 3m ago: disk full" == sentence
    assert [["do", "cit-hold --release", id]] == details


def test_a_paused_queue_says_who_paused_it_and_why(made: Made, cit: Cit) -> None:
    made.put("wait")
    assert 0 == cit("queue", "pause", "--reason", "back at 5").code

    sentence, details = why(cit, "hello")

    assert sentence.startswith("hello waits: the queue is paused by ")
    assert sentence.endswith(": back at 5")
    assert [["do", "cit-queue resume", str(made.path)]] == details


def test_what_can_never_run_here_says_what_is_missing(made: Made, cit: Cit) -> None:
    made.put("wait", head='[needs]\ntools = ["sh", "no-such-tool"]\n')

    assert (
        "hello can never run here: it needs 'no-such-tool', which this machine does not have"
        == (why(cit, "hello")[0])
    )


def test_taken_slots_name_the_jobs_that_have_them(made: Made, runner: Queue, cit: Cit) -> None:
    running = [made.put("run", name, claim(ago(120))) for name in ("one", "two")]
    before = [made.put("wait", "before") for _ in range(7)]
    made.put("wait", "mine")
    assert runner.locks.hold(locks.SLOTS + 1)

    sentence, details = why(cit, "mine")

    assert "mine waits: all 2 slots are taken, and 7 jobs are before it" == sentence
    assert [["running", running[0], "one", "for 2m", "on node1"]] == details[:1]
    assert [["before", id, "before"] for id in before[:5]] == details[2:7]
    assert [["before", "and 2 more"]] == details[7:]


def test_a_free_slot_and_a_runner_leave_those_before_it(
    made: Made, runner: Queue, cit: Cit
) -> None:
    made.put("wait", "last")
    first = made.put("wait", "first", priority=1)

    assert "first waits: it is next, and a slot is free" == why(cit, "first")[0]
    sentence, details = why(cit, "last")
    assert "last waits: 1 job is before it" == sentence
    assert [["before", first, "first"]] == details


def test_a_queue_that_nobody_serves_shows_the_line_for_cron(made: Made, cit: Cit) -> None:
    made.put("wait")

    sentence, details = why(cit, "hello")

    assert "hello waits: no runner serves this queue now" == sentence
    now, line = (detail[1] for detail in details)
    assert f"* * * * * {now}" == line
    # As it stands there it can be executed.
    program = made.path.parent / "try"
    program.write_text(f"exec {now.partition(' && ')[0]}\n")
    assert 0 == os.waitstatus_to_exitcode(os.system(f"sh '{program}'"))


@pytest.mark.parametrize(
    ("byte", "how"), [(locks.WATCH, "cit-run --watch"), (locks.LINGER, "cit-run --linger")]
)
def test_a_queue_that_somebody_stays_for_is_served(
    made: Made, cit: Cit, byte: int, how: str
) -> None:
    made.put("wait")
    made.put("in", "dropped")
    made.put("run", "orphan", claim(at(2)))
    with Queue(str(made.path)).locks as ours:
        ours.hold(byte)

        told = {called: why(cit, called) for called in ("hello", "dropped", "orphan")}

    assert (f"hello waits: {how} serves this queue, and starts a runner", []) == told["hello"]
    assert ["served", f"by {how}"] == told["dropped"][1][-1] == told["orphan"][1][-1]


def test_a_parked_job_says_until_when(made: Made, cit: Cit) -> None:
    made.put("park", "later", due=1795300000)
    made.put("park", "answer", due=9999999999)

    assert (
        "later is parked, without a slot: it waits until 2026-11-21T22:26:40.000Z"
        == (why(cit, "later")[0])
    )
    assert "answer is parked, without a slot: it waits for an answer" == why(cit, "answer")[0]


# --- while it runs ---------------------------------------------------------------------------


def test_a_running_job_says_at_which_step_it_is(made: Made, cit: Cit) -> None:
    begins = [record(ago(60), "begin", "1", "sequence", "1")]
    begins += [record(ago(30), "begin", "1.1", "exec", "1"), record(ago(20), "end", "1.1", "ok")]
    begins += [record(ago(10), "begin", "1.2", "exec", "1")]
    id = made.put("run", "busy", claim(at(60)), *begins)
    queue = Queue(str(made.path))
    assert queue.locks.hold(queue.find(id).number)

    sentence, details = why(cit, "busy")

    assert "busy is running: 1.2 exec for 10s" == sentence
    assert [["claimed", at(60), "on node1", "pid 4711", "attempt 1"]] == details


def test_a_job_of_stages_says_at_which_steps_it_is(made: Made, cit: Cit) -> None:
    runs = ["1 stages", "1.1 stage", "1.2 stage", "1.1.1 script", "1.2.1 script", "1.10 stage",
            "1.10.1 pause"]  # fmt: skip
    begins = [record(ago(30 - at), "begin", *run.split(), "1") for at, run in enumerate(runs)]
    made.put("run", "busy", claim(at(60)), *begins, record(ago(9), "end", "1.1.1", "ok"))
    queue = Queue(str(made.path))
    assert queue.locks.hold(queue.find("busy").number)

    sentence = why(cit, "busy")[0]

    assert "busy is running: 1.1 stage for 29s, 1.2.1 script for 26s, 1.10.1 pause for 24s" == (
        sentence
    )
    assert "1.1 stage, 1.2.1 script, 1.10.1 pause" == cit("ls", "busy").out.split("\t")[8]


def test_a_step_that_has_only_begun_is_told_in_parts_of_a_second(made: Made, cit: Cit) -> None:
    made.put("run", "busy", claim(at(60)), record(ago(0.4), "begin", "1", "exec", "1"))
    queue = Queue(str(made.path))
    assert queue.locks.hold(queue.find("busy").number)

    took = why(cit, "busy")[0].removeprefix("busy is running: 1 exec for ")

    assert took != "0ms" and (took.endswith("ms") or took.endswith("s"))


def test_a_job_whose_runner_died_says_so(made: Made, cit: Cit) -> None:
    made.put("run", "orphan", claim(at(2)))

    sentence, details = why(cit, "orphan")

    assert "orphan lost its runner: the next cit-run goes on with it" == sentence
    assert "now" == details[1][0]


def test_a_job_held_while_it_runs_says_that_no_step_begins(made: Made, cit: Cit) -> None:
    hold = record(ago(5), "hold", "-", "bob@laptop", "look at this")
    made.put("run", "busy", claim(at(2)), record(ago(60), "begin", "1", "exec", "1"), hold)
    queue = Queue(str(made.path))
    assert queue.locks.hold(queue.find("busy").number)

    assert (
        "busy is held by bob@laptop, 5s ago: look at this, and begins no further step"
        in (why(cit, "busy")[0])
    )


# --- afterwards ------------------------------------------------------------------------------


def test_a_finished_job_says_how_it_ended_and_what_it_had_waited_for(made: Made, cit: Cit) -> None:
    hold = record(at(10), "hold", "-", "bob@laptop", "lunch")
    release = record(at(40), "release", "-", "bob@laptop", "")
    made.put("done/2026-11-21", "fine", hold, release, claim(at(61)),
             record(at(70), "result", "-", "ok", "0"))  # fmt: skip

    sentence, details = why(cit, "fine")

    how, ran, waited = sentence.split("; ")
    assert how.startswith("fine ended ok ") and how.endswith(" ago")
    assert "it ran for 9s" == ran
    assert "it had waited 1m1s: 1s for 'cit-queue tick', 30s held by bob@laptop, 30s in line" == (
        waited
    )
    assert [] == details


def test_a_failed_job_names_the_run_that_failed_and_what_the_runner_said(
    made: Made, cit: Cit
) -> None:
    id = made.finished(
        "broken",
        record(at(2), "begin", "1", "sequence", "1"),
        record(at(2), "begin", "1.1", "exec", "1"),
        trace.log(at(2), "1.1", "out", b"out\n"),
        trace.log(at(2), "1.1", "cit", b"cannot find 'nonesuch'\n"),
        record(at(3), "end", "1.1", "nostart", "127", ""),
        record(at(3), "end", "1", "nostart", "127", ""),
        status="nostart",
        code=127,
    )

    sentence, details = why(cit, "broken")

    assert sentence.startswith("broken ended nostart ")
    assert [
        ["run", "1.1", "exec", "nostart", "127"],
        ["cit", "cannot find 'nonesuch'"],
        ["do", "cit-logs", f"{id}.1.1"],
        ["do", f"cit-push --again {id} --from 1.1"],
    ] == details


def test_a_stopped_job_says_who_stopped_it(made: Made, cit: Cit) -> None:
    stop = record(at(1), "stop", "-", "bob@laptop", "wrong branch")
    made.put("done/2026-11-21", "stopped", stop, record(at(1), "result", "-", "cancelled", "130"))

    assert (
        "(stopped by bob@laptop: wrong branch); it had waited 1s: 1s for 'cit-queue tick'"
        in (why(cit, "stopped")[0])
    )


STAGES = """\
[[stage]]
name = "a"
run = "sleep 10"
[[stage]]
name = "b"
run = "true"
"""


def test_a_stage_that_was_stopped_is_named_and_can_be_done_again(made: Made, cit: Cit) -> None:
    id = made.finished(
        "half",
        record(at(2), "begin", "1", "stages", "1"),
        record(at(2), "begin", "1.1", "stage", "1"),
        record(at(3), "stop", "1.1", "bob@laptop", "slow"),
        record(at(4), "end", "1.1", "cancelled", "130"),
        record(at(4), "end", "1", "cancelled", "130"),
        program=STAGES, form="toml", status="cancelled", code=130,
    )  # fmt: skip

    sentence, details = why(cit, "half")

    assert "(stage a was stopped by bob@laptop: slow); " in sentence
    assert [
        ["run", "1.1", "stage", "cancelled", "130", "a"],
        ["do", "cit-logs", f"{id}:a"],
        ["do", f"cit-push --again {id} --from a"],
    ] == details


def test_a_job_that_was_stopped_as_a_whole_names_no_run(made: Made, cit: Cit) -> None:
    made.finished(
        "whole",
        record(at(2), "begin", "1", "exec", "1"),
        record(at(3), "stop", "1", "bob@laptop", ""),
        record(at(3), "stop", "-", "bob@laptop", ""),
        record(at(4), "end", "1", "cancelled", "130"),
        status="cancelled", code=130,
    )  # fmt: skip

    sentence, details = why(cit, "whole")

    assert "(stopped by bob@laptop); " in sentence
    assert [] == details


# --- elsewhere -------------------------------------------------------------------------------


def test_the_outbox_says_which_queue_is_away(made: Made, cit: Cit, tmp_path: Path) -> None:
    away = tmp_path / "away"
    home.keep("01kak5jzc2v8e9j7m3t0q4w6xy-kept.job", b"%% job 1 toml\n", str(away))

    sentence, details = why(cit, "kept")

    assert f"kept is in your outbox: its queue is away: no queue '{away}'" == sentence
    assert ["queue", str(away)] == details[0]
    assert 0 == cit("queue", "init", away).code
    assert (
        "kept is in your outbox: its queue was away when it was pushed, and is back"
        == (why(cit, "kept")[0])
    )


def test_a_job_pushed_to_another_queue_is_found_by_its_receipt(
    made: Made, cit: Cit, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert 0 == cit("queue", "init", other).code
    receipt = Receipt(at(0), "pushed", "01kak5jzc2v8e9j7m3t0q4w6xy", "far", str(other), "sha256:0")
    home.receive([receipt])

    assert "far is not in the queue any more: it had ended, and was pruned" == why(cit, "far")[0]


def test_what_nobody_knows_is_an_error(made: Made, cit: Cit) -> None:
    assert (66, "", f"cit-why: no job 'nobody' in '{made.path}'\n") == cit("why", "nobody")


def test_json_has_the_sentence_and_the_details(made: Made, cit: Cit) -> None:
    id = made.put("hold", "held", record(ago(180), "hold", "-", "bob@laptop", "disk full"))

    told = json.loads(cit("why", "--json", "held").out)

    assert {
        "id": id,
        "name": "held",
        "state": "hold",
        "queue": str(made.path),
        "why": "is held by bob@laptop, 3m ago: disk full",
        "details": [["do", "cit-hold --release", id]],
    } == told


def test_reasons_of_strangers_are_shown_harmless(made: Made, cit: Cit) -> None:
    made.put("hold", "held", record(ago(9), "hold", "-", "bob", "\x1b[2J\nnext"))

    sentence, _ = why(cit, "held")

    assert r"\x1b[2J\nnext" in sentence


def test_another_user_learns_what_he_may_see(
    users: Callable[[str], User], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    queue = public / "q"
    init = ("init", queue, "--push", "*", "--none", "all", "--readers", "all", "--slots", "1")
    assert 0 == cit("queue", *init, user=alice).code
    id = cit("push", "--queue", queue, "--", "/bin/true", user=bob).out.strip()

    before = cit("why", id, user=bob)
    assert 0 == cit("queue", "tick", queue, user=alice).code
    after = cit("why", id, user=bob)

    assert (0, "") == (before.code, before.err)
    never = "true lies in the drop box: 'cit-queue tick' has not been here yet"
    assert before.out.startswith(never)
    assert ["owner", alice.name] == before.out.splitlines()[1].split("\t")
    assert "true waits: it is next, and a slot is free\n" == after.out
