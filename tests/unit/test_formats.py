"""Complaints about job files and settings: each at its place, each naming what was meant."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cit import bundle, formats, section, trace
from cit.errors import Bad
from cit.section import Section
from cit.tables import KINDS, RECORDS

TOP = Path(__file__).resolve().parents[2]
DESCRIBED = {path.stem: tomllib.loads(path.read_text()) for path in TOP.glob("formats/*.toml")}
ID = "01kak5jzc2v8e9j7m3t0q4w6xy"


def job(head: str, program: str = "#!/bin/true\n") -> bytes:
    return f"%% job 1 toml\n{head}%% program 1 sh\n{program}".encode()


def said(bads: list[Bad]) -> list[tuple[int, int, str]]:
    return [(bad.line, bad.column, str(bad)) for bad in bads]


# --- descriptions ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(DESCRIBED))
def test_the_example_of_a_description_is_right(kind: str) -> None:
    example = DESCRIBED[kind]["example"].encode()
    if not KINDS[kind].formats:
        assert [] == formats.check(example, kind if kind != "plain" else "job")
        return
    parts = {
        "job": Section("job", 1, "toml", {}, b""),
        "program": Section("program", 1, "sh", {}, b"#!/bin/true\n"),
    }
    form = DESCRIBED[kind]["formats"][0]

    parts[kind] = Section(kind, 1, form, {}, example)

    assert [] == formats.check(section.render(parts.values()))


def test_the_files_of_the_example_can_be_unpacked(tmp_path: Path) -> None:
    bundle.unpack(DESCRIBED["files"]["example"].encode(), str(tmp_path))

    assert "hello\n" == (tmp_path / "greeting.txt").read_text()


def test_no_record_is_named_as_a_section_is() -> None:
    assert set() == {kind for kind in KINDS if KINDS[kind].formats} & set(RECORDS)


# --- keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "line", "column", "message"),
    [
        ('nmae = "x"\n', 2, 1, "unknown key 'nmae', did you mean 'name'?"),
        ('[limits]\ntmie = "1m"\n', 3, 1, "unknown key 'tmie', did you mean 'time'?"),
        ('limits = { tmie = "1m" }\n', 2, 12, "unknown key 'tmie', did you mean 'time'?"),
        ('limits.tmie = "1m"\n', 2, 1, "unknown key 'tmie', did you mean 'time'?"),
        ('[limts]\ntime = "1m"\n', 2, 2, "unknown key 'limts', did you mean 'limits'?"),
        ('[retry]\nwhen = "x"\n', 3, 1, "unknown key 'when', known are on_lost"),
        ("priority = 100\n", 2, 1, "expected a whole number from 0 to 99, found 100"),
        ("priority = true\n", 2, 1, "expected a whole number from 0 to 99, found true"),
        ("priority = 5.0\n", 2, 1, "expected a whole number from 0 to 99, found 5.0"),
        ("priority = 1979-05-27\n", 2, 1,
         "expected a whole number from 0 to 99, found a date or a time"),
        ('readers = "me"\n', 2, 1, 'expected "all", "group" or "owner", found "me"'),
        ("[limits]\ntime = [1, 2]\n", 3, 1, 'expected a duration such as "10m", found a list of 2'),
        ("[limits]\ntime = 0\n", 3, 1, 'expected a duration such as "10m", found 0'),
        ("[limits]\ntime = nan\n", 3, 1, 'expected a duration such as "10m", found nan'),
        ('[limits]\n\n# a comment\nmemory = "5 apples"\n', 5, 1,
         'expected a size such as "64M", found "5 apples"'),
        ('[needs]\ntools = ["gcc",\n  "a b"]\n', 4, 3,
         'expected the name of a command such as "gcc", found "a b"'),
        ('[env]\n"A B" = "x"\n', 3, 1,
         'expected the name of a variable such as "LANG": letters, digits and "_", found "A B"'),
        ("[env]\nA = 1\n", 3, 1, "expected a text without NUL, found 1"),
        ('[env]\nA = "\\u0000"\n', 3, 1, 'expected a text without NUL, found "\\x00"'),
        ('limits = "none"\n', 2, 1, 'expected a table, found "none"'),
        ('isolate = "chroot:bsybox"\n', 2, 1,
         'expected "none", "chroot:busybox", "chroot:host" or "docker:IMAGE", '
         'found "chroot:bsybox"'),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_job_section_is_said_at_its_place(
    head: str, line: int, column: int, message: str
) -> None:
    bads = formats.check(job(head))

    assert [(line, column, message)] == said(bads)
    assert bads[0].text == job(head).decode().split("\n")[line - 1]


def test_a_name_that_would_leave_its_directory_is_refused() -> None:
    for name in ("../x", "-rf", ".x", "A", "x" * 65, "x\\ny", ""):
        (bad,) = formats.check(job(f'name = "{name}"\n'))

        assert str(bad).startswith('expected a name such as "hello"')


def test_all_complaints_come_in_the_order_of_lines() -> None:
    bads = formats.check(job("[limits]\ntmie = 1\n[env]\nA = 1\n[needs]\nprocs = 0\n", "\n"))

    assert [3, 5, 7, 8] == [bad.line for bad in bads]


def test_what_cit_push_fills_in_may_be_missing_before_and_not_after() -> None:
    data = job(f'id = "{ID}"\nqueue = "main"\n')

    assert [] == formats.check(data)
    with pytest.raises(Bad, match="key 'name' is missing"):
        formats.read(data, filled=True)


def test_what_is_filled_in_is_a_job_file_and_no_other_form() -> None:
    plain = f'id = "{ID}"\nname = "x"\nqueue = "main"\nprogram = "#!/bin/true"\n'.encode()

    assert [] == formats.check(plain)
    with pytest.raises(Bad, match="expected a mark"):
        formats.read(plain, filled=True)


def test_a_thousand_mistakes_are_told_by_the_first_hundred_and_quickly() -> None:
    wrong = "".join(f"k{n} = 1\n" for n in range(1500))
    lines = section.TRACE + b"garbage\n" * 200_000

    began = time.process_time()
    bads = [formats.check(job(wrong)), formats.check(job("") + lines)]

    assert [list(range(2, 102)), list(range(5, 105))] == [[b.line for b in some] for some in bads]
    assert time.process_time() - began < 5


def test_settings_are_checked_like_sections() -> None:
    with pytest.raises(Bad, match="unknown key 'slosts', did you mean 'slots'") as caught:
        formats.settings(b'name = "main"\nslosts = 2\n', "queue")

    assert (2, 1) == (caught.value.line, caught.value.column)


def test_a_required_key_that_is_missing_is_named() -> None:
    assert [(1, 1, "key 'name' is missing")] == said(formats.check(b"slots = 2\n", "queue"))


def test_control_characters_of_a_value_do_not_reach_a_terminal() -> None:
    (bad,) = formats.check(job('name = "\\u001b[2J"\n'))

    assert "\x1b" not in bad.show("x")


# --- sections --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("%% job 1 toml\n%% program 1 sh\n", 2, "expected a program, found nothing"),
        ("%% job 1 toml\n", 1, "no section 'program'"),
        ("%% program 1 sh\ntrue\n", 1, "no section 'job'"),
        ("%% job 1 toml\n%% progam 1 sh\ntrue\n", 2,
         "unknown section 'progam', did you mean 'program'?"),
        ("%% program 1 sh\ntrue\n%% job 1 toml\n", 1, "expected the section 'job' first"),
        ("%% job 2 toml\n%% program 1 sh\nx\n", 1, "unknown version 2 of 'job', only 1 is known"),
        ("%% job 1 yaml\n%% program 1 sh\nx\n", 1, "unknown format 'yaml', expected 'toml'"),
        ("%% job 1 toml\n%% program 1 bash\nx\n", 2,
         "unknown format 'bash', expected 'lurch', 'sh', 'stages' or 'toml'"),
        ("%% job 1 toml\n%% program 1 sh to=me\nx\n", 2,
         "unknown attribute 'to', none is known here"),
        ("%% job 1 toml\n%% program 1 sh\nx\n%% program 1 sh\ny\n", 4,
         "second section 'program', the first is in line 2"),
        ("%% job 1 toml\n%% trace 1 tab\n%% program 1 sh\nx\n", 3,
         "section 'program' below the trace, which must be the last"),
        ("%% job 1 toml\n%% program 1 sh\nx\n%% files 1 tar\nH4sI\n<xml>\n", 6,
         "expected a gzip-compressed tar in base64"),
        ("%% job 1 toml\n%%program 1 sh\n", 2, "expected '%% KIND VERSION FORMAT [key=value ...]'"),
        ("", 1, "expected a job, found nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_sections_is_said_at_their_marks(
    text: str, line: int, message: str
) -> None:
    assert [(line, 1, message)] == said(formats.check(text.encode()))


def test_sections_of_unknown_kinds_and_signatures_are_carried_along() -> None:
    extra = b"%% weather 7 xml of=today\n<rain/>\n%% sign 1 ssh\nx\n%% sign 1 ssh\ny\n"

    assert [] == formats.check(job("") + extra)


def test_a_trace_is_checked_by_its_columns() -> None:
    lines = [
        b"2026-11-21T20:37:01.123Z\tpush\t-\talice@laptop\tsha256:9f\n",
        b"2026-11-21T20:37:01.123Z\tpush\t-\talice@laptop\n",
        b"2026-11-21T20:37:01.123Z\tend\t1.2\tok\t0\t-\tand a column of later\n",
        b"2026-11-21T20:37:01.123Z\tweather\t-\n",
        b"2026-11-21T20:37:01.123Z\tdown\t1\n",
        b"garbage\n",
        b"2026-11-21T20:37:01.1" + trace.TEAR,
        b"2026-11-21T20:37:0",
    ]

    bads = formats.check(job("") + section.TRACE + b"".join(lines))

    assert [
        (6, 1, "expected the columns who sha256 after RUN, found 1"),
        (10, 1, "expected a record: TIME, KIND and RUN, separated by tabs"),
    ] == said(bads)


def test_columns_that_were_added_later_may_be_lacking() -> None:
    lines = [
        b"2026-11-21T20:37:01.123Z\twait\t1.2\t-\n",
        b"2026-11-21T20:37:01.123Z\thold\t-\talice@laptop\t-\tb2e1\n",
        b"2026-11-21T20:37:01.123Z\tresult\t-\tok\n",
        b"2026-11-21T20:37:01.123Z\tresult\t-\tok\t0\n",
    ]

    bads = formats.check(job("") + section.TRACE + b"".join(lines))

    assert [(7, 1, "expected the columns status code [allowed] after RUN, found 1")] == said(bads)


def test_what_trace_py_writes_is_a_right_trace() -> None:
    output = trace.log(trace.stamp(0), "1.2", "out", b"%% trace 1 tab\n\x1b[0m\t\xff\n")
    records = [
        trace.Record(trace.stamp(1.5), kind, "-", fields) for kind, fields in RECORDS.items()
    ]

    text = b"".join(map(trace.render, records)) + output

    assert [] == formats.check(job("") + section.TRACE + text)


# --- the four ways to write a job ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("#!/bin/sh\necho x\n", "sh"),
        ('(exec "/bin/true" () () null)\n', "lurch"),
        ('\n ; a comment\n  (exec "/bin/true" () () null)', "lurch"),
    ],
)
def test_a_program_alone_is_a_job_whose_lines_are_those_of_the_file(text: str, form: str) -> None:
    head, program = formats.read(text.encode()).sections

    assert ("job", b"") == (head.kind, head.body)
    assert (form, text.encode(), 0) == (program.format, program.body, program.line)


def test_plain_toml_is_a_job_with_its_program_as_a_text() -> None:
    text = b'name = "x"\nprogram = """\n#!/bin/sh\necho x\n"""\n[limits]\ntime = "1m"\n'

    made = formats.read(text)

    assert {"name": "x", "limits": {"time": "1m"}} == made.head
    assert ("sh", b"#!/bin/sh\necho x\n") == (made.sections[1].format, made.sections[1].body)
    assert text.split(b"\n")[made.sections[1].line] == b"#!/bin/sh"


