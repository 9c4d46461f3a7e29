"""The power fails while jobs flow, and a disk is full."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest
from disk import Disk, Memory
from harness import Home
from waiting import until

CUTS = harness.size(3, 500)
CALM = {("ok", 1), ("lost", 0), ("lost", 1)}


@pytest.fixture
def disk(system: None, public: Path) -> Iterator[Disk]:
    with Disk(public, 64) as disk:
        yield disk


def flow(home: Home, stop: threading.Event, acknowledged: list[str]) -> list[threading.Thread]:
    """Start what goes on in a queue all day: pushers, ticks and runners, until told to stop."""

    def pushes() -> None:
        while not stop.is_set():
            acknowledged.extend(home.run("cit-push", *(home.script() for _ in range(3))).ids)

    def ticks() -> None:
        while not stop.is_set():
            home.run("cit-queue", "tick")

    def runs() -> None:
        while not stop.is_set():
            home.run("cit-run", "-j", "1")

    threads = [threading.Thread(target=role) for role in (pushes, pushes, ticks, runs, runs)]
    for thread in threads:
        thread.start()
    return threads


def test_a_power_cut_loses_no_acknowledged_job(
    disk: Disk, public: Path, rng: random.Random, figure: Callable[[str], None]
) -> None:
    total = 0
    home = Home(public, disk.path / "home")
    home.must("cit-queue", "init")
    acknowledged: list[str] = []
    for cut in range(CUTS):
        stop = threading.Event()
        threads = flow(home, stop, acknowledged)
        time.sleep(rng.uniform(0.2, 1.2))
        disk.cut()
        stop.set()
        for thread in threads:
            thread.join()
        disk.restore()

        home.settle()

        assert [] == harness.complaints(home, acknowledged, CALM), f"cut {cut + 1}"
        total += len(acknowledged)
        acknowledged.clear()
        home = fresh(home, disk)
    assert total > CUTS
    figure(f"{CUTS} power cuts (ext4), {total} acknowledged jobs, none lost, none run twice")


def fresh(home: Home, disk: Disk) -> Home:
    """A new home on the same disk: the old one only makes the checks slow."""
    subprocess.run(["rm", "-rf", str(home.path)], check=True)
    place = home.place
    subprocess.run(["rm", "-rf", str(home.jobs), str(home.ledger)], check=True)
    made = Home(place, disk.path / "home")
    made.must("cit-queue", "init")
    return made


def test_a_full_disk_is_waited_for_and_nothing_is_lost(
    system: None, public: Path, figure: Callable[[str], None]
) -> None:
    with Memory(public / "small", 1024) as disk:
        home = Home(public, disk.path / "home")
        home.must("cit-queue", "init")
        acknowledged = []
        for _ in range(5):
            acknowledged += home.push(10, "seq 10000 14999")
            home.must("cit-queue", "tick")
        first = home.start("cit-run", "-j", "2")
        until(lambda: full(disk.path), "the disk to be full")
        late = home.run("cit-push", home.script("seq 10000 99999 | head -c 100000"))
        assert late.ids == []

        disk.grow(64 << 10)
        first.wait(timeout=60)
        home.settle()

        assert [] == harness.complaints(home, acknowledged)
        done = [copy.path for copy in home.copies() if copy.id in acknowledged]
        assert {5000} == {len(harness.records(path, "log")) for path in done}
        figure(f"a full 1 MiB file system in the middle of {len(done)} jobs: all ok, no line lost")


def full(path: Path) -> bool:
    import os

    status = os.statvfs(path)
    return status.f_bavail < 2
