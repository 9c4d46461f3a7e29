from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from cit import printed, trace
from cit.output import Output
from cit.printed import Block, Look, Objects, Printer

START = 1795293421.0
NOW = trace.stamp(START)
# Few different bytes, so that the interesting ones meet.
NASTY = st.lists(st.sampled_from(list(b"ab\\xtn0\n\t\r\x1b\x18\x00\xff-"))).map(bytes)


def shown(look: Look, *blocks: Block) -> tuple[bytes, bytes]:
    """What goes to standard output and to standard error."""
    got = {1: b"", 2: b""}

    def write(fd: int, data: bytes) -> None:
        got[fd] += data

    printer = Printer(look, write)
    for block in blocks:
        printer.block(block)
    printer.end()
    return got[1], got[2]


def block(text: bytes, stream: bytes = b"out", *, run: bytes = b"1", more: bool = False) -> Block:
    return Block(NOW.encode(), run, stream, more, text)


# --- out of records --------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["out", "err"]), NASTY), max_size=8))
def test_what_output_cut_into_records_comes_back_raw(chunks: list[tuple[str, bytes]]) -> None:
    streams = {name: Output("1.2", name) for name in ("out", "err")}
    records = b"".join(streams[name].feed(chunk, NOW) for name, chunk in chunks)
    records += b"".join(stream.rest(NOW) for stream in streams.values())

    out, err = shown(Look(raw=True, apart=True), *printed.blocks(records))

    assert b"".join(chunk for name, chunk in chunks if name == "out") == out
    assert b"".join(chunk for name, chunk in chunks if name == "err") == err


def test_lines_with_time_run_and_stream_in_common_are_one_block() -> None:
    data = trace.log(NOW, "1", "out", b"a\nb\n") + trace.log(NOW, "1", "err", b"c\n")
    data += trace.log(trace.stamp(START + 1), "1", "err", b"d\n")

    assert [b"a\nb", b"c", b"d"] == [found.text for found in printed.blocks(data)]


def test_records_that_are_no_log_or_torn_are_passed_over() -> None:
    data = trace.render(trace.Record(NOW, "note", "-", ("bob", "log")))
    data += trace.log(NOW, "1", "out", b"torn\n")[:-1] + trace.TEAR
    data += trace.log(NOW, "1", "out", b"whole\n")
    data += b"x" + trace.log(NOW, "1", "out", b"no time\n")

    assert [block(b"whole")] == list(printed.blocks(data))


# --- the last lines --------------------------------------------------------------------------


@given(st.lists(NASTY, max_size=6), st.integers(0, 12))
def test_the_last_lines_are_those_that_tail_prints(chunks: list[bytes], count: int) -> None:
    output = Output("1", "out")
    records = b"".join(output.feed(chunk, NOW) for chunk in chunks) + output.rest(NOW)

    found = printed.last(list(printed.blocks(records)), count)

    lines = b"".join(chunks).split(b"\n")
    ended = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    assert b"".join(ended[-count:] if count else []) == shown(Look(raw=True), *found)[0]


def test_pieces_above_a_line_that_is_kept_are_kept_and_others_are_not() -> None:
    found = [
        block(b"x", more=True), block(b"x"), block(b"begin ", more=True), block(b"e", b"err"),
        block(b"end"),
    ]  # fmt: skip

    assert [found[2], found[4]] == printed.last(found, 1)
    assert found[2:] == printed.last(found, 2)
    assert found == printed.last(found, 3)


# --- as a person reads it --------------------------------------------------------------------


@given(NASTY | st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_shown_text_is_harmless_text(raw: bytes) -> None:
    text = trace.escape_bytes(raw)

    plain = printed.shown(text, color=False).decode()
    colored = printed.shown(text, color=True).decode()

    controls = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
    assert not re.search(controls, plain)
    assert not re.search(controls, re.sub(r"\x1b\[[0-9;:]*m", "", colored))


@given(st.text(st.sampled_from("aZ09.,-+<|~\u00e9\u00df\u0416\u05d0\u0e01\u65e5\uff21\u20ac\u2603\U0001f600")))
def test_shown_text_without_controls_is_the_text(text: str) -> None:
    assert text == printed.shown(trace.escape_bytes(text.encode()), color=True).decode()


def test_a_printed_backslash_is_no_escape() -> None:
    text = trace.escape_bytes(b"C:\\x1b[31m\\table")

    assert b"C:\\x1b[31m\\table" == printed.shown(text, color=True)


def test_a_line_that_another_interrupts_is_ended_and_told_whose_it_is() -> None:
    look = Look(times="relative", start=START, runs=True)

    out, _ = shown(look, block(b"half", more=True), block(b"other", run=b"2"), block(b" line"))

    assert b"0.000\t1\thalf\n0.000\t2\tother\n0.000\t1\t line\n" == out


def test_pieces_of_one_line_are_joined() -> None:
    out, err = shown(Look(apart=True), block(b"half", more=True), block(b"e", b"err"),
                     block(b" line"))  # fmt: skip

    assert (b"half line\n", b"e\n") == (out, err)


@given(st.text(st.sampled_from("aé日🎉"), min_size=1), st.integers(0, 60))
def test_a_character_that_was_cut_in_two_is_put_together(text: str, at: int) -> None:
    data = text.encode()

    out, _ = shown(Look(apart=True), block(data[:at], more=True), block(b"e", b"err"),
                   block(data[at:]))  # fmt: skip

    assert f"{text}\n" == out.decode()


def test_a_clock_has_eleven_columns() -> None:
    times = [0, 1.25, 59.9994, 59.9996, 3600, 36000.5, -1]

    assert [
        "   0:00.000", "   0:01.250", "   0:59.999", "   1:00.000", "1:00:00.000", "10:00:00.500",
        "  -0:01.000",
    ] == [printed.clock(time) for time in times]  # fmt: skip


def test_objects_have_whole_lines() -> None:
    got: list[bytes] = []
    printer = Objects(Look(), lambda fd, data: got.append(data))

    for each in (
        block(b"a", more=True),
        block(b"x", b"err"),
        block(b"b\nc"),
        block(b"d", more=True),
    ):
        printer.block(each)
    printer.end()

    texts = [json.loads(line)["text"] for line in b"".join(got).splitlines()]
    assert ["x", "ab", "c", "d"] == texts
