"""Stages and cells by their names, wherever a command takes a run."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cit import asked, walk
from cit.queue import Queue
from cit.replay import Replay
from cit.steps import Steps
from cit.trace import Record

if TYPE_CHECKING:
    from tests.cmd.conftest import Made
    from tests.conftest import Cit

TEXT = """\
[[stage]]
name = "build"
run = "echo building"
[[stage]]
name = "test"
needs = ["build"]
matrix = { py = ["3.10", "3.11"] }
run = "echo testing $py; test $py = 3.10"
[[stage]]
name = "publish"
needs = ["test"]
run = "echo publishing"
"""
ASKS = """\
(stages 9
  (stage "a" () (approve null "one?"))
  (stage "b" () (sequence (no-op) (let "who" "you" "two?" (no-op))))
  (stage "c" () (stages
    (stage "d" () (approve null "three?"))
    (stage "e" () (approve null "four?"))))
  (stage "late" ("a") (no-op)))
"""


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init", "--slots", "1").code
    return Queue(str(world / ".cit" / "queue"))


def put(cit: Cit, text: str, name: str) -> str:
    ended = cit("push", "--name", name, "-", input=text)
    assert (0, "") == (ended.code, ended.err)
    cit("queue", "tick")
    return str(ended.out.strip())


@pytest.fixture
def ran(cit: Cit, queue: Queue) -> str:
    """The id of a job called `ci.1`, of which one cell failed."""
    id = put(cit, TEXT, "ci.1")
    cit("run", "-j", "1")
    assert "failed" == queue.job(queue.find(id)).status
    return id


@pytest.fixture
def asking(cit: Cit, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a parked job called `deploy`, which asks several things."""
    monkeypatch.setenv("CIT_PATIENCE", "0")
    id = put(cit, ASKS, "deploy")
    cit("run", "-j", "1")
    assert "park" == queue.find(id).state
    return id


@pytest.mark.parametrize(
    ("stage", "out"),
    [
        ("build", "building\n"),
        ("test", "testing 3.10\ntesting 3.11\n"),
        ("py=3.11", "testing 3.11\n"),
        ("test:py=3.10", "testing 3.10\n"),
    ],
)
def test_the_log_of_a_stage(cit: Cit, ran: str, stage: str, out: str) -> None:
    ended = cit("logs", f"ci.1:{stage}", "--time", "none")

    assert (0, sorted(out), "") == (ended.code, sorted(ended.out), ended.err)


def test_following_a_stage_ends_with_its_code(cit: Cit, ran: str) -> None:
    ended = [cit("logs", "-f", f"{ran}:{stage}").code for stage in ("build", "py=3.11", "publish")]

    assert [0, 1, 1] == ended


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ("lint", "no stage 'lint' in job '{}'; it has build, test, publish"),
        ("1.1", "no stage '1.1' in job '{}'; it has build, test, publish"),
        ("py=2", "no cell 'py=2' in job '{}'; it has test:py=3.10, test:py=3.11"),
        ("", "no stage '' in job '{}'; it has build, test, publish"),
        ("publish", "job '{}' has begun no run '1.3'"),
    ],
)
def test_a_stage_that_there_is_not_is_told(cit: Cit, ran: str, stage: str, why: str) -> None:
    ended = cit("logs", f"{ran}:{stage}")

    assert (66, "", f"cit-logs: {why.format(ran)}\n") == (ended.code, ended.out, ended.err)


@pytest.mark.parametrize("word", ["nobody:build", ":build"])
def test_the_job_is_looked_for_first(cit: Cit, ran: str, word: str) -> None:
    ended = cit("logs", word)

    assert 66 == ended.code
    assert ended.err.startswith(f"cit-logs: no job '{word.partition(':')[0]}' in ")


