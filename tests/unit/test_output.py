from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import trace
from cit.output import Output

NOW = "2026-11-21T20:37:01.123Z"
PIECES = st.lists(st.sampled_from([b"a", b"\n", b"\t\\", b"x" * 70000, b"\xff\n", b"-", b"\0"]))


def joined(data: bytes) -> bytes:
    parts = []
    for record in trace.records(data):
        stream, text = record.fields
        parts.append(text.encode("utf-8", "surrogateescape") + (b"" if "+" in stream else b"\n"))
    return b"".join(parts)


@given(PIECES)
def test_no_byte_is_lost_however_the_output_comes(pieces: list[bytes]) -> None:
    output = Output("1", "out")

    data = b"".join(output.feed(piece, NOW) for piece in pieces) + output.rest(NOW)

    assert b"".join(pieces) == joined(data)


@given(PIECES)
def test_no_record_is_longer_than_a_line_may_be(pieces: list[bytes]) -> None:
    output = Output("1", "out")

    data = output.feed(b"".join(pieces), NOW) + output.rest(NOW)

    assert all(len(r.fields[1].encode("utf-8", "surrogateescape")) <= trace.LINE_CAP
               for r in trace.records(data))  # fmt: skip


def test_a_line_that_is_not_finished_is_told_when_asked_for() -> None:
    output = Output("1", "err")

    first = output.feed(b"password: ", NOW)
    prompt = output.rest(NOW)
    end = output.feed(b"\n", NOW)

    assert b"" == first
    assert [("err+", "password: ")] == [r.fields for r in trace.records(prompt)]
    assert [("err", "")] == [r.fields for r in trace.records(end)]


@pytest.mark.parametrize("length", [65535, 65536, 65537, 131072, 200000])
def test_lines_about_the_cap_survive(length: int) -> None:
    output = Output("1", "out")
    text = b"a\n" + b"y" * length + b"\nb\n"

    data = output.feed(text, NOW)

    assert text == joined(data)
