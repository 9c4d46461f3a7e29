"""What a command reports of itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cit import reports, stagetext, wording
from cit.errors import Bad
from cit.reports import Reports
from cit.wants import Node
from cit.workspace import Workspace

ONE = Node("exec", {})
STAGES = Node("stages", {})


def told(space: Workspace, tree: Node = ONE, **texts: bytes) -> tuple[Reports, list[Any]]:
    """What is reported by files with these texts, and recorded of it."""
    found = Reports(space, "1.2", tree)
    for key, text in texts.items():
        Path(space.file(found.files[key])).write_bytes(text)
    found.read()
    records: list[Any] = []
    hold: Any = SimpleNamespace(record=lambda *fields: records.append(fields))
    found.record(hold)
    found.close()
    return found, records


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (b"", []),
        (b"n\t1\n", [("n", "1")]),
        (b"n\t1\nm\t2", [("n", "1"), ("m", "2")]),
        (b"n\t1\nn\t2\n", [("n", "1"), ("n", "2")]),
        (b"n\ta\tb c\n", [("n", "a\tb c")]),
        (b"n\t\n", [("n", "")]),
        (b"no tab\n\tno name\n\n", []),
        (b"n\t\xff\n", [("n", "\udcff")]),
        (b"n-1._\t1\r\n", [("n-1._", "1\r")]),
        (b"n\t1\nbig\t" + b"9" * reports.CAP + b"\n", [("n", "1")]),
    ],
)
def test_what_a_command_says_in_its_data_file(
    space: Workspace, text: bytes, pairs: list[tuple[str, str]]
) -> None:
    found, records = told(space, CIT_DATA=text)

    assert pairs == found.data
    assert [("data", "1.2", *pair) for pair in pairs] == [r for r in records if r[0] == "data"]
    over = len(text) > reports.CAP
    assert over == (("log", "1.2", "cit", f"CIT_DATA has {reports.LONG}") in records)


@pytest.mark.parametrize("name", ["1bad", "space name", "a}", "", "n\r", "n" * 256, "\udcff"])
def test_data_that_no_variable_could_be_called_is_told_and_not_recorded(
    space: Workspace, name: str
) -> None:
    text = f"{name}\t1\nn\t2\n".encode("utf-8", "surrogateescape")

    found, records = told(space, CIT_DATA=text)

    assert [("n", "2")] == found.data
    *logs, data = records
    assert ("data", "1.2", "n", "2") == data
    start = f"no data '{wording.short(name)}': expected the name of a variable"
    assert [True] * bool(name) == [log[3].startswith(start) for log in logs]


def test_thousands_of_bad_names_are_one_line_of_the_log(space: Workspace) -> None:
    _, records = told(space, CIT_DATA=b"1\t2\n" * 3000)

    [log] = records
    assert log[3].startswith("no data '1', nor 2999 more: expected the name of a variable")


def test_an_artefact_is_recorded_with_its_sum_and_size(space: Workspace) -> None:
    (Path(space.path) / "out").mkdir()
    (Path(space.path) / "out/app").write_bytes(b"binary")

    _, records = told(space, CIT_ARTEFACTS=b"app\tout/app\n")

    sha256 = "sha256:" + hashlib.sha256(b"binary").hexdigest()
    assert [("artefact", "1.2", "app", sha256, "6")] == records


@pytest.mark.parametrize("path", ["missing", "/etc/passwd", "../x", "link", "dir/x", "a", "huge"])
def test_what_cannot_be_an_artefact_is_said_and_not_recorded(space: Workspace, path: str) -> None:
    os.symlink("/etc/passwd", os.path.join(space.path, "link"))
    os.symlink("/etc", os.path.join(space.path, "dir"))
    os.mkfifo(os.path.join(space.path, "a"))
    with open(os.path.join(space.path, "huge"), "wb") as file:
        file.truncate(reports.MOST + 1)

    _, records = told(space, CIT_ARTEFACTS=f"app\t{path}\n".encode())

    assert ["log"] == [record[0] for record in records]
    assert records[0][3].startswith(f"no artefact 'app': '{path}': ")


def test_only_a_program_of_stages_takes_further_ones(space: Workspace) -> None:
    none, _ = told(space)
    some, records = told(space, STAGES, CIT_STAGES=b"more:\n  true\n")

    assert "CIT_STAGES" not in none.files
    assert ["more:\n  true\n"] == some.stages
    assert [("stage", "1.2", "more:\n  true\n")] == records


def test_half_a_stage_is_no_stage(space: Workspace) -> None:
    text = b"more:\n" + b"  step\n" * reports.CAP

    some, records = told(space, STAGES, CIT_STAGES=text)

    assert [reports.LONG] == some.stages
    assert ("log", "1.2", "cit", f"CIT_STAGES has {reports.LONG}") == records[0]
    with pytest.raises(Bad):
        stagetext.read(reports.LONG)


def test_nothing_of_it_is_left_beside_the_workspace(space: Workspace) -> None:
    told(space, STAGES, CIT_DATA=b"n\t1\n")

    assert [] == os.listdir(space.files)
