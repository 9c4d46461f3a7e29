"""chroot, as far as it goes without entering: names, files, what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cit import template
from cit.isolate import chroot
from cit.isolation import Place, SetupFailed

USER = (54321, 54322) if os.geteuid() == 0 else None


def place(path: Path, run: str = "1.2") -> Place:
    (path / "work").mkdir(exist_ok=True)
    return Place("id", run, str(path / "work"), str(path / "state"), USER)


@pytest.mark.parametrize("spec", ["busybox", "host"])
def test_a_template_that_is_known_is_no_complaint(spec: str) -> None:
    assert None is chroot.check(spec)


@pytest.mark.parametrize("spec", ["", "debian", "../busybox"])
def test_a_template_that_is_not_known_is_a_complaint(spec: str) -> None:
    assert f"no template '{spec}': it is one of 'busybox', 'host'" == chroot.check(spec)


def test_the_handle_is_one_printable_word(public: Path) -> None:
    handle = chroot.up("busybox", place(public))

    assert handle.startswith("busybox-")
    assert handle.isprintable() and " " not in handle


def test_what_is_still_there_is_found_again(public: Path) -> None:
    handle = chroot.up("busybox", place(public))
    file = public / "state/1.2" / handle / "tmp/file"
    file.write_text("")

    assert handle == chroot.ensure(handle, place(public))
    assert file.exists()


def test_what_is_lost_is_built_anew_under_another_handle(public: Path) -> None:
    handle = chroot.up("host", place(public))
    chroot.down(handle, place(public))

    again = chroot.ensure(handle, place(public))

    assert again.startswith("host-")
    assert handle != again
    assert again == chroot.ensure(again, place(public))


def test_what_was_built_before_and_not_recorded_is_not_left_lying_about(public: Path) -> None:
    chroot.up("busybox", place(public))

    handle = chroot.up("busybox", place(public))

    assert [handle] == os.listdir(public / "state/1.2")


def test_down_leaves_nothing_and_can_be_said_again(public: Path) -> None:
    handle = chroot.up("busybox", place(public))
    closed = public / "state/1.2" / handle / "tmp/closed"
    closed.mkdir()
    (closed / "file").write_text("")
    closed.chmod(0)

    chroot.down(handle, place(public))
    chroot.down(handle, place(public))

    assert ["work"] == os.listdir(public)


def test_two_runs_of_a_job_have_nothing_in_common(public: Path) -> None:
    first = chroot.up("busybox", place(public, "1"))
    second = chroot.up("busybox", place(public, "2"))

    chroot.down(first, place(public, "1"))

    assert second == chroot.ensure(second, place(public, "2"))


@pytest.mark.parametrize("handle", ["", "busybox", "nope-1234", "busybox-../..", "host-"])
def test_a_handle_that_is_none_is_refused(public: Path, handle: str) -> None:
    with pytest.raises(SetupFailed, match="is not the handle of a chroot"):
        chroot.ensure(handle, place(public))


def test_others_see_nothing_of_what_was_built(public: Path) -> None:
    chroot.up("busybox", place(public))

    assert 0 == (public / "state").stat().st_mode & 0o007


def test_a_machine_without_the_tools_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert [
        "bubblewrap is not installed: apt-get install bubblewrap",
        "no static busybox is installed: apt-get install busybox-static",
    ] == chroot.missing()[-2:]


def test_without_bubblewrap_the_setup_fails(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = chroot.up("host", place(public))
    monkeypatch.setenv("PATH", str(public))

    with (
        pytest.raises(SetupFailed, match="^bubblewrap is not installed: apt-get install bubb"),
        chroot.enter(handle, place(public)),
    ):
        pass


def test_a_busybox_that_needs_libraries_is_none(
    fake: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamic = fake("busybox", "")
    dynamic.write_bytes(Path("/bin/sh").read_bytes())

    assert "" == template.static_busybox()


def test_what_bubblewrap_complains_about_is_the_reason(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = chroot.up("host", place(public))
    (public / "bwrap").write_text("#!/bin/sh\necho 'bwrap: no permission' >&2\nexit 1\n")
    (public / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(public))
    before = sorted(os.listdir("/proc/self/fd"))

    with pytest.raises(SetupFailed, match="^bwrap: no permission$"):
        chroot.enter(handle, place(public)).__enter__()

    assert before == sorted(os.listdir("/proc/self/fd"))


def test_a_bubblewrap_that_cannot_be_executed_is_a_setup_that_failed(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = chroot.up("host", place(public))
    (public / "bwrap").write_text("no program")
    (public / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(public))

    with (
        pytest.raises(SetupFailed, match="^cannot start bubblewrap: Exec format error$"),
        chroot.enter(handle, place(public)),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could run a job as root")
def test_a_job_is_never_root(public: Path) -> None:
    here = place(public)._replace(user=None)
    handle = chroot.up("host", here)

    with (
        pytest.raises(SetupFailed, match="^a job is never root"),
        chroot.enter(handle, here),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_workspace_that_its_user_cannot_reach_is_named(public: Path) -> None:
    (public / "closed").mkdir(mode=0o700)
    (public / "closed/work").mkdir()
    here = place(public)._replace(work=str(public / "closed/work"))
    handle = chroot.up("host", here)

    with (
        pytest.raises(SetupFailed, match=f"^user 54321 cannot pass through '{public}/closed' to "),
        chroot.enter(handle, here),
    ):
        pass


def test_a_queue_below_a_directory_that_is_shown_is_hidden(tmp_path: Path) -> None:
    mounts = template.host(["/usr/share", str(tmp_path), "/etc/passwd"])

    hidden = " ".join(mounts)
    assert "--tmpfs /usr/share --remount-ro /usr/share" in hidden
    assert "--ro-bind /dev/null /etc/passwd" in hidden
    assert str(tmp_path) not in hidden
