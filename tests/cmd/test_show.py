from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from cit import home, trace
from cit.section import Section
from cit.trace import Record

if TYPE_CHECKING:
    from tests.cmd.conftest import Made
    from tests.conftest import Cit

TOP = Path(__file__).resolve().parents[2]
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
        "took": "60.000",
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


def test_no_log_and_no_value_of_the_environment_is_shown(made: Made, cit: Cit) -> None:
    rich(made)

    shown = cit("show", "rich").out + cit("show", "--json", "rich").out + screen("rich")

    assert "not for show" not in shown and "geheim" not in shown


def test_json_has_numbers_where_there_are_numbers(made: Made, cit: Cit) -> None:
    rich(made)

    told = json.loads(cit("show", "--json", "rich").out)

    assert (137, 62.0 - 2) == (told["finished"]["code"], told["took"])
    assert {"source", "wall", "user", "sys", "mem_peak", "read"} == told["usage"].keys()
    assert ["1", "1.1"] == [run["run"] for run in told["runs"]]


def test_a_run_shows_what_its_step_does(made: Made, cit: Cit) -> None:
    begins = [("1", "isolate"), ("1.1", "chroot"), ("1.2", "sequence"), ("1.2.2", "exec")]
    records = [record(2, "begin", run, step, "1") for run, step in begins]
    records.append(record(2, "begin", "1.2.3", "exec", "1"))
    id = made.put("run", "hello", *records, program=PROGRAM, form="lurch")

    told = facts(cit("show", id).out)

    assert "/bin/echo hello world" == told["run.1.2.2.what"]
    assert "chroot busybox" == told["run.1.1.what"]
    assert "run.1.2.3.what" not in told, "no such step in the program"


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


def screen(*arguments: str) -> str:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [TOP / "bin" / "cit-show", *arguments], stdout=follower, stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    os.close(follower)
    got = b""
    try:
        while part := os.read(leader, 65536):
            got += part
    except OSError:
        pass  # how the end of a terminal shows
    os.close(leader)
    assert 0 == process.wait(30)
    return got.decode().replace("\r\n", "\n")


def test_a_terminal_shows_it_in_columns(made: Made) -> None:
    id = rich(made)

    text = screen("--color=never", id)

    assert text.startswith(f"{id}  rich  signal\n")
    assert "limits memory  64M" in text
    assert "usage          cpu 1.8s  memory 2M  read 4K  (cgroup2)" in text
    assert "1.1  exec      signal   137    2s  1.8s      2M    4K" in text
    assert f"note           {at(90)}" in text and "the disk was full" in text
    assert "\x1b" not in text
