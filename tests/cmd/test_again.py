"""cit-push --again: a new job that does another one again, whole or from some run on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cit import asked, people, section, trace
from cit.again import taken
from cit.queue import Queue
from cit.section import Section
from cit.trace import Record

if TYPE_CHECKING:
    from tests.cmd.conftest import Made
    from tests.conftest import Cit

PROGRAM = '(isolate (none) (sequence (exec "/a") (exec "/b") (exec "/c" ("${who}"))))\n'
SCRIPT = "#!/bin/sh\necho hello\n"


def record(kind: str, run: str, *fields: str) -> Record:
    return Record("2026-11-21T20:37:04.000Z", kind, run, fields)


def ran(made: Made, **more: object) -> str:
    """A job whose third command failed."""
    return made.finished(
        "hello",
        record("begin", "1", "isolate", "1"), record("begin", "1.1", "none", "1"),
        record("up", "1.1", "none"), record("end", "1.1", "ok", "0", ""),
        record("begin", "1.2", "sequence", "1"),
        record("begin", "1.2.1", "exec", "1"), record("data", "1.2.1", "v", "1"),
        record("log", "1.2.1", "out", "hello"), record("end", "1.2.1", "ok", "0", ""),
        record("begin", "1.2.2", "exec", "1"), record("end", "1.2.2", "ok", "0", ""),
        record("begin", "1.2.3", "exec", "1"), record("end", "1.2.3", "failed", "3", ""),
        record("end", "1.2", "failed", "3", ""), record("end", "1", "failed", "3", ""),
        program=PROGRAM, form="lurch", status="failed", code=3, **more,
    )  # fmt: skip


def pushed(made: Made) -> asked.Asked:
    [file] = (made.path / "in").iterdir()
    return asked.parse(file.read_bytes())


def brought(job: asked.Asked) -> list[str]:
    part = section.find(job.sections, "history")
    assert part
    return [" ".join([r.kind, r.run, *r.fields]).rstrip() for r in trace.records(part.body)]


def test_a_job_is_done_again_under_a_new_id_and_names_its_origin(made: Made, cit: Cit) -> None:
    head = 'priority = 7\n[vars]\nwho = "you"\n[env]\nA = "b"\n'
    old = ran(made, head=head)

    ended = cit("push", "--again", "hello")

    job = pushed(made)
    assert (0, job.job["id"] + "\n", "") == ended
    assert old != job.job["id"]
    assert {"kind": "again", "job": old} == job.job["origin"]
    kept = {key: job.job[key] for key in ("name", "queue", "priority", "vars", "env")}
    assert {"name": "hello", "queue": "queue", "priority": 7, "vars": {"who": "you"},
            "env": {"A": "b"}} == kept  # fmt: skip
    assert ["job", "program"] == [part.kind for part in job.sections]
    assert PROGRAM.encode() == job.sections[1].body


def test_what_was_done_before_the_run_comes_along(made: Made, cit: Cit) -> None:
    old = ran(made)

    ended = cit("push", "-q", "--again", old, "--from", "1.2.2")

    job = pushed(made)
    assert (0, "", "") == ended
    assert {"kind": "again", "job": old, "run": "1.2.2"} == job.job["origin"]
    assert ["begin 1.2.1 exec 1", "data 1.2.1 v 1", "end 1.2.1 ok 0"] == brought(job)


def test_all_but_one_run_comes_along(made: Made, cit: Cit) -> None:
    old = ran(made)

    cit("push", "-q", "--again", old, "--only", "1.2.1")

    job = pushed(made)
    assert {"kind": "again", "job": old, "run": "1.2.1", "only": True} == job.job["origin"]
    ends = ["begin 1.2.2 exec 1", "end 1.2.2 ok 0", "begin 1.2.3 exec 1", "end 1.2.3 failed 3"]
    assert ends == brought(job)


def test_a_job_that_was_done_again_is_done_again_without_its_past(made: Made, cit: Cit) -> None:
    origin = '[origin]\nkind = "spawn"\njob = "01kak5jzc2v8e9j7m3t0q4w6xy"\nrun = "1.1"\n'
    past = Section("history", 1, "tab", {}, trace.render(record("end", "1.2.1", "ok", "0", "")))
    old = ran(made, head=origin, more=(past,))

    cit("push", "-q", "--again", old)

    job = pushed(made)
    assert {"kind": "again", "job": old} == job.job["origin"]
    assert section.find(job.sections, "history") is None


def test_what_is_encrypted_is_carried_untouched(made: Made, cit: Cit) -> None:
    secret = Section("secret", 1, "age", {"is": "toml", "to": "bob"}, b"\x00\xffgeheim")
    ran(made, more=(secret,))

    cit("push", "-q", "--again", "hello", "--from", "1.2.2", "--priority", "3")

    job = pushed(made)
    assert ["secret", "program", "history"] == [part.kind for part in job.sections[1:]]
    assert secret == job.sections[1]._replace(line=0, attrs=secret.attrs)
    assert 3 == job.job["priority"]


def test_options_change_the_job(made: Made, cit: Cit) -> None:
    ran(made, head='[limits]\ntime = "1m"\nmemory = "64M"\n[vars]\nwho = "you"\n')

    cit("push", "-q", "--again", "hello", "--name", "bye", "--limit", "time=5m", "--set", "who=me")

    job = pushed(made)
    assert ("bye", {"time": "5m", "memory": "64M"}) == (job.job["name"], job.job["limits"])
    assert {"who": "me"} == job.job["vars"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "who=me"), "--set: 'who' was 'you' for what is taken over"),
        (("--set", "x=1"), "--set: 'x' was not set for what is taken over"),
        (("--env", "A=c"), "--env: 'A' was 'b' for what is taken over"),
        (("--isolate", "chroot:host"), "--isolate: what is taken over ran elsewhere"),
        (("--files", "x"), "--files: the job brings what it brought before"),
    ],
)
def test_what_contradicts_the_answers_is_refused(
    made: Made, cit: Cit, options: tuple[str, ...], message: str
) -> None:
    ran(made, head='[vars]\nwho = "you"\n[env]\nA = "b"\n')

    ended = cit("push", "--again", "hello", "--from", "1.2.2", *options)

    assert (2, "", f"cit-push: {message}\n") == ended
    assert [] == list((made.path / "in").iterdir())


def test_what_does_not_contradict_them_is_taken(made: Made, cit: Cit) -> None:
    ran(made, head='[vars]\nwho = "you"\n')

    ended = cit("push", "-q", "--again", "hello", "--from", "1.2.2", "--set", "who=you")

    assert (0, "", "") == ended


def test_a_run_that_is_not_there_is_refused_with_those_near_it(made: Made, cit: Cit) -> None:
    id = ran(made)

    ended = cit("push", "--again", "hello", "--from", "1.2.4")

    assert (2, "") == ended[:2]
    assert ended.err.startswith(f"cit-push: no run '1.2.4' in job '{id}'; near it are ")
    assert "1.2.3" in ended.err


def test_a_job_that_has_not_ended_is_done_again_only_as_a_whole(made: Made, cit: Cit) -> None:
    id = made.put("run", "busy", record("begin", "1", "script", "1"))

    refused = cit("push", "--again", "busy", "--only", "1")
    ended = cit("push", "-q", "--again", "busy")

    message = f"job '{id}' has not ended: without a run it can be done again"
    assert (75, "", f"cit-push: {message}\n") == refused
    assert (0, "", "") == ended


STAGES = "build:\n  true\ntest: build\n  true\n"


def test_a_name_means_the_newest_job_so_the_newest_that_has_ended_is_told(
    made: Made, cit: Cit
) -> None:
    for _ in range(2):
        old = made.finished("ci", record("begin", "1", "stages"), program=STAGES, form="stages")
    new = made.put("wait", "ci", program=STAGES, form="stages")

    refused = {word: cit("push", "--again", word, "--from", "test") for word in ("ci", new)}
    by_path, unknown = (cit("push", "--again", "ci", "--only", run) for run in ("1.2", "tset"))

    newest = f"the newest 'ci', {new}, has not ended; the newest that has is {old}"
    assert (75, "", f"cit-push: {newest}: name it by its id\n") == refused["ci"] == by_path
    why = f"job '{new}' has not ended: without a run it can be done again"
    assert (75, "", f"cit-push: {why}\n") == refused[new]
    assert (66, "", f"cit-push: no stage 'tset' in job '{new}'; it has build, test\n") == unknown


@pytest.mark.usefixtures("made")
def test_a_stage_that_the_newest_job_has_not_made_yet_is_known_from_the_one_before(
    cit: Cit,
) -> None:
    text = "a:\n  echo 'b:' >>$CIT_STAGES\n"
    old = cit("push", "--name", "ci", "-", input=text).out.strip()
    work(cit)
    new = cit("push", "--again", "ci", "--from", "b").out.strip()

    refused = cit("push", "--again", "ci", "--from", "b")
    unknown = cit("push", "--again", "ci", "--from", "c")

    newest = f"the newest 'ci', {new}, has not ended; the newest that has is {old}"
    assert (75, "", f"cit-push: {newest}: name it by its id\n") == refused
    assert (66, "", f"cit-push: no stage 'c' in job '{new}'; it has a\n") == unknown


@pytest.mark.parametrize(
    "arguments",
    [("--from", "1", "x"), ("--only", "1", "x"), ("--again", "x", "y"), ("--again", "x", "--flush"),
     ("--again", "x", "--from", "1", "--only", "2")],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(
    made: Made, cit: Cit, arguments: tuple[str, ...]
) -> None:
    assert 2 == cit("push", *arguments).code


def test_a_job_that_nobody_knows_is_none(made: Made, cit: Cit) -> None:
    ended = cit("push", "--again", "nobody")

    assert (66, "", f"cit-push: no job 'nobody' in '{made.path}'\n") == ended


def test_it_goes_where_the_first_one_was_or_where_it_is_told(
    made: Made, cit: Cit, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert 0 == cit("queue", "init", other).code
    (tmp_path / "job.sh").write_text(SCRIPT)
    id = cit("push", "--queue", other, "job.sh").out.strip()
    old = ran(made)

    there = cit("push", "--again", id).out.strip()
    elsewhere = cit("push", "--again", old, "--queue", other).out.strip()

    names = {file.name[:26] for file in (other / "in").iterdir()}
    assert {id, there, elsewhere} == names
    assert [] == list((made.path / "in").iterdir())


def test_a_dry_run_shows_it(made: Made, cit: Cit) -> None:
    id = ran(made)

    ended = cit("push", "--again", "hello", "--from", "1.2.2", "--dry-run")

    job = asked.parse(ended.out.encode())
    assert (0, "") == (ended.code, ended.err)
    assert id == job.job["origin"]["job"] != job.job["id"]
    assert [] == list((made.path / "in").iterdir())


# --- running it ------------------------------------------------------------------------------


BUILD = """\
(isolate (none)
  (sequence
    (script "echo one >>ledger; printf 'commit\\tabc\\n' >>$CIT_DATA")
    (exec "/bin/sh" ("-c" "echo two ${data.commit} >>ledger; test -e %s"))
    (script "echo three >>ledger")))
