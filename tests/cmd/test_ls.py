from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cit import home, trace
from cit.home import Receipt
from cit.trace import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cmd.conftest import Made
    from tests.conftest import Cit, User

    Terminal = Callable[..., str]

START = 1795293421.0


def at(seconds: float) -> str:
    return trace.stamp(START + seconds)


def columns(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def names(text: str) -> list[str]:
    return [row[3] for row in columns(text)]


def claim(seconds: float) -> Record:
    return Record(at(seconds), "claim", "-", ("node1", "4711", "b00t", "1", "0.1.0"))


@pytest.fixture
def full(made: Made) -> Made:
    """A job in every state; the two that are finished ended one after the other."""
    made.finished("old", claim(2))
    made.finished("new", claim(2), status="failed", code=3)
    made.put("in", "dropped")
    made.put("wait", "second")
    made.put("wait", "first", priority=10)
    made.put("hold", "held", Record(at(50), "hold", "-", ("bob@laptop", "disk full")))
    made.put("park", "parked", due=1795300000)
    made.put("run", "running", claim(60), Record(at(61), "begin", "1", ("exec", "1")))
    refused = made.put("bad", "refused")
    (made.path / "bad" / f"{refused}-refused.job.4711.why").write_text(
        f"{refused}-refused.job: bob may not push into this queue\n"
    )
    return made


# --- the list --------------------------------------------------------------------------------


def test_what_runs_comes_first_then_what_is_next_and_the_newest_of_what_is_finished(
    full: Made, cit: Cit
) -> None:
    code, out, err = cit("ls")

    assert (0, "") == (code, err)
    order = ["running", "first", "second", "held", "parked", "dropped", "refused", "new", "old"]
    assert order == names(out)
    assert ["run", "wait", "wait", "hold", "park", "in", "bad", "done", "done"] == [
        row[1] for row in columns(out)
    ]


def test_a_line_is_eleven_columns_with_a_dash_for_what_is_not(full: Made, cit: Cit) -> None:
    rows = {row[3]: row for row in columns(cit("ls").out)}

    queue = str(full.path)
    assert [at(5), "new", "alice@laptop", "node1", "failed", "3.000", "exit 3", queue, "-"] == (
        rows["new"][2:]
    )
    assert [at(40), "first", "alice@laptop", "-", "-", "-", "-", queue, "-"] == rows["first"][2:]
    assert "held by bob@laptop: disk full" == rows["held"][8]
    assert "waits until 2026-11-21T22:26:40.000Z" == rows["parked"][8]
    assert "bob may not push into this queue" == rows["refused"][8]
    assert 26 == len(rows["new"][0])


def test_a_run_without_a_holder_says_so(full: Made, cit: Cit) -> None:
    (row,) = columns(cit("ls", "running").out)

    assert [at(60), "running", "alice@laptop", "node1", "-"] == row[2:7]
    assert "no runner holds it" == row[8]


def test_a_job_held_by_a_runner_tells_its_step(full: Made, cit: Cit) -> None:
    from cit.queue import Queue

    queue = Queue(str(full.path))
    assert queue.locks.hold(queue.find("running").number)

    (row,) = columns(cit("ls", "running").out)

    assert "1 exec" == row[8]


def test_a_job_that_was_stopped_tells_who_did_it(made: Made, cit: Cit) -> None:
    stop = Record(at(4), "stop", "-", ("bob@laptop", "wrong branch"))
    made.finished("stopped", claim(2), stop, status="cancelled", code=130)

    (row,) = columns(cit("ls").out)

    assert ["cancelled", "3.000", "stopped by bob@laptop: wrong branch"] == row[6:9]


def test_a_job_that_can_never_run_here_tells_what_it_needs(made: Made, cit: Cit) -> None:
    made.put("wait", "big", head='[needs]\ntools = ["nonesuch"]\n')
    made.put("wait", "odd", head='[needs]\nmemory = "much"\n')

    rows = {row[3]: row[8] for row in columns(cit("ls").out)}

    assert "needs 'nonesuch', which this machine does not have" == rows["big"]
    assert "-" == rows["odd"]


def test_of_a_job_of_which_a_run_was_stopped_that_run_is_told(made: Made, cit: Cit) -> None:
    stop = Record(at(4), "stop", "1.2", ("bob@laptop", ""))
    made.finished("stopped", claim(2), stop, status="cancelled", code=130)

    (row,) = columns(cit("ls").out)

    assert "run 1.2 was stopped by bob@laptop" == row[8]


@pytest.mark.parametrize(
    ("status", "allowed", "reason"),
    [
        ("ok", "lint", "1 failure allowed: lint"),
        ("ok", "lint,v=a%2Cb:docs", "2 failures allowed: lint, v=a,b:docs"),
        ("ok", "a,b,c,d,e", "5 failures allowed: a, b, c, and 2 more"),
        ("failed", "lint", "exit 1"),
    ],
)
def test_stages_that_failed_and_may_are_told(
    made: Made, cit: Cit, status: str, allowed: str, reason: str
) -> None:
    code = "1" if status == "failed" else "0"
    result = Record(at(5), "result", "-", (status, code, allowed))
    made.put("done/2026-11-21", "x", claim(2), result)

    (row,) = columns(cit("ls").out)

    assert (status, reason, allowed) == (row[6], row[8], row[10])
    assert allowed == json.loads(cit("ls", "--json").out)["allowed"]


def test_a_paused_queue_is_the_reason_of_what_waits(full: Made, cit: Cit) -> None:
    assert 0 == cit("queue", "pause", "--reason", "back at 5").code

    assert {"the queue is paused"} == {r[8] for r in columns(cit("ls", "--state=wait").out)}


def test_json_says_the_same_with_null_for_what_is_not(full: Made, cit: Cit) -> None:
    rows = [json.loads(line) for line in cit("ls", "--json").out.splitlines()]

    assert names(cit("ls").out) == [row["name"] for row in rows]
    new = next(row for row in rows if row["name"] == "new")
    assert (3.0, "failed", None) == (new["took"], new["status"], rows[1]["builder"])


def test_null_ends_records_for_xargs(full: Made, cit: Cit) -> None:
    out = cit("ls", "-0", "--status=ok").out

    assert out.endswith("\0") and "\n" not in out


# --- which -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-n", "3"], "running first second"),
        (["-n", "0"], ""),
        (["--state", "wait"], "first second"),
        (["--state", "hold,park", "--state", "run"], "running held parked"),
        (["--status", "ok"], "old"),
        (["--status", "failed,timeout"], "new"),
        (["--status", "ok", "-n", "1"], "old"),
        (["--name", "new"], "new"),
        (["--name", "*e*d", "--state", "hold,park,bad,in"], "held parked dropped refused"),
        (["new", "first"], "first new"),
    ],
    ids=" ".join,
)
def test_only_what_is_asked_for_is_listed(
    full: Made, cit: Cit, arguments: list[str], expected: str
) -> None:
    assert expected.split() == names(cit("ls", *arguments).out)


