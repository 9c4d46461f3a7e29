from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cit import home, trace
from cit.section import Section
from cit.trace import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cmd.conftest import Made
    from tests.conftest import Cit

    Terminal = Callable[..., str]

START = 1795293421.0
PROGRAM = """\
(isolate (chroot "busybox")
  (sequence
    (exec "/bin/sleep" ("10") () null)
    (exec "/bin/echo" ("hello" "world") () null)))
"""


def at(seconds: float) -> str:
    return trace.stamp(START + seconds)


def record(seconds: float, kind: str, run: str, *fields: str) -> Record:
    return Record(at(seconds), kind, run, fields)


def facts(text: str) -> dict[str, str]:
    return dict(line.split("\t") for line in text.splitlines())


def rich(made: Made) -> str:
    """A job that failed at its second attempt, with all that a trace can say of it."""
    return made.put(
        "done/2026-11-21",
        "rich",
        record(2, "claim", "-", "node1", "11", "b00t", "1", "0.1.0"),
        record(2, "hold", "-", "bob@laptop", "lunch"),
        record(3, "release", "-", "bob@laptop", ""),
        record(60, "claim", "-", "node2", "22", "b00t", "2", "0.1.0"),
        record(60, "begin", "1", "sequence", "1"),
        record(60, "begin", "1.1", "exec", "1"),
        record(61, "usage", "1.1", "cgroup2", "1.5", "0.25", "0.5", "1048576", "4096", ""),
        record(62, "usage", "1.1", "cgroup2", "2", "1.25", "0.5", "2097152", "4096", ""),
        trace.log(at(62), "1.1", "out", b"not for show\n"),
        record(62, "data", "1.1", "tests", "12 passed\tof 14"),
        record(62, "end", "1.1", "signal", "137", "9"),
        record(62, "end", "1", "signal", "137", "9"),
        record(62, "usage", "-", "cgroup2", "2", "1.25", "0.5", "2097152", "4096", ""),
        record(62, "result", "-", "signal", "137"),
        record(62, "seal", "-", "cit", "sha256:11"),
        record(90, "note", "-", "alice@laptop", "the disk was full"),
        record(90, "seal", "-", "cit", "sha256:22"),
        head='isolate = "none"\n[limits]\ntime = "10m"\nmemory = "64M"\n'
        '[env]\nTOKEN = "geheim"\nLANG = "C"\n[vars]\ngreeting = "hi"\n',
    )


def test_every_fact_is_a_key_and_a_value_on_a_line(made: Made, cit: Cit) -> None:
    id = rich(made)

    code, out, err = cit("show", "rich")

    assert (0, "") == (code, err)
    told = facts(out)
    expected = {
        "id": id,
        "name": "rich",
        "state": "done",
        "queue": str(made.path),
        "file": str(made.file(id)),
        "asked.isolate": "none",
        "asked.limits.time": "10m",
        "asked.vars.greeting": "hi",
        "asked.env": "LANG TOKEN",
        "pushed.time": at(0),
        "pushed.who": "alice@laptop",
        "admitted.number": "1",
        "claims.1.host": "node1",
        "claims.2.attempt": "2",
        "finished.status": "signal",
        "finished.code": "137",
        "waited": "2.000",
        "took": "2.000",
        "usage.source": "cgroup2",
        "usage.mem_peak": "2097152",
        "run.1.1.status": "signal",
        "run.1.1.signal": "9",
        "run.1.1.took": "2.000",
        "run.1.1.usage.user": "1.250",
        "data.tests": r"12 passed\tof 14",
        "acts.1.act": "hold",
        "acts.1.reason": "lunch",
        "notes.1.text": "the disk was full",
        "seal": "sha256:22",
        "reason": "signal 9",
    }
    assert expected == {key: told.get(key) for key in expected}


def test_no_log_and_no_value_of_the_environment_is_shown(
    made: Made, cit: Cit, terminal: Terminal
) -> None:
    rich(made)

    shown = cit("show", "rich").out + cit("show", "--json", "rich").out
    shown += terminal("show", "rich", columns=80)

    assert "not for show" not in shown and "geheim" not in shown


def test_json_has_numbers_where_there_are_numbers(made: Made, cit: Cit) -> None:
    rich(made)

    told = json.loads(cit("show", "--json", "rich").out)

    assert (137, 2.0) == (told["finished"]["code"], told["took"])
    assert {"source", "wall", "user", "sys", "mem_peak", "read"} == told["usage"].keys()
    assert ["1", "1.1"] == [run["run"] for run in told["runs"]]


