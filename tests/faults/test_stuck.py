"""What one job does, or what becomes of it, never keeps the others from running."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import harness
import pytest
from harness import Home
from waiting import until


def user(home: Home) -> list[str]:
    """The words that run a command as somebody whom permissions concern."""
    if os.getuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    for path in (home.path, *home.path.rglob("*")):
        os.chown(path, 61998, 61998)
    return ["setpriv", "--reuid", "61998", "--regid", "61998", "--clear-groups"]


def states(home: Home) -> dict[str, str]:
    return {copy.name: copy.state for copy in home.copies()}


def test_a_job_that_locks_itself_out_of_its_workspace_ends_and_the_next_one_runs(
    home: Home,
) -> None:
    home.place.chmod(0o777)
    body = 'cd /; chmod 0 "$CIT_WORKSPACE"; kill -9 $PPID'
    home.push(1, body)
    home.push(1)
    under = user(home)
    home.run("cit-queue", "tick", under=under)

    ended = [home.run("cit-run", "-j", "1", under=under).code for _ in range(3)]

    assert [-9, 0, 0] == ended or [137, 0, 0] == ended
    assert {"done"} == set(states(home).values())


def test_a_job_that_pushes_another_one_does_not_take_it_along_when_it_ends(home: Home) -> None:
    inner = home.script("sleep 1; exit 0")
    push = shlex.join(home.argv("cit-push", "--queue", home.queue, inner))
    outer = home.script(f"export CIT_HOME='{home.path}' CIT_START=push; {push}; sleep 0.5")
    Path(home.environ["CIT_WORK"]).mkdir(exist_ok=True)
    under = user(home)  # jobs of root become another user, who may not push into his queue
    if under:
        os.chown(home.environ["CIT_WORK"], 61998, 61998)

    acts = (("cit-push", outer), ("cit-queue", "tick"), ("cit-run", "-j", "2"))
    codes = [home.run(*act, under=under).code for act in acts]

    assert [0, 0, 0] == codes
    ended = {copy.name: harness.outcome(copy.path) for copy in home.copies()}
    assert {outer.stem: "ok", inner.stem: "ok"} == ended
    assert {1} == set(home.executions().values())


def test_a_job_without_a_place_for_its_workspace_ends_and_the_next_one_runs(home: Home) -> None:
    first, second = home.script(), home.script()
    home.must("cit-push", first, second)
    home.must("cit-queue", "tick")
    work = Path(home.environ["CIT_WORK"])
    work.mkdir(0o711, exist_ok=True)
    (work / first.stem).touch()

    home.must("cit-run", "-j", "1")

    ended = {copy.name: harness.outcome(copy.path) for copy in home.copies()}
    assert {first.stem: "setup", second.stem: "ok"} == ended
    home.must("cit-queue", "fsck")


def test_a_disk_that_is_full_for_a_moment_does_not_end_what_serves_the_queue(home: Home) -> None:
    log = home.place / "strace"
    inject = harness.strace(log, "-e", "inject=fsync:error=ENOSPC:when=1")
    id = home.push(1)[0]
    error = (home.place / "err").open("w+")
    watching = subprocess.Popen(
        [*inject, *home.argv("cit-run", "--watch", "-j", "1")], env=home.environ, cwd=home.place,
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=error,
    )  # fmt: skip
    try:
        until(lambda: "no space left" in Path(error.name).read_text(), "the fault")
        [second] = home.push(1)  # whatever changes has it look again
        until(lambda: {"done"} == {copy.state for copy in home.copies()}, "both jobs")
    finally:
        harness.stop(watching)
        error.close()
    assert [] == harness.complaints(home, [id, second])