@pytest.mark.parametrize(
    ("options", "run", "runs"),
    [
        (("--from", "test"), "1.2", {"1.1.1.2"}),
        (("--from", ":test"), "1.2", {"1.1.1.2"}),
        (("--from", "1.2"), "1.2", {"1.1.1.2"}),
        (("--from", "py=3.10"), "1.2.1.1.1", {"1.1.1.2"}),
        (("--from", "py=3.11"), "1.2.1.1.2", {"1.1.1.2", "1.2.1.1.1.2"}),
        (("--only", "py=3.11"), "1.2.1.1.2", {"1.1.1.2", "1.2.1.1.1.2"}),
        (("--only", "test:py=3.10"), "1.2.1.1.1", {"1.1.1.2", "1.2.1.1.2.2"}),
    ],
)
def test_a_job_is_done_again_from_a_stage_on_or_in_one_cell_only(
    cit: Cit, ran: str, options: tuple[str, str], run: str, runs: set[str]
) -> None:
    ended = cit("push", "--again", ran, *options, "--dry-run")

    job = asked.parse(ended.out.encode())
    assert (0, "", run) == (ended.code, ended.err, job.job["origin"]["run"])
    [history] = [part for part in job.sections if part.kind == "history"]
    taken = {line.split(b"\t")[2].decode() for line in history.body.splitlines()}
    assert runs == taken


@pytest.mark.parametrize(
    ("stage", "code", "why"),
    [
        ("lint", 66, "no stage 'lint' in job '{}'; it has build, test, publish"),
        (":1.2", 66, "no stage '1.2' in job '{}'; it has build, test, publish"),
        ("py=2", 66, "no cell 'py=2' in job '{}'; it has test:py=3.10, test:py=3.11"),
        ("publish", 2, "stage 'publish' of job '{}' never began"),
        ("1.9", 2, "no run '1.9' in job '{}'; near it are 1 1.1 1.1.1 1.2 1.2.1"),
    ],
)
def test_what_cannot_be_done_again_alone_is_told(
    cit: Cit, ran: str, queue: Queue, stage: str, code: int, why: str
) -> None:
    ended = cit("push", "--again", ran, "--only", stage)

    assert (code, "", f"cit-push: {why.format(ran)}\n") == (ended.code, ended.out, ended.err)
    assert [] == os.listdir(f"{queue.path}/in")


def test_what_asks_is_answered_by_its_stage(cit: Cit, queue: Queue, asking: str) -> None:
    said = (("a", "yes"), ("b", "me"), ("c:e", "no"), ("d", "yes"))
    codes = [cit("answer", f"deploy:{stage}", value).code for stage, value in said]

    assert [0, 0, 0, 0] == codes
    answers = {r.run: r.fields[1] for r in queue.job(queue.find(asking)).answers}
    assert {"1.1.1": "yes", "1.2.1.2": "me", "1.3.1.2.1": "no", "1.3.1.1.1": "yes"} == answers


def test_of_a_stage_that_asks_several_things_or_nothing_none_is_answered(
    cit: Cit, queue: Queue, asking: str
) -> None:
    several, nothing = cit("answer", f"{asking}:c", "yes"), cit("answer", f"{asking}:late", "yes")

    why = f"job '{asking}' asks several things: {asking}.1.3.1.1.1 {asking}.1.3.1.2.1"
    assert (1, "", f"cit-answer: {why}\n") == (several.code, several.out, several.err)
    why = f"cannot answer job '{asking}': run 1.4 asks nothing"
    assert (1, "", f"cit-answer: {why}\n") == (nothing.code, nothing.out, nothing.err)
    assert [] == queue.job(queue.find(asking)).answers


def test_a_stage_is_stopped_by_its_name(cit: Cit, queue: Queue, asking: str) -> None:
    wrong = cit("stop", f"{asking}:x")
    ended = cit("stop", f"{asking}:a")
    cit("run", "-j", "1")

    assert (66, f"cit-stop: no stage 'x' in job '{asking}'; it has a, b, c, c:d, c:e, late\n") == (
        wrong.code, wrong.err,
    )  # fmt: skip
    assert (0, "", "") == (ended.code, ended.out, ended.err)
    told = queue.job(queue.find(asking))
    assert [("stop", "1.1")] == [(act.kind, act.run) for act in told.acts]
    assert "cancelled" == told.runs["1.1"].status


