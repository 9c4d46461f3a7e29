"""cit-cut: the parts of a job file, byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from cit import section, trace
from cit.section import Section


class Ended(Protocol):
    code: int
    out: str
    err: str


class Cit(Protocol):
    def __call__(self, command: str, *arguments: str | Path, input: str | bytes = b"") -> Ended: ...


ODD = b"%% trace 1 tab\n%%%\n\xff\r\n\n no newline"


def record(kind: str, run: str, *fields: str) -> bytes:
    return trace.render(trace.Record(trace.stamp(0), kind, run, fields))


RECORDS = [
    record("begin", "1", "sequence", "1"),
    record("begin", "1.2", "exec", "1"),
    record("log", "1.2", "out", "two"),
    record("log", "1.20", "out", "twenty"),
    record("log", "1.2.1", "err", "two one"),
    record("log", "-", "out", "all"),
    record("end", "1.2", "ok", "0", ""),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    parts = [
        Section("job", 1, "toml", {}, b'name = "odd"\n'),
        Section("program", 1, "sh", {}, ODD),
        Section("weather", 3, "xml", {"of": "today"}, b""),
    ]
    path = tmp_path / "odd.job"
    path.write_bytes(section.render(parts) + section.TRACE + b"".join(RECORDS))
    return path


def test_a_body_is_given_back_byte_for_byte(cit: Cit, file: Path) -> None:
    ended = cit("cut", file, "program")

    assert (0, ODD) == (ended.code, ended.out.encode("utf-8", "surrogateescape"))


def test_several_kinds_come_in_the_order_of_the_file(cit: Cit, file: Path) -> None:
    ended = cit("cut", file, "begin", "job", "end")

    assert 0 == ended.code
    assert 'name = "odd"\n' + b"".join(RECORDS[:2] + RECORDS[6:]).decode() == ended.out


def test_records_of_a_run_and_of_those_below_it(cit: Cit, file: Path) -> None:
    below = cit("cut", "--run", "1.2", file, "log")
    whole = cit("cut", "--run", "-", file, "trace")

    assert RECORDS[2] + RECORDS[4] == below.out.encode()
    assert RECORDS[5] == whole.out.encode()


def test_the_marks_are_listed_with_their_lines(cit: Cit, file: Path) -> None:
    ended = cit("cut", "--list", file)

    assert 0 == ended.code
    assert [
        "1\tjob\t1\ttoml\t-",
        "3\tprogram\t1\tsh\tnonl",
        "9\tweather\t3\txml\tof=today",
        "10\ttrace\t1\ttab\t-",
    ] == ended.out.splitlines()


def test_torn_records_are_kept_in_the_trace_and_are_no_records(cit: Cit, file: Path) -> None:
    torn = [record("log", "1", "out", "x")[:-1] + trace.TEAR, record("log", "1", "out", "y")[:-1]]
    with file.open("ab") as job:
        job.writelines(torn)

    log = cit("cut", file, "log")
    whole = cit("cut", file, "trace")

    assert b"".join(RECORDS[2:6]) == log.out.encode()
    assert b"".join(RECORDS + torn) == whole.out.encode()


def test_what_is_not_there_is_a_no_and_what_cannot_be_is_told(cit: Cit, file: Path) -> None:
    absent = cit("cut", file, "artefact")
    unknown = cit("cut", file, "progam")
    foreign = cit("cut", file, "weather")

    assert (1, "", "") == (absent.code, absent.out, absent.err)
    assert 1 == unknown.code
    assert "cit-cut: unknown section or record 'progam', did you mean 'program'?\n" == unknown.err
    assert (0, "") == (foreign.code, foreign.out)


def test_what_is_no_job_file_is_bad_data_at_its_place(cit: Cit, file: Path) -> None:
    script = cit("cut", "-", "program", input="#!/bin/sh\n")
    mark = cit("cut", "-", "program", input="%% job 1 toml\nx\n%% JOB\n")
    empty = cit("cut", "--list", "-")

    assert (65, 65, 65) == (script.code, mark.code, empty.code)
    assert "-:1:1: expected a mark" in script.err
    assert "-:3:1: expected '%% KIND VERSION FORMAT" in mark.err


def test_a_missing_file_is_told(cit: Cit, tmp_path: Path) -> None:
    ended = cit("cut", tmp_path / "x", "job")

    assert (66, f"cit-cut: cannot open '{tmp_path}/x': no such file\n") == (ended.code, ended.err)


def test_kinds_or_the_list_and_not_both(cit: Cit, file: Path) -> None:
    assert (2, 2) == (cit("cut", file).code, cit("cut", "--list", file, "job").code)


def test_a_long_trace_takes_no_memory(cit: Cit, file: Path, tmp_path: Path) -> None:
    lines = trace.log(trace.stamp(0), "1.2", "out", b"x" * 1000 + b"\n") * 100_000
    with file.open("ab") as job:
        job.write(lines)
    command = Path(__file__).parents[2] / "bin" / "cit-cut"

    # 64 MiB of address space: less than the file has.
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -v 65536 && exec "$@" | tail -n 1', "sh", command, file, "log"],
        capture_output=True,
    )

    assert (0, b"") == (ended.returncode, ended.stderr)
    assert lines[-1038:] == ended.stdout[-1038:]
