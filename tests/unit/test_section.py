from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cit import section
from cit.errors import Bad
from cit.section import Section

BODIES = st.lists(st.sampled_from([b"%", b"%%", b"\n", b"a", b"\r", b"\0", b"%% trace 1 tab"]))


@given(st.lists(BODIES.map(b"".join), min_size=1, max_size=4))
def test_parse_gives_back_what_render_wrote(bodies: list[bytes]) -> None:
    sections = [Section("program", 1, "sh", {"n": str(i)}, b) for i, b in enumerate(bodies)]

    data = section.render(sections)

    assert [s.body for s in sections] == [s.body for s in section.parse(data)]
    assert data == section.render(section.parse(data))


def test_a_body_can_hold_a_mark_without_being_cut_there() -> None:
    data = section.render([Section("program", 1, "sh", {}, b"%% trace 1 tab\nx\n")])

    assert (data, b"") == section.split(data)


def test_split_cuts_at_the_trace() -> None:
    data = b"%% job 1 toml\nx\n%% trace 1 tab\nrecord\n"

    assert (b"%% job 1 toml\nx\n", b"%% trace 1 tab\nrecord\n") == section.split(data)


@pytest.mark.parametrize(
    "data", [b"", b"hello\n", b"%% job one toml\n", b"%%\n", b"%% Job 1 toml\n", b"%% job 1\n"]
)
def test_what_is_no_mark_is_refused_with_its_line(data: bytes) -> None:
    with pytest.raises(Bad) as caught:
        section.parse(data)

    assert 1 == caught.value.line


def test_sections_know_their_line() -> None:
    assert [1, 3] == [s.line for s in section.parse(b"%% job 1 toml\n\n%% program 1 sh\n")]