@pytest.mark.parametrize(
    ("word", "run", "why"),
    [(":late", "1.4", "stage 'late' has not begun"), (".1.4", "1.4", "it has begun no run 1.4")],
)
def test_what_has_not_begun_cannot_be_stopped(
    cit: Cit, queue: Queue, asking: str, word: str, run: str, why: str
) -> None:
    ended = cit("stop", f"{asking}{word}")

    said = f"cit-stop: cannot stop run {run} of job '{asking}': {why}\n"
    assert (1, "", said) == (ended.code, ended.out, ended.err)
    assert [] == queue.job(queue.find(asking)).acts


def test_a_cell_that_has_not_begun_cannot_be_stopped(
    cit: Cit, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIT_PATIENCE", "0")
    id = put(cit, '(sequence (approve null "go?") (for "py" ("2") (no-op)))\n', "x")
    cit("run", "-j", "1")

    ended = cit("stop", "x:py=2")

    said = f"cit-stop: cannot stop run 1.2.1.1 of job '{id}': cell 'py=2' has not begun\n"
    assert (1, said) == (ended.code, ended.err)


def test_stages_of_a_job_that_waits_are_known(cit: Cit, queue: Queue) -> None:
    id = put(cit, TEXT, "x")

    ended, wrong = cit("logs", "x:build"), cit("logs", "x:lint")

    assert f"cit-logs: job '{id}' has begun no run '1.1'\n" == ended.err
    assert f"cit-logs: no stage 'lint' in job '{id}'; it has build, test, publish\n" == wrong.err


def test_a_stage_that_another_one_made_has_its_name(cit: Cit, queue: Queue) -> None:
    id = put(cit, "a:\n  echo 'b:\n    echo made' >>$CIT_STAGES\n", "x")
    cit("run", "-j", "1")

    assert ["made\n", "made\n"] == [cit("logs", f"{id}:{word}").out for word in ("b", "a:b")]


def test_a_stage_that_another_one_made_may_have_steps_that_no_other_has(
    cit: Cit, queue: Queue
) -> None:
    id = put(cit, "a:\n  echo 'b:' >>$CIT_STAGES\n", "x")
    cit("run", "-j", "1")

    assert (0, "") == cit("logs", f"{id}:b")[:2]
    assert 0 == cit("push", "--again", id, "--from", "a:b", "--dry-run").code


def test_a_stage_that_failed_and_may_is_told_where_the_job_is(cit: Cit, queue: Queue) -> None:
    text = TEXT.replace("; test $py = 3.10", "") + (
        '[[stage]]\nname = "lint"\nallow_failure = true\nrun = "exit 3"\n'
    )
    id = put(cit, text, "x")
    cit("run", "-j", "1")

    why, (*_, reason, _, allowed) = cit("why", "x").out, cit("ls", "x").out.strip().split("\t")
    assert ("1 failure allowed: lint", "lint") == (reason, allowed)
    sentence, *details = why.splitlines()
    assert sentence.startswith("x ended ok ")
    assert "(1 failure allowed: lint); it ran for" in sentence
    assert ["allowed\tlint", f"do\tcit-logs\t{id}:lint"] == details
    assert "finished.allowed\tlint\n" in cit("show", "x").out
    assert 0 == cit("queue", "fsck").code
    assert 0 == cit("check", queue.file(queue.find(id))).code


def test_why_a_job_failed_is_told_by_name_ready_to_be_typed(cit: Cit, ran: str) -> None:
    _, *details = cit("why", ran).out.splitlines()

    assert [
        "run\t1.2.1.1.2.2\tscript\tfailed\t1\ttest:py=3.11",
        f"do\tcit-logs\t{ran}:test:py=3.11",
        f"do\tcit-push --again {ran} --from test:py=3.11",
    ] == details


@pytest.mark.parametrize(
    ("text", "logs", "begin"),
    [
        ("2:\n  false\n", "{}:2", ":2"),
        ('[[stage]]\nname = "a"\nmatrix = { v = ["b c"] }\nrun = "false"\n',
         "'{}:a:v=b c'", "'a:v=b c'"),
        ("#!/bin/false\n", "{}.1", "1"),
    ],
)  # fmt: skip
def test_what_is_told_can_be_typed(
    cit: Cit, queue: Queue, text: str, logs: str, begin: str
) -> None:
    id = put(cit, text, "x")
    cit("run", "-j", "1")

    _, _, *details = cit("why", id).out.splitlines()

    typed = logs.format(id)
    assert [f"do\tcit-logs\t{typed}", f"do\tcit-push --again {id} --from {begin}"] == details
    words = shlex.split(f"{typed} {begin}")
    assert 0 == cit("logs", words[0]).code
    assert 0 == cit("push", "--again", id, "--from", words[1], "--dry-run").code


def test_words_about_runs_that_are_not_to_blame_do_not_explain_an_end(
    cit: Cit, ran: str, queue: Queue
) -> None:
    id = cit("push", "--again", ran, "--only", "py=3.11").out.strip()
    cit("queue", "tick")
    cit("run", "-j", "1")

    assert "taken over" in cit("logs", "--stream", "cit", id).out
    assert "taken over" not in cit("why", id).out


def test_what_runs_is_told_by_name(made: Made, cit: Cit) -> None:
    begun = [
        Record("2026-11-21T20:37:04.000Z", "begin", run, (step, "1"))
        for run, step in (
            ("1", "stages"), ("1.1", "stage"), ("1.1.1", "isolate"), ("1.1.1.2", "script"),
            ("1.2", "stage"), ("1.2.1", "matrix"), ("1.2.1.1.2", "isolate"),
        )
    ]  # fmt: skip
    claim = Record("2026-11-21T20:37:03.000Z", "claim", "-", ("node1", "1", "b", "1", "0"))
    made.put("run", "x", claim, *begun, program=TEXT.replace('needs = ["build"]', ""), form="toml")

    queue = Queue(str(made.path))
    assert queue.locks.hold(1)

    listed, why = cit("ls", "x").out.split("\t")[8], cit("why", "x").out

    assert "build, test:py=3.11" == listed
    assert re.match("x is running: build for [0-9smhdw]+, test:py=3.11 for ", why)


@pytest.mark.parametrize("options", [("--only", "b"), ("--from", "b"), ("--only", "1.2")])
def test_what_comes_last_is_done_again_with_whatever_is(
    cit: Cit, queue: Queue, options: tuple[str, str]
) -> None:
    id = put(cit, "tidy: [finally]\n  echo tidy\nb:\n  echo b\nc: [finally]\n  echo c\n", "x")
    cit("run", "-j", "1")

    ended = cit("push", "--again", id, *options)
    cit("queue", "tick")
    cit("run", "-j", "1")

    out = cit("logs", ended.out.strip(), "--stream", "out").out
    assert ["b", "c", "tidy"] == sorted(out.split())
    assert "taken over" not in cit("logs", ended.out.strip(), "--stream", "cit").out


# --- from a stage on -------------------------------------------------------------------------

NEEDY = """\
deploy: build
    echo deployed $(cat bin)
build:
    echo x >>bin; echo built $(cat bin)
    printf 'more:\\n  echo made\\n' >>$CIT_STAGES
lint:
    echo linted
doc: lint
    echo documented
tidy: [finally]
    echo tidied
"""
CELLS = """\
[[stage]]
name = "publish"
needs = ["test"]
run = "echo publishing"
[[stage]]
name = "test"
matrix = { py = ["1", "2", "3", "4"], os = ["a", "b"] }
run = "echo $py$os; test $py != 3 || ! mkdir seen$os 2>&-"
"""


def repeat(cit: Cit, queue: Queue, id: str, begin: str) -> tuple[str, list[str]]:
    """The id of a job that does another one again from a run on, and what it printed."""
    ended = cit("push", "--again", id, "--from", begin)
    assert (0, "") == (ended.code, ended.err)
    again = ended.out.strip()
    cit("queue", "tick")
    cit("run", "-j", "1")
    replay(queue, again)
    assert 0 == cit("queue", "fsck").code
    out = cit("logs", again, "--stream", "out", "--time", "none").out
    return again, sorted(out.splitlines())


def replay(queue: Queue, id: str) -> None:
    """Walk a program once more: nothing is wanted that its trace has not, and it has no more."""
    request, records = asked.parse(queue.head(queue.find(id))[0]), queue.records(queue.find(id))
    old = Replay((r.kind, r.run, r.fields) for r in records)
    walking = walk.walk(request.tree, Steps(), request.job.get("vars", {}))
    answer: object = None
    while True:
        try:
            want = walking.send(answer)
        except StopIteration:
            break
        if want is None:
            answer = old.next()
            assert answer
            continue
        found = old.find(want)
        assert found, f"{want} has no answer"
        answer = walk.LATER if old.early(want.run, found[0]) else found[0]
    old.settle()


@pytest.mark.parametrize(
    ("begin", "out"),
    [
        ("build", ["built x x", "deployed x x", "made", "tidied"]),
        ("more", ["made", "tidied"]),
        ("deploy", ["deployed x", "tidied"]),
        ("1.1", ["deployed x", "tidied"]),
        ("lint", ["documented", "linted", "tidied"]),
        ("doc", ["documented", "tidied"]),
        ("tidy", ["tidied"]),
    ],
)
def test_from_a_stage_on_is_it_and_what_needs_it_wherever_that_is_written(
    cit: Cit, queue: Queue, begin: str, out: list[str]
) -> None:
    id = put(cit, NEEDY, "x")
    cit("run", "-j", "1")
    assert "ok" == queue.job(queue.find(id)).status

    again, printed = repeat(cit, queue, id, begin)

    assert ("ok", out) == (queue.job(queue.find(again)).status, printed)
    _, printed = repeat(cit, queue, again, "lint")
    assert ["documented", "linted", "tidied"] == printed, "what was taken over is once more"


def test_from_a_cell_on_are_those_that_failed_and_what_needs_their_stage(
    cit: Cit, queue: Queue
) -> None:
    id = put(cit, CELLS, "x")
    cit("run", "-j", "1")
    assert "failed" == queue.job(queue.find(id)).status

    again, printed = repeat(cit, queue, id, "test:py=2:os=b")

    assert ["2b", "3a", "3b", "publishing"] == printed
    assert "ok" == queue.job(queue.find(again)).status


def test_from_a_stage_of_stages_on_is_what_needs_it_there_and_what_needs_these_stages(
    cit: Cit, queue: Queue
) -> None:
    text = """(isolate (none) (sequence (stages
      (stage "late" ("group") (script "echo late"))
      (stage "other" () (script "echo other"))
      (stage "group" () (sequence (script "echo before") (stages
        (stage "b" ("a") (script "echo b"))
        (stage "a" () (sequence (script "echo a1") (script "echo a2")))
        (stage "c" () (script "echo c")))
        (script "echo after"))))
      (script "echo end")))\n"""
    id = put(cit, text, "x")
    cit("run", "-j", "1")

    printed = {begin: repeat(cit, queue, id, begin)[1]
               for begin in ("group:a", "1.2.1.3.1.2.2.1.2", "c", "late")}  # fmt: skip

    assert {
        "group:a": ["a1", "a2", "after", "b", "end", "late"],
        "1.2.1.3.1.2.2.1.2": ["a2", "after", "b", "end", "late"],
        "c": ["after", "c", "end", "late"],
        "late": ["end", "late"],
    } == printed
