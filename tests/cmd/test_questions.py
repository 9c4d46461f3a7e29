"""cit-ls --asking: what jobs ask, and what is known to be taken then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cit import trace
from cit.trace import Record

if TYPE_CHECKING:
    from tests.cmd.conftest import Made
    from tests.conftest import Cit

TIME = "2026-11-21T20:37:05.000Z"
LATER = "2046-11-21T20:37:05.000Z"
NEVER = 9999999999


def asks(verb: str, default: str, deadline: str = "") -> tuple[Record, ...]:
    fields = (verb, "go?", default, deadline, "")
    return (
        Record(TIME, "claim", "-", ("node1", "1", "b00t", "1", "0.1.0")),
        Record(TIME, "begin", "1", (verb, "1")),
        Record(TIME, "ask", "1", fields),
    )


@pytest.mark.parametrize(
    ("verb", "deadline", "taken"),
    [("approve", "", None), ("approve", LATER, "no"), ("let", "", "no"), ("let", LATER, "no")],
)
def test_the_default_of_an_approval_is_told_where_it_can_be_taken(
    made: Made, cit: Cit, verb: str, deadline: str, taken: str | None
) -> None:
    id = made.put("park", "deploy", *asks(verb, "no", deadline), due=NEVER)

    fields = trace.unescape(cit("ls", "--asking").out.rstrip("\n")).split("\t")
    told = json.loads(cit("ls", "--asking", "--json", "deploy").out)
    shown = cit("answer", "deploy").out

    assert [f"{id}.1", verb, deadline or "-", taken or "-"] == fields[:4]
    assert (taken, deadline or None) == (told["default"], told["deadline"])
    assert (taken is not None) == ("\nelse     no\n" in shown or "\noffers   no\n" in shown)


def test_a_job_that_is_not_there_is_an_error_and_one_that_asks_nothing_is_not(
    made: Made, cit: Cit
) -> None:
    made.finished("fine")

    unknown = cit("ls", "--asking", "fine", "nosuch")

    assert (66, "") == (unknown.code, unknown.out)
    assert unknown.err == f"cit-ls: no job 'nosuch' in '{made.path}'\n"
    assert (0, "") == (cit("ls", "--asking", "fine").code, cit("ls", "--asking", "fine").out)


@pytest.mark.parametrize("arguments", [["--status", "broken"], ["--status=ok,broken"]])
def test_a_status_that_no_job_can_have_is_a_usage_error(
    made: Made, cit: Cit, arguments: list[str]
) -> None:
    code, out, err = cit("ls", *arguments)

    assert (2, "") == (code, out)
    assert err.startswith("cit-ls: unknown status 'broken', known are ok, failed, ")
