"""cit-check: complaints like those of a compiler, and an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from cit import isolation


class Ended(Protocol):
    code: int
    out: str
    err: str


class Cit(Protocol):
    def __call__(self, command: str, *arguments: str | Path, input: str | bytes = b"") -> Ended: ...


GOOD = '%% job 1 toml\nname = "hello"\n%% program 1 lurch\n'
GOOD += '(isolate (chroot "busybox")\n  (exec "/bin/echo" ("hi") () null))\n'


def test_a_right_file_is_passed_over_in_silence(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "hello.job"
    path.write_text(GOOD)

    ended = cit("check", path)

    assert (0, "", "") == (ended.code, ended.out, ended.err)


def test_a_complaint_has_file_line_column_text_and_caret(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "hello.job"
    path.write_text(GOOD.replace("name = ", "[limits]\n\ttmie = "))

    ended = cit("check", path)

    assert (65, "") == (ended.code, ended.out)
    assert [
        f"{path}:3:2: unknown key 'tmie', did you mean 'time'?",
        '  \ttmie = "hello"',
        "  \t^",
    ] == ended.err.splitlines()


def test_a_program_is_looked_into_at_the_lines_of_its_file(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "hello.job"
    path.write_text(GOOD.replace("exec", "exce"))

    ended = cit("check", path)

    assert 65 == ended.code
    assert ended.err.startswith(f"{path}:5:")
    assert '    (exce "/bin/echo" ("hi") () null))' == ended.err.splitlines()[1]


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\necho x\n",
        '; a comment\n(isolate (chroot "busybox") (exec "/bin/true" () () null))\n',
        'name = "x"\nprogram = "#!/bin/true"\n',
        GOOD,
    ],
    ids=["script", "lurch", "toml", "job"],
)
def test_whatever_cit_push_takes_can_be_checked_from_standard_input(cit: Cit, text: str) -> None:
    ended = cit("check", "-", input=text)

    assert (0, "") == (ended.code, ended.err)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('(isolate (chroot "busybox")\n  (exce "/bin/true" () () null))\n', "-:2:"),
        ('name = "X"\nprogram = "#!/bin/true"\n', "-:1:1: expected a name"),
        ('name = "x"\nprogram = """\n(isolate\n"""\n', "-:3:1:"),
        ("", "-:1:1: expected a job, found nothing"),
        ("hello\n", "-:1:1: expected a job: a script"),
    ],
)
def test_whatever_is_wrong_with_it_has_a_place(cit: Cit, text: str, complaint: str) -> None:
    ended = cit("check", "-", input=text)

    assert 65 == ended.code
    assert ended.err.startswith(complaint)


def test_a_file_called_queue_toml_is_checked_as_one(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "queue.toml"
    path.write_text('name = "main"\npolcy = "fifo"\n')

    ended = cit("check", path)

    assert 65 == ended.code
    assert ended.err.startswith(f"{path}:2:1: unknown key 'polcy', did you mean 'policy'?")


def test_all_that_is_wrong_with_the_keys_of_a_plain_file_is_said(cit: Cit) -> None:
    text = 'nmae = "x"\npriorty = 3\n[limits]\ntmie = 3\n[[stage]]\nname = "a"\nrnu = "x"\n'
    text += '[[stage]]\nname = "b"\ntimeout = "soon"\n'

    ended = cit("check", "-", input=text)

    said = [line for line in ended.err.splitlines() if line.startswith("-:")]
    assert 65 == ended.code
    assert [
        "-:1:1: unknown key 'nmae', did you mean 'name'?",
        "-:2:1: unknown key 'priorty', did you mean 'priority'?",
        "-:4:1: unknown key 'tmie', did you mean 'time'?",
        "-:7:1: unknown key 'rnu', did you mean 'run'?",
        '-:10:1: expected a duration such as "10m", found "soon"',
    ] == said


def test_all_files_are_checked_and_a_bad_one_tells_more_than_a_missing_one(
    cit: Cit, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("x = 1\n")

    missing = cit("check", tmp_path / "nothing")
    both = cit("check", tmp_path / "nothing", bad)

    assert (66, 65) == (missing.code, both.code)
    assert f"cit-check: cannot open '{tmp_path}/nothing': no such file\n" == missing.err
    assert f"{bad}:1:1: unknown key 'x'" in both.err


def test_quiet_leaves_the_exit_code(cit: Cit) -> None:
    ended = cit("check", "-q", "-", input="x = 1\n")

    assert (65, "", "") == (ended.code, ended.out, ended.err)


def test_a_directory_is_told_so(cit: Cit, tmp_path: Path) -> None:
    ended = cit("check", tmp_path)

    assert (66, f"cit-check: cannot read '{tmp_path}': is a directory\n") == (ended.code, ended.err)


def test_bytes_of_a_file_do_not_act_on_the_terminal(cit: Cit, tmp_path: Path) -> None:
    ended = cit("check", "-", input=b"%% job 1 toml\n\x1b]0;x\x07 = 1\n%% program 1 sh\nx\n")

    assert 65 == ended.code
    assert not set(ended.err) & {"\x1b", "\x07"}


def test_a_job_of_the_queue_can_be_checked_by_its_id(cit: Cit) -> None:
    cit("queue", "init")
    id = cit("push", "--", "/bin/true").out.strip()
    cit("queue", "tick")

    ended = cit("check", id)

    assert (0, "") == (ended.code, ended.err)


WRONG = {
    "(retry (no-op) 0)": (16, "'retry': 'attempts' is at least 1"),
    "(break -1)": (8, "'break': 'loops' is at least 1"),
    "(wait () () (31) (2))": (13, "'wait': it never comes: none of these months has such a day"),
    "(wait (60))": (8, "'wait': 'minutes' is at most 59"),
    '(isolate (chroot "debian") (no-op))': (
        18, "'chroot': no template 'debian', only busybox and host"),
    '(exec "/bin/true")': (1, "'exec' outside 'isolate'"),
    '(isolate (no-op) (exec "/bin/true"))': (10, "'no-op' builds no isolation"),
    "(aprove)": (2, "no step 'aprove'; is it 'approve'?"),
    '(approve 60 "Go?" maybe)': (19, "'approve': 'default' is t or f"),
    '(let v "" "")': (1, "'let' needs its argument 'body': the step"),
    '(spawn "nightly" 0)': (18, "'spawn': 'version' is at least 1"),
    '(approve "no-one" f ("root" "@no-one"))': (
        29, "'approve': no group 'no-one' on this machine"),
    '(let v "" "no-one" (no-op) 9 ("no-one"))': (31, "'let': no user 'no-one' on this machine"),
    '(sequence (approve "Go?" f ("*" "@root")) (approve "Go?" f ("no-one")))': (
        61, "'approve': no user 'no-one' on this machine"),
    '(await artefact "tree")': (17, "'await': 'tree' is not JOB/ARTEFACT"),
    "(pause -1)": (8, "'pause': 'seconds' is at least 0"),
    '(for v "a" (no-op))': (8, "'for': 'values' is a list in parentheses"),
    "(sequence (no-op)": (1, "'(' without its ')'"),
}  # fmt: skip


def test_whom_nobody_knows_is_found_below_other_sections(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "x.job"
    head = '%% job 1 toml\nname = "x"\n%% program 1 lurch\n(sequence (no-op)\n'
    path.write_text(head + '(approve "Go?" f\n\t("root" "no-one")))\n')

    ended = cit("check", path)

    said = f"{path}:6:10: 'approve': no user 'no-one' on this machine\n"
    assert (65, f'{said}  \t("root" "no-one")))\n  \t        ^\n') == (ended.code, ended.err)


@pytest.mark.parametrize("step", WRONG)
def test_a_program_that_cannot_be_is_refused_with_its_place_when_checked_and_when_pushed(
    cit: Cit, tmp_path: Path, step: str
) -> None:
    column, message = WRONG[step]
    path = tmp_path / "x.lurch"
    path.write_text(f"; what is wrong comes in the second line\n{step}\n")
    cit("queue", "init")

    checked, pushed = cit("check", path), cit("push", "--dry-run", path)

    shown = f"{path}:2:{column}: {message}\n  {step}\n  {' ' * (column - 1)}^\n"
    assert (65, "", shown) == (checked.code, checked.out, checked.err)
    assert (65, "") == (pushed.code, pushed.out)
    assert shown in pushed.err


RIGHT = """
(sequence
  (approve "Begin?")
  (approve 3600 "Begin?" t ("root" "@root" "owner" "*"))
  (let version "1.0" "Which version?"
    (isolate
      (chroot "busybox")
      (retry (exec "/bin/echo" ("${version}") () 60.5) 3 (lost timeout 75) 10)))
  (wait (0 30) (3) () (1) (0 7))
  (pause 1.5) (no-op null)
  (spawn "test build") (spawn "test build" null) (spawn "test build" 2)
  (await job "build" 60) (await artefact "build/tree")
  (for v ("a" "b") (isolate (none) (exec "/tmp" "/bin/echo" ("${v}") () null)))
  (if (no-op 1) (break 1) (no-op)))"""


def test_a_program_with_every_step_is_right(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "all.lurch"
    path.write_text(RIGHT)
    cit("queue", "init")

    checked, pushed = cit("check", path), cit("push", "--dry-run", path)

    assert (0, "", "") == tuple(checked)
    assert (0, "") == (pushed.code, pushed.err)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a: b\n\nb:\n  echo\n", '(stages (stage "a" ("b") (no-op))'),
        ('[[stage]]\nname = "a"\n', '(stages (stage "a" () (no-op)))'),
        ("#!/bin/sh\n:\n", '(isolate (none) (script "#!/bin/sh\\n:\\n" ()))'),
        ("; mine\n(no-op\n0)\n", "(no-op 0)"),
    ],
)
def test_a_program_in_any_form_is_printed_as_one_expression(
    cit: Cit, tmp_path: Path, text: str, printed: str
) -> None:
    path = tmp_path / "job"
    path.write_text(text)

    ended = cit("check", "--lurch", path)

    assert (0, "") == (ended.code, ended.err)
    assert " ".join(ended.out.split()).startswith(printed)
    path.write_text(ended.out)
    assert ended.out == cit("check", "--lurch", path).out


def test_of_a_program_that_is_wrong_nothing_is_printed(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "job"
    path.write_text("a: a\n")

    ended = cit("check", "--lurch", path)

    assert (65, "") == (ended.code, ended.out)
    assert f"{path}:1:1: 'stages': stages in a circle: a needs a\n" in ended.err


def test_settings_have_no_program(cit: Cit, tmp_path: Path) -> None:
    path = tmp_path / "queue.toml"
    path.write_text('name = "x"\n')

    ended = cit("check", "--lurch", path)

    assert (2, "") == (ended.code, ended.out)


def test_what_cit_itself_wrote_into_a_job_is_right(cit: Cit) -> None:
    cit("queue", "init")
    id = cit("push", "--", "true").out.strip()
    cit("hold", id)
    cit("hold", "--release", id)
    cit("run")

    ended = cit("check", id)

    assert (0, "", "") == (ended.code, ended.out, ended.err)


UNISOLATED = {
    '(isolate (none)\n  (isolate (docker "x") (exec "x")))\n': (2, 12),
    '[[stage]]\nname = "a"\n[[stage]]\nname = "b"\n  image = "x"\nrun = "x"\n': (5, 3),
    'isolate = "docker:x"\nprogram = """\na:\n  x\n"""\n': (1, 1),
    'program = "#!/bin/x"\nisolate = "docker:x"\n': (2, 1),
    '%% job 1 toml\nname = "x"\nisolate = "docker:x"\n%% program 1 sh\nx\n': (3, 1),
    '%% job 1 toml\n%% program 1 toml\n[[stage]]\nname = "a"\nimage = "x"\nrun = "x"\n': (5, 1),
}  # fmt: skip


@pytest.mark.parametrize("text", UNISOLATED)
def test_an_isolation_that_is_not_there_is_refused_with_its_place_when_checked_and_when_pushed(
    cit: Cit, tmp_path: Path, text: str
) -> None:
    if isolation.find("docker"):
        pytest.skip("there is one for every step")
    path = tmp_path / "x"
    path.write_text(text)
    cit("queue", "init")

    checked, pushed = cit("check", path), cit("push", "--dry-run", path)

    line, column = UNISOLATED[text]
    start = f"{path}:{line}:{column}: no isolation 'docker'\n  {text.splitlines()[line - 1]}\n"
    shown = f"{start}  {' ' * (column - 1)}^\n"
    assert (65, "", shown) == tuple(checked)
    assert (65, "", f"cit-push: {shown}") == tuple(pushed)
