"""What a command finds in its environment is what cit-environment(7) says, no more and no less."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cit

    Run = Callable[..., tuple[str, dict[str, str]]]

PAGE = Path(__file__).resolve().parents[2] / "man" / "cit-environment.7"
STAGES = """
[[stage]]
name = "show"
run = "env | grep ^CIT_ # and so CIT_LAST_ID and the like"
"""


def described() -> set[str]:
    """The variables that the page has an entry for."""
    items = re.findall(r"^\.It Ev (.+)$", PAGE.read_text(), re.MULTILINE)
    return {name for item in items for name in re.findall(r"[A-Z_]+", item)}


@pytest.fixture
def run(cit: Cit, tmp_path: Path) -> Run:
    """Push a file, work on it, and give its id and what it printed, as a dictionary."""

    def work(text: str, file: str = "show.toml") -> tuple[str, dict[str, str]]:
        (tmp_path / file).write_text(text)
        id = cit("push", file).out.strip()
        assert (0, 0) == (cit("queue", "tick").code, cit("run").code)
        shown = cit("logs", "--raw", id)
        assert (0, "") == (shown.code, shown.err)
        return id, dict(line.split("=", 1) for line in shown.out.splitlines())

    return work


def test_the_page_lists_every_variable_of_cit_and_no_other(run: Run) -> None:
    found = set(run(STAGES)[1]) | set(run(STAGES)[1])

    # A job of root is another user, who has no use for what root keeps.
    hidden = {"CIT_HOME"} if os.geteuid() == 0 else set()
    assert {name for name in described() if name.startswith("CIT_")} - hidden == found


def test_the_page_lists_the_whole_environment(run: Run) -> None:
    script = "#!/bin/sh\nexec /usr/bin/env -u PWD -u OLDPWD -u SHLVL -u _ /usr/bin/env\n"

    found = set(run(script, "all.sh")[1])

    assert set() == found - described()
    assert {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TERM", "CI"} <= found


def test_the_variables_are_what_the_page_says(run: Run, world: Path) -> None:
    first, before = run(STAGES)
    second, told = run(STAGES)

    assert not any(name.startswith("CIT_LAST") for name in before)
    base = os.environ.get("CIT_WORK") or str(world / ".cit" / "work")
    expected = {
        "CIT_ID": second, "CIT_NAME": "show", "CIT_RUN": "1.1.1.2", "CIT_ATTEMPT": "1",
        "CIT_QUEUE": str(world / ".cit" / "queue"), "CIT_QUEUE_NAME": "main",
        "CIT_WORKSPACE": f"{base}/show/{second}",
        "CIT_LAST_ID": first, "CIT_LAST_RESULT": "ok",
    }  # fmt: skip
    assert expected == {name: told.get(name) for name in expected}
    files = [told[name] for name in ("CIT_DATA", "CIT_ARTEFACTS", "CIT_STAGES")]
    assert 3 == len(set(files))
    assert not any(path.startswith(told["CIT_WORKSPACE"] + "/") for path in files)


def test_only_a_program_of_stages_is_asked_for_stages(run: Run) -> None:
    found = run("#!/bin/sh\nenv | grep ^CIT_\n", "plain.sh")[1]

    assert "CIT_STAGES" not in found and "CIT_DATA" in found
    assert not any(name.startswith("CIT_LAST") for name in found)
