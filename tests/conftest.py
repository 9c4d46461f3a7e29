"""What every test is given: a scratch home, the commands as real programs, and users.

A test starts in a world of its own: HOME and CIT_HOME are fresh, nothing of the
caller's environment but the path of the system's programs reaches it, and no
command starts anything in the background (CIT_START=none) unless it is asked to.

Tests that change the machine (users, mounts, services, groups outside their own)
ask for the fixture `system`: they run only with CIT_TEST_SYSTEM=1. With it nothing
may be skipped: a skip is then a failure.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

TOP = Path(__file__).resolve().parent.parent
sys.path.append(str(TOP / "tests"))  # waiting, for all tests
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SYSTEM = os.environ.get("CIT_TEST_SYSTEM") == "1"
USER_PREFIX = "citt"


class User(NamedTuple):
    """A throw-away account of this machine."""

    name: str
    uid: int
    gid: int
    home: Path


class Ended(NamedTuple):
    """How a command ended. Bytes that are not UTF-8 are surrogates in `out` and `err`."""

    code: int
    out: str
    err: str


Cit = Callable[..., Ended]

# A shell's `make test &` ignores it, and all that is started here would.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine must not fail a test. `make check` takes the quick one.
settings.register_profile("full", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("full")


# --- skips -----------------------------------------------------------------------------------


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if SYSTEM and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped although CIT_TEST_SYSTEM=1: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report


# --- the world of one test -------------------------------------------------------------------


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A scratch directory whose name has a space; kept when the test fails."""
    scratch = tmp_path / "a scratch"
    scratch.mkdir()
    return scratch


@pytest.fixture(scope="session")
def workspaces() -> Iterator[str]:
    """Where jobs of root's queues work: they become a user who cannot enter root's scratch."""
    path = tempfile.mkdtemp(prefix="cit-test-work-", dir="/var/tmp")
    os.chmod(path, 0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names for home directories. (mktemp would look through all there are for each one.)"""
    shelf = tmp_path_factory.mktemp("homes")
    return (shelf / f"of a test {number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def world(
    request: pytest.FixtureRequest, homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The home directory of a fresh environment."""
    home = next(homes)
    home.mkdir()
    for name in os.environ:
        if name.startswith(("CIT_", "XDG_", "LC_", "PYTHON")) and name != "CIT_TEST_SYSTEM":
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "COLUMNS", "PAGER", "EDITOR", "SSH_CONNECTION", "SSH_CLIENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CIT_HOME", str(home / ".cit"))
    monkeypatch.setenv("CIT_START", "none")
    if os.geteuid() == 0:
        monkeypatch.setenv("CIT_WORK", request.getfixturevalue("workspaces"))
    monkeypatch.setenv("PATH", f"{TOP / 'bin'}:{SYSTEM_PATH}")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TERM", "dumb")
    return home


