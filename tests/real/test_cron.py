"""Calendars against Debian's cron itself, with the clock set shortly before an instant.

Each night is a cron daemon in namespaces of its own, with a crontab of its own: nothing of the
machine's cron is seen or touched. libfaketime gives it the time, ten times as fast.

Not here: a zone that changes its offset and not its daylight saving time (Antarctica/Casey). Cron
does not look at the offset again then; next_instant does.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from cit import crontab

BEFORE = 2  # seconds that cron is given to start
SECONDS = 60

# A crontab, and what the daemon has in its environment.
BEGIN = r"""
set -e
mount --make-rprivate /
for path in /var/spool/cron/crontabs /etc/cron.d /run; do mount -t tmpfs tmpfs "$path"; done
mount --bind /dev/null /etc/crontab
cp "$1" /var/spool/cron/crontabs/root
chmod 600 /var/spool/cron/crontabs/root
shift
exec env "$@" cron -f
"""


class Night(NamedTuple):
    zone: str
    instant: str  # in UTC; an instant at which cron wakes
    lines: tuple[str, ...]
    fast: int = 10  # so many seconds in one
    minutes: int = 1  # of its own that cron is watched for


FORWARD = (
    "0 2 * * *", "30 2 * * *", "0 3 * * *", "30 3 * * *", "0 * * * *", "30 * * * *", "59 1 * * *",
    "30 2 29 3 *", "30 2 8 3 *", "0 2 1 * 7", "0 2 1 * 1", "0 2 * * 0", "0 2 * 4 *", "0 4 * * *",
)  # fmt: skip
BACK = (
    "0 1 * * *", "0 2 * * *", "30 2 * * *", "0 3 * * *", "0 * * * *", "30 * * * *", "30 1 * * *",
    "0 2 * * 7", "0 1,2,3 * * *", "0,30 * * * *",
)  # fmt: skip
HALF = (
    "0 1 * * *", "30 1 * * *", "45 1 * * *", "0 2 * * *", "15 2 * * *", "30 2 * * *", "0 * * * *",
    "15 * * * *", "30 * * * *", "45 * * * *",
)  # fmt: skip
DAYS = (
    "0 0 1 * *", "0 0 29 2 *", "0 0 31 * *", "0 0 28 * *", "0 0 * 2 *", "0 0 * 3 *", "0 0 * * 0",
    "0 0 * * 7", "0 0 * * 1", "0 0 * * 2", "0 0 29 * 1", "0 0 28 * 2", "0 0 28 * 1", "0 0 29 3 *",
    "0 0,12 * * *", "0 12 * * *", "0 0 30 12 *",
)  # fmt: skip

NIGHTS = {
    "Berlin, forward": Night("Europe/Berlin", "2026-03-29T01:00", FORWARD),
    "Berlin, first two o'clock": Night("Europe/Berlin", "2026-10-25T00:00", BACK),
    "Berlin, second two o'clock": Night("Europe/Berlin", "2026-10-25T01:00", BACK),
    "Berlin, three o'clock": Night("Europe/Berlin", "2026-10-25T02:00", BACK),
    "New York, forward": Night("America/New_York", "2026-03-08T07:00", FORWARD),
    "New York, first one o'clock": Night("America/New_York", "2026-11-01T05:00", BACK),
    "New York, second one o'clock": Night("America/New_York", "2026-11-01T06:00", BACK),
    "Lord Howe, forward": Night("Australia/Lord_Howe", "2026-10-03T15:30", HALF),
    "Lord Howe, back": Night("Australia/Lord_Howe", "2026-04-04T15:00", HALF),
    "UTC, 29 February": Night("UTC", "2028-02-29T00:00", DAYS),  # a Tuesday
    "UTC, 1 March": Night("UTC", "2027-03-01T00:00", DAYS),  # a Monday
    "Berlin, 31 January": Night("Europe/Berlin", "2027-01-30T23:00", DAYS),  # a Sunday
    # What came before the clock was turned does not come half an hour later.
    "Berlin, the hour after": Night("Europe/Berlin", "2026-10-25T01:00", ("30 2 * * *",), 300, 45),
}


class Cron:
    """A cron daemon that lives in one night."""

    def __init__(self, night: Night, directory: Path) -> None:
        self.night = night
        directory.mkdir()
        pipe = directory / "pipe"
        os.mkfifo(pipe)
        self.pipe = os.open(pipe, os.O_RDWR)
        lines = [
            f"{line} echo {number} >'{pipe}'"
            for number, line in enumerate(("* * * * *", *night.lines))
        ]
        table = directory / "crontab"
        table.write_text("\n".join(['MAILTO=""', *lines, ""]))
        self.instant = int(datetime.fromisoformat(night.instant).replace(tzinfo=UTC).timestamp())
        self.start = self.instant - BEFORE * night.fast
        fake = [f"TZ={night.zone}", f"LD_PRELOAD={library()}", "FAKETIME_FMT=%s",
                f"FAKETIME=@{self.start} x{night.fast}"]  # fmt: skip
        self.daemon = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child",
             "sh", "-c", BEGIN, "sh", table, *fake],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ran(self) -> Counter[str]:
        """How often each line was started in the minutes it is watched, told by what follows."""
        numbers: list[str] = []
        late = time.monotonic() + SECONDS
        while numbers.count("0") <= self.night.minutes:
            ready, _, _ = select.select([self.pipe], [], [], late - time.monotonic())
            assert ready, f"cron came to {numbers} and no further; it is {self.daemon.poll()}"
            numbers += os.read(self.pipe, 4096).decode().split()
        return Counter(self.night.lines[int(number) - 1] for number in numbers if number != "0")

    def close(self) -> None:
        self.daemon.kill()
        self.daemon.wait()
        os.close(self.pipe)


def library() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else ""


@pytest.fixture(scope="module")
def crons(system: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cron]]:
    """All nights at once: each takes its time asleep."""
    if not shutil.which("cron") or not library():
        pytest.skip("no cron, or no libfaketime")
    shelf = tmp_path_factory.mktemp("crons")
    made = {name: Cron(night, shelf / str(n)) for n, (name, night) in enumerate(NIGHTS.items())}
    yield made
    for cron in made.values():
        cron.close()


def calendar(line: str) -> tuple[tuple[int, ...], ...]:
    fields = line.split()
    return tuple(() if f == "*" else tuple(map(int, f.split(","))) for f in fields)


def offset(zone: str) -> Callable[[int], int]:
    where = ZoneInfo(zone)

    def east(instant: int) -> int:
        told = datetime.fromtimestamp(instant, where).utcoffset()
        assert told is not None
        return int(told.total_seconds())

    return east


@pytest.mark.parametrize("name", NIGHTS)
def test_a_calendar_comes_when_cron_has_it(crons: dict[str, Cron], name: str) -> None:
    cron = crons[name]
    night = cron.night
    east = offset(night.zone)
    next_one = {
        line: crontab.next_instant(calendar(line), cron.start, east) for line in night.lines
    }

    ran = cron.ran()

    last = cron.start + 60 * night.minutes
    assert {line for line in night.lines if next_one[line] <= last} == set(ran)
    assert set(ran.values()) <= {1}
