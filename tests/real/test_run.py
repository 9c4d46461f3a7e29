"""Jobs for real: what they find, how they end, what is left of them, and what a crash makes of it.

Started by root they become another user; as anybody else they stay who we are. So they write
to their logs, or to a shelf that all can write to.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from waiting import until

from cit import held, job, name, orphans, people, sight, trace
from cit.queue import Queue

Cit = Callable[..., Any]
ROOT = os.geteuid() == 0
JOB_UID = 61999 if ROOT else os.geteuid()
SECONDS = 30


class Ran(NamedTuple):
    """What became of a job."""

    id: str
    code: int  # of cit-run
    out: str
    err: str
    told: job.Job
    path: Path

    def log(self, stream: str = "out") -> list[str]:
        records = trace.only(self.path.read_bytes(), "log")
        return [record.fields[1] for record in records if record.fields[0].rstrip("+") == stream]

    @property
    def status(self) -> tuple[str, str]:
        return self.told.status, self.told.code

    def ends(self) -> dict[str, str]:
        return {run.path: run.status for run in self.told.runs.values()}


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init", "--slots", "2").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def shelf(workspaces: str) -> Iterator[Path]:
    """A directory that every job can write to."""
    path = Path(workspaces) / f"shelf {time.monotonic_ns()}"
    path.mkdir()
    path.chmod(0o777)
    yield path
    subprocess.run(["rm", "-rf", path], check=True)


def look(queue: Queue, id: str, ended: Any = None) -> Ran:
    found = queue.find(id)
    code, out, err = ended or (-1, "", "")
    return Ran(found.id, code, out, err, queue.job(found), Path(queue.file(found)))


@pytest.fixture
def run(cit: Cit, queue: Queue) -> Callable[..., Ran]:
    """Run a job here and now: run("#!/bin/sh\\n…", "--limit", "time=1s") -> Ran."""

    def act(text: str, *options: str, **more: Any) -> Ran:
        if not text.startswith(("(", "%%", "#!")):
            text = f"#!/bin/sh\n{text}\n"
        ended = cit("run", *options, "-", input=text, **more)
        done = queue.names("done")
        assert done, ended
        return look(queue, max(found.id for found in done), ended)

    return act


@pytest.fixture
def push(cit: Cit, queue: Queue) -> Callable[..., str]:
    """Push a job and have it admitted; its id."""

    def act(text: str, *options: str) -> str:
        if not text.startswith(("(", "%%", "#!")):
            text = f"#!/bin/sh\n{text}\n"
        ended = cit("push", *options, "-", input=text)
        assert (0, "") == (ended.code, ended.err)
        assert 0 == cit("queue", "tick").code
        return str(ended.out.strip())

    return act


@pytest.fixture
def serve(cit: Cit, queue: Queue) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a runner in the background; killed at the end of the test, with what it left."""
    started = []

    def act(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(["cit-run", *arguments], stdout=pipe, stderr=pipe, **more))
        return started[-1]

    yield act

    for runner in started:
        runner.kill()
        runner.communicate()
    if queue.names("run"):
        cit("run", "-j", "1")


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def says(queue: Queue, id: str, word: str) -> bool:
    """Whether the file of a job has a word in its trace by now."""
    try:
        data = Path(queue.file(queue.find(id))).read_bytes()
    except FileNotFoundError:  # it has just moved
        return False
    return word.encode() in data.partition(b"%% trace")[2]


def sh(script: str, *more: str) -> str:
    """A step that runs a script of one line without quotes."""
    return f'(exec "/bin/sh" ("-c" "{script}") () {" ".join(more) or "null"})'


def sequence(*steps: str) -> str:
    return f"(isolate (none) (sequence {' '.join(steps)}))"


# --- what a job finds ------------------------------------------------------------------------


@pytest.mark.parametrize("isolate", ["none", "chroot:busybox", "chroot:host"])
def test_the_environment_is_built_from_nothing(
    run: Callable[..., Ran], isolate: str
) -> None:
    ran = run("env", "--isolate", isolate, "--name", "x", "--env", "MINE=1",
              env={"SECRET": "1", "CIT_FAKE": "1"})  # fmt: skip

    found = dict(line.split("=", 1) for line in ran.log())
    for of_the_shell in ("PWD", "SHLVL", "_", "OLDPWD"):
        found.pop(of_the_shell, None)
    for of_the_queue in ("CIT_QUEUE", "CIT_HOME"):
        found.pop(of_the_queue, None)
    assert {
        "PATH", "LANG", "TERM", "CI", "HOME", "USER", "LOGNAME", "MINE", "CIT_ID", "CIT_NAME",
        "CIT_RUN", "CIT_QUEUE_NAME", "CIT_WORKSPACE", "CIT_DATA", "CIT_ARTEFACTS", "CIT_ATTEMPT",
    } == set(found)  # fmt: skip
    assert ("C.UTF-8", "dumb", "true", "1") == tuple(
        found[key] for key in ("LANG", "TERM", "CI", "MINE")
    )
    assert (ran.id, "x", "1", "queue", "1") == tuple(
        found["CIT_" + key] for key in ("ID", "NAME", "RUN", "QUEUE_NAME", "ATTEMPT")
    )