def test_a_job_is_listed_by_its_id_and_by_the_beginning_or_end_of_it(full: Made, cit: Cit) -> None:
    id = full.finished("findme", claim(2))

    assert ["findme"] == names(cit("ls", id).out) == names(cit("ls", id.upper()).out)
    assert ["findme"] == names(cit("ls", id[-8:]).out)


def test_a_job_that_nobody_knows_is_an_error_after_the_others_are_listed(
    full: Made, cit: Cit
) -> None:
    code, out, err = cit("ls", "nobody", "new")

    assert (66, ["new"], "cit-ls: no job 'nobody'\n") == (code, names(out), err)


def test_an_unknown_state_is_a_usage_error(made: Made, cit: Cit) -> None:
    code, out, err = cit("ls", "--state", "waiting")

    assert (2, "") == (code, out)
    assert err.startswith("cit-ls: unknown state 'waiting', known are ")


def test_no_queue_is_an_error_and_an_empty_one_is_not(cit: Cit, made: Made) -> None:
    assert (0, "", "") == cit("ls")
    assert (66, "", "cit-ls: no queue '/nowhere'\n") == cit("ls", "--queue", "/nowhere")


def test_files_that_are_no_jobs_are_passed_over(made: Made, cit: Cit) -> None:
    for name in (".dot", "README", "50-1-x-y.job", "a\nb.job"):
        (made.path / "wait" / name).write_text("")

    assert (0, "", "") == cit("ls")


