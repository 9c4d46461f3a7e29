"""The command language as its users see it: programs pushed, run, answered, held and stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from cit import job, section, trace
from cit.queue import Queue

Cit = Callable[..., Any]


class Play:
    """A queue with one slot, and what is done with the jobs in it. Whatever waits is parked."""

    def __init__(self, cit: Cit, queue: Queue, shelf: Path) -> None:
        self.cit, self.queue = cit, queue
        self.shelf = shelf  # a directory in which every user can write

    def must(self, *words: str) -> str:
        ended = self.cit(*words)
        assert (0, "") == (ended.code, ended.err), ended
        return str(ended.out)

    def push(self, program: str, head: str = "", form: str = "lurch", name: str = "x") -> str:
        """Push a job of that program, and have it admitted; its id."""
        text = program.replace("SHELF", str(self.shelf))
        data = f'%% job 1 toml\nname = "{name}"\n{head}\n%% program 1 {form}\n{text}\n'
        ended = self.cit("push", "-", input=data)
        assert (0, "") == (ended.code, ended.err), ended
        self.must("queue", "tick")
        return str(ended.out.strip())

    def go(self) -> None:
        """What cron does once."""
        self.must("queue", "tick")
        self.must("run", "-j", "1")

    def start(self) -> subprocess.Popen[bytes]:
        """A runner that goes on by itself."""
        return subprocess.Popen(["cit-run", "-j", "1"], start_new_session=True)

    def begun(self, id: str, run: str) -> bool:
        return run in self.told(id).runs

    def state(self, id: str) -> str:
        return str(self.queue.find(id).state)

    def told(self, id: str) -> job.Job:
        return self.queue.job(self.queue.find(id))

    def ended(self, id: str) -> tuple[str, str]:
        told = self.told(id)
        return told.status, told.code

    def runs(self, id: str) -> dict[str, str]:
        """How each run ended."""
        return {path: run.status for path, run in self.told(id).runs.items()}

    def out(self, id: str) -> list[str]:
        """The lines of output, in their order."""
        data = Path(self.queue.file(self.queue.find(id))).read_bytes()
        logs = [r for r in trace.records(section.split(data)[1]) if r.kind == "log"]
        return [record.fields[1] for record in logs if record.fields[0] == "out"]


@pytest.fixture
def play(cit: Cit, world: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    assert 0 == cit("queue", "init", "--slots", "1").code
    monkeypatch.setenv("CIT_PATIENCE", "0")
    shelf = public / "shelf"
    shelf.mkdir()
    shelf.chmod(0o777)
    return Play(cit, Queue(str(world / ".cit" / "queue")), shelf)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, play: Play) -> Play:
    """One whose runners keep what waits in its slot."""
    monkeypatch.setenv("CIT_PATIENCE", "1h")
    return play


def echo(*words: str) -> str:
    return '(exec "echo" (' + " ".join(f'"{word}"' for word in words) + "))"


def shell(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'(exec "sh" ("-c" "{escaped}"))'


def report(name: str, value: str, to: str = "DATA") -> str:
    """A step that reports a value."""
    return shell(f"printf '%s\\t%s\\n' '{name}' '{value}' >>$CIT_{to}")


def stages(**bodies: str) -> str:
    """A program of stages that need nothing, as a text."""
    lines = []
    for name, body in bodies.items():
        lines += [f"{name}:", *(f"    {line}" for line in body.splitlines()), ""]
    return "\n".join(lines)


# --- steps one after the other -----------------------------------------------------------------

SEQUENCES = {
    "a sequence ends at the first that fails": (
        f"(sequence {echo('a')} (no-op 3) {echo('b')})",
        ("failed", "3"),
        ["a"],
    ),
    "an empty sequence is ok": ("(sequence)", ("ok", "0"), []),
    "if runs the one": (f"(if (no-op) {echo('yes')} {echo('no')})", ("ok", "0"), ["yes"]),
    "or the other": (f"(if (no-op 1) {echo('yes')} {echo('no')})", ("ok", "0"), ["no"]),
    "for goes through its values": (
        f'(for x ("1" "2") {echo("${x}", "of", "${y}")})',
        ("ok", "0"),
        ["1 of ${y}", "2 of ${y}"],
    ),
    "break leaves the innermost loop": (
        f'(sequence (for x ("1" "2") (sequence {echo("${x}")} (break 1))) {echo("after")})',
        ("ok", "0"),
        ["1", "after"],
    ),
    "and the program where there are too few": (
        f'(sequence (for x ("1" "2") (sequence {echo("${x}")} (break 3))) {echo("after")})',
        ("ok", "0"),
        ["1"],
    ),
    "retry goes on until it is ok": (
        f"(retry {shell('echo $CIT_RUN; case $CIT_RUN in *.2) ;; *) exit 1;; esac')} 3)",
        ("ok", "0"),
        ["1.2.1.1", "1.2.1.2"],
    ),
    "or its attempts are over": (
        f"(retry {shell('echo $CIT_RUN; exit 4')} 2)",
        ("failed", "4"),
        ["1.2.1.1", "1.2.1.2"],
    ),
    "or it fails in a way that is not named": (
        f"(retry {shell('echo $CIT_RUN; exit 4')} 3 (5 timeout))",
        ("failed", "4"),
        ["1.2.1.1"],
    ),
    "a timeout is enforced": ('(exec "sleep" ("1000") () 0.1)', ("timeout", "124"), []),
    "what is not there is not started": ('(exec "/nowhere/x")', ("nostart", "127"), []),
    "what a step reports is known to the next": (
        f"(sequence {report('k', 'a b')} {echo('${data.k}', '${data.l}')})",
        ("ok", "0"),
        ["a b ${data.l}"],
    ),
    "names of variables can be put together": (
        f'(for a ("x") (for b_x ("deep") {echo("${b_${a}}")}))',
        ("ok", "0"),
        ["deep"],
    ),
    "a matrix runs all of its cells": (
        f'(matrix x ("a" "b") {shell("echo ${x}; test ${x} = b")})',
        ("failed", "1"),
        ["a", "b"],
    ),
}


@pytest.mark.parametrize("fact", SEQUENCES)
def test_programs_do_what_the_manual_says(play: Play, fact: str) -> None:
    program, ended, out = SEQUENCES[fact]
    id = play.push(f"(isolate (none) {program})")

    play.go()

    assert (ended, out) == (play.ended(id), sorted(play.out(id)))
    assert "" == play.cit("queue", "fsck").out


def test_what_the_last_job_of_a_name_reported_is_known_to_the_next(play: Play) -> None:
    program = f"(isolate (none) (sequence {report('k', 'v')} {{}}))"
    first = play.push(program.format(echo("a")))
    play.go()

    second = play.push(program.format(echo("${last.k}", "${last.result}", "${last.id}")))
    play.go()

    assert [f"v ok {first}"] == play.out(second)


# --- people ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "ended", "out"),
    [("yes", ("ok", "0"), ["go"]), ("no", ("denied", "130"), [])],
)
def test_a_job_waits_in_no_slot_until_it_is_approved_or_denied(
    play: Play, said: str, ended: tuple[str, str], out: list[str]
) -> None:
    id = play.push(f'(isolate (none) (sequence (approve "Go?") {echo("go")}))')
    play.go()
    parked = play.state(id)
    other = play.push("(no-op)")
    play.go()

    play.must("answer", f"{id}.1.2.1", said, "--reason", "since")
    play.go()

    assert ("park", ("ok", "0")) == (parked, play.ended(other))
    assert (ended, out) == (play.ended(id), play.out(id))


@pytest.mark.parametrize(("default", "ended"), [("t", ("ok", "0")), ("f", ("denied", "130"))])
def test_where_nobody_answers_in_time_the_default_is_the_answer(
    patient: Play, default: str, ended: tuple[str, str]
) -> None:
    id = patient.push(f'(approve 0.05 "Go?" {default})')

    patient.go()

    assert ended == patient.ended(id)


def test_a_value_is_put_into_the_step_as_data(play: Play) -> None:
    id = play.push(f'(isolate (none) (let v "1.0" "Which?" {echo("v${v}")}))')
    play.go()

    play.must("answer", id, "${v} $(id)")
    play.go()

    assert (("ok", "0"), ["v${v} $(id)"]) == (play.ended(id), play.out(id))


def test_the_default_is_the_value_where_nobody_says_one(patient: Play) -> None:
    id = patient.push(f'(isolate (none) (let v "1.0" "Which?" {echo("v${v}")} 0.05))')

    patient.go()

    assert ["v1.0"] == patient.out(id)


# --- clocks, and other jobs --------------------------------------------------------------------


def test_a_long_pause_leaves_the_slot_and_a_short_one_does_not(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIT_PATIENCE", "5s")
    long = play.push("(pause 1000)")
    short = play.push("(pause 0.1)")

    play.go()

    assert ("park", ("ok", "0")) == (play.state(long), play.ended(short))


@pytest.mark.parametrize(("code", "ended"), [(0, ("ok", "0")), (3, ("failed", "3"))])
def test_a_program_is_spawned_and_awaited(
    play: Play, tmp_path: Path, code: int, ended: tuple[str, str]
) -> None:
    (tmp_path / "child.lurch").write_text(f"(no-op {code})")
    play.must("program", "import", "a child", str(tmp_path / "child.lurch"))
    id = play.push('(sequence (spawn "a child") (await job "${data.spawned}"))')

    play.go()  # the parent is parked, its child is pushed, admitted and run, and wakes it
    play.go()

    [child] = [found for found in play.queue.names("done") if found.name == "a-child"]
    assert (ended, ended) == (play.ended(child.id), play.ended(id))


def test_what_is_not_stored_cannot_be_spawned(play: Play) -> None:
    id = play.push('(spawn "nothing")')

    play.go()

    assert ("nostart", "127") == play.ended(id)


def test_a_program_that_spawns_itself_is_stopped(play: Play, tmp_path: Path, world: Path) -> None:
    toml = Path(play.queue.path, "queue.toml")
    toml.write_text(re.sub("(?m)^spawn = .*", "spawn = 7", toml.read_text()))
    (tmp_path / "bomb.lurch").write_text('(sequence (spawn "bomb") (spawn "bomb"))')
    play.must("program", "import", "bomb", str(tmp_path / "bomb.lurch"))
    play.must("program", "start", "bomb")

    for _ in range(5):
        play.go()

    jobs = list(play.queue.names("done"))
    assert 1 + 7 == len(jobs) == len(list(play.queue.every()))
    assert {("ok", "0"), ("limited", "122")} == {play.ended(found.id) for found in jobs}


@pytest.mark.parametrize(
    ("needs", "ended"),
    [('job = ["first"]', ("ok", "0")), ('artefact = ["first/tree"]', ("ok", "0"))],
)
def test_what_a_job_needs_of_others_is_waited_for_in_no_slot(
    play: Play, needs: str, ended: tuple[str, str]
) -> None:
    id = play.push(f"(isolate (none) {echo('go')})", f"[needs]\n{needs}")
    play.go()
    parked = play.state(id)
    play.push(
        f"(isolate (none) (sequence {shell('echo x >f')} {report('tree', 'f', 'ARTEFACTS')}))",
        name="first",
    )

    play.go()
    play.go()

    assert ("park", ended, ["go"]) == (parked, play.ended(id), play.out(id))


def test_a_job_that_needs_one_that_failed_ends_as_that_did(play: Play) -> None:
    play.push("(no-op 3)", name="first")
    id = play.push(f"(isolate (none) {echo('go')})", '[needs]\njob = ["first"]')

    play.go()
    play.go()

    assert (("failed", "3"), []) == (play.ended(id), play.out(id))


def test_a_check_that_says_not_yet_leaves_the_slot(play: Play) -> None:
    script = "test -e SHELF/there || exit 75".replace("SHELF", f"'{play.shelf}'")
    id = play.push(f"(isolate (none) {echo('go')})", f'[needs]\ncheck = """{script}"""')

    play.go()

    assert "park" == play.state(id)
    assert ("failed", "75", "") == told(play, id, "0.1.1.1")


def told(play: Play, id: str, run: str) -> tuple[str, str, str]:
    found = play.told(id).runs[run]
    return found.status, found.code, found.signal


# --- stages --------------------------------------------------------------------------------------


def test_stages_that_wait_for_each_other_run_at_the_same_time(play: Play) -> None:
    body = "echo >'SHELF/{}'\nwhile ! test -e 'SHELF/{}'; do sleep 0.01; done\necho {}"
    program = stages(one=body.format("1", "2", "one"), two=body.format("2", "1", "two"))
    id = play.push(program, '[limits]\ntime = "30s"', "stages")

    play.go()

    assert (("ok", "0"), ["one", "two"]) == (play.ended(id), sorted(play.out(id)))


def test_no_more_stages_than_its_slots_run_at_a_time(play: Play) -> None:
    body = (
        "mkdir 'SHELF/running-{0}'\nls -d SHELF/running-* | wc -l\necho >'SHELF/{0}'\n"
        # Until another one has begun: so it is seen that there are two.
        "while test $(ls 'SHELF' | grep -c '^.$') -lt 2; do sleep 0.01; done\n"
        "rmdir 'SHELF/running-{0}'"
    ).replace("SHELF/running-*", "'SHELF'/running-*")
    program = stages(**{name: body.format(name) for name in "abcdef"})
    id = play.push(program, 'slots = 2\n[limits]\ntime = "30s"', "stages")

    play.go()

    assert ("ok", "0") == play.ended(id)
    assert {"1", "2"} >= {*play.out(id)}
    assert "2" in play.out(id)


def test_a_stage_that_fails_stops_only_what_needs_it(play: Play) -> None:
    program = "a:\n  exit 3\nb: a\n  echo b\nc:\n  echo c\nd: c\n  echo d\nz: [finally]\n  echo z\n"
    id = play.push(program, form="stages")

    play.go()

    assert (("failed", "3"), ["c", "d", "z"]) == (play.ended(id), sorted(play.out(id)))


def test_a_stage_that_may_fail_stops_nothing(play: Play) -> None:
    id = play.push("a: [allow_failure]\n  exit 3\nb: a\n  echo b\n", form="stages")

    play.go()

    assert (("ok", "0"), ["b"]) == (play.ended(id), play.out(id))


def test_a_stage_makes_further_ones(play: Play) -> None:
    text = r"printf 'b:\n  echo b\nc: b\n  echo c\n' >>\"$CIT_STAGES\"".replace('\\"', '"')
    id = play.push(f"a:\n  {text}\nz: a\n  echo z\n", form="stages")

    play.go()

    assert (("ok", "0"), ["b", "c", "z"]) == (play.ended(id), sorted(play.out(id)))
    assert {"1.1.s1", "1.1.s2"} < {*play.runs(id)}


def test_stages_in_toml_have_a_matrix_attempts_and_variables(play: Play) -> None:
    program = """