def test_where_the_queue_is_an_unisolated_job_knows(run: Callable[..., Ran], world: Path) -> None:
    script = "echo ${CIT_QUEUE-no}; echo ${CIT_HOME-no}"
    home = "no" if os.geteuid() == 0 else f"{world}/.cit"  # root's jobs become somebody else

    assert [f"{world}/.cit/queue", home] == run(script).log()
    assert ["no", "no"] == run(script, "--isolate", "chroot:busybox").log()


def test_a_job_can_push_a_job(
    users: Callable[[str], Any], cit: Callable[..., Any], public_programs: Path
) -> None:
    alice = users("alice")
    away = {"CIT_HOME": f"{alice.home}/other"}

    ran = cit("run", "--", f"{public_programs}/cit-push", "--", "true", user=alice, env=away)

    assert (0, "") == (ran.code, ran.err)
    assert 2 == len(cit("ls", user=alice, env=away).out.splitlines())


def test_what_others_rely_on_cannot_be_set(run: Callable[..., Ran]) -> None:
    ran = run("echo $CIT_ID; echo $CI", "--env", "CIT_ID=forged", "--env", "CI=no")

    assert [ran.id, "no"] == ran.log()


def test_a_step_adds_to_the_environment_of_its_job(run: Callable[..., Ran]) -> None:
    program = '(isolate (none) (exec "/usr/bin/printenv" ("A" "B") ("A=step" "B=step") null))'

    assert ["step", "step"] == run(program, "--env", "A=job").log()


def test_there_are_no_descriptors_but_the_three(run: Callable[..., Ran]) -> None:
    mine, other = os.pipe()
    os.set_inheritable(mine, True)
    os.dup2(mine, 57, inheritable=True)
    try:
        ran = run("readlink /proc/$$/fd/0; ls /proc/$$/fd")
    finally:
        for fd in (mine, other, 57):
            os.close(fd)

    first, *fds = ran.log()
    # A shell may hold its script open, at 10 or above.
    assert "/dev/null" == first
    assert {"0", "1", "2"} == {fd for fd in fds if int(fd) < 10}
    assert "57" not in fds


@pytest.mark.skipif(not ROOT, reason="root alone can become another user")
@pytest.mark.parametrize("isolate", ["none", "chroot:host"])
def test_a_job_of_root_is_not_root(run: Callable[..., Ran], isolate: str) -> None:
    ran = run("grep -E 'Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs' /proc/self/status",
              "--isolate", isolate)  # fmt: skip

    status = dict(line.split(":", 1) for line in ran.log())
    assert {"0000000000000000"} >= {status["CapEff"].strip()}
    assert "1" == status["NoNewPrivs"].strip()
    assert "0" not in status["Uid"].split() + status["Gid"].split() + status["Groups"].split()
    if isolate == "none":
        assert [str(JOB_UID)] * 4 == status["Uid"].split() == status["Gid"].split()
        assert [] == status["Groups"].split()


@pytest.mark.skipif(not ROOT, reason="root alone can become another user")
def test_whom_jobs_of_root_become_is_configured_and_never_root(
    run: Callable[..., Ran], cit: Cit, queue: Queue
) -> None:
    ran = run("id -u", env={"CIT_JOB_UID": "61998"})
    refused = [cit("run", "--", "id", env={"CIT_JOB_UID": uid}) for uid in ("0", "root", "-1")]

    assert ["61998"] == ran.log()
    assert [78, 78, 78] == [ended.code for ended in refused]
    assert all(ended.out == "" for ended in refused)


def test_a_job_is_a_session_of_its_own(run: Callable[..., Ran]) -> None:
    ran = run("read -r _ _ _ _ group session tty _ </proc/$$/stat; echo $(($$ == session)) $tty")

    assert ["1 0"] == ran.log()