def trail(text: str) -> list[Record]:
    """`begin 1.1 exec 1`, a line each, as records of one second; `_` stands for a space."""
    lines = [line.split() for line in text.strip().splitlines()]
    lines = [line + ["-"] * (line[0] == "end") for line in lines]
    return [record(2, kind, run, *("" if f == "-" else f.replace("_", " ") for f in fields))
            for kind, run, *fields in lines]  # fmt: skip


def whats(told: dict[str, str]) -> dict[str, str]:
    found = {key: value for key, value in told.items() if key.endswith(".what")}
    return {key.removeprefix("run.").removesuffix(".what"): text for key, text in found.items()}


def test_a_run_shows_what_its_step_does(made: Made, cit: Cit) -> None:
    records = trail("""
        begin 1 isolate 1
        begin 1.1 chroot 1
        up 1.1 handle
        end 1.1 ok 0
        begin 1.2 sequence 1
        begin 1.2.1 exec 1
        end 1.2.1 ok 0
        begin 1.2.2 exec 1
        begin 1.2.3 exec 1
    """)
    id = made.put("run", "hello", *records, program=PROGRAM, form="lurch")

    told = facts(cit("show", id).out)

    assert "/bin/echo hello world" == told["run.1.2.2.what"]
    assert "chroot busybox" == told["run.1.1.what"]
    assert "run.1.2.3.what" not in told, "no such step in the program"


def test_variables_are_put_in_below_loops_attempts_and_questions(made: Made, cit: Cit) -> None:
    program = """\
(isolate (none)
  (let colour "red" "which?"
    (for n ("a" "b")
      (sequence
        (retry (exec "/bin/echo" ("${who}" "${n}" "${colour}")) 2 () 5)
        (exec "/bin/echo" ("${data.tests}" "${last.commit}" "${none}"))))))
"""
    records = trail("""
        data - last.commit abc
        begin 1 isolate 1
        begin 1.1 none 1
        up 1.1 none
        end 1.1 ok 0
        begin 1.2 let 1
        ask 1.2 let which? red
        answer 1.2 alice blue
        begin 1.2.1 for 1
        begin 1.2.1.1.1 sequence 1
        begin 1.2.1.1.1.1 retry 1
        begin 1.2.1.1.1.1.1.1 exec 1
        data 1.2.1.1.1.1.1.1 tests 11
        end 1.2.1.1.1.1.1.1 failed 1
        begin 1.2.1.1.1.1.1.1.pause pause 1
        wait 1.2.1.1.1.1.1.1.pause later
        end 1.2.1.1.1.1.1.1.pause ok 0
        begin 1.2.1.1.1.1.1.2 exec 1
        data 1.2.1.1.1.1.1.2 tests 12
        end 1.2.1.1.1.1.1.2 ok 0
        end 1.2.1.1.1.1 ok 0
        begin 1.2.1.1.1.2 exec 1
        end 1.2.1.1.1.2 ok 0
        end 1.2.1.1.1 ok 0
        begin 1.2.1.1.2 sequence 1
        begin 1.2.1.1.2.1 retry 1
        begin 1.2.1.1.2.1.1.1 exec 1
    """)
    id = made.put("run", "loop", *records, program=program, form="lurch",
                  head='[vars]\nwho = "you"\n')  # fmt: skip

    told = whats(facts(cit("show", id).out))

    assert "/bin/echo you a blue" == told["1.2.1.1.1.1.1.1"] == told["1.2.1.1.1.1.1.2"]
    assert "/bin/echo you b blue" == told["1.2.1.1.2.1.1.1"]
    assert "/bin/echo 12 abc ${none}" == told["1.2.1.1.1.2"]
    assert ("n=a: in order", "n=b: in order") == (told["1.2.1.1.1"], told["1.2.1.1.2"])
    assert told["1.2.1.1.1.1.1.1.pause"].startswith("pause 5")


