"""From what was typed to what a job asks."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import pytest

from cit import name, request
from cit.asked import Asked
from cit.errors import Bad, Failure

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"


@pytest.fixture
def typed() -> Any:
    """What options make of the job: typed("--priority", "7") -> changes."""
    parser = argparse.ArgumentParser()
    request.options(parser)

    def changes(*words: str) -> dict[str, Any]:
        return request.changes(parser.parse_args(words))

    return changes


def compose(file: str | None = None, *command: str, bring: list[str] | None = None,
            **changes: Any) -> Asked:  # fmt: skip
    return request.compose(file, list(command), bring or [], changes, ID, "main")


# --- options ---------------------------------------------------------------------------------


def test_what_is_not_typed_changes_nothing(typed: Any) -> None:
    assert {} == typed()


def test_options_are_keys_of_the_job(typed: Any) -> None:
    changes = typed("--name", "x", "--priority", "7", "--isolate", "chroot:host", "--set", "V=a=b",
                    "--set", "W=", "--env", "E=1", "--limit", "time=10m", "--limit", "procs=4",
                    "--limit", "memory=1024")  # fmt: skip

    assert {
        "name": "x", "priority": 7, "isolate": "chroot:host", "vars": {"V": "a=b", "W": ""},
        "env": {"E": "1"}, "limits": {"time": "10m", "procs": 4, "memory": 1024},
    } == changes  # fmt: skip


@pytest.mark.parametrize("option", ["--set", "--env", "--limit"])
@pytest.mark.parametrize("pair", ["", "x", "=1"])
def test_a_pair_needs_a_name_and_a_value(typed: Any, option: str, pair: str) -> None:
    with pytest.raises(Failure, match="expected NAME=VALUE") as raised:
        typed(option, pair)

    assert 2 == raised.value.code


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--limit", "tme=1", "--limit: unknown limit 'tme', did you mean 'time'?"),
        ("--limit", "time=soon", '--limit time: expected a duration such as "10m", found "soon"'),
        ("--limit", "procs=x", "--limit procs: expected a whole number from 1 to 4194304"),
        ("--name", "A B", '--name: expected a name such as "hello"'),
        ("--name", "", '--name: expected a name such as "hello"'),
        ("--priority", "200", "--priority: expected a whole number from 0 to 99, found 200"),
        ("--env", "1=2", '--env: expected the name of a variable such as "LANG"'),
        ("--set", "a b=2", '--set: expected the name of a variable such as "greeting"'),
        ("--isolate", "foo", '--isolate: expected "none", "chroot:busybox"'),
    ],
)
def test_what_an_option_cannot_be_is_told_of_the_option(
    typed: Any, option: str, text: str, message: str
) -> None:
    with pytest.raises(Failure) as raised:
        typed(option, text)

    assert (2, message) == (raised.value.code, str(raised.value)[: len(message)])


@pytest.mark.parametrize("option", ["--set", "--env", "--limit"])
def test_a_value_is_text(typed: Any, option: str) -> None:
    # A section in TOML cannot hold anything else; a command, which is bytes, can.
    with pytest.raises(Failure, match="expected UTF-8") as raised:
        typed(option, "A=\udcff")

    assert 2 == raised.value.code


@pytest.mark.parametrize(
    ("argv", "own", "command"),
    [
        ([], [], []), (["a", "-b"], ["a", "-b"], []),
        (["-w", "--", "ls", "-l"], ["-w"], ["ls", "-l"]),
        (["--", "a", "--", "b"], [], ["a", "--", "b"]), (["a", "--"], ["a"], []),
    ],
)  # fmt: skip
def test_what_comes_after_two_dashes_is_a_command(
    argv: list[str], own: list[str], command: list[str]
) -> None:
    assert (own, command) == request.command(argv)


# --- ids -------------------------------------------------------------------------------------


def test_ids_made_together_keep_their_order() -> None:
    ids = request.Ids()

    made = [ids.next() for _ in range(1000)]

    assert made == sorted(set(made))
    assert all(map(name.is_id, made))
    assert abs(time.time() - name.made(made[0])) < 60


def test_two_makers_of_ids_do_not_meet() -> None:
    one, other = request.Ids(), request.Ids()

    assert set() == {one.next() for _ in range(100)} & {other.next() for _ in range(100)}


# --- jobs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "called"),
    [
        ("hello.lurch", "hello"), ("hello.sh", "hello"), ("hello.job", "hello"),
        ("hello", "hello"), ("hello.py", "hello.py"), ("My Job.toml.sh", "my-job.toml"),
        (".job", "job"), ("-x-.sh", "x"),
    ],
)  # fmt: skip
def test_a_job_is_called_like_its_file(tmp_path: Path, file: str, called: str) -> None:
    path = tmp_path / file
    path.write_text("#!/bin/true\n")

    assert called == compose(str(path)).job["name"]


def test_a_command_keeps_every_byte_of_its_words() -> None:
    words = ["/bin/echo", "", "a b", "\n", '"', "\\", "${x}", "-n", "--", "\udcff", "%% x"]

    made = compose(None, *words)

    [run] = [node for node in made.tree.children if node.step == "exec"]
    assert tuple(words) == (run.args["path"], *run.args["args"])
    assert "echo" == made.job["name"]


def test_a_command_runs_where_it_is_told() -> None:
    made = compose(None, "ls", isolate="chroot:busybox")

    assert ["chroot", "exec"] == [node.step for node in made.tree.children]


@pytest.mark.parametrize(
    "text",
    ["(isolate (none) (no-op))", "program = '(isolate (none) (no-op))'",
     "%% job 1 toml\n%% program 1 lurch\n(isolate (none) (no-op))\n"],
)  # fmt: skip
def test_a_program_that_isolates_itself_is_not_told_where_to_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)

    with pytest.raises(Failure, match="--isolate: .* is a Lurch program") as raised:
        compose(str(tmp_path / "x"), isolate="chroot:busybox")

    assert 2 == raised.value.code


def test_files_that_a_job_brings_are_a_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)

    made = compose(None, "ls", bring=["data"])

    assert ["job", "program", "files"] == [part.kind for part in made.sections]


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"cannot open '.*/x': no such file") as raised:
        compose(str(tmp_path / "x"))

    assert 66 == raised.value.code


def test_a_directory_is_no_job(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is a directory"):
        compose(str(tmp_path))


def test_bad_data_is_told_with_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "x.lurch").write_text("(sequence\n  (exce))\n")

    with pytest.raises(Bad) as raised:
        compose(str(tmp_path / "x.lurch"))

    assert (str(tmp_path / "x.lurch"), 2, 4) == (
        raised.value.path, raised.value.line, raised.value.column,
    )  # fmt: skip


def test_what_is_far_too_long_is_refused_and_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("#!/bin/sh\n")
    with open(path, "ab") as file:
        file.truncate(1 << 40)

    with pytest.raises(Bad, match="over 1048576 bytes"):
        compose(str(path))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ('(isolate (chroot "ubuntu") (no-op))', "ubuntu"),
        ('(isolate (none) (isolate (chroot "") (no-op)))', "is empty|no template"),
    ],
)
def test_an_isolation_that_cannot_be_is_refused_when_pushed(
    tmp_path: Path, program: str, message: str
) -> None:
    (tmp_path / "x.lurch").write_text(program)

    with pytest.raises(Failure, match=message) as raised:
        compose(str(tmp_path / "x.lurch"))

    assert 65 == raised.value.code