def test_no_signal_is_blocked_or_ignored(run: Callable[..., Ran]) -> None:
    ran = run("(isolate (none) (exec \"/bin/grep\" (\"Sig[BI]\" \"/proc/self/status\") () null))")

    # 32 and 33 are the C library's own, which its posix_spawn leaves ignored.
    private = 1 << 31 | 1 << 32
    assert {0} == {int(line.split()[1], 16) & ~private for line in ran.log()}


# --- the workspace ---------------------------------------------------------------------------


def test_a_job_works_in_a_directory_of_its_own_that_stays(
    run: Callable[..., Ran], queue: Queue
) -> None:
    ran = run("pwd; echo $CIT_WORKSPACE; umask; echo 1 >result", "--name", "x")

    here = os.path.join(queue.home, "x", ran.id)
    assert [here, here, "0022"] == ran.log()
    assert ["result"] == [f for f in os.listdir(here) if f != ".cit"]


def test_one_in_which_nothing_was_left_is_removed(run: Callable[..., Ran], queue: Queue) -> None:
    run("true", "--name", "gone")

    assert [] == os.listdir(os.path.join(queue.home, "gone"))


def test_a_step_runs_in_the_directory_it_names(run: Callable[..., Ran]) -> None:
    step = '(exec "{}" "/bin/pwd" () () null)'
    program = sequence(sh("mkdir sub"), step.format("sub"), step.format("/tmp"))

    first, second = run(program, "--name", "x").log()

    assert (True, "/tmp") == (first.endswith("/sub"), second)


def test_files_that_a_job_brings_lie_in_its_workspace(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "tool").write_text("#!/bin/sh\necho brought\n")
    (tmp_path / "d" / "tool").chmod(0o755)

    for isolate in ("none", "chroot:busybox"):
        script = "d/tool && echo more >>d/tool && mkdir d/new"
        ran = run(script, "--files", "d", "--isolate", isolate)

        assert (["brought"], ("ok", "0")) == (ran.log(), ran.status)


# --- values ----------------------------------------------------------------------------------


def test_a_command_says_values_in_its_data_file_and_nowhere_else(run: Callable[..., Ran]) -> None:
    say = "printf 'a\\\\t%s\\\\n' {0} >>$CIT_DATA; printf 'b\\\\t{0}\\\\n'"

    ran = run(sequence(sh(say.format(1)), sh(say.format(2)), sh("echo broken >>$CIT_DATA")))

    records = [r for r in trace.records(ran.path.read_bytes()) if r.kind == "data"]
    assert [("1.2.1", ("a", "1")), ("1.2.2", ("a", "2"))] == [(r.run, r.fields) for r in records]
    assert {"a": ("1.2.2", "2")} == ran.told.data


def test_values_of_a_command_that_failed_are_kept_too(run: Callable[..., Ran]) -> None:
    ran = run("printf 'a\\t1\\n' >>$CIT_DATA; exit 3", "--isolate", "chroot:busybox")

    assert (("failed", "3"), {"a": ("1", "1")}) == (ran.status, ran.told.data)


# --- how a job ends --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "status", "code"),
    [
        ("true", [], "ok", 0),
        ("exit 1", [], "failed", 1),
        ("exit 127", [], "failed", 127),
        ("exit 137", [], "failed", 137),
        ("kill -SEGV $$", [], "signal", 139),
        ("kill -KILL $$", [], "signal", 137),
        ('(isolate (none) (exec "/no/such" () () null))', [], "nostart", 127),
        ('(isolate (none) (exec "no-such-command" () () null))', [], "nostart", 127),
        ('(isolate (none) (exec "/etc/passwd" () () null))', [], "nostart", 126),
        ('(isolate (none) (exec "/etc" () () null))', [], "nostart", 126),
        ("#!/no/such/interpreter\n", [], "nostart", 127),
        ('(isolate (none) (exec "/no/such" "/bin/true" () () null))', [], "setup", 125),
        ("sleep 1000", ["--limit", "time=300ms"], "timeout", 124),
        (sequence(sh("sleep 1000", "0.3")), [], "timeout", 124),
        ("echo; sleep 1000", ["--limit", "idle=300ms"], "idle", 124),
        ("head -c 9M /dev/zero >f; sleep 1000", ["--limit", "disk=1M"], "disk", 137),
        ("yes", ["--limit", "log=1M"], "log", 137),
    ],
    ids=range(17),
)
def test_ends_are_told_apart(
    run: Callable[..., Ran], text: str, options: list[str], status: str, code: int
) -> None:
    ran = run(text, *options, "-q")

    assert (status, str(code), code) == (*ran.status, ran.code)
    assert {status} == {run.status for run in ran.told.runs.values() if run.step != "none"}