# --- mine ------------------------------------------------------------------------------------


def receipt(act: str, id: str, name: str, queue: Path) -> None:
    home.receive([Receipt(at(0), act, id, name, str(queue), "sha256:00")])


def test_mine_is_what_was_pushed_wherever_it_is_now(made: Made, cit: Cit, tmp_path: Path) -> None:
    done = made.finished("done", claim(2))
    made.finished("of-another", claim(2))
    waiting = made.put("wait", "waiting")
    receipt("pushed", done, "done", made.path)
    receipt("kept", waiting, "waiting", made.path)
    receipt("pushed", waiting, "waiting", made.path)
    receipt("pushed", "01kak5jzc2v8e9j7m3t0q4w6xy", "lost", tmp_path / "not there")
    receipt("ran", "01kak5jzc2v8e9j7m3t0q4w6xz", "pruned", made.path)

    rows = columns(cit("ls", "--mine").out)

    assert [("waiting", "wait"), ("done", "done"), ("lost", "away"), ("pruned", "gone")] == [
        (row[3], row[1]) for row in rows
    ]
    assert f"queue is away: {tmp_path / 'not there'}" == rows[2][8]


def test_mine_in_one_queue_leaves_out_the_others(made: Made, cit: Cit) -> None:
    receipt("pushed", made.put("wait", "here"), "here", made.path)
    receipt("pushed", "01kak5jzc2v8e9j7m3t0q4w6xy", "there", Path("/elsewhere"))

    assert ["here"] == names(cit("ls", "--mine", "--queue", made.path).out)


def test_what_waits_in_the_outbox_is_listed_first(made: Made, cit: Cit) -> None:
    made.put("wait", "waiting")
    home.keep("01kak5jzc2v8e9j7m3t0q4w6xy-kept.job", b"%% job 1 toml\n", "/srv/away")

    rows = columns(cit("ls").out)

    assert [("kept", "outbox", "for /srv/away"), ("waiting", "wait", "-")] == [
        (row[3], row[1], row[8]) for row in rows
    ]
    assert ["waiting"] == names(cit("ls", "--queue", made.path).out)


def test_the_outbox_is_listed_although_the_queue_is_not_there(cit: Cit) -> None:
    home.keep("01kak5jzc2v8e9j7m3t0q4w6xy-kept.job", b"%% job 1 toml\n", "/srv/away")

    code, out, err = cit("ls")

    assert (66, ["kept"]) == (code, names(out))
    assert err.startswith("cit-ls: no queue ")


