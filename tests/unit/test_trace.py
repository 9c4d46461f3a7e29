from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cit import trace
from cit.trace import Record

NOW = "2026-11-21T20:37:01.123Z"
FIELDS = st.binary(max_size=20).map(lambda b: b.decode("utf-8", "surrogateescape"))


@given(st.lists(FIELDS, max_size=4))
def test_parse_gives_back_what_render_wrote(fields: list[str]) -> None:
    record = Record(NOW, "note", "1.2", tuple(fields))

    line = trace.render(record)

    assert record == trace.parse(line)
    assert 1 == line.count(b"\n")


@given(st.binary(max_size=60))
def test_output_comes_back_from_its_log_records_byte_by_byte(output: bytes) -> None:
    data = trace.log(NOW, "1", "out", output + b"\n")

    texts = [record.fields[1].encode("utf-8", "surrogateescape") for record in trace.records(data)]

    assert output + b"\n" == b"".join(text + b"\n" for text in texts)


def test_output_that_imitates_records_stays_one_log_record_a_line() -> None:
    fake = b"x\n2026-11-21T20:37:01.123Z\tresult\t-\tok\t0\n%% trace 1 tab\n"

    data = trace.log(NOW, "1", "out", fake)

    assert ["log"] * 3 == [record.kind for record in trace.records(data)]
    assert not any(line.startswith(b"%%") for line in data.split(b"\n"))


def test_a_torn_line_is_never_read_as_a_record() -> None:
    line = trace.render(Record(NOW, "end", "1", ("failed", "127", "")))

    assert [] == list(trace.records(line[:-3] + trace.TEAR))
    assert [] == list(trace.records(line[:-3]))


def test_only_finds_the_records_of_the_given_kinds() -> None:
    data = trace.log(NOW, "1", "out", b"\tresult\t\n") + trace.render(
        Record(NOW, "result", "-", ("ok", "0"))
    )

    assert [("ok", "0")] == [record.fields for record in trace.only(data, "result", "seal")]


WORDS = st.sampled_from(
    [b"end", b"usage", b"log", b"-", b"1.2", b"", b"\\x2d", b"\\", b"\xe2", b"0\x18"]
)


@given(st.lists(st.tuples(st.sampled_from([NOW.encode(), b"2026", b"%%"]), st.lists(WORDS))))
def test_many_kinds_are_read_as_line_by_line(parts: list[tuple[bytes, list[bytes]]]) -> None:
    kinds = ("begin", "end", "usage", "data", "result")
    data = b"".join(b"\t".join((time, *words)) + b"\n" for time, words in parts)

    found = list(trace.only(data, *kinds))

    assert [record for record in trace.records(data) if record.kind in kinds] == found


@given(st.floats(-6e10, 2e11))
def test_stamp_agrees_with_the_calendar(moment: float) -> None:
    expected = datetime.fromtimestamp(moment // 1, UTC).replace(tzinfo=None).isoformat()

    assert expected == trace.stamp(moment)[:19]
    assert abs(trace.seconds(trace.stamp(moment)) - moment) < 0.002
    assert trace.stamp(moment) == trace.stamp(trace.seconds(trace.stamp(moment)))


@given(st.lists(st.sampled_from(["\\", "\0", "\x1b", "\t", "0", "t", "x1b", "\n", "a\xff"])))
def test_the_text_of_log_records_gives_back_what_was_printed(parts: list[str]) -> None:
    printed = "".join(parts).encode("latin-1")

    assert printed == trace.unescape_bytes(trace.escape_bytes(printed))