def test_plain_toml_without_a_program_is_told_so() -> None:
    told = [str(bad) for bad in formats.check(b'name = "x"\n')]

    assert ["key 'program' is missing, or tables [[stage]]"] == told


@pytest.mark.parametrize("data", [b"hello world\nhow are you = x\n", b"\x7fELF\x02\xff\n", b"x"])
def test_what_is_no_job_at_all_is_told_what_one_looks_like(data: bytes) -> None:
    [bad] = formats.check(data)

    assert str(bad).startswith("expected a job: a script with '#!', a Lurch program with '('")
    assert (1, 1, "") == (bad.line, bad.column, bad.text)


@pytest.mark.parametrize("data", [b"name = \n", b"[limits\n", b"# a job\nname\n", b"\nname=x\n"])
def test_what_is_wrong_toml_is_told_its_place(data: bytes) -> None:
    [bad] = formats.check(data)

    assert "expected a job" not in str(bad)


# --- caps ------------------------------------------------------------------------------------

BOMBS: dict[str, Any] = {
    "a dotted key of 64 KB": b"a" + b".a" * 32000 + b" = 1\n",
    "a dotted key of 15 KB": b"a" + b".a" * 7500 + b" = 1\n",
    "a dotted key of strings": b'"a"' + b' . "a"' * 2400 + b" = 1\n",
    "a dotted header": b"[a" + b".a" * 7500 + b"]\n",
    "arrays 100,000 deep": b"a = " + b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "arrays 8,000 deep": b"a = " + b"[" * 8000 + b"]" * 8000 + b"\n",
    "tables 4,000 deep": b"a = " + b"{a=" * 4000 + b"1" + b"}" * 4000 + b"\n",
    "strings that do not end": b'a = "' + b'"""\\' * 4000 + b"\n",
    "a number of 16,000 digits": b"a = " + b"9" * 16_000 + b"\n",
    "bytes that are no text": b"\xff" * 1000 + b"\n",
    "NUL": b"\0" * 1000 + b"\n",
    "a key that is very long": b"a" * 16_000 + b" = 1\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_bad_data_and_quickly_so(bomb: str) -> None:
    data = b"%% job 1 toml\n" + BOMBS[bomb] + b"%% program 1 sh\ntrue\n"

    began = time.process_time()
    bads = formats.check(data)

    assert 1 == len(bads)
    assert 2 <= bads[0].line <= 3
    # Without the caps the worst of them take minutes.
    assert time.process_time() - began < 1


def test_sixteen_brackets_and_eight_parts_of_a_key_are_allowed() -> None:
    deep = b"a = " + b"[" * 16 + b"]" * 16 + b"\n"
    long = b"a.b.c.d.e.f.g.h = 1\n"

    for text in (deep, long):
        (bad,) = formats.check(b"%% job 1 toml\n" + text + b"%% program 1 sh\ntrue\n")

        assert str(bad).startswith("unknown key 'a'")


def test_brackets_and_dots_in_strings_and_comments_count_for_nothing() -> None:
    note = "[" * 100 + "." * 100
    head = f"note = \"{note}\" # {note}\n[vars]\nx = '''\n{note}\n'''\n"

    assert [] == formats.check(job(head))


def test_what_is_asked_may_have_a_mebibyte_and_the_trace_any_length() -> None:
    large = job("", "#" * (1 << 20) + "\n")
    long = job("") + section.TRACE + trace.log(trace.stamp(0), "1", "out", b"x\n" * (1 << 16))

    assert ["over 1048576 bytes above the trace"] == [str(bad) for bad in formats.check(large)]
    assert len(long) > 1 << 20
    assert [] == formats.check(long)


# --- stages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a:\n", "stages"),
        ("# c\n\n  # d\na: b c # e\n", "stages"),
        ("a: b [finally, timeout=1m]\n  x\n", "stages"),
        ("a:\r\n", "stages"),
        ("; c\n(no-op)\n", "lurch"),
        ("#!/bin/sh\na:\n", "sh"),
        ("# c\n#!/bin/sh\na:\n", "stages"),
        ("a: (b)\n", "sh"),
        ("  a:\n", "sh"),
        ("http://example.org/\n", "sh"),
        ("set -e\na:\n", "sh"),
        ("", "sh"),
    ],
)
def test_the_form_of_a_program_shows_in_its_first_line(text: str, form: str) -> None:
    assert form == formats.program_format(text.encode())
    script = text.startswith("#!")
    assert (form != "sh" or script) == formats.is_program(text.encode())


def test_all_that_is_wrong_in_tables_is_told() -> None:
    text = b"%% job 1 toml\n%% program 1 toml\n[[stage]]\nname = 'a b'\nneeds = 'a'\n"

    assert [
        (4, 1, 'expected the name of a stage such as "build": at most 64 letters, digits, ".", '
         '"_", "-", found "a b"'),
        (5, 1, 'expected a list of names of stages, found "a"'),
    ] == said(formats.check(text))  # fmt: skip


def test_tables_that_are_no_toml_are_told_so() -> None:
    text = b"%% job 1 toml\n%% program 1 toml\n[[stage]\n"

    assert [(3, 8)] == [(bad.line, bad.column) for bad in formats.check(text)]