def test_who_may_not_look_sees_his_own_jobs_by_their_receipts(
    users: Callable[[str], User], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    queue = public / "q"
    assert 0 == cit("queue", "init", queue, "--push", "*", "--none", "all", user=alice).code
    pushed = cit("push", "--queue", queue, "--", "/bin/true", user=bob)
    assert 0 == pushed.code, pushed

    before = cit("ls", "--mine", user=bob)
    assert 0 == cit("queue", "tick", queue, user=alice).code
    after = cit("ls", "--mine", user=bob)

    id = pushed.out.strip()
    assert [[id, "in"]] == [row[:2] for row in columns(before.out)]
    assert [[id, "hidden"]] == [row[:2] for row in columns(after.out)]
    assert f"{alice.name} lets nobody look into the queue" in cit("why", id, user=bob).out


def test_who_may_not_look_is_told_so_and_counts_nothing(
    users: Callable[[str], User], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    queue = public / "q"
    assert 0 == cit("queue", "init", queue, "--push", "*", user=alice).code

    code, out, err = cit("ls", "--queue", queue, user=bob)
    counted = cit("queue", "ls", queue, user=bob)

    assert (77, "") == (code, out)
    assert f"cit-ls: cannot look into queue '{queue}': permission denied; --mine " in err
    assert [str(queue), "active", "-", "-", "-", "-"] == counted.out.rstrip("\n").split("\t")[:6]


# --- a terminal ------------------------------------------------------------------------------


def test_a_terminal_shows_columns_with_a_header_and_ages(
    made: Made, cit: Cit, terminal: Terminal
) -> None:
    made.put("wait", "hello", Record(trace.stamp(time.time()), "note", "-", ("x", "y")))
    old = made.finished("old", claim(2))

    lines = terminal("ls", "--color=never").splitlines()

    assert ["ID", "STATE", "AGE", "TOOK", "NAME", "USER", "BUILDER"] == lines[0].split()
    id, state, age, *rest = lines[2].split()
    assert [old, "ok", "3s", "old", "alice", "node1"] == [id, state, *rest]
    assert re.fullmatch("[0-9]+[smhdwy]", age)
    assert lines[1].index("hello") == lines[2].index("old") == lines[0].index("NAME")


def test_a_terminal_shows_a_screen_of_jobs_and_says_how_many_there_are(
    made: Made, terminal: Terminal
) -> None:
    for _ in range(25):
        made.put("wait")

    lines = terminal("ls").splitlines()

    assert 1 + 20 + 1 == len(lines)
    assert "cit-ls: 20 of 25 jobs: 25 wait; --all shows them" == lines[-1]
    assert 1 + 25 == len(terminal("ls", "--all").splitlines())


def test_a_reason_is_cut_to_the_width_and_an_id_never(made: Made, terminal: Terminal) -> None:
    hold = Record(at(3), "hold", "-", ("bob", "because " * 30))
    id = made.put("hold", "held", hold)

    line = terminal("ls", "--color=never").splitlines()[1]

    assert line.startswith(id) and line.endswith("…") and 100 == len(line)
    assert terminal("ls", "--color=never", columns=30).splitlines()[1].startswith(id)


def test_reasons_of_strangers_cannot_act_on_the_terminal(
    made: Made, cit: Cit, terminal: Terminal
) -> None:
    hold = Record(at(3), "hold", "-", ("bob", "\x1b]0;title\x07\nnext\u202e"))
    made.put("hold", "held", hold)

    shown = terminal("ls", "--color=never")

    assert "\x1b" not in shown and "\u202e" not in shown
    assert r"\x1b]0;title\x07" in shown
    assert 1 == len(columns(cit("ls").out))


def test_colours_only_where_they_are_wanted(full: Made, cit: Cit, terminal: Terminal) -> None:
    assert "\x1b[32mok" in terminal("ls")
    plain = terminal("ls", NO_COLOR="1") + terminal("ls", TERM="dumb") + cit("ls").out
    assert "\x1b" not in plain


# --- many ------------------------------------------------------------------------------------


def test_the_first_of_many_are_listed_without_opening_the_others(made: Made, cit: Cit) -> None:
    shown = [made.put("wait", priority=1) for _ in range(3)]
    for number in range(2000):
        # Nothing that could be read: a line for one of them would fail.
        name = f"50-{number:010d}-01kak5jzc2v8e9j7m3t0q{number:05d}-many.job"
        (made.path / "wait" / name).symlink_to("/nonexistent")

    code, out, err = cit("ls", "-n", "3")

    assert (0, shown, "") == (code, [row[0] for row in columns(out)], err)