def test_cells_and_stages_that_were_added_show_what_they_do(
    made: Made, cit: Cit, tmp_path: Path
) -> None:
    (tmp_path / "m.toml").write_text("""
        [[stage]]
        name = "build"
        run = "printf 'late: build\\n  true\\n' >>$CIT_STAGES"
        [[stage]]
        name = "test"
        run = "true"
        matrix = { v = ["a", "b\\n  c"], w = ["1"] }
    """)
    id = cit("push", "m.toml").out.strip()
    assert (0, 0) == (cit("queue", "tick").code, cit("run").code)

    told = whats(facts(cit("show", id).out))

    assert "stage late" == told["1.1.s1"]
    assert told["1.1.1.2"] == told["1.1.s1.1.2"] == told["1.2.1.1.1.1.1.2"]
    assert {"1.2.1.1.1": "v=a: for w in 1, side by side", "1.2.1.1.1.1.1": "w=1: isolated",
            "1.2.1.1.2": "v=b c: for w in 1, side by side", "1.2.1.1.2.1.1": "w=1: isolated",
    }.items() <= told.items()  # fmt: skip


def test_where_trace_and_program_disagree_what_comes_before_is_shown(made: Made, cit: Cit) -> None:
    records = trail("""
        begin 1 isolate 1
        begin 1.1 chroot 1
        up 1.1 handle
        end 1.1 failed 7
        begin 1.2 sequence 1
    """)
    id = made.put("run", "hello", *records, program=PROGRAM, form="lurch")

    told = whats(facts(cit("show", id).out))

    assert {"1": "isolated", "1.1": "chroot busybox"} == told


EVERYTHING = """
    data - last.commit abc
    data - last.result ok
    begin 1 sequence 1
    begin 1.1 approve 1
    ask 1.1 approve deploy_it? no 2026-11-21T21:00:00.000Z alice,@ops
    park - - -
    answer 1.1 alice@laptop yes looks_good token sha256:00
    end 1.1 ok 0
    begin 1.2 approve 1
    ask 1.2 approve sure? no
    begin 1.3 pause 1
    wait 1.3 2026-11-21T22:00:00.000Z
    park - 2026-11-21T22:00:00.000Z job_build
    begin 1.4 spawn 1
    spawn 1.4 01kak5jzc2v8e9j7m3t0q4w6xy nightly 3
    begin 1.5 script 1
    stage 1.5 more:\\n
    artefact 1.5 app sha256:11 4096
    data 1.5 commit def
"""


def everything(made: Made) -> str:
    old = "01kak5jzc2v8e9j7m3t0q4w6xz"
    head = f'[origin]\nkind = "again"\njob = "{old}"\nrun = "1.2"\n'
    return made.put("run", "all", *trail(EVERYTHING), head=head)


def test_what_was_asked_waited_for_spawned_and_reported_is_shown(made: Made, cit: Cit) -> None:
    told = facts(cit("show", everything(made)).out)

    expected = {
        "origin.kind": "again",
        "origin.job": "01kak5jzc2v8e9j7m3t0q4w6xz",
        "origin.run": "1.2",
        "data.commit": "def",
        "last.commit": "abc",
        "last.result": "ok",
        "artefacts.1.name": "app",
        "artefacts.1.size": "4096",
        "questions.1.run": "1.1",
        "questions.1.verb": "approve",
        "questions.1.comment": "deploy it?",
        "questions.1.default": "no",
        "questions.1.may": "alice,@ops",
        "questions.1.deadline": "2026-11-21T21:00:00.000Z",
        "questions.1.answer.who": "alice@laptop",
        "questions.1.answer.value": "yes",
        "questions.1.answer.reason": "looks good",
        "questions.1.answer.time": at(2),
        "questions.2.comment": "sure?",
        "waits.1.run": "1.3",
        "waits.1.until": "2026-11-21T22:00:00.000Z",
        "parks.2.for": "job build",
        "spawned.1.id": "01kak5jzc2v8e9j7m3t0q4w6xy",
        "spawned.1.program": "nightly",
        "spawned.1.version": "3",
        "stages.1.run": "1.5",
    }
    assert expected == {key: told.get(key) for key in expected}
    assert not any(key.startswith(("questions.2.answer", "asked.origin")) for key in told)
    assert "data.last.commit" not in told


def test_a_terminal_shows_all_of_that_as_well(made: Made, terminal: Terminal) -> None:
    text = terminal("show", "--color=never", everything(made), columns=80)

    for line in (
        "origin    kind again  job 01kak5jzc2v8e9j7m3t0q4w6xz  run 1.2",
        "data      commit  def",
        "last      commit  abc",
        "artefact  app     4K  sha256:11",
        "approve   1.1     deploy it?  'yes' by alice@laptop: looks good",
        "approve   1.2     sure?\n",
        "wait      1.3     until 2026-11-21T22:00:00.000Z",
        "parked            until 2026-11-21T22:00:00.000Z  for job build",
        "spawned   1.4     id 01kak5jzc2v8e9j7m3t0q4w6xy  program nightly  version 3",
    ):
        assert line in text