def _demote(user: User | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


@pytest.fixture
def cit(request: pytest.FixtureRequest, tmp_path: Path) -> Cit:
    """Run a command as a real program: cit("push", "--dry-run", "x.job") -> Ended.

    Named arguments: `input` (text or bytes; else nothing), `env` (changes to the
    environment, None removes), `cwd`, `timeout` in seconds, and `user` (a User).
    """

    def run(
        command: str,
        *arguments: str | os.PathLike[str],
        input: str | bytes = b"",
        env: dict[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float = 60,
        user: User | None = None,
    ) -> Ended:
        programs = TOP / "bin"
        changes = dict(env or {})
        where = cwd or tmp_path
        if user is not None:
            # The checkout may lie where another user cannot go.
            programs = request.getfixturevalue("public_programs")
            where = cwd or user.home
            changes = {
                "HOME": str(user.home),
                "CIT_HOME": str(user.home / ".cit"),
                "CIT_WORK": None,
                "PATH": f"{programs}:{SYSTEM_PATH}",
                **changes,
            }
        environment = {**os.environ, **changes}
        ended = subprocess.run(
            [programs / f"cit-{command}" if command else programs / "cit", *arguments],
            input=input.encode() if isinstance(input, str) else input,
            env={name: text for name, text in environment.items() if text is not None},
            cwd=where,
            timeout=timeout,
            capture_output=True,
            **_demote(user),
        )
        texts = (stream.decode(errors="surrogateescape") for stream in (ended.stdout, ended.stderr))
        return Ended(ended.returncode, *texts)

    return run


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a fake executable first on PATH: fake("ssh", "#!/bin/sh\\n…") -> its path."""
    shelf = tmp_path / "fakes"

    def put(name: str, script: str) -> Path:
        if not shelf.exists():
            shelf.mkdir()
            monkeypatch.setenv("PATH", f"{shelf}:{os.environ['PATH']}")
        path = shelf / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    return put


# --- tests that change the machine -------------------------------------------------------------


@pytest.fixture(scope="session")
def system() -> None:
    """The right to change the machine, and to undo it."""
    if not SYSTEM:
        pytest.skip("changes the machine: set CIT_TEST_SYSTEM=1")
    if os.geteuid() != 0:
        pytest.skip("changes the machine: needs root")


def _public_directory() -> Path:
    path = Path(tempfile.mkdtemp(prefix="cit test ", dir="/tmp"))
    path.chmod(0o755)
    return path


@pytest.fixture
def public(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A scratch directory that every user of this machine can enter; kept on failure."""
    failures = request.session.testsfailed
    path = _public_directory()
    yield path
    if request.session.testsfailed == failures:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def public_programs() -> Iterator[Path]:
    """The directory `bin` of a copy of the commands that every user can reach."""
    path = _public_directory()
    for part in ("bin", "lib", "formats"):
        if (TOP / part).exists():
            shutil.copytree(
                TOP / part, path / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
    subprocess.run(["chmod", "-R", "a+rX", path], check=True)
    yield path / "bin"
    shutil.rmtree(path)


def _end_processes(uid: int) -> None:
    """End whatever still runs as one of our own users, until nothing does."""
    for _ in range(100):
        found = False
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                if os.stat(entry.path).st_uid != uid:
                    continue
                os.kill(int(entry.name), signal.SIGKILL)
                found = True
            except (FileNotFoundError, ProcessLookupError):
                continue
        if not found:
            return


def _remove(name: str) -> None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return
    _end_processes(entry.pw_uid)
    subprocess.run(["userdel", "--force", "--remove", name], check=False, capture_output=True)
    for group in ("groupdel",):
        subprocess.run([group, name], check=False, capture_output=True)


def _remove_leftovers() -> None:
    """Users of a test run that was killed: the process id in their name is gone."""
    for entry in pwd.getpwall():
        name, _, maker = entry.pw_name.rpartition("-")
        if name.startswith(USER_PREFIX + "-") and not os.path.exists(f"/proc/{maker}"):
            _remove(entry.pw_name)


@pytest.fixture
def users(system: None) -> Iterator[Callable[[str], User]]:
    """Make a throw-away user: users("alice") -> User. Removed at the end of the test."""
    yield from _accounts()


@pytest.fixture(scope="module")
def lasting_users(system: None) -> Iterator[Callable[[str], User]]:
    """As users(), but removed at the end of the file: to make one takes half a second."""
    yield from _accounts()


def _accounts() -> Iterator[Callable[[str], User]]:
    made: list[str] = []

    def make(who: str) -> User:
        # useradd holds a lock of its own, and gives up instead of waiting for it.
        with open("/run/cit-test-users.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _remove_leftovers()
            name = f"{USER_PREFIX}-{who}-{os.getpid()}"
            made.append(name)
            subprocess.run(
                ["useradd", "--create-home", "--user-group", "--shell", "/bin/sh", name],
                check=True,
                capture_output=True,
            )
        entry = pwd.getpwnam(name)
        home = Path(entry.pw_dir)
        home.chmod(stat.S_IRWXU)
        return User(name, entry.pw_uid, entry.pw_gid, home)

    yield make

    with open("/run/cit-test-users.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in made:
            _remove(name)
