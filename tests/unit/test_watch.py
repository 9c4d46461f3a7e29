from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import watch
from cit.watch import Watch

CHANGES: dict[str, Callable[[Path], object]] = {
    "a file appears": lambda top: (top / "new").write_text(""),
    "a file goes": lambda top: (top / "old").unlink(),
    "a file is renamed": lambda top: (top / "old").rename(top / "other"),
}
PACKAGES = "/usr/lib/python3/dist-packages"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "old").write_text("x")
    return tmp_path


@pytest.mark.parametrize("change", CHANGES)
def test_a_directory_that_changes_ends_the_wait(top: Path, change: str) -> None:
    with Watch(str(top)) as watching:
        CHANGES[change](top)

        assert watching.wait(30)


def test_a_file_that_grows_ends_the_wait_also_after_a_rename(top: Path) -> None:
    with (top / "old").open("a") as file, Watch(f"/proc/self/fd/{file.fileno()}") as watching:
        (top / "old").rename(top / "moved")
        file.write("more")
        file.flush()

        assert watching.wait(30)


def test_a_change_during_the_wait_ends_it(top: Path) -> None:
    with Watch(str(top)) as watching:
        threading.Timer(0.05, (top / "new").write_text, [""]).start()
        began = time.monotonic()

        assert watching.wait(30)
        assert time.monotonic() - began < 20


def test_without_a_change_the_time_is_waited(top: Path) -> None:
    with Watch(str(top)) as watching:
        began = time.monotonic()

        assert not watching.wait(0.05)
        assert time.monotonic() - began >= 0.05


def test_what_is_not_there_yet_is_a_change_when_it_comes(top: Path) -> None:
    with Watch(str(top / "later")) as watching:
        assert not watching.wait(0)
        (top / "later").write_text("")

        assert watching.wait(30)


def test_the_kernel_tells_where_watchdog_is_installed(top: Path) -> None:
    program = f"""
import sys
sys.path.append({str(Path(watch.__file__).parents[1])!r})
from cit.watch import Watch
with Watch({str(top)!r}) as watching:
    assert watching.fileno() >= 0
    open({str(top / "new")!r}, "w").close()
    assert watching.wait(30)
    while watching.wait(0.2):
        pass
    open({str(top / "old")!r}).read()
    assert not watching.wait(0.5), "reading is no change"
assert watching.fileno() == -1
"""
    python = ["/usr/bin/python3", "-IS"]
    installed = subprocess.run(
        [*python, "-c", "import site, sys; sys.path += site.getsitepackages(); import watchdog"],
        capture_output=True,
    )
    if installed.returncode:
        pytest.skip("no watchdog: apt-get install python3-watchdog")

    done = subprocess.run([*python, "-c", program], capture_output=True, text=True)

    assert (0, "") == (done.returncode, done.stderr)