[[stage]]
name = "cells"
run = 'echo "$a$b"'
matrix = { a = ["1", "2"], b = ["x", "y"] }

[[stage]]
name = "again"
needs = ["cells"]
run = ['case $CIT_RUN in *.2) echo "$E";; *) exit 3;; esac']
retry = { attempts = 2, on = [3] }
env = { E = "second of ${who}" }
"""
    id = play.push(program, '[vars]\nwho = "all"', "toml")

    play.go()

    assert ("ok", "0") == play.ended(id)
    assert ["1x", "1y", "2x", "2y", "second of all"] == sorted(play.out(id))


# --- hold and stop -------------------------------------------------------------------------------

FINAL = "\nlast: [finally]\n  echo last\n"


@pytest.fixture
def runner(play: Play) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A place for runners: what is still at work at the end is ended."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_running_job_that_is_held_leaves_its_slot_and_goes_on_when_released(
    play: Play, runner: list[subprocess.Popen[bytes]]
) -> None:
    first = shell("until test -e 'SHELF/go'; do sleep 0.01; done; echo a")
    id = play.push(f"(isolate (none) (sequence {first} {echo('b')}))")
    other = play.push(f"(isolate (none) {echo('other')})")
    runner.append(play.start())
    until(lambda: play.begun(id, "1.2.1"), "the run")

    play.must("hold", id, "--reason", "wait")
    (play.shelf / "go").touch()
    assert 0 == runner[0].wait(timeout=30)
    held = play.state(id), play.out(id), play.ended(other)
    play.must("hold", "--release", id)
    play.go()

    assert ("hold", ["a"], ("ok", "0")) == held
    assert (("ok", "0"), ["a", "b"]) == (play.ended(id), play.out(id))


def test_a_job_that_is_held_while_it_asks_goes_on_when_it_is_answered_and_released(
    patient: Play, runner: list[subprocess.Popen[bytes]]
) -> None:
    id = patient.push(f'(isolate (none) (sequence (approve 1000 "Go?") {echo("go")}))')
    runner.append(patient.start())
    until(lambda: patient.told(id).asks, "the question")

    patient.must("hold", id)
    assert 0 == runner[0].wait(timeout=30)
    patient.must("answer", id, "yes")
    patient.go()
    held = patient.state(id)
    patient.must("hold", "--release", id)
    patient.go()

    assert ("hold", ("ok", "0"), ["go"]) == (held, patient.ended(id), patient.out(id))


def test_of_a_run_that_is_stopped_the_others_go_on(
    play: Play, runner: list[subprocess.Popen[bytes]]
) -> None:
    wait = "until test -e 'SHELF/go'; do sleep 0.01; done\n  echo b"
    id = play.push(f"a:\n  sleep 1000\nb:\n  {wait}\nc: a\n  echo c{FINAL}", form="stages")
    runner.append(play.start())
    until(lambda: play.begun(id, "1.1.1.2") and play.begun(id, "1.2.1.2"), "both runs")

    play.must("stop", f"{id}.1.1")
    until(lambda: play.runs(id)["1.1"] == "cancelled", "the stop")
    (play.shelf / "go").touch()
    assert 0 == runner[0].wait(timeout=30)

    assert (("cancelled", "130"), ["b", "last"]) == (play.ended(id), play.out(id))
    assert ("cancelled", "ok") == (play.runs(id)["1.1.1.2"], play.runs(id)["1.2"])


def test_a_stop_ends_all_that_runs_but_the_clean_up(
    play: Play, runner: list[subprocess.Popen[bytes]]
) -> None:
    id = play.push(f"a:\n  sleep 1000\nb:\n  sleep 1000{FINAL}", form="stages")
    runner.append(play.start())
    until(lambda: play.begun(id, "1.1.1.2") and play.begun(id, "1.2.1.2"), "both runs")

    play.must("stop", id)
    assert 0 == runner[0].wait(timeout=30)

    assert (("cancelled", "130"), ["last"]) == (play.ended(id), play.out(id))


def test_a_second_stop_ends_the_clean_up_too(
    play: Play, runner: list[subprocess.Popen[bytes]]
) -> None:
    id = play.push("a:\n  sleep 1000\nlast: [finally]\n  sleep 1000\n  echo last", form="stages")
    runner.append(play.start())
    until(lambda: play.begun(id, "1.1.1.2"), "the run")
    play.must("stop", id)
    until(lambda: play.begun(id, "1.2.1.2"), "the run")

    play.must("stop", id)
    assert 0 == runner[0].wait(timeout=30)

    assert (("cancelled", "130"), []) == (play.ended(id), play.out(id))
    assert "cancelled" == play.runs(id)["1.2"]


def test_clean_up_comes_after_the_time_of_the_job_too(play: Play) -> None:
    id = play.push(f"a:\n  sleep 1000{FINAL}", '[limits]\ntime = "300ms"', "stages")

    play.go()

    assert (("timeout", "124"), ["last"]) == (play.ended(id), play.out(id))


def test_a_parked_job_that_is_stopped_cleans_up(play: Play) -> None:
    last = f'(stage "z" () (isolate (none) {echo("last")}) f t)'
    program = f'(stages (stage "a" () (approve "Go?")) {last})'
    id = play.push(program)
    play.go()

    play.must("stop", id)
    play.go()

    assert (("cancelled", "130"), ["last"]) == (play.ended(id), play.out(id))


def test_what_is_stopped_before_it_starts_runs_nothing_not_even_its_clean_up(play: Play) -> None:
    id = play.push(f"a:\n  echo a{FINAL}", form="stages")

    play.must("stop", id)
    play.go()

    assert (("cancelled", "130"), [], {}) == (play.ended(id), play.out(id), play.runs(id))