@pytest.mark.parametrize("directory", ["/tmp", "/var/tmp", "$HOME", "."])
def test_all_directories_of_a_chroot_count_for_the_disk(
    run: Callable[..., Ran], directory: str
) -> None:
    fill = f"for i in 1 2 3; do head -c 900000 /dev/zero >{directory}/$i; done; sleep 1000"

    ran = run(fill, "--limit", "disk=1M", "--isolate", "chroot:busybox")

    assert ("disk", "137") == ran.status


@pytest.mark.parametrize("isolate", ["chroot:busybox", "chroot:host"])
@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        (["true"], "ok", 0), (["sh", "-c", "exit 127"], "failed", 127),
        (["sh", "-c", "kill -9 $$"], "signal", 137), (["/no/such"], "nostart", 127),
        (["/etc/passwd"], "nostart", 126),
    ],
)  # fmt: skip
def test_ends_are_told_apart_in_a_chroot_too(
    cit: Cit, queue: Queue, isolate: str, command: list[str], status: str, code: int
) -> None:
    ended = cit("run", "--isolate", isolate, "--", *command)

    [found] = queue.names("done")
    assert (status, str(code), code) == (*look(queue, found.id).status, ended.code)


HOG = "exec python3 -c 'import time; x = bytearray(200 << 20); print(len(x)); time.sleep(1000)'"
BOMB = "for n in $(seq 40); do sleep 1000 & done; sleep 1000"


@pytest.mark.parametrize("cgroup", [None, "none"], ids=["groups", "no groups"])
@pytest.mark.parametrize(
    ("text", "limit", "status"), [(HOG, "memory=64M", "memory"), (BOMB, "procs=12", "procs")]
)
def test_who_takes_too_much_is_ended_and_said_to_be(
    run: Callable[..., Ran], text: str, limit: str, status: str, cgroup: str | None
) -> None:
    ran = run(text, "--limit", limit, env={"CIT_CGROUP": cgroup})

    assert (status, "137") == ran.status
    assert not orphans.marked(ran.id)


def test_what_stays_within_its_limits_is_left_alone(run: Callable[..., Ran]) -> None:
    options = [word for limit in ("time=1m", "idle=1m", "memory=512M", "procs=200", "disk=64M",
                                  "log=1M") for word in ("--limit", limit)]  # fmt: skip

    ran = run("head -c 1M /dev/zero >f; seq 1000; sleep 0.6", *options)

    assert ("ok", "0") == ran.status


def test_a_bad_archive_is_a_set_up_that_failed(run: Callable[..., Ran]) -> None:
    ran = run("%% job 1 toml\n%% program 1 sh\n#!/bin/true\n%% files 1 tar\nAAAA\n")

    assert (("setup", "125"), {}) == (ran.status, ran.told.runs)
    assert "cannot be unpacked" in ran.log("cit")[0]


def test_a_workspace_that_cannot_be_made_is_a_set_up_that_failed(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "work").touch()

    ran = run("true", env={"CIT_WORK": str(tmp_path / "work")})

    assert ("setup", "125") == ran.status


def test_a_step_after_one_that_failed_does_not_run(run: Callable[..., Ran]) -> None:
    ran = run(sequence(sh("echo one"), sh("exit 4"), sh("echo three")))

    assert (["one"], ("failed", "4")) == (ran.log(), ran.status)


# --- what is written down --------------------------------------------------------------------


