from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cit import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cit, User


@pytest.fixture
def file(world: Path) -> Path:
    """config.toml of CIT_HOME, which is not there yet."""
    return Path(os.environ["CIT_HOME"]) / "config.toml"


def test_a_setting_is_written_once_and_read_back(cit: Cit, file: Path) -> None:
    assert (0, "", "") == cit("config", "set", "color", "never")
    assert (0, "", "") == cit("config", "set", "color", "always")

    assert (0, "always\n", "") == cit("config", "get", "color")
    assert 'color = "always"\n' == file.read_text()
    assert 0o600 == file.stat().st_mode & 0o777


def test_what_else_is_in_the_file_stays(cit: Cit, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('# mine\ncolor = "never" # why not\n\n# color = "always"\ngrace = "1m"')

    assert 0 == cit("config", "set", "color", "auto").code
    assert 0 == cit("config", "set", "slots", "3").code

    assert '# mine\ncolor = "auto"\n\n# color = "always"\ngrace = "1m"\nslots = 3\n' == (
        file.read_text()
    )


@pytest.mark.parametrize("key", settings.KEYS)
def test_a_setting_is_described_in_its_page(key: str) -> None:
    page = Path(__file__).resolve().parents[2] / "man" / "cit-config.5"

    assert f"\n.It Ic {key}\n" in page.read_text()


def test_what_a_setting_is_at_first_is_told(cit: Cit) -> None:
    assert (0, "10s\tdefault\n", "") == cit("config", "get", "--origin", "patience")


def test_a_setting_is_removed(cit: Cit, file: Path) -> None:
    assert 0 == cit("config", "set", "grace", "1m").code

    assert (0, "", "") == cit("config", "unset", "grace")

    assert "" == file.read_text()
    assert (1, "", "") == cit("config", "unset", "grace")


def test_the_nearer_place_wins_and_origin_says_which(cit: Cit, file: Path, tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    get = ("config", "get", "--origin", "grace")

    assert "10s\tdefault\n" == cit(*get, cwd=inner).out
    assert 0 == cit("config", "set", "grace", "1s").code
    assert f"1s\t{file}\n" == cit(*get, cwd=inner).out
    (tmp_path / ".cit.toml").write_text('grace = "2s"\n')
    assert f"2s\t{tmp_path}/.cit.toml\n" == cit(*get, cwd=inner).out
    (inner / ".cit.toml").write_text('grace = "3s"\n')
    assert f"3s\t{inner}/.cit.toml\n" == cit(*get, cwd=inner).out
    assert "4s\t$CIT_GRACE\n" == cit(*get, cwd=inner, env={"CIT_GRACE": "4s"}).out


def test_a_path_is_below_its_file_wherever_it_is_read(cit: Cit, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / ".cit.toml").write_text('queue = "jobs"\n')

    out = cit("config", "get", "queue", cwd=tmp_path / "below").out

    assert f"{tmp_path}/jobs\n" == out
    assert 0 == cit("queue", "init", cwd=tmp_path / "below").code
    assert (tmp_path / "jobs" / "queue.toml").is_file()


def test_a_path_that_is_typed_is_below_where_we_are(cit: Cit, file: Path, tmp_path: Path) -> None:
    assert 0 == cit("config", "set", "queue", "jobs", cwd=tmp_path).code

    assert f"{tmp_path}/jobs\n" == cit("config", "get", "queue", cwd="/").out


def test_list_prints_all_that_has_a_value(cit: Cit, world: Path) -> None:
    out = cit("config", "list", "--origin", env={"CIT_SLOTS": "2"}).out

    rows = [line.split("\t") for line in out.splitlines()]
    assert ["slots", "2", "$CIT_SLOTS"] in rows
    assert ["queue", f"{world}/.cit/queue", "default"] in rows
    assert "cgroup" not in [row[0] for row in rows]


def test_what_has_no_value_is_no_and_silent(cit: Cit) -> None:
    assert (1, "", "") == cit("config", "get", "cgroup")


@pytest.mark.parametrize("verb", [("get", "colour"), ("set", "colour", "x"), ("unset", "colour")])
def test_an_unknown_key_names_the_nearest(cit: Cit, verb: tuple[str, ...]) -> None:
    message = "cit-config: unknown key 'colour', did you mean 'color'?\n"

    assert (2, "", message) == cit("config", *verb)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("color", "blue", '"auto", "always" or "never"'),
        ("slots", "many", "a whole number from 1 to 4096"),
        ("slots", "0", "a whole number from 1 to 4096"),
        ("job_uid", "0", "a whole number from 1"),
        ("grace", "soon", "a duration"),
        ("start", "never", '"push" or "cron"'),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    cit: Cit, file: Path, key: str, value: str, expected: str
) -> None:
    code, out, err = cit("config", "set", key, value)

    assert (2, "") == (code, out)
    assert err.startswith(f"cit-config: expected {expected}")
    assert not file.exists()


def test_a_file_that_cannot_be_read_is_shown_with_its_place(cit: Cit, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('color = "auto"\nqueu = "x"\n')

    code, out, err = cit("config", "set", "slots", "3")

    assert (78, "") == (code, out)
    assert f"cit-config: {file}:2:1: unknown key 'queu', did you mean 'queue'?" in err
    assert 78 == cit("ls").code


def test_the_configuration_of_a_stranger_above_us_is_passed_over(
    users: Callable[[str], User], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    (public / ".cit.toml").write_text('queue = "/trap"\n')
    os.chown(public / ".cit.toml", bob.uid, bob.gid)
    get = ("config", "get", "queue")

    assert f"{alice.home}/.cit/queue\n" == cit(*get, user=alice, cwd=public).out
    assert "/trap\n" == cit(*get, user=bob, cwd=public).out
