"""cit-program: keep programs in a queue, and start them; cit-ls --runs; cit-queue init --demo."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cit import asked, demo, isolation, programs, trace
from cit.queue import Queue
from cit.trace import Record

if TYPE_CHECKING:
    from tests.cmd.conftest import Made
    from tests.conftest import Cit, User

    Terminal = Callable[..., str]

START = 1795293421.0
HELLO = """\
; greets
(isolate (none) (exec "/bin/echo" ("hello ${who}") () null))
"""
ORIGIN = '[origin]\nkind = "program"\nprogram = "{}"\nversion = {}\n'


def at(seconds: float) -> str:
    return trace.stamp(START + seconds)


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make an editor of lines of shell, in which $1 is the file: editor("echo x >>\\"$1\\"")."""
    path = tmp_path / "an editor"

    def make(lines: str) -> None:
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        monkeypatch.setenv("EDITOR", f"'{path}'")

    return make


# --- import and export -----------------------------------------------------------------------


def test_what_is_wrong_in_the_settings_of_the_queue_is_not_put_down_to_the_program(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "x.lurch").write_text("(no-op)")
    with open(Path(queue.path, "queue.toml"), "a") as file:
        file.write("nonsense\n")

    ended = cit("program", "import", "x", tmp_path / "x.lurch")

    assert 78 == ended.code
    assert ended.err.startswith(f"cit-program: {queue.path}/queue.toml:")


def test_what_was_imported_is_exported_byte_for_byte(cit: Cit, queue: Queue) -> None:
    text = HELLO.encode() + b"; caf\xc3\xa9 \xff\n"

    imported = cit("program", "import", "test build", input=text)
    exported = cit("program", "export", "test build")

    assert (0, "1\n", "") == (imported.code, imported.out, imported.err)
    assert (0, text) == (exported.code, exported.out.encode(errors="surrogateescape"))


