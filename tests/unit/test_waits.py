"""What runs wait for, as it is written down where their job is parked."""

from __future__ import annotations

import pytest

from cit import job, name, waits
from cit.trace import Record
from cit.wants import Await


@pytest.mark.parametrize("called", ["build/a", "build/a,b", "build/ a ", "x/50%", "x/%2C,%20 %25"])
def test_an_artefact_is_awaited_under_its_own_name_whatever_is_in_that(called: str) -> None:
    each = [
        waits.Wait(Await("1.1", what, word, None), None, None, f"{what} {word}")
        for what, word in (("job", "tests"), ("artefact", called), ("job", "docs"))
    ]

    parked = waits.parked(each)

    told = job.fold([Record("t", "park", "-", (parked.until, parked.awaits))]).parked
    assert told
    assert name.FOR_OTHERS == parked.due
    assert (("job", "tests"), ("artefact", called), ("job", "docs")) == told.awaits
