"""cit-run: a job here and now, with its output and its code; or a queue, served once."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cit import home, people, trace
from cit.queue import Queue

Cit = Callable[..., Any]


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init", "--slots", "1").code
    return Queue(str(world / ".cit" / "queue"))


def start(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(["cit-run", *arguments], stdout=pipe, stderr=pipe, **more)


# --- a job here and now ----------------------------------------------------------------------


def test_the_output_and_the_code_are_those_of_the_job(cit: Cit, queue: Queue) -> None:
    ended = cit("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")

    assert (7, "out\n", "err\n") == (ended.code, ended.out, ended.err)


def test_why_a_run_ended_is_told_once_and_not_by_those_around_it(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    program = tmp_path / "late.lurch"
    program.write_text('(sequence (if (await job "nosuch" 0) (no-op) (await job "nosuch" 0)))')

    ended = cit("run", "-q", program)

    why = "job 'nosuch' is not over in time"
    assert (124, True) == (ended.code, f"ended as timeout: {why}\n" in ended.err)
    assert f"1.1.1\t{why}\n1.1.3\t{why}\n" == cit("logs", "--runs", "late").out + (
        cit("logs", "--runs", "late").err
    )


def test_a_loop_of_nothing_ends_before_it_takes_all_memory(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    values = "(" + ' '.join(f'"{n}"' for n in range(100)) + ")"
    loops = f"(for a {values} (for b {values} (for c {values} (no-op))))"
    program = tmp_path / "loops.lurch"
    program.write_text(f'(stages (stage "a" () {loops}) (stage "z" () (no-op) f t))')

    ended = cit("run", "-q", program)

    told = queue.job(queue.find("loops"))
    assert (122, "limited") == (ended.code, told.status)
    assert "the job has over 250000 runs" in ended.err
    assert "ok" == told.runs["1.2.1"].status


def test_output_is_shown_byte_for_byte(cit: Cit, queue: Queue) -> None:
    ended = cit("run", "--", "printf", r"\001\377a\000\r\n%%%% trace 1 tab\nunfinished")

    out = ended.out.encode(errors="surrogateescape")
    assert b"\x01\xffa\0\r\n%% trace 1 tab\nunfinished" == out


def test_output_is_shown_as_it_comes(queue: Queue) -> None:
    with start("--", "sh", "-c", "echo one; exec sleep 1000") as runner:
        assert runner.stdout
        line = runner.stdout.readline()
        runner.send_signal(signal.SIGINT)
        runner.communicate(timeout=30)

    assert b"one\n" == line


def test_nothing_is_shown_where_that_is_asked(cit: Cit, queue: Queue) -> None:
    ended = cit("run", "-q", "--", "sh", "-c", "echo out; echo err >&2; exit 7")

    assert (7, "", "") == (ended.code, ended.out, ended.err)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("x.sh", "#!/bin/sh\necho hello\n"),
        ("x.lurch", '(isolate (none) (exec "/bin/echo" ("hello") () null))'),
        ("x.toml", "program = '''\n#!/bin/sh\necho hello\n'''\n"),
        ("x.job", "%% job 1 toml\n%% program 1 sh\n#!/bin/sh\necho hello\n"),
    ],
)
def test_a_job_in_any_form_is_run(
    cit: Cit, queue: Queue, tmp_path: Path, file: str, text: str
) -> None:
    (tmp_path / file).write_text(text)

    assert (0, "hello\n", "") == tuple(cit("run", file))
    assert "x" == queue.names("done")[0].name


def test_standard_input_is_the_job_and_not_its_input(cit: Cit, queue: Queue) -> None:
    ended = cit("run", "-", input="#!/bin/sh\ncat\necho end\n")

    assert (0, "end\n", "") == tuple(ended)


def test_it_leaves_a_sealed_job_and_a_receipt(cit: Cit, queue: Queue) -> None:
    cit("run", "--name", "x", "--", "echo", "hello")

    [found] = queue.names("done")
    told = queue.job(found)
    assert ("x", "ok", "0", 1) == (found.name, told.status, told.code, told.attempt)
    assert (people.who(), True) == (told.who, bool(told.seal))
    [receipt] = home.receipts()
    assert ("ran", found.id, "x", queue.path) == receipt[1:5]
    assert b"\tlog\t1.2\tout\thello\n" in Path(queue.file(found)).read_bytes()
    assert (0, "") == tuple(cit("queue", "fsck"))[:2]


def test_who_has_no_queue_gets_one(cit: Cit, world: Path) -> None:
    assert (0, "hello\n", "") == tuple(cit("run", "--", "echo", "hello"))
    assert "main" == Queue(str(world / ".cit" / "queue")).setting("name")


def test_options_go_into_the_job(cit: Cit, queue: Queue, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("brought")

    ended = cit(
        "run", "--set", "WHO=world", "--env", "E=env", "--files", "data", "-",
        input="#!/bin/sh\necho $WHO $E $(cat data)\n",
    )  # fmt: skip

    assert (0, "world env brought\n", "") == tuple(ended)


def test_variables_are_put_into_a_program(cit: Cit, queue: Queue) -> None:
    program = '(isolate (none) (exec "/bin/echo" ("${WHO}" "${OTHER}") ("X=${WHO}") null))'

    ended = cit("run", "--set", "WHO=a b", "-", input=program)

    assert (0, "a b ${OTHER}\n", "") == tuple(ended)


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("kill -KILL $$", 137, "signal: SIGKILL"),
        ("kill -TERM $$", 143, "signal: SIGTERM"),
    ],
)
def test_an_end_that_is_not_a_code_of_its_own_is_said(
    cit: Cit, queue: Queue, script: str, code: int, message: str
) -> None:
    ended = cit("run", "--", "sh", "-c", script)

    [found] = queue.names("done")
    assert (code, "") == (ended.code, ended.out)
    assert f"cit-run: job '{found.id}' ended as {message}\n" == ended.err


def test_an_id_that_has_been_run_is_not_run_again(cit: Cit, queue: Queue) -> None:
    text = cit("push", "--dry-run", "--", "echo", "hello").out
    first = cit("run", "-", input=text)

    second = cit("run", "-", input=text)

    assert (0, 65, "") == (first.code, second.code, second.out)
    assert "has been pushed before" in second.err
    assert 1 == len(list(queue.every()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_the_job_and_it_may_tidy_up(queue: Queue, number: int) -> None:
    script = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done"
    with start("--", "sh", "-c", script) as runner:
        assert runner.stdout
        runner.stdout.readline()
        runner.send_signal(number)
        out, err = runner.communicate(timeout=30)

    assert (130, b"bye\n") == (runner.returncode, out)
    assert b"ended as cancelled" in err
    told = queue.job(queue.names("done")[0])
    assert ("cancelled", people.who()) == (told.status, told.acts[0].fields[0])


def test_when_nobody_reads_the_output_any_more_the_job_goes_on(queue: Queue) -> None:
    shell = subprocess.run(
        ["sh", "-c", "cit-run -- seq 1 100000 | head -n 1"], capture_output=True, timeout=60
    )

    assert (b"1\n", b"") == (shell.stdout, shell.stderr)
    [found] = queue.names("done")
    assert "ok" == queue.job(found).status
    last = list(trace.only(Path(queue.file(found)).read_bytes(), "log"))[-1]
    assert "100000" == last.fields[1]


# --- a queue ---------------------------------------------------------------------------------


def test_without_a_job_the_queue_is_served_until_nothing_waits(cit: Cit, queue: Queue) -> None:
    ids = [cit("push", "--", "sh", "-c", f"exit {code}").out.strip() for code in (0, 3)]
    cit("queue", "tick")

    ended = cit("run")

    assert (0, "", "") == tuple(ended)
    assert ["ok", "failed"] == [queue.job(queue.find(id)).status for id in ids]
    assert 0 == cit("queue", "fsck", "--ids", "-", input=" ".join(ids)).code


def test_what_was_pushed_and_not_yet_admitted_is_served_too(cit: Cit, queue: Queue) -> None:
    id = cit("push", "--", "true").out.strip()

    assert (0, "", "") == tuple(cit("run"))
    assert "ok" == queue.job(queue.find(id)).status


def test_an_empty_queue_is_served_at_once(cit: Cit, queue: Queue) -> None:
    assert (0, "", "") == tuple(cit("run", "-j", "4"))


def test_a_queue_is_named_by_an_option(cit: Cit, queue: Queue, tmp_path: Path) -> None:
    cit("queue", "init", "other")
    id = cit("push", "--queue", "other", "--", "true").out.strip()
    cit("queue", "tick", "other")

    assert 0 == cit("run", "--queue", "other").code
    assert "done" == Queue(str(tmp_path / "other")).find(id).state


# --- wrong calls -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["-j", "0"], ["-j", "x"], ["a", "b"], ["a", "--", "b"], ["--"], ["--watch", "a"],
     ["--set", "V=1"], ["--set", "x", "--", "true"]],
)  # fmt: skip
def test_a_wrong_call_is_told_in_a_line(cit: Cit, queue: Queue, arguments: list[str]) -> None:
    ended = cit("run", *arguments)

    assert (2, "", 1) == (ended.code, ended.out, ended.err.count("\n"))
    assert [] == list(queue.every())


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["none"], 66, "cannot open 'none': no such file"),
        ([""], 66, "cannot open '': no such file"),
        (["--queue", "none", "--", "true"], 66, "no queue"),
        (["--queue", "none"], 66, "no queue"),
        (["--isolate", "chroot:moon", "--", "true"], 2, "moon"),
        (["--limit", "time=soon", "--", "true"], 2, "10m"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_run(
    cit: Cit, queue: Queue, arguments: list[str], code: int, why: str
) -> None:
    ended = cit("run", *arguments)

    assert (code, "") == (ended.code, ended.out)
    assert why in ended.err
    assert [] == list(queue.every())


def test_what_a_job_needs_and_the_machine_has_not_is_told_at_once(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "needs.toml").write_text('program = "true"\n[needs]\ntools = ["nosuchtool"]\n')

    ended = cit("run", tmp_path / "needs.toml")

    said = "job 'needs' cannot run here: it needs 'nosuchtool', which this machine does not have"
    assert (1, "", f"cit-run: {said}\n") == (ended.code, ended.out, ended.err)
    assert [] == list(queue.every())


def test_why_what_was_awaited_is_to_blame_is_in_the_log(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "bad.lurch").write_text("(no-op 3)")
    (tmp_path / "after.lurch").write_text('(sequence (await job "bad"))')
    cit("run", tmp_path / "bad.lurch")
    [bad] = queue.names("done")

    ended = cit("run", tmp_path / "after.lurch")

    assert 3 == ended.code
    assert f"job {bad.id} ended failed\n" == cit("logs", "after").err


def test_bad_data_is_told_with_its_place(cit: Cit, queue: Queue) -> None:
    ended = cit("run", "-", input="(sequence\n  (exce))\n")

    assert (65, "") == (ended.code, ended.out)
    assert ended.err.startswith("cit-run: standard input:2:4: no step 'exce'")


# --- what there is ---------------------------------------------------------------------------


def test_what_the_machine_offers_is_a_record_a_line(cit: Cit) -> None:
    ended = cit("run", "--check")

    rows = [line.split("\t") for line in ended.out.splitlines()]
    assert {4} == {len(row) for row in rows}
    assert {"isolation none", "isolation chroot"} <= {row[0] for row in rows}
    assert {row[1] for row in rows} <= {"yes", "no"}
    assert int(any(row[1] == "no" for row in rows)) == ended.code
    assert {"-"} == {row[3] for row in rows if row[1] == "yes"}


def test_without_groups_it_says_so(cit: Cit) -> None:
    ended = cit("run", "--check", env={"CIT_CGROUP": "none"})

    [groups] = [line.split("\t") for line in ended.out.splitlines() if line[:6] == "groups"]
    assert (1, "no", True) == (ended.code, groups[1], "rusage" in groups[2])
