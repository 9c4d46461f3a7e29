"""What tests/conftest.py promises, seen from outside: by running tests in a pytest of their own."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
Session = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Run the text of a test file in a session of its own: session(text, NAME="value")."""

    def run(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        # A checkout of its own: the conftest finds the commands beside itself.
        root = tmp_path / "checkout"
        (root / "tests").mkdir(parents=True)
        for part in ("bin", "lib"):
            (root / part).symlink_to(TOP / part)
        shutil.copy(TOP / "tests" / "conftest.py", root / "tests")
        (root / "tests" / "test_inner.py").write_text(f"import os, pwd, pytest\n{text}")
        settings = {k: v for k, v in os.environ.items() if not k.startswith(("CIT_", "PYTEST_"))}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-s"]
            + ["-c", TOP / "pyproject.toml", f"--rootdir={root}", f"--basetemp={tmp_path / 'base'}"]
            + [root / "tests"],
            cwd=root,
            env={**settings, **environment},
            capture_output=True,
            text=True,
        )

    return run


def test_nothing_of_the_callers_settings_reaches_a_test(session: Session) -> None:
    text = """
def test_it(world):
    assert os.environ["CIT_HOME"] == f"{world}/.cit"
    assert os.environ["HOME"] == str(world)
    assert os.environ["CIT_START"] == "none"
    assert {"CIT_QUEUE", "LC_ALL", "PYTHONPATH", "XDG_STATE_HOME"}.isdisjoint(os.environ)
"""

    ended = session(text, CIT_QUEUE="/q", LC_ALL="C", XDG_STATE_HOME="/x", CIT_START="push")

    assert 0 == ended.returncode, ended.stdout


@pytest.mark.parametrize(
    "text",
    [
        "def test_it(): pytest.skip('no such thing here')\n",
        "@pytest.mark.skipif(True, reason='no such thing here')\ndef test_it(): pass\n",
        "pytest.importorskip('no_such_thing_here', reason='no such thing here')\n",
    ],
    ids=["call", "mark", "module"],
)
def test_a_skip_is_a_failure_where_nothing_may_be_missing(session: Session, text: str) -> None:
    ended = session(text, CIT_TEST_SYSTEM="1")

    assert ended.returncode in (1, 2)
    assert "skipped although CIT_TEST_SYSTEM=1" in ended.stdout
    assert "no such thing here" in ended.stdout


def test_a_skip_is_a_skip_elsewhere_and_has_a_reason(session: Session) -> None:
    ended = session("def test_it(system): pass\n")

    assert 0 == ended.returncode
    assert "changes the machine: set CIT_TEST_SYSTEM=1" in ended.stdout


def test_an_expected_failure_is_not_a_skip(session: Session) -> None:
    text = "@pytest.mark.xfail(reason='known')\ndef test_it(): assert False\n"

    ended = session(text, CIT_TEST_SYSTEM="1")

    assert 0 == ended.returncode, ended.stdout


def test_a_scratch_directory_has_a_space_and_is_kept_on_failure_only(session: Session) -> None:
    text = """
def test_good(tmp_path): print("scratch", tmp_path)
def test_bad(tmp_path):
    print("scratch", tmp_path)
    assert False
"""

    ended = session(text)

    found = re.findall("^.?scratch (.*)$", ended.stdout, re.MULTILINE)
    good, bad = (Path(path) for path in found[:2])
    assert " " in good.name
    assert (False, True) == (good.exists(), bad.exists())


USERS = """
def test_two_users_are_apart(users, cit, public):
    alice, bob = users("alice"), users("bob")
    print("made", alice.name, bob.name, public)

    assert 0 == cit("queue", "init", user=bob).code
    assert bob.uid != alice.uid
    assert (bob.uid, bob.gid) == (os.stat(bob.home / ".cit").st_uid, os.stat(bob.home).st_gid)
    assert 0 != cit("queue", "tick", bob.home / ".cit" / "queue", user=alice).code
    argv = ["setpriv", f"--reuid={bob.uid}", "--clear-groups", "setsid", "sleep", "600"]
    os.spawnvp(os.P_NOWAIT, argv[0], argv)
    assert not FAIL
"""


@pytest.mark.parametrize("fail", [False, True])
def test_users_are_gone_after_a_test_with_all_they_run(
    system: None, session: Session, fail: bool
) -> None:
    ended = session(USERS.replace("FAIL", str(fail)), CIT_TEST_SYSTEM="1")

    assert fail == ended.returncode, ended.stdout
    alice, bob, public = re.findall(r"^.?made (\S+) (\S+) (.*)$", ended.stdout, re.MULTILINE)[0]
    for name in (alice, bob):
        with pytest.raises(KeyError):
            pwd.getpwnam(name)
        assert not Path("/home", name).exists()
    assert fail == Path(public).exists()
    shutil.rmtree(public, ignore_errors=True)