"""


def work(cit: Cit) -> None:
    assert 0 == cit("queue", "tick").code
    assert 0 == cit("run").code


def ledger(id: str) -> list[str]:
    """What the commands of a job wrote into its workspace, and whatever it was copied from."""
    base = Path(os.environ.get("CIT_WORK") or Path(os.environ["CIT_HOME"]) / "work")
    [file] = base.glob(f"*/{id}/ledger")
    return file.read_text().splitlines()


def test_the_rest_of_a_job_is_done_in_a_copy_of_its_workspace(
    made: Made, cit: Cit, tmp_path: Path
) -> None:
    (tmp_path / "build.lurch").write_text(BUILD % "fixed")
    (tmp_path / "fixed").touch()
    first = cit("push", "build.lurch").out.strip()
    work(cit)
    assert ["one", "two abc"] == ledger(first)

    again = cit("push", "--again", first, "--from", "1.2.2", "--limit", "time=1m").out.strip()
    work(cit)

    assert ["one", "two abc", "two abc"] == ledger(again)
    assert ["one", "two abc"] == ledger(first), "the old one stays"
    log = cit("logs", "--raw", again).out + cit("logs", again).err
    assert f"taken over from {first}" in log
    assert f"workspace copied from job {first}" in log


def test_one_run_alone_is_done_again(made: Made, cit: Cit, tmp_path: Path) -> None:
    (tmp_path / "build.lurch").write_text(BUILD % "ledger")
    first = cit("push", "build.lurch").out.strip()
    work(cit)
    assert ["one", "two abc", "three"] == ledger(first)

    again = cit("push", "--again", first, "--only", "1.2.2").out.strip()
    work(cit)

    assert ["one", "two abc", "three", "two abc"] == ledger(again)


def test_a_job_that_is_done_again_as_a_whole_begins_in_an_empty_workspace(
    made: Made, cit: Cit, tmp_path: Path
) -> None:
    (tmp_path / "build.lurch").write_text(BUILD % "fixed")
    first = cit("push", "build.lurch").out.strip()
    work(cit)

    again = cit("push", "--again", first).out.strip()
    work(cit)

    assert ["one", "two abc"] == ledger(again)


def test_what_a_job_brought_is_as_it_left_it(made: Made, cit: Cit, tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("brought\n")
    (tmp_path / "build.lurch").write_text(BUILD % "fixed")
    first = cit("push", "--files", "ledger", "build.lurch").out.strip()
    work(cit)

    again = cit("push", "--again", first, "--from", "1.2.2").out.strip()
    work(cit)

    assert ["brought", "one", "two abc", "two abc"] == ledger(again)


def test_a_run_that_was_cut_while_its_end_was_taken_over_is_not_lost(made: Made, cit: Cit) -> None:
    old = ran(made)
    origin = f'[origin]\nkind = "again"\njob = "{old}"\nrun = "1.2.2"\n'
    held = [record("data", "1.2.1", "v", "1"), record("end", "1.2.1", "ok", "0", "")]
    past = Section("history", 1, "tab", {}, b"".join(map(trace.render, held)))
    id = made.put(
        "run", "hello", record("claim", "-", "node1", "4711", "b00t", "1", "0.1.0"),
        record("begin", "1", "isolate", "1"), record("begin", "1.1", "none", "1"),
        record("up", "1.1", "none"), record("end", "1.1", "ok", "0", ""),
        record("begin", "1.2", "sequence", "1"), record("begin", "1.2.1", "exec", "1"),
        record("data", "1.2.1", "v", "1"), head=origin, more=(past,), program=PROGRAM, form="lurch",
    )  # fmt: skip

    work(cit)

    text = made.file(id).read_text().partition("%% trace")[2]
    assert "\tend\t1.2.1\tok\t0\t-\n" in text
    assert 1 == text.count("\tdata\t1.2.1\t")


def test_a_workspace_that_is_gone_is_told_in_the_log(made: Made, cit: Cit) -> None:
    old = ran(made)
    again = cit("push", "--again", old, "--from", "1.2.3").out.strip()

    work(cit)

    assert f"no workspace of job {old} on this machine" in cit("logs", again).err
    assert "nostart" in cit("ls", again).out, "it is done all the same"


# --- what a job says of itself proves nothing ----------------------------------------------------

ASKING = '(sequence (approve "deploy it?") (isolate (none) (script "echo deployed >ledger")))\n'


def asking(made: Made, **more: object) -> str:
    return made.finished(
        "deploy",
        record("begin", "1", "sequence", "1"), record("begin", "1.1", "approve", "1"),
        record("ask", "1.1", "approve", "deploy it?", "no", "", ""),
        record("answer", "1.1", "alice@laptop", "yes", "fine"), record("end", "1.1", "ok", "0", ""),
        record("begin", "1.2", "isolate", "1"), record("begin", "1.2.1", "none", "1"),
        record("end", "1.2.1", "ok", "0", ""), record("begin", "1.2.2", "script", "1"),
        record("end", "1.2.2", "failed", "1", ""), record("end", "1.2", "failed", "1", ""),
        program=ASKING, form="lurch", status="failed", code=1, **more,
    )  # fmt: skip


def test_an_approval_that_the_queue_knows_of_holds(made: Made, cit: Cit) -> None:
    asking(made)

    again = cit("push", "--again", "deploy", "--from", "1.2.2").out.strip()
    work(cit)

    assert ["deployed"] == ledger(again)
    records = made.file(again).read_text()
    assert "\tanswer\t1.1\talice@laptop\tyes\tfine\n" in records.partition("%% trace")[2]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("alice@laptop", "bob@laptop"), ("echo deployed", "echo broken"), ("deploy it?", "sure?"),
        ("\tyes\tfine\n", "\tyes\tfine\n2026-11-21T20:37:01.123Z\tdata\t1.1\tversion\t6\n"),
    ],
)  # fmt: skip
def test_an_approval_of_something_else_or_by_nobody_is_asked_anew(
    made: Made, cit: Cit, tmp_path: Path, old: str, new: str
) -> None:
    asking(made)
    text = cit("push", "--again", "deploy", "--from", "1.2.2", "--dry-run").out
    assert old in text
    (tmp_path / "forged.job").write_text(text.replace(old, new))

    forged = cit("push", "forged.job").out.strip()
    work(cit)

    assert "park" == made.file(forged).parent.name
    assert not list(Path(os.environ.get("CIT_WORK", "/nowhere")).glob(f"*/{forged}/ledger"))


def test_an_approval_holds_for_who_pushed_what_was_approved_and_for_the_owner(
    made: Made, cit: Cit
) -> None:
    asking(made)
    data = cit("push", "--again", "deploy", "--from", "1.2.2", "--dry-run").out.encode()
    queue, request = Queue(str(made.path)), asked.parse(data)

    whose = {
        who: "1.1" in taken(queue, request, who).runs
        for who in ("alice@laptop", people.who(), "bob@laptop")
    }

    assert {"alice@laptop": True, people.who(): True, "bob@laptop": False} == whose


def test_an_approval_in_a_job_that_has_not_ended_is_asked_anew(
    made: Made, cit: Cit, tmp_path: Path
) -> None:
    id = asking(made)
    (tmp_path / "x.job").write_text(
        cit("push", "--again", "deploy", "--from", "1.2.2", "--dry-run").out
    )
    made.file(id).rename(made.path / "in" / made.file(id).name)

    again = cit("push", "x.job").out.strip()
    work(cit)

    assert "park" == made.file(again).parent.name
    assert f"no workspace: job {id} has not ended" in made.file(again).read_text()