def test_a_question_that_a_later_attempt_wrote_down_again_is_one(made: Made, cit: Cit) -> None:
    records = trail("ask 1 approve sure? no\nclaim - node1 1 b 2\nask 1 approve sure? no")
    id = made.put("run", "all", *records)

    told = json.loads(cit("show", "--json", id).out)

    assert 1 == len(told["questions"])


def test_records_in_what_was_asked_are_not_taken_for_what_happened(made: Made, cit: Cit) -> None:
    forged = trace.render(record(1, "result", "-", "ok", "0"))
    forged += trace.render(record(1, "note", "-", "root@laptop", "forged"))
    made.put("wait", "imitator", more=(Section("history", 1, "tab", {}, forged),))

    told = facts(cit("show", "imitator").out)

    assert "finished.time" not in told and "notes.1.text" not in told
    assert "history" == told["asked.sections.1.kind"]


def test_the_workspace_is_shown_as_long_as_it_is_there(
    made: Made, cit: Cit, tmp_path: Path
) -> None:
    id = rich(made)
    work = {"CIT_WORK": str(tmp_path)}
    assert "workspace" not in facts(cit("show", id, env=work).out)

    (tmp_path / "rich" / id).mkdir(parents=True)

    assert str(tmp_path / "rich" / id) == facts(cit("show", id, env=work).out)["workspace"]


def test_several_jobs_are_shown_one_after_the_other(made: Made, cit: Cit) -> None:
    ids = [rich(made), made.put("wait", "second")]

    out = cit("show", "--json", *ids).out

    assert ids == [json.loads(line)["id"] for line in out.splitlines()]


def test_a_job_that_nobody_knows_is_an_error_before_anything_is_shown(made: Made, cit: Cit) -> None:
    id = rich(made)

    code, out, err = cit("show", id, "nobody")

    assert (66, "", f"cit-show: no job 'nobody' in '{made.path}'\n") == (code, out, err)


def test_what_was_refused_is_shown_although_it_cannot_be_read(made: Made, cit: Cit) -> None:
    id = made.put("bad", "broken")
    made.file(id).write_bytes(b"no mark\n")
    made.file(id).with_name(f"{id}-broken.job.4711.why").write_text("x.job: expected a mark\n")

    told = facts(cit("show", id).out)

    assert "expected a mark" == told["reason"]
    assert told["unreadable"].startswith(":1:1: expected a mark")


def test_what_is_kept_in_the_outbox_is_shown(cit: Cit, made: Made) -> None:
    letter = made.file(made.put("in", "letter"))
    home.keep(letter.name, letter.read_bytes(), "/srv/away")
    letter.unlink()

    told = facts(cit("show", "letter").out)

    assert ("outbox", "/srv/away", "for /srv/away") == (
        told["state"], told["queue"], told["reason"],
    )  # fmt: skip
    assert "sh" == told["asked.sections.1.format"]


def test_a_terminal_shows_it_in_columns(made: Made, terminal: Terminal) -> None:
    id = rich(made)

    text = terminal("show", "--color=never", id, columns=80)

    assert text.startswith(f"{id}  rich  signal\n")
    assert "limits memory  64M" in text
    assert "usage          cpu 1.8s  memory 2M  read 4K  (cgroup2)" in text
    assert "1.1  exec      signal   137    2s  1.8s      2M    4K" in text
    assert f"note           {at(90)}" in text and "the disk was full" in text
    assert "\x1b" not in text


def test_a_terminal_shows_runs_by_their_paths_whichever_began_first(
    made: Made, cit: Cit, terminal: Terminal
) -> None:
    runs = ["1", "1.2", "1.10", "1.1", "1.10.1", "1.2.1", "1.1.s1", "1.1.2", "1.9"]
    id = made.finished("many", *(record(2, "begin", run, "stage", "1") for run in runs))

    lines = terminal("show", "--color=never", id).splitlines()

    first = next(at for at, line in enumerate(lines) if line.startswith("RUN "))
    shown = [line.split()[0] for line in lines[first + 1 :]]
    assert ["1", "1.1", "1.1.2", "1.1.s1", "1.2", "1.2.1", "1.9", "1.10", "1.10.1"] == shown
    told = facts(cit("show", id).out)
    assert runs == [key[4:-6] for key in told if re.fullmatch(r"run\.[0-9.s]+\.began", key)]