def test_a_file_is_imported_and_each_change_is_a_version(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    file = tmp_path / "hello.lurch"

    printed = []
    for text in (HELLO, HELLO, HELLO + "; twice\n"):
        file.write_text(text)
        printed.append(cit("program", "import", "hello", file).out)

    assert ["1\n", "1\n", "2\n"] == printed
    assert HELLO == cit("program", "export", "hello", "--version", "1").out
    assert HELLO + "; twice\n" == cit("program", "export", "hello").out


def test_the_canonical_text_is_imported_as_the_same_program(cit: Cit, queue: Queue) -> None:
    cit("program", "import", "hello", input=HELLO)

    text = cit("program", "export", "--canonical", "hello").out
    cit("program", "import", "hello", input=text)

    assert '(isolate\n  (none)\n  (exec "/bin/echo" ("hello ${who}") () null))\n' == text
    assert text == cit("program", "export", "--canonical", "hello").out


def test_a_mistake_is_shown_with_its_place(cit: Cit, queue: Queue, tmp_path: Path) -> None:
    file = tmp_path / "hello.lurch"
    file.write_text('(isolate (none)\n  (exce "/bin/echo"))\n')

    ended = cit("program", "import", "hello", file)

    assert (65, "") == (ended.code, ended.out)
    assert (
        f"cit-program: {file}:2:4: no step 'exce'; is it 'exec'?\n"
        '    (exce "/bin/echo"))\n'
        "     ^\n"
    ) == ended.err
    assert "" == cit("program", "ls").out


@pytest.mark.parametrize("called", ["../x", "", ".", "x" * 300, "a\nb", "a/b"])
@pytest.mark.parametrize("verb", ["import", "export", "start", "rm", "edit"])
def test_what_cannot_be_a_name_is_a_usage_error(
    cit: Cit, queue: Queue, verb: str, called: str
) -> None:
    ended = cit("program", verb, called, input=HELLO)

    assert (2, "") == (ended.code, ended.out)
    assert "cannot be the name of a program" in ended.err
    assert 1 == ended.err.count("\n")


def test_what_is_not_there_is_missing(cit: Cit, queue: Queue) -> None:
    cit("program", "import", "hello", input=HELLO)

    for words in (["export", "x"], ["start", "x"], ["rm", "x"], ["edit", "x"],
                  ["export", "hello", "--version", "2"], ["start", "hello", "--version", "0"],
                  ["import", "hello", "no-such-file"], ["ls", "--queue", "nowhere"]):  # fmt: skip
        ended = cit("program", *words)
        assert (66, "") == (ended.code, ended.out), words


def test_the_first_import_of_a_user_makes_his_queue(cit: Cit, world: Path) -> None:
    assert "1\n" == cit("program", "import", "hello", input=HELLO).out

    assert ["hello"] == programs.names(Queue(str(world / ".cit" / "queue")))


# --- start -----------------------------------------------------------------------------------


def test_a_job_names_the_program_and_the_version_it_ran(cit: Cit, queue: Queue) -> None:
    cit("program", "import", "Say it", input=HELLO)
    cit("program", "import", "Say it", input=HELLO + "; twice\n")

    one = cit("program", "start", "Say it", "--version", "1", "--set", "who=bob")
    two = cit("program", "start", "Say it", "--priority", "3", "--limit", "time=10m")

    assert [(0, ""), (0, "")] == [(one.code, one.err), (two.code, two.err)]
    first, second = (
        asked.parse(queue.head(queue.find(each.out.strip()))[0]).job for each in (one, two)
    )
    origin = {"kind": "program", "program": "Say it"}
    assert ("say-it", {"who": "bob"}, {**origin, "version": 1}) == tuple(
        first[key] for key in ("name", "vars", "origin")
    )
    assert (3, {"time": "10m"}, {**origin, "version": 2}) == tuple(
        second[key] for key in ("priority", "limits", "origin")
    )


def test_a_started_program_runs_and_its_code_is_passed_through(cit: Cit, queue: Queue) -> None:
    cit("program", "import", "hello", input=HELLO)
    cit("program", "import", "fails", input="#!/bin/sh\nexit 3\n")
    push = {"CIT_START": "push"}

    went = cit("program", "start", "hello", "--set", "who=bob", "--wait", env=push)
    failed = cit("program", "start", "--quiet", "-w", "fails", env=push)

    assert (0, "") == (went.code, went.err)
    assert "hello bob\n" == cit("logs", went.out.strip()).out
    assert (3, "", "") == (failed.code, failed.out, failed.err)


def test_a_removal_does_not_touch_what_was_started(cit: Cit, queue: Queue) -> None:
    cit("program", "import", "hello", input=HELLO)
    id = cit("program", "start", "hello").out.strip()

    removed = cit("program", "rm", "hello", "--reason", "not needed")
    cit("queue", "tick")
    cit("run", "-j", "1")

    assert (0, "", "") == (removed.code, removed.out, removed.err)
    assert 66 == cit("program", "start", "hello").code
    assert "ok" == queue.job(queue.find(id)).status
    assert "3\n" == cit("program", "import", "hello", input=HELLO).out


def test_a_dry_run_prints_the_job_and_pushes_nothing(cit: Cit, queue: Queue) -> None:
    cit("program", "import", "hello", input=HELLO)

    printed = cit("program", "start", "hello", "--dry-run").out

    assert printed.startswith("%% job 1 toml\n")
    assert printed.endswith(HELLO)
    assert [] == list(queue.every())


def test_a_program_that_no_isolation_is_there_for_is_stored_and_not_started(
    cit: Cit, queue: Queue
) -> None:
    text = '(isolate (docker "debian:stable") (exec "/bin/true"))'
    if isolation.find("docker"):
        pytest.skip("there is one for every step")

    stored = cit("program", "import", "later", input=text)
    started = cit("program", "start", "later")

    assert (0, 65) == (stored.code, started.code)
    shown = f"cit-program: program 'later':1:10: no isolation 'docker'\n  {text}\n           ^\n"
    assert shown == started.err


# --- rights ----------------------------------------------------------------------------------


def test_others_start_what_they_can_read_and_change_nothing(
    users: Callable[[str], User], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    for path, readers in ((public / "open", "all"), (public / "shut", "owner")):
        made = cit("queue", "init", path, "--push", "*", "--readers", readers, "--none", "all",
                   user=alice)  # fmt: skip
        assert 0 == made.code
        stored = cit("program", "import", "hello", "--queue", path, input=HELLO, user=alice)
        assert 0 == stored.code

    def by_bob(verb: str, queue: Path, *words: str) -> int:
        return cit("program", verb, *words, "--queue", queue, input="#!/bin/sh\n", user=bob).code

    there = public / "open"
    codes = [by_bob(verb, there, "hello") for verb in ("import", "edit", "rm", "start", "export")]
    hidden = [by_bob(verb, public / "shut", "hello") for verb in ("start", "export")]

    assert ([77, 77, 77, 0, 0], [77, 77]) == (codes, hidden)
    assert 77 == by_bob("ls", public / "shut")
    assert HELLO == cit("program", "export", "hello", "--queue", there, user=alice).out


# --- edit ------------------------------------------------------------------------------------


def test_what_was_edited_is_the_next_version(
    cit: Cit, queue: Queue, editor: Callable[[str], None]
) -> None:
    cit("program", "import", "test build", input=HELLO)
    editor('sed -i s/greets/waves/ "$1"; touch "$1~"; echo "$1" >"$HOME/edited"')

    ended = cit("program", "edit", "test build")

    assert (0, "2\n", "") == (ended.code, ended.out, ended.err)
    assert HELLO.replace("greets", "waves") == cit("program", "export", "test build").out
    copy = Path((Path(os.environ["HOME"]) / "edited").read_text().strip())
    assert ("test build.lurch", False) == (copy.name, copy.parent.exists())


def test_visual_comes_before_editor_and_may_have_arguments(
    cit: Cit, queue: Queue, editor: Callable[[str], None]
) -> None:
    cit("program", "import", "hello", input=HELLO)
    editor("exit 1")

    ended = cit("program", "edit", "hello", env={"VISUAL": "sed -i s/greets/waves/"})

    assert (0, "2\n") == (ended.code, ended.out)


def test_what_was_not_changed_is_no_version(
    cit: Cit, queue: Queue, editor: Callable[[str], None]
) -> None:
    cit("program", "import", "hello", input=HELLO)
    editor("exit 0")

    ended = cit("program", "edit", "hello")

    assert (0, "1\n", "cit-program: program 'hello' is as it was\n") == (
        ended.code, ended.out, ended.err,
    )  # fmt: skip


def kept(text: str) -> Path:
    """The path that is told of a text that was not stored."""
    [line] = [line for line in text.splitlines() if "is not stored; the text is in '" in line]
    return Path(line.partition("in '")[2].removesuffix("'"))


def test_a_mistake_away_from_a_terminal_leaves_the_text_and_says_where(
    cit: Cit, queue: Queue, editor: Callable[[str], None]
) -> None:
    cit("program", "import", "hello", input=HELLO)
    editor('echo "(" >"$1"')

    ended = cit("program", "edit", "hello")

    assert (65, "") == (ended.code, ended.out)
    path = kept(ended.err)
    assert "(\n" == path.read_text()
    assert f"cit-program: {path}:1:1: '(' without its ')'\n  (\n  ^\n" in ended.err
    assert HELLO == cit("program", "export", "hello").out


def test_an_editor_that_fails_stores_nothing(
    cit: Cit, queue: Queue, editor: Callable[[str], None]
) -> None:
    cit("program", "import", "hello", input=HELLO)
    editor('echo "#!/bin/sh" >"$1"; exit 7')

    ended = cit("program", "edit", "hello")

    assert (1, "") == (ended.code, ended.out)
    assert ended.err.endswith("ended with code 7\n")
    assert "#!/bin/sh\n" == kept(ended.err).read_text()
    assert HELLO == cit("program", "export", "hello").out


def test_what_somebody_stored_meanwhile_is_not_passed_over(
    cit: Cit, queue: Queue, editor: Callable[[str], None]
) -> None:
    cit("program", "import", "hello", input=HELLO)
    editor('echo "#!/bin/sh" >"$1"; echo "; meanwhile" | cat - "$0.txt" | cit-program import hello')
    (Path(os.environ["EDITOR"].strip("'")).parent / "an editor.txt").write_text(HELLO)

    ended = cit("program", "edit", "hello")

    assert 1 == ended.code
    assert ended.err.endswith("cit-program: program 'hello' has version 2 meanwhile\n")
    assert "; meanwhile\n" + HELLO == cit("program", "export", "hello").out
    assert "#!/bin/sh\n" == kept(ended.err).read_text()


def test_on_a_terminal_a_mistake_can_be_mended(
    cit: Cit, queue: Queue, editor: Callable[[str], None], terminal: Terminal
) -> None:
    cit("program", "import", "hello", input=HELLO)
    editor('if test -e "$0.2"; then echo "#!/bin/sh" >"$1"; else echo "(" >"$1"; >"$0.2"; fi')

    shown = terminal("program", "edit", "hello", typed="y\n")

    assert ":1:1: '(' without its ')'\n  (\n  ^\nedit again? [Y/n] " in shown
    assert shown.endswith("2\n")
    assert "#!/bin/sh\n" == cit("program", "export", "hello").out


def test_on_a_terminal_one_may_give_up_and_keeps_the_text(
    cit: Cit, queue: Queue, editor: Callable[[str], None], terminal: Terminal
) -> None:
    cit("program", "import", "hello", input=HELLO)
    editor('echo "(" >"$1"')

    shown = terminal("program", "edit", "hello", code=65, typed="n\n")

    assert "(\n" == kept(shown).read_text()
    assert {1: "lurch"} == programs.versions(queue, "hello")


# --- ls --------------------------------------------------------------------------------------


def test_a_list_tells_the_last_run_of_each_program(cit: Cit, made: Made) -> None:
    for called in ("test build", "new", "other"):
        cit("program", "import", called, input=HELLO)
    cit("program", "import", "new", input=HELLO + "; twice\n")
    made.finished("test-build", head=ORIGIN.format("test build", 1), began=2, ended=5)
    last = made.finished("test-build", head=ORIGIN.format("test build", 1), began=12, ended=15,
                         status="failed", code=3)  # fmt: skip
    made.finished("test-build", began=22, ended=25)  # pushed by hand, of the same name
    runs = made.put("wait", "new", head=ORIGIN.format("new", 2))

    ended = cit("program", "ls")
    objects = [json.loads(line) for line in cit("program", "ls", "--json").out.splitlines()]

    assert (0, "") == (ended.code, ended.err)
    assert [
        ["new", runs, "-", "-", "-", "2"],
        ["other", "-", "-", "-", "-", "1"],
        ["test build", last, at(12), at(15), "3", "1"],
    ] == [line.split("\t") for line in ended.out.splitlines()]
    assert {
        "name": "test build", "last_run": last, "last_start": at(12), "last_stop": at(15),
        "last_code": 3, "version": 1, "versions": [1],
    } == objects[2]  # fmt: skip
    assert ([1, 2], None) == (objects[0]["versions"], objects[0]["last_code"])


def test_a_terminal_shows_programs_in_columns(cit: Cit, made: Made, terminal: Terminal) -> None:
    cit("program", "import", "test build", input=HELLO)
    id = made.finished("test-build", head=ORIGIN.format("test build", 1))

    shown = terminal("program", "ls", columns=140, TERM="dumb")

    assert (
        "NAME        LAST RUN                    LAST START           LAST STOP  LAST CODE"
        "  VERSION\n"
        f"test build  {id}  2026-11-21 20:37:03  20:37:06           0        1\n"
    ) == shown


# --- cit-ls --runs ---------------------------------------------------------------------------


def usage(seconds: float, run: str = "-", peak: int = 1 << 20) -> Record:
    numbers = ("cgroup2", "3.000000", "0.250000", "1.500000", str(peak), "0", "0")
    return Record(at(seconds), "usage", run, numbers)


def test_the_runs_of_a_program_are_listed_the_newest_first(cit: Cit, made: Made) -> None:
    head = ORIGIN.format("test build", 4)
    ids = [
        made.finished("test-build", usage(5), head=head),
        made.finished("test-build", status="failed", code=3, head=head, began=12, ended=15),
        made.finished("test-build"),  # not from the program
        made.finished("other", head=ORIGIN.format("other", 1)),
        made.put("wait", "test-build", head=head),
    ]

    ended = cit("ls", "--runs", "test build")

    assert (0, "") == (ended.code, ended.err)
    assert [
        [ids[4], at(40), *["-"] * 6, "wait", "4", "-"],
        [ids[1], at(10), at(12), at(15), "3", "-", "-", "-", "failed", "4", "3.000000"],
        [
            *(ids[0], at(0), at(2), at(5), "0"),
            *("0.250000", "1.500000", "1048576", "ok", "4", "3.000000"),
        ],
    ] == [line.split("\t") for line in ended.out.splitlines()]


def test_the_runs_of_a_name_are_all_jobs_called_so(cit: Cit, made: Made) -> None:
    by_hand = made.finished("hello")
    started = made.finished("hello", head=ORIGIN.format("hello", 1))
    made.finished("hello-world")

    ended = cit("ls", "--runs", "hello")

    assert [[started, "1"], [by_hand, "-"]] == [
        line.split("\t")[::9] for line in ended.out.splitlines()
    ]


def test_what_runs_has_what_its_commands_took_so_far(cit: Cit, made: Made) -> None:
    claim = Record(at(2), "claim", "-", ("node1", "4711", "b00t", "1", "0.1.0"))
    begun = [Record(at(3), "begin", run, ("exec", "1")) for run in ("1.1", "1.2")]
    made.put("run", "hello", claim, *begun, usage(4, "1.1"), usage(5, "1.2", 2 << 20))

    [row] = [json.loads(line) for line in cit("ls", "--runs", "hello", "--json").out.splitlines()]

    assert (at(2), None, None, "run") == tuple(
        row[key] for key in ("started", "stopped", "code", "status")
    )
    assert (0.5, 3.0, 2 << 20) == (row["user"], row["sys"], row["mem_peak"])


def test_the_list_of_runs_obeys_the_options_of_cit_ls(cit: Cit, made: Made) -> None:
    ids = [made.finished("hello", status="failed", code=1), made.finished("hello")]
    waits = made.put("wait", "hello")

    def listed(*options: str) -> list[str]:
        out = cit("ls", "--runs", "hello", *options).out
        return [line[:26] for line in out.replace("\0", "\n").splitlines()]

    assert [waits] == listed("-n", "1")
    assert [waits, *ids[::-1]] == listed("-0")
    assert [ids[0]] == listed("--status", "failed")
    assert ids[::-1] == listed("--state", "done")
    assert [] == cit("ls", "--runs", "nobody").out.splitlines()
    for words in (["JOB"], ["--mine"], ["--name", "x"]):
        assert 2 == cit("ls", "--runs", "hello", *words).code


def test_a_terminal_shows_runs_in_columns_and_says_that_there_are_more(
    cit: Cit, made: Made, terminal: Terminal
) -> None:
    made.finished("hello")
    id = made.finished("hello", usage(15), began=12, ended=86415, head=ORIGIN.format("hello", 7))

    shown = terminal("ls", "--runs", "hello", "-n", "1", columns=140, TERM="dumb")

    assert (
        "ID                          CREATED              STARTED   STOPPED              CODE  TOOK"
        "    USR   SYS  MEMORY  STATUS  VERSION\n"
        f"{id}  2026-11-21 20:37:11  20:37:13  2026-11-22 20:37:16     0    3s  250ms"
        "  1.5s      1M  ok            7\n"
        "cit-ls: the newest 1; --all shows them all\n"
    ) == shown


# --- the demo --------------------------------------------------------------------------------


def test_a_queue_can_come_with_programs_to_try(cit: Cit) -> None:
    ended = cit("queue", "init", "--demo")

    assert (0, "") == (ended.code, ended.out)
    lines = cit("program", "ls").out.splitlines()
    assert sorted(demo.PROGRAMS) == [line.split("\t")[0] for line in lines]
    assert (
        '(isolate\n  (chroot "busybox")\n  (exec "/bin/ls"\n    ("/bin")\n    () null))\n'
        == cit("program", "export", "test chroot").out
    )


def test_a_demo_program_that_cannot_be_started_is_told_of(cit: Cit) -> None:
    if isolation.find("docker"):
        pytest.skip("there is one for every step")

    ended = cit("queue", "init", "--demo")
    started = cit("program", "start", "test container")

    why = "no isolation 'docker'"
    assert f"cit-queue: program 'test container' cannot be started: {why}\n" == ended.err
    assert 65 == started.code
    assert why in started.err


@pytest.mark.parametrize(("called", "needs", "printed"), [
    ("test chroot", "busybox", "busybox"), ("test build", "cc", "all is well"),
])  # fmt: skip
def test_a_demo_program_does_what_it_says(
    cit: Cit, called: str, needs: str, printed: str
) -> None:
    if not (shutil.which("bwrap") and shutil.which(needs)):
        pytest.skip(f"needs bubblewrap and {needs}")
    cit("queue", "init", "--demo")

    ended = cit("program", "start", called, "--wait", env={"CIT_START": "push"})

    assert 0 == ended.code, cit("logs", called.replace(" ", "-"))
    assert printed in cit("logs", ended.out.strip()).out.splitlines()


def test_the_runs_of_a_name_that_nobody_knows_are_missing(cit: Cit, queue: Queue) -> None:
    ended = cit("ls", "--runs", "nosuch")

    said = f"cit-ls: no program and no job 'nosuch' in '{queue.path}'\n"
    assert (66, "", said) == (ended.code, ended.out, ended.err)
