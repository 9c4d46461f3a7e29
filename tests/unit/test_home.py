"""What a user keeps beside his queues."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cit import home
from cit.errors import Bad
from cit.home import Receipt

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
FILE = f"{ID}-x.job"
T = "2026-11-21T20:37:01.123Z"


@pytest.fixture
def cit_home(world: Path) -> Path:
    return world / ".cit"


# --- receipts --------------------------------------------------------------------------------


def test_there_are_no_receipts_at_first() -> None:
    assert [] == home.receipts()


def test_receipts_come_back_in_order_whatever_their_queue_is_called(cit_home: Path) -> None:
    first = Receipt(T, "pushed", ID, "x", "/a\tb\nc/\udcff", "12")
    second = Receipt(T, "ran", ID, "y", "/q", "34")

    home.receive([first])
    home.receive([second])

    assert [first, second] == home.receipts()
    assert 0o600 == stat.S_IMODE((cit_home / "pushed.tab").stat().st_mode)
    assert 0o700 == stat.S_IMODE(cit_home.stat().st_mode)


def test_no_receipts_make_no_file(cit_home: Path) -> None:
    home.receive([])

    assert not cit_home.exists()


def test_a_receipt_after_a_torn_one_is_read(cit_home: Path) -> None:
    home.receive([Receipt(T, "pushed", ID, "x", "/q", "12")])
    with open(cit_home / "pushed.tab", "ab") as file:
        file.write(f"{T}\tpushed\t{ID}".encode())

    home.receive([Receipt(T, "ran", ID, "y", "/q", "34")])

    assert ["x", "y"] == [receipt.name for receipt in home.receipts()]


# --- queues ----------------------------------------------------------------------------------


def test_a_queue_is_known_once_in_the_order_of_first_use(cit_home: Path) -> None:
    for path in ("/b", "/a\n\udcff", "/b"):
        home.know(path)

    assert ["/b", "/a\n\udcff"] == home.queues()
    assert 2 == len((cit_home / "queues").read_bytes().splitlines())


def test_a_torn_queue_is_none(cit_home: Path) -> None:
    home.know("/a")
    with open(cit_home / "queues", "ab") as file:
        file.write(b"/half")

    seen = home.queues()
    home.know("/b")

    assert (["/a"], ["/a", "/b"]) == (seen, home.queues())


# --- the outbox ------------------------------------------------------------------------------


def test_a_letter_waits_with_its_address(cit_home: Path) -> None:
    home.keep(f"{ID}-x.job", b"bytes", "/far/\udcff\n")

    [(kept, to)] = home.kept()

    assert ("outbox", ID, "x", "/far/\udcff\n") == (kept.state, kept.id, kept.name, to)
    assert b"bytes" == home.letter(kept)
    assert 0o700 == stat.S_IMODE((cit_home / "outbox").stat().st_mode)


def test_letters_come_the_oldest_first() -> None:
    ids = [ID[:25] + c for c in "cab"]
    for id in ids:
        home.keep(f"{id}-x.job", b"", "/q")

    assert sorted(ids) == [kept.id for kept, _ in home.kept()]


def test_a_letter_that_is_kept_twice_is_one() -> None:
    home.keep(f"{ID}-x.job", b"bytes", "/q")
    home.keep(f"{ID}-x.job", b"bytes", "/q")

    assert 1 == len(home.kept())


@pytest.mark.parametrize(("data", "queue"), [(b"other", "/q"), (b"job", "/elsewhere")])
def test_a_letter_is_never_taken_for_another(data: bytes, queue: str) -> None:
    home.keep(FILE, b"job", "/q")

    with pytest.raises(Bad, match="already"):
        home.keep(FILE, data, queue)

    [(letter, address)] = home.kept()
    assert (b"job", "/q") == (home.letter(letter), address)


def test_a_letter_that_was_sent_is_gone(cit_home: Path) -> None:
    home.keep(f"{ID}-x.job", b"", "/q")
    [(kept, _)] = home.kept()

    home.sent(kept)
    home.sent(kept)

    assert ([], []) == (home.kept(), os.listdir(cit_home / "outbox"))


def test_what_cuts_left_in_the_outbox_is_no_letter(cit_home: Path) -> None:
    home.keep(f"{ID}-x.job", b"", "/q")
    outbox = cit_home / "outbox"
    (outbox / f"{ID}-y.job.to").write_bytes(b"/q")  # the address comes first
    (outbox / f".{ID}-z.job.to.1").write_bytes(b"/")

    assert ["x"] == [kept.name for kept, _ in home.kept()]


def test_a_letter_that_somebody_else_sends_at_this_moment_is_passed_over(cit_home: Path) -> None:
    home.keep(f"{ID}-x.job", b"", "/q")
    home.keep(f"{ID}-y.job", b"", "/q")
    (cit_home / "outbox" / f"{ID}-x.job.to").unlink()  # its file was seen, and is gone by now

    assert ["y"] == [kept.name for kept, _ in home.kept()]
