"""No isolation."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from cit.isolate import none
from cit.isolation import Place, SetupFailed


def place(path: Path, user: tuple[int, int] | None = None) -> Place:
    return Place("id", "1", str(path), str(path / "state"), user)


def test_it_takes_no_argument() -> None:
    assert None is none.check("")
    assert "isolation none takes no argument, not 'busybox'" == none.check("busybox")


def test_it_needs_nothing_and_makes_nothing(tmp_path: Path) -> None:
    here = place(tmp_path)

    handle = none.up("", here)

    assert [] == none.missing()
    assert handle == none.ensure(handle, here)
    none.down(handle, here)
    none.down(handle, here)
    assert [] == list(tmp_path.iterdir())


def test_a_command_has_the_home_and_the_name_of_its_user(tmp_path: Path) -> None:
    me = pwd.getpwuid(os.getuid())

    with none.enter("none", place(tmp_path)) as entry:
        assert ([], (), str(tmp_path)) == (entry.prefix, entry.namespaces, entry.cwd)
        assert {"HOME": me.pw_dir, "USER": me.pw_name, "LOGNAME": me.pw_name} == entry.env


def test_setuid_programs_work_for_the_own_jobs_of_an_account_only(public: Path) -> None:
    with (
        none.enter("none", place(public)) as own,
        none.enter("none", place(public, (1, 1))) as other,
    ):
        assert (True, False) == (own.setuid, other.setuid)


def test_a_user_without_an_account_is_at_home_in_the_workspace(public: Path) -> None:
    with none.enter("none", place(public, (54321, 54321))) as entry:
        assert {"HOME": str(public), "USER": "54321", "LOGNAME": "54321"} == entry.env


def test_a_workspace_that_its_user_cannot_reach_is_a_setup_that_failed(public: Path) -> None:
    (public / "closed/work").mkdir(parents=True)
    (public / "closed").chmod(0o700)

    reason = f"user 54321 cannot pass through '{public}/closed' to the workspace"
    with (
        pytest.raises(SetupFailed, match=f"^{reason}$"),
        none.enter("none", place(public / "closed/work", (54321, 54321))),
    ):
        pass
