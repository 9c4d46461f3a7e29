"""The figures that cit promises: each measures, compares and returns rows of the table."""

from __future__ import annotations

import hashlib
import os
import signal
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import backlog
import peers
import programs
import scratch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scratch import Home

MIB = 1 << 20
PYTHON = "/usr/bin/python3"


class Figure(NamedTuple):
    """A row of the table; `ok` is whether the limit holds."""

    name: str
    measured: str
    peers: str
    limit: str
    ok: bool


def push(home: Home, count: int = 10_000) -> list[Figure]:
    """Many jobs in one call, each durable before its id is printed."""
    home.init()
    names = _scripts(home, count, "#!/bin/true\n")
    ids = home.path / "ids"
    # The disk's mood changes: the bare loop is run before and after.
    size = b"x" * 400
    bare = [peers.publish(home.path / "bare", count // 2, size)]
    done = home.measure("cit-push", *names, output=str(ids), cwd=str(home.path / "jobs"))
    bare.append(peers.publish(home.path / "bare", count - count // 2, size))
    printed = set(ids.read_text().split())
    ratio = done.seconds / sum(bare)
    whole = len(printed) == count == len(home.jobs("in"))
    return [
        Figure(
            f"push {count} jobs in one call",
            f"{done.seconds:.2f} s, {ratio:.2f} x bare",
            f"bare publish {sum(bare):.2f} s",
            "2 x bare",
            whole and ratio <= 2,
        )
    ]


def serve(home: Home, count: int = 1_000, slots: int = 2, rounds: int = 3) -> list[Figure]:
    """Jobs that do nothing, from wait/ to done/; medians, since the disk has its moods."""
    if os.geteuid():
        return [_serve(home, home, "an account", count, slots, rounds)]
    with home.account() as account:
        return [
            _serve(home, account, "an account", count, slots, rounds),
            _serve(home, home, "root, who becomes another user", count, slots, rounds),
        ]


def _serve(place: Home, home: Home, whose: str, count: int, slots: int, rounds: int) -> Figure:
    home.init()
    names = _scripts(home, count, "#!/bin/true\n")
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        home.measure("cit-push", *names, cwd=str(home.path / "jobs"))
        home.must("cit-queue", "tick")
        for who, seconds in (
            ("cit", home.measure("cit-run", "-j", str(slots)).seconds / count),
            ("nq", _each(peers.nq(place.path / "nq", count), count)),
            ("parallel", _each(peers.parallel(place.path / "parallel", count, slots), count)),
            ("task-spooler", _each(peers.task_spooler(place.path / "tsp", 900, slots), 900)),
            ("bare loop on one slot", peers.serve(place.path / "bare", count) / count),
        ):
            if seconds is not None:
                took.setdefault(who, []).append(seconds)
    each = {who: statistics.median(times) for who, times in took.items()}
    ours = each.pop("cit")
    done = home.jobs("done")
    good = sum(b"\tresult\t-\tok\t0\n" in path.read_bytes() for path in done)
    missing = [f"{name} not installed" for name in ("nq", "parallel") if name not in each]
    return Figure(
        f"run {count} jobs of /bin/true, {slots} slots, as {whose}",
        f"{_ms(ours)} a job",
        ", ".join([f"{who} {_ms(time)}" for who, time in each.items()] + missing),
        "2.5 ms, ahead of nq and parallel",
        good == rounds * count
        and ours <= 0.0025
        and all(ours < each.get(name, 1) for name in ("nq", "parallel")),
    )


def output(home: Home) -> list[Figure]:
    """Jobs that print much: nothing is lost, and it does not take long."""
    home.init()
    big, same = _printed(home, "seq 0 5000000")
    over, quiet = [], []
    for _ in range(7):  # in turn, so that the mood of the machine is the same for both
        quiet.append(_printed(home, "seq 0 50000 >/dev/null")[0].seconds)
        over.append(_printed(home, "seq 0 50000")[0].seconds - quiet[-1])
    extra = statistics.median(over)
    return [
        Figure(
            "log of seq 0 5000000",
            f"{big.seconds:.2f} s, {'lossless' if same else 'NOT the same'}",
            f"seq alone {_alone('seq 0 5000000'):.2f} s",
            "3 s, lossless",
            same and big.seconds <= 3,
        ),
        Figure(
            "log of seq 0 50000",
            f"{extra:+.3f} s",
            f"without output {statistics.median(quiet):.3f} s",
            "+0.2 s",
            extra <= 0.2,
        ),
    ]


def line(home: Home, size: int = 1 << 30) -> list[Figure]:
    """One line that does not end."""
    home.init()
    command = f"head -c {size} /dev/zero | tr '\\0' x"
    done, same = _printed(home, command)
    return [
        Figure(
            f"a line of {size >> 20} MiB",
            f"{done.memory / MIB:.0f} MiB, {done.seconds:.1f} s, "
            + ("lossless" if same else "NOT the same"),
            f"printed alone {_alone(command):.1f} s",
            "64 MiB, lossless",
            same and done.memory < 64 * MIB,
        )
    ]


def waiting(home: Home, count: int = 100_000) -> list[Figure]:
    """A long queue: a tick with one more job, a runner's way to its first, a short listing."""
    home.init()
    backlog.fill(home, count)
    (home.path / "script").write_text("#!/bin/true\n")
    ticks = []
    for _ in range(3):
        home.must("cit-push", str(home.path / "script"))
        ticks.append(home.measure("cit-queue", "tick"))
    lists = [home.measure("cit-ls", "-n", "20", output=str(home.path / "ls")) for _ in range(3)]
    shown = len((home.path / "ls").read_text().splitlines())
    took = statistics.median(tick.seconds for tick in ticks)
    memory = max(tick.memory for tick in ticks)
    listed = statistics.median(ls.seconds for ls in lists)
    listing = _list_seconds(home.queue / "wait")
    complete = len(home.jobs("wait")) == count + len(ticks)
    first, used = _first(home)
    return [
        Figure(
            f"tick with {count} jobs waiting",
            f"{took:.2f} s, {memory / MIB:.0f} MiB",
            f"interpreter and os.listdir {listing:.2f} s",
            "1 s, 200 MiB",
            took < 1 and memory < 200 * MIB and complete,
        ),
        Figure(
            "a runner's first job of them is done",
            f"{first:.2f} s, {used / MIB:.0f} MiB",
            "",
            "1 s, 200 MiB",
            first < 1 and used < 200 * MIB,
        ),
        Figure(
            f"cit-ls -n 20 of {count}", f"{listed:.2f} s", "", "0.5 s", listed < 0.5 and shown == 20
        ),
    ]


def _first(home: Home) -> tuple[float, int]:
    """Seconds until a runner has done a job, and the largest memory of its processes so far."""
    begin = time.monotonic()
    argv = home.argv("cit-run", "-j", "1")
    with subprocess.Popen(argv, env=home.environ, start_new_session=True) as runner:
        while not (home.jobs("done") or runner.poll() is not None):
            time.sleep(0.002)
        took = time.monotonic() - begin
        memory = scratch.peak(runner.pid)
        os.killpg(runner.pid, signal.SIGKILL)
    return took, memory


def start(home: Home, times: int = 20) -> list[Figure]:
    """Start-up over the bare interpreter: medians of pairs, taken in turn."""
    home.init()
    job = _submit(home, "echo hello")
    home.must("cit-run")
    rows = []
    script = str(home.path / "script")
    for name, *argv in (["cit-push", "--dry-run", script], ["cit-ls"], ["cit-logs", job]):
        over, bare = [], []
        for _ in range(times):
            alone = scratch.measure([PYTHON, "-IS", "-c", "pass"], home.environ).seconds
            bare.append(alone)
            over.append(home.measure(name, *argv).seconds - alone)
        took = statistics.median(over)
        rows.append(
            Figure(
                f"start of {' '.join([name, *argv]).replace(job, 'JOB').replace(script, 'FILE')}",
                f"+{took * 1000:.1f} ms",
                f"bare interpreter {statistics.median(bare) * 1000:.1f} ms",
                "+25 ms",
                took <= 0.025,
            )
        )
    return rows


def language(home: Home, steps: int = 10_000, records: int = 100_000) -> list[Figure]:
    """What it costs to walk a long program, and to go on with one after its trace is long."""
    home.init()
    long, count = _walked(home, programs.steps(steps), "long")
    over = statistics.median(many - one for one, many in long)
    rows = [
        Figure(
            f"a program of {steps} no-op steps",
            f"+{over:.2f} s",
            f"one step {statistics.median(one for one, _ in long):.2f} s",
            "+1 s",
            over < 1 and count >= steps,
        )
    ]
    short, _ = _resumed(home, programs.asking(1), "short")
    again, found = _resumed(home, programs.asking(records), "trace")
    rows.append(
        Figure(
            f"going on after a trace of {records} records",
            f"+{again - short:.2f} s",
            f"after a short one {short:.2f} s",
            "+0.5 s",
            again - short < 0.5 and found >= records,
        )
    )
    return rows


def _walked(home: Home, text: str, name: str) -> tuple[list[tuple[float, float]], int]:
    """Seconds of a program of one step and of this one, in turn; how many runs the latter has."""
    one, many = home.path / "one.lurch", home.path / f"{name}.lurch"
    one.write_text("(no-op)\n")
    many.write_text(text)
    pairs = [
        (home.measure("cit-run", str(one)).seconds, home.measure("cit-run", str(many)).seconds)
        for _ in range(3)
    ]
    [job, *_] = [path for path in home.jobs("done") if path.name.endswith(f"-{name}.job")]
    return pairs, job.read_bytes().count(b"\tbegin\t")


def _resumed(home: Home, text: str, name: str) -> tuple[float, int]:
    """Seconds to go on with a job that was parked, to its end; records that it had by then."""
    file = home.path / f"{name}.lurch"
    file.write_text(text)
    took, records = [], 0
    for _ in range(3):
        home.must("cit-push", str(file))
        home.must("cit-queue", "tick")
        home.must("cit-run")
        [parked] = home.jobs("park")
        records = parked.read_bytes().partition(b"%% trace")[2].count(b"\n")
        home.must("cit-answer", name, "yes")
        home.must("cit-queue", "tick")
        took.append(home.measure("cit-run").seconds)
    return statistics.median(took), records


def parked(home: Home, count: int = 1_000) -> list[Figure]:
    """Many jobs that wait for a person: what they cost a tick."""
    home.init()
    empty = statistics.median(home.measure("cit-queue", "tick").seconds for _ in range(5))
    (home.path / "ask.lurch").write_text(programs.asking(1))
    home.must("cit-push", *[str(home.path / "ask.lurch")] * count)
    home.must("cit-queue", "tick")
    home.must("cit-run")
    took = statistics.median(home.measure("cit-queue", "tick").seconds for _ in range(5))
    there = len(home.jobs("park"))
    left = home.processes()
    return [
        Figure(
            f"tick with {count} parked jobs",
            f"{took:.2f} s, {left} processes",
            f"with none {empty:.2f} s",
            "0.2 s, no process",
            took < 0.2 and there == count and not left,
        )
    ]


ALL = {
    "push": push, "serve": serve, "output": output, "line": line,
    "waiting": waiting, "start": start, "language": language, "parked": parked,
}  # fmt: skip


def _scripts(home: Home, count: int, text: str) -> Iterable[str]:
    """Make that many script files in jobs/; their names."""
    directory = home.path / "jobs"
    directory.mkdir()
    names = [f"job{number:05d}" for number in range(count)]
    for name in names:
        (directory / name).write_text(text)
    return names


def _submit(home: Home, command: str) -> str:
    """Push a job of one shell command and have it admitted; its id."""
    script = home.path / "script"
    script.write_text(f"#!/bin/sh\n{command}\n")
    job = home.must("cit-push", str(script)).strip()
    home.must("cit-queue", "tick")
    return job


def _printed(home: Home, command: str) -> tuple[scratch.Done, bool]:
    """Run a job of one shell command, and see whether its log is just what that prints."""
    job = _submit(home, command)
    run = home.measure("cit-run", "-j", "1")
    read = _hash([*home.argv("cit-logs", "--raw", job)], home.environ)
    return run, read == _hash(["/bin/sh", "-c", command], home.environ)


def _hash(argv: list[str], environ: dict[str, str]) -> str:
    digest = hashlib.sha256()
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while data := process.stdout.read(MIB):
            digest.update(data)
    return digest.hexdigest()


def _alone(command: str) -> float:
    argv = ["/bin/sh", "-c", command]
    return scratch.measure(argv, {"PATH": "/usr/bin:/bin"}).seconds


def _list_seconds(directory: Path) -> float:
    code = "import os, sys; os.listdir(sys.argv[1])"
    return scratch.measure([PYTHON, "-IS", "-c", code, str(directory)], {}).seconds


def _each(took: float | None, count: int) -> float | None:
    return None if took is None else took / count


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
