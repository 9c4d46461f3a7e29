"""How a command begins and ends, whatever it does: with commands made for the purpose."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def command(tmp_path: Path) -> Callable[[str], Path]:
    """Install a cit with one more command, cit-probe, whose main() is given; its program."""
    root = tmp_path / "root"
    shutil.copytree(TOP / "lib", root / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "bin").mkdir()

    def install(body: str) -> Path:
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        module = root / "lib" / "cit" / "cmd" / "probe.py"
        module.write_text(f"import os, sys\nfrom cit.errors import *\ndef main(argv):\n{lines}")
        stub = root / "bin" / "cit-probe"
        stub.write_text((TOP / "bin" / "cit-ls").read_text().replace('"ls"', '"probe"'))
        stub.chmod(0o755)
        return stub

    return install


@pytest.fixture
def run(command: Callable[[str], Path]) -> Run:
    def go(body: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        program = command(body)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run([program, *arguments], timeout=30, **streams)  # type: ignore[call-overload,no-any-return]

    return go


# --- beginning -------------------------------------------------------------------------------


def test_the_exit_code_is_what_main_returns(run: Run) -> None:
    ended = run("print(*argv)\nreturn 7", "a", "b c")

    assert (7, b"a b c\n", b"") == (ended.returncode, ended.stdout, ended.stderr)


def test_version_is_answered_without_the_command(run: Run) -> None:
    ended = run("return 7", "--version")

    assert 0 == ended.returncode
    assert re.fullmatch(rb"cit-probe \d+\.\d+\.\d+\n", ended.stdout)


def test_a_stub_is_found_through_links_and_from_anywhere(
    command: Callable[[str], Path], tmp_path: Path
) -> None:
    program = command("return 7")
    (tmp_path / "one link").symlink_to(program)
    (tmp_path / "another").symlink_to("one link")

    assert 7 == subprocess.run(["./another"], cwd=tmp_path).returncode


def test_a_stub_without_its_command_is_a_usage_error(command: Callable[[str], Path]) -> None:
    program = command("return 7")
    (program.parents[1] / "lib" / "cit" / "cmd" / "probe.py").unlink()

    ended = subprocess.run([program], capture_output=True)

    assert (2, b"cit-probe: no such command: 'probe'\n") == (ended.returncode, ended.stderr)


def test_a_broken_import_inside_a_command_is_not_a_missing_command(run: Run) -> None:
    ended = run("import cit.cmd.nothing_like_it")

    assert 70 == ended.returncode
    assert b"cit-probe: bug: ModuleNotFoundError" in ended.stderr


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "de_DE.ISO-8859-1"])
def test_bytes_that_are_not_utf8_pass_unchanged_in_any_locale(run: Run, locale: str) -> None:
    body = "print(argv[0] + sys.stdin.read())\nraise Failure(NO, argv[0])"
    environment = {**os.environ, "LC_ALL": locale}

    ended = run(body, os.fsdecode(b"\xe9\xff"), input=b"\xfe\xc3\xa9", env=environment)

    assert b"\xe9\xff\xfe\xc3\xa9\n" == ended.stdout
    assert b"cit-probe: \xe9\xff\n" == ended.stderr


def test_python_settings_of_the_caller_change_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit(9)")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": "x"}

    ended = run("import argparse\nreturn 7", env=environment, cwd=tmp_path)

    assert 7 == ended.returncode


def test_closed_descriptors_are_not_taken_by_files_opened_later(run: Run) -> None:
    body = "return os.open('/etc/passwd', os.O_RDONLY)"

    ended = run(body, stdout=None, preexec_fn=lambda: os.closerange(0, 2))

    assert ended.returncode > 2


# --- failures --------------------------------------------------------------------------------


def test_a_failure_is_one_line_and_its_code(run: Run) -> None:
    ended = run("raise Failure(MISSING, \"cannot open 'x': no such file\")")

    assert 66 == ended.returncode
    assert b"cit-probe: cannot open 'x': no such file\n" == ended.stderr


def test_a_failure_cannot_forge_lines_or_drive_the_terminal(run: Run) -> None:
    ended = run(r"raise Failure(NO, 'a\ncit-probe: b\x1b[2J\x9bm\r')")

    assert b"cit-probe: a\\ncit-probe: b\\x1b[2J\\x9bm\\x0d\n" == ended.stderr


def test_bad_data_is_shown_with_its_place_and_a_caret(run: Run) -> None:
    ended = run("raise Bad('expected a name', 3, 5, 'abc def')")

    assert 65 == ended.returncode
    assert b"cit-probe: 3:5: expected a name\n  abc def\n      ^\n" == ended.stderr


def test_bad_data_of_a_file_is_shown_with_its_path(run: Run) -> None:
    ended = run("bad = Bad('expected a name', 3)\nbad.path = 'a b.job'\nraise bad")

    assert (65, b"cit-probe: a b.job:3: expected a name\n") == (ended.returncode, ended.stderr)


def test_what_was_printed_before_a_failure_is_not_lost(run: Run) -> None:
    ended = run("print('first')\nraise Failure(NO, 'second')")

    assert (b"first\n", b"cit-probe: second\n") == (ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("leave", "code", "said"),
    [("0", 0, b""), ("None", 0, b""), ("2", 2, b""), ("'why'", 1, b"cit-probe: why\n")],
)
def test_a_command_may_leave_as_argparse_does(
    run: Run, leave: str, code: int, said: bytes
) -> None:
    ended = run(f"sys.exit({leave})")

    assert (code, said) == (ended.returncode, ended.stderr)


def test_an_interrupt_is_quiet(command: Callable[[str], Path]) -> None:
    program = command("print('ready', flush=True)\nimport signal\nsignal.pause()")
    child = subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()

    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)

    assert (130, b"") == (child.returncode, err)


# --- output that does not get out ----------------------------------------------------------------

MANY = "for n in range(100000): print(n)\nreturn 0"
FEW = "print('one')\nreturn 0"
RAW = "for n in range(100000): os.write(1, b'line\\n')\nreturn 0"


@pytest.mark.parametrize("body", [MANY, FEW, RAW])
def test_a_reader_that_goes_away_is_no_error(run: Run, body: str) -> None:
    read, write = os.pipe()
    os.close(read)

    ended = run(body, stdout=write)
    os.close(write)

    assert (141, b"") == (ended.returncode, ended.stderr)


def test_a_broken_pipe_that_is_not_the_output_is_told(run: Run) -> None:
    ended = run("r, w = os.pipe()\nos.close(r)\nos.write(w, b'x')")

    assert 70 == ended.returncode
    assert b"cit-probe: bug: BrokenPipeError" in ended.stderr


@pytest.mark.parametrize("body", [MANY, FEW])
def test_output_that_cannot_be_written_is_an_error_said_once(run: Run, body: str) -> None:
    with open("/dev/full", "wb") as full:
        ended = run(body, stdout=full)

    assert 75 == ended.returncode
    assert ended.stderr.startswith(b"cit-probe: ")
    assert ended.stderr.endswith(b"no space left on device\n")
    assert 1 == ended.stderr.count(b"\n")


def test_the_code_tells_when_even_the_message_cannot_be_written(run: Run) -> None:
    with open("/dev/full", "wb") as full:
        ended = run("raise Failure(MISSING, 'x')", stderr=full)

    assert 66 == ended.returncode


# --- the machine -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENOMEM"])
def test_a_machine_short_of_something_means_try_later(run: Run, name: str) -> None:
    ended = run(f"import errno\nraise OSError(errno.{name}, os.strerror(errno.{name}), 'a b')")

    assert 75 == ended.returncode
    assert ended.stderr.startswith(b"cit-probe: cannot use 'a b': ")
    assert 1 == ended.stderr.count(b"\n")


def test_lack_of_memory_means_try_later(run: Run) -> None:
    ended = run("raise MemoryError")

    assert (75, b"cit-probe: cannot allocate memory\n") == (ended.returncode, ended.stderr)


def test_a_file_that_is_not_ours_means_not_allowed(run: Run) -> None:
    ended = run("raise PermissionError(13, 'Permission denied', '/x')")

    assert 77 == ended.returncode
    assert b"cit-probe: cannot use '/x': permission denied\n" == ended.stderr


# --- bugs ------------------------------------------------------------------------------------


def kept(ended: subprocess.CompletedProcess[bytes]) -> Path:
    match = re.fullmatch(
        rb"cit-probe: bug: KeyError: 'x' \(traceback in (.+)\)\n", ended.stderr, re.DOTALL
    )
    assert match, ended.stderr
    return Path(os.fsdecode(match[1]))


def test_a_bug_is_one_line_and_keeps_its_traceback_in_a_private_file(
    run: Run, world: Path
) -> None:
    ended = run("{}['x']", "an argument")

    assert 70 == ended.returncode
    file = kept(ended)
    assert world / ".cit" / "bugs" == file.parent
    assert 0o600 == file.stat().st_mode & 0o777
    assert 0o700 == file.parent.stat().st_mode & 0o777
    assert "an argument" in file.read_text()
    assert file.read_text().endswith("KeyError: 'x'\n")


def test_a_bug_is_kept_elsewhere_when_the_home_of_cit_cannot_be_written(
    run: Run, world: Path, tmp_path: Path
) -> None:
    (world / ".cit").write_text("not a directory")
    ended = run("{}['x']")
    assert world / ".local" / "state" / "cit" / "bugs" == kept(ended).parent

    nowhere = {"PATH": os.environ["PATH"], "CIT_HOME": "/proc/none", "HOME": "/proc/none"}
    ended = run("{}['x']", env={**nowhere, "TMPDIR": str(tmp_path)})
    assert tmp_path == kept(ended).parent


def test_a_bug_shows_its_traceback_when_no_file_can_be_written(run: Run) -> None:
    nowhere = {name: "/proc/none" for name in ("CIT_HOME", "HOME", "TMPDIR")}

    ended = run("{}['x']", env={"PATH": os.environ["PATH"], **nowhere})

    assert 70 == ended.returncode
    assert ended.stderr.startswith(b"cit-probe: bug: KeyError: 'x' (")
    assert ended.stderr.rstrip().endswith(b"KeyError: 'x'")


def test_a_bug_never_writes_over_a_file(run: Run, world: Path) -> None:
    # All runs get the same clock and process id, so that their file has one name.
    body = "import time\ntime.gmtime = lambda f=time.gmtime: f(0)\nos.getpid = lambda: 1\n{}['x']"

    first, second = kept(run(body)), kept(run(body))

    assert first != second
    assert first.exists() and second.exists()