def test_a_log_gives_back_every_byte_that_was_printed(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    data = bytes(range(256)) + b"\n%% trace 1 tab\n" + b"\\x41\\t\\\\" + b"y" * 200_000 + b"\nend"
    (tmp_path / "data").write_bytes(data)

    ran = run("cat data; cat data >&2", "--files", "data", "-q")

    records = list(trace.only(ran.path.read_bytes(), "log"))
    for stream in ("out", "err"):
        parts = [
            record.fields[1] + ("" if record.fields[0].endswith("+") else "\n")
            for record in records
            if record.fields[0].rstrip("+") == stream
        ]
        assert data == "".join(parts).encode("utf-8", "surrogateescape")


def test_every_run_is_measured_and_so_is_the_job(run: Callable[..., Ran]) -> None:
    busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"

    ran = run(sequence(sh(busy), sh("true")))

    first, second = (ran.told.runs[path].usage for path in ("1.2.1", "1.2.2"))
    for usage in (first, second, ran.told.usage):
        assert usage[0] in ("cgroup2", "cgroup1", "rusage")
        assert all(re.fullmatch(r"[0-9.]*", text) for text in usage[1:])
    assert float(first[2]) > 0.05
    assert float(first[2]) > float(second[2])
    assert float(ran.told.usage[2]) >= float(first[2])


def test_a_run_is_measured_while_it_lasts(
    queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> None:
    id = push("echo ready; exec sleep 1000")
    runner = serve("-j", "1")

    until(lambda: says(queue, id, "\tusage\t1\t"), "a usage record")

    assert runner.poll() is None


def test_a_limit_of_time_counts_what_ran_before_a_kill(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> None:
    asked = '%% job 1 toml\n[retry]\non_lost = "again"\n[limits]\ntime = "4s"\n'
    id = push(f"{asked}%% program 1 sh\n#!/bin/sh\nexec sleep 1000\n")
    runner = serve("-j", "1")
    until(lambda: says(queue, id, "\tusage\t1\t"), "a sign of life")
    runner.kill()
    runner.wait()

    assert 0 == cit("run", "-j", "1").code

    records = queue.records(queue.find(id))
    again = max(at for at, record in enumerate(records) if record.kind == "claim")
    walls = [
        max(float(r.fields[1]) for r in part if (r.kind, r.run) == ("usage", "1"))
        for part in (records[:again], records[again:])
    ]
    told = queue.job(queue.find(id))
    assert "timeout" == told.status
    assert sum(walls) <= float(told.usage[1]) + 0.001


# --- nothing is left -------------------------------------------------------------------------


DAEMON = "setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 & sleep 0.1; echo done"
HIDING = "setsid env -i sleep 1000 >/dev/null 2>&1 & echo $!"


@pytest.mark.parametrize("cgroup", [None, "none"], ids=["groups", "no groups"])
@pytest.mark.parametrize("isolate", ["none", "chroot:host"])
def test_nothing_survives_a_command(
    run: Callable[..., Ran], isolate: str, cgroup: str | None
) -> None:
    began = time.monotonic()

    ran = run(DAEMON, "--isolate", isolate, env={"CIT_CGROUP": cgroup})

    assert (["done"], ("ok", "0")) == (ran.log(), ran.status)
    assert set() == orphans.marked(ran.id)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("cgroup", [None, "none"], ids=["groups", "no groups"])
def test_who_changes_his_environment_does_not_survive_either(
    run: Callable[..., Ran], cgroup: str | None
) -> None:
    ran = run(HIDING, env={"CIT_CGROUP": cgroup})

    assert not alive(int(ran.log()[0]))


def test_the_dead_do_not_pile_up_in_a_runner(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    for _ in range(5):
        push(HIDING)
    last = push('cat /proc/[0-9]*/stat | grep -c ") Z $PPID "')

    cit("run", "-j", "1")

    assert ["0"] == look(queue, last).log()


def test_who_keeps_the_output_open_does_not_hold_up_the_end(run: Callable[..., Ran]) -> None:
    began = time.monotonic()

    ran = run("sleep 1000 & echo done")

    assert (["done"], ("ok", "0")) == (ran.log(), ran.status)
    assert time.monotonic() - began < 10


def test_nothing_of_one_command_is_there_for_the_next(run: Callable[..., Ran]) -> None:
    ran = run(sequence(sh("sleep 1000 & echo $!"), sh("cat /proc/[0-9]*/environ | tr '\\\\0' '@' |"
                                                      " grep -c CIT_RUN=1.2.1@")))  # fmt: skip

    assert "0" == ran.log()[-1]


# --- people ----------------------------------------------------------------------------------


def test_a_running_job_is_stopped_and_may_tidy_up(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> None:
    id = push("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    runner = serve("-j", "1")
    until(lambda: says(queue, id, "ready"), "the job")

    ended = cit("stop", id, "--reason", "enough")
    runner.wait(SECONDS)

    ran = look(queue, id)
    assert (0, ("cancelled", "130")) == (ended.code, ran.status)
    assert ["ready", "bye"] == ran.log()
    [act] = ran.told.acts
    assert ("stop", people.who(), "enough") == (act.kind, *act.fields[:2])


def test_who_does_not_listen_is_ended_after_the_grace(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> None:
    id = push("trap '' TERM; echo ready; sleep 1000 & wait; sleep 1000", "--limit", "grace=100ms")
    runner = serve("-j", "1")
    until(lambda: says(queue, id, "ready"), "the job")

    cit("stop", id)
    runner.wait(SECONDS)

    assert ("cancelled", "130") == look(queue, id).status
    assert set() == orphans.marked(id)


def test_a_stopped_job_begins_no_further_step(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> None:
    id = push(sequence(sh("echo ready; exec sleep 1000"), sh("echo second")))
    runner = serve("-j", "1")
    until(lambda: says(queue, id, "ready"), "the job")

    cit("stop", id)
    runner.wait(SECONDS)

    ran = look(queue, id)
    assert (["ready"], "cancelled") == (ran.log(), ran.ends()["1.2.1"])
    assert "1.2.2" not in ran.told.runs


def test_a_running_job_that_is_held_back_leaves_its_slot_until_it_is_released(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any], shelf: Path
) -> None:
    id = push(sequence(sh(f"echo ready; while [ ! -e '{shelf}/go' ]; do sleep 0.01; done"),
                       sh("echo second")))  # fmt: skip
    runner = serve("-j", "1")
    until(lambda: says(queue, id, "ready"), "the job")
    cit("hold", id)
    until(lambda: says(queue, id, "\thold\t"), "the hold")
    (shelf / "go").touch()
    runner.wait(SECONDS)

    cit("note", id, "still there")
    before = says(queue, id, "\tbegin\t1.2.2\t"), queue.find(id).state
    cit("hold", "--release", id)
    cit("run")

    ran = look(queue, id)
    assert (False, "hold") == before
    assert (["ready", "second"], ("ok", "0")) == (ran.log(), ran.status)
    assert ["hold", "release"] == [act.kind for act in ran.told.acts]


# --- crashes ---------------------------------------------------------------------------------


@pytest.fixture
def crash(
    queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> Callable[..., str]:
    """Push a job and kill its runner once the job has said `ready`; the id."""

    def act(text: str, *options: str, env: dict[str, str] | None = None) -> str:
        id = push(text, *options)
        runner = serve("-j", "1", env={**os.environ, **(env or {})})
        until(lambda: says(queue, id, "ready"), "the job")
        runner.kill()
        runner.wait()
        return id

    return act


LASTING = "printf 'ready\\n%s\\n' $CIT_ATTEMPT; exec sleep 1000"


@pytest.mark.parametrize("isolate", ["none", "chroot:busybox", "chroot:host"])
def test_a_command_whose_runner_was_killed_is_lost_and_not_run_again(
    cit: Cit, queue: Queue, crash: Callable[..., str], isolate: str
) -> None:
    id = crash(LASTING, "--isolate", isolate)

    before = queue.find(id).state
    assert 0 == cit("run").code

    ran = look(queue, id)
    assert ("run", ("lost", "123"), 2) == (before, ran.status, ran.told.attempt)
    assert ["ready", "1"] == ran.log()[:2]
    assert set() == orphans.marked(id)
    assert (0, "") == tuple(cit("queue", "fsck", "--ids", "-", input=id))[:2]
    assert [] == list(Path(queue.home).glob(".isolate/*"))


def test_what_a_dead_runner_left_is_ended_before_the_job_goes_on(
    cit: Cit, queue: Queue, crash: Callable[..., str]
) -> None:
    id = crash("setsid sleep 1000 & echo ready; exec sleep 1000", env={"CIT_CGROUP": "none"})

    left = orphans.marked(id)
    cit("run", env={"CIT_CGROUP": "none"})

    assert left
    assert set() == orphans.marked(id)
    assert ("lost", "123") == look(queue, id).status


def test_a_job_goes_on_at_the_step_that_was_cut_off(
    cit: Cit, queue: Queue, crash: Callable[..., str]
) -> None:
    job = '[retry]\non_lost = "again"\n'
    steps = sequence(sh("echo one"), sh("echo ready; [ $CIT_ATTEMPT = 2 ] || exec sleep 1000"),
                     sh("echo three"))  # fmt: skip
    id = crash(f"%% job 1 toml\n{job}%% program 1 lurch\n{steps}\n")

    cit("run")

    ran = look(queue, id)
    assert (["one", "ready", "ready", "three"], ("ok", "0")) == (ran.log(), ran.status)
    begins = [r for r in trace.records(ran.path.read_bytes()) if r.kind == "begin"]
    assert [("1.2.1", "1"), ("1.2.2", "1"), ("1.2.2", "2"), ("1.2.3", "1")] == [
        (record.run, record.fields[1]) for record in begins if record.fields[0] == "exec"
    ]
    assert (0, "") == tuple(cit("queue", "fsck"))[:2]


def test_a_retry_may_name_what_was_lost(
    cit: Cit, queue: Queue, crash: Callable[..., str]
) -> None:
    step = sh("echo ready; [ $CIT_ATTEMPT = 2 ] || exec sleep 1000")
    id = crash(f"(isolate (none) (retry {step} 3 (lost)))")

    cit("run")

    ran = look(queue, id)
    assert (["ready", "ready"], ("ok", "0")) == (ran.log(), ran.status)


def test_a_job_whose_program_says_something_else_than_its_trace_is_refused(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    id = push(sequence(sh("echo one")))
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        hold.move("run")
        hold.record("claim", "-", "host", "1", "boot", "1")
        hold.record("begin", "1", "sequence", "1")
        hold.sync()

    cit("run")

    ran = look(queue, id)
    assert (("setup", "125"), []) == (ran.status, ran.log())
    assert "the trace has 'begin 1 sequence 1' where the program has" in ran.log("cit")[0]


def test_a_job_that_was_only_moved_when_its_runner_died_runs_as_if_nothing_had_been(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    id = push("echo $CIT_ATTEMPT")
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        hold.move("run")

    cit("run")

    assert (["1"], ("ok", "0")) == (look(queue, id).log(), look(queue, id).status)


def test_files_that_were_being_unpacked_are_unpacked_again(
    cit: Cit, queue: Queue, push: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("whole")
    id = push("cat data", "--files", "data", "--name", "x")
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        hold.move("run")
        hold.record("claim", "-", "host", "1", "boot", "1")
        hold.sync()
    half = Path(queue.home) / "x" / id
    half.mkdir(parents=True)
    (half / "data").write_text("wh")
    half.parent.chmod(0o711)
    for path in (half, half / "data"):
        os.chown(path, JOB_UID, JOB_UID if ROOT else -1)

    cit("run")

    assert (["whole"], ("ok", "0")) == (look(queue, id).log(), look(queue, id).status)


def test_a_job_whose_file_was_spoilt_stops_no_other(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    spoilt, good = push("true"), push("echo good")
    path = Path(queue.file(queue.find(spoilt)))
    path.write_bytes(path.read_bytes().replace(b"%% program 1", b"%% program 7"))

    ended = cit("run")

    assert 0 == ended.code
    assert (("setup", "125"), ["good"]) == (look(queue, spoilt).status, look(queue, good).log())


def test_a_stop_that_came_before_the_crash_still_holds(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> None:
    id = push("trap '' TERM; echo ready; sleep 1000 & wait; sleep 1000", "--limit", "grace=1000s")
    runner = serve("-j", "1")
    until(lambda: says(queue, id, "ready"), "the job")
    cit("stop", id)
    until(lambda: says(queue, id, "\tstop\t"), "the stop")
    runner.kill()
    runner.wait()

    cit("run")

    assert look(queue, id).status[0] in ("cancelled", "lost")
    assert 1 == len(look(queue, id).told.acts)


# --- order and slots -------------------------------------------------------------------------


def test_jobs_run_by_priority_and_then_as_they_came(
    cit: Cit, queue: Queue, push: Callable[..., str], shelf: Path
) -> None:
    for called, priority in (("b", 50), ("d", 99), ("a", 0), ("c", 50)):
        push(f"echo {called} >>'{shelf}/order'", "--priority", str(priority))

    cit("run", "-j", "1")

    assert ["a", "b", "c", "d"] == (shelf / "order").read_text().split()


def crowd(shelf: Path) -> str:
    """A job that says how many there are of its kind at this moment."""
    return f"cd '{shelf}'; touch $CIT_ID; sleep 0.2; ls | wc -l; rm $CIT_ID"


@pytest.mark.parametrize(("options", "most"), [([], 2), (["-j", "1"], 1), (["-j", "3"], 3)])
def test_so_many_jobs_run_at_once_as_there_are_slots(
    cit: Cit, queue: Queue, push: Callable[..., str], shelf: Path, options: list[str], most: int
) -> None:
    ids = [push(crowd(shelf)) for _ in range(5)]

    assert 0 == cit("run", *options).code

    seen = [int(look(queue, id).log()[0]) for id in ids]
    assert most == max(seen)


def test_runners_that_do_not_know_of_each_other_share_the_slots(
    queue: Queue, push: Callable[..., str], serve: Callable[..., Any], shelf: Path
) -> None:
    ids = [push(crowd(shelf)) for _ in range(8)]

    runners = [serve() for _ in range(3)]
    codes = [runner.wait(SECONDS) for runner in runners]

    assert [0, 0, 0] == codes
    ran = [look(queue, id) for id in ids]
    assert [("ok", "0")] * 8 == [each.status for each in ran]
    assert [1] * 8 == [each.told.attempt for each in ran]
    assert 2 == max(int(each.log()[0]) for each in ran)


def test_a_job_that_comes_while_a_runner_is_at_work_is_run_by_it(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any], shelf: Path
) -> None:
    first = push(f"echo ready; while [ ! -e '{shelf}/go' ]; do sleep 0.01; done")
    runner = serve("-j", "1")
    until(lambda: says(queue, first, "ready"), "the job")

    second = push("true")
    (shelf / "go").touch()
    runner.wait(SECONDS)

    assert ("ok", "0") == look(queue, second).status


def test_a_job_that_this_machine_can_never_run_waits_and_holds_up_no_other(
    cit: Cit, queue: Queue, push: Callable[..., str]
) -> None:
    needs = "%% job 1 toml\n[needs]\n{}\n%% program 1 sh\n#!/bin/true\n"
    never = [push(needs.format(need)) for need in ('memory = "900T"', "procs = 65536",
                                                   'tools = ["no-such-tool"]')]  # fmt: skip
    good = [push(needs.format('tools = ["sh"]\nmemory = "1M"\nprocs = 1')), push("true")]

    assert 0 == cit("run").code

    assert ["wait"] * 3 == [queue.find(id).state for id in never]
    assert ["done"] * 2 == [queue.find(id).state for id in good]


def test_jobs_of_one_name_run_beside_each_other(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("#!/bin/true\n")
    cit("push", *["x"] * 60)
    cit("queue", "tick")

    ended = cit("run", "-j", "4")

    assert (0, "", "") == tuple(ended)
    assert {("ok", "0")} == {look(queue, found.id).status for found in queue.names("done")}
    assert 60 == len(queue.names("done"))


def test_a_paused_queue_does_not_go_on_with_what_was_lost_either(
    cit: Cit, queue: Queue, crash: Callable[..., str]
) -> None:
    id = crash(LASTING)
    cit("queue", "pause")

    cit("run")
    before = queue.find(id).state
    cit("queue", "resume")
    cit("run")

    assert ("run", "lost") == (before, look(queue, id).status[0])


# --- a queue that is watched -----------------------------------------------------------------


def test_a_watched_queue_is_served_at_once_until_that_is_interrupted(
    cit: Cit, queue: Queue, serve: Callable[..., Any]
) -> None:
    watcher = serve("--watch", "-j", "1")
    ids = []
    for _ in range(2):  # what it finds when it starts, or soon after; and what comes later
        ids.append(cit("push", "--", "true").out.strip())
        until(lambda: queue.find(ids[-1]).state == "done", "the job")  # noqa: B023
    served = sight.served(queue)

    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=SECONDS)

    assert (130, b"") == (watcher.returncode, err)
    assert [("ok", "0")] * 2 == [look(queue, id).status for id in ids]
    assert ("cit-run --watch", "") == (served, sight.served(queue))


def test_what_people_ask_is_done_at_once_in_a_watched_queue(
    cit: Cit, queue: Queue, push: Callable[..., str], serve: Callable[..., Any]
) -> None:
    cit("queue", "pause")
    id = push("true")
    serve("--watch")

    answer = trace.render(trace.Record(trace.stamp(time.time()), "stop", "-", ("",)))
    (Path(queue.path) / "answers" / f"{id}.--by-hand").write_bytes(answer)

    until(lambda: queue.find(id).state == "done", "the stop")
    assert ("cancelled", "130") == look(queue, id).status


# --- a queue that is full --------------------------------------------------------------------


def test_what_is_pushed_to_a_full_disk_is_kept_until_there_is_room(
    system: None, cit: Cit, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
    try:
        assert 0 == cit("queue", "init", small / "q").code
        with open(small / "ballast", "wb", buffering=0) as ballast, pytest.raises(OSError):  # noqa: PT011
            while True:
                ballast.write(b"x" * 4096)
        full = cit("push", "--queue", small / "q", "--", "true")
        os.unlink(small / "ballast")
        again = cit("push", "--flush")

        assert (69, 0) == (full.code, again.code)
        assert "no space left on device; kept in the outbox" in full.err
        [file] = os.listdir(small / "q" / "in")
        found = name.parse("in", file)
        assert found and found.id == full.out.strip()
    finally:
        subprocess.run(["umount", small], check=True)
