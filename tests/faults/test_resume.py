"""Programs, killed at the system calls of their runner, and gone on with to the end.

Each is first run without a kill, which tells what has to come of it and at which system calls
it can be killed. Most of these see and do not change anything: a kill at the one or the next
leaves the same behind. So for each state that a kill can leave behind a job of the same program
is run, its runner killed there (at any of the calls), and gone on with by what cron and people
do: ticks, runners, answers. CIT_SOAK=every does so for each system call.
"""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import harness
import pytest
from harness import Home, Point, Story

from cit import asked, name
from cit.steps import Steps
from cit.wants import Node

PROGRAMS = Path(__file__).parent / "programs"
KILLS = harness.size(2, 1 << 30)  # of the runners of each program
WAKES = harness.size(3, 1 << 30)  # of the ticks and answers of some
CHECK_EVERY = 10
TWICE = 0.5  # how often what goes on with a job is killed as well
HELD = 0.3  # how often the job is held back until the next round
ROUNDS = 12  # runners that a job needs at most, killed ones among them
STEP = 61  # seconds that the clock goes on from one runner to the next, where it does

# No machine of the tests has an engine for containers: the program is refused when pushed.
UNTESTED = {"docker"}


class Program(NamedTuple):
    """A file of programs/, and what its comments say."""

    path: Path
    again: bool  # what is lost is executed again, so the end is the same
    clock: bool  # the clock goes on from one runner to the next
    answers: dict[str, str]  # by run
    stops: set[str]  # runs that ask something, when the job is stopped
    ends: str  # the status at the end


def read(path: Path) -> Program:
    text = path.read_text()
    answers = dict(re.findall(r"^# answer (\S+) (.+)$", text, re.M))
    stops = set(re.findall(r"^# stop (\S+)$", text, re.M))
    again, clock = 'on_lost = "again"' in text, "\n# clock\n" in text
    [ends] = re.findall(r"^# ends (\S+)$", text, re.M) or ["ok"]
    return Program(path, again, clock, answers, stops, ends)


PATHS = sorted(PROGRAMS.glob("*.job"))


class Kill(NamedTuple):
    """A place for one: in the command of that name in round `number`."""

    command: str
    number: int
    point: Point
    state: int  # of that command: what is outside of it is the same at all places of one


class Stage:
    """A queue in which jobs of one program are run, one after the other."""

    def __init__(self, home: Home, program: Program) -> None:
        self.home, self.program = home, program
        self.log = home.place / "strace"
        self.jobs: list[str] = []
        self.spawned: list[str] = []
        self.todo: list[Kill] = []
        self.kills = 0
        self.places: list[Kill] | None = None  # of the commands, where they are looked for
        home.environ["CIT_PATIENCE"] = "0"  # whatever waits is parked
        for stored in PROGRAMS.glob("stored/*.toml"):
            text = stored.read_text().replace("${mark}", str(home.mark))
            copy = home.place / stored.name
            copy.write_text(text)
            home.must("cit-program", "import", f"the {stored.stem}", copy)
        settings = home.queue / "queue.toml"
        # The jobs of one test spawn more within a minute than people's may.
        settings.write_text(re.sub("(?m)^spawn = .*", "spawn = 100000", settings.read_text()))

    def survey(self) -> list[Kill]:
        """Run a job of the program without a kill; where there could be one."""
        self.places = []
        self.play()
        found, self.places = self.places, None
        return found

    def play(self, *kills: Kill, hold: int | None = None) -> None:
        """Run a job of the program to its end; `hold` is the round in which it is held back."""
        self.todo = list(kills)
        [id] = self.home.must("cit-push", "--set", f"mark={self.home.mark}", self.program.path
                              ).split()  # fmt: skip
        self.jobs.append(id)
        for number in range(ROUNDS):
            self.do(number, "cit-queue", "tick")
            self.do(number, "cit-run", "-j", "1")
            if not self.lasting():
                return
            if any(copy.state == "hold" for copy in self.home.copies(id, done=False)):
                self.do(number, "cit-hold", "--release", id)
            elif number == hold and [*self.home.copies(id, done=False)]:
                self.do(number, "cit-hold", id)
            self.answer(id, number)
        raise AssertionError(f"{id} has not ended after {ROUNDS} runners: {self.lasting()}")

    def do(self, number: int, command: str, *args: str) -> None:
        """Run a command of a round, and kill it there if that is asked for."""
        ahead = STEP * number if self.program.clock else 0
        under = []
        kill = next((kill for kill in self.todo if kill[:2] == (command, number)), None)
        if kill:
            inject = f"inject={kill.point.syscall}:signal=KILL:when={kill.point.number}"
            only = f"trace={kill.point.syscall}"
            under = harness.strace_alone(self.log, "-e", only, "-e", inject)
        elif self.places is not None:
            under = harness.strace_alone(self.log)
        ended = self.home.run(command, *args, under=under, ahead=ahead)
        if self.places is not None:
            states = harness.states(self.log, str(self.home.path))
            for state, points in enumerate(states):
                self.places += [Kill(command, number, point, state) for point in points]
        if kill:
            self.todo.remove(kill)
            if harness.killed(self.log):
                self.kills += 1
                return
        assert (0, "") == (ended.code, ended.err), (command, ended)

    def lasting(self) -> list[Path]:
        """The jobs that have not ended."""
        return [copy.path for copy in self.home.copies(done=False)]

    def answer(self, id: str, number: int) -> None:
        """What people say to the job, as soon as it asks."""
        for copy in self.home.copies(id, done=False):
            if copy.state in ("park", "wait"):
                asked = harness.open_questions(copy.path)
                for run in asked & {*self.program.answers}:
                    self.do(number, "cit-answer", f"{id}.{run}", self.program.answers[run])
                if asked & self.program.stops and not harness.records(copy.path, "stop"):
                    self.do(number, "cit-stop", id)

    def told(self) -> list[Story]:
        """The stories of the last job, and of those that it spawned."""
        own = self.path(self.jobs[-1])
        spawned = [record[3] for record in harness.records(own, "spawn")]
        self.spawned += spawned
        return [harness.story(path) for path in (own, *map(self.path, spawned))]

    def path(self, id: str) -> Path:
        [copy] = self.home.copies(id)
        return copy.path

    def ledger(self, id: str = "*") -> collections.Counter[str]:
        """How often each line is in the ledger, of one job or of all."""
        workspaces = Path(self.home.environ["CIT_WORK"])
        files = [self.home.ledger, *workspaces.glob(f"*/{id}/ledger")]
        return collections.Counter(line for file in files for line in file.read_text().splitlines())

    def wrong(self, story: Story) -> list[str]:
        """What is wrong with the ledger, the last job having that story."""
        lines = self.ledger(self.jobs[-1])
        found = [f"{line}: {count} times" for line, count in lines.items() if count > 1]
        executed = {line.split()[1] for line in lines if line.startswith(self.jobs[-1])}
        for run, told in story.items():
            command = told[""][0] in (("begin", "exec"), ("begin", "script"))
            ok = ("end", "ok", "0", "-") in told[""]
            # What is looked for before the program, in runs below 0, enters itself nowhere.
            if command and ok and run not in executed and not run.startswith("0."):
                found.append(f"{run} is ok, and was not executed")
        return found


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def test_the_programs_use_every_step() -> None:
    used = set()
    for path in PATHS:
        id = name.make(0, bytes(10))
        made = asked.compose(path.read_bytes(), id, "main", path.stem, {})
        used |= {node.step for node in nodes(made.tree)}

    assert set(Steps()) - UNTESTED == used
    assert 20 <= len(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_program_whose_runner_is_killed_goes_on_to_the_same_end(
    home: Home, rng: random.Random, figure: Callable[[str], None], path: Path
) -> None:
    stage = Stage(home, read(path))

    told = kill_all(stage, ("cit-run",), KILLS, rng)

    figure(f"{path.stem}: its runner killed {told}, the same end")


@pytest.mark.parametrize("called", ["let", "spawn", "pause", "stopped"])
def test_a_parked_job_whose_waking_is_killed_goes_on_to_the_same_end(
    home: Home, rng: random.Random, figure: Callable[[str], None], called: str
) -> None:
    stage = Stage(home, read(PROGRAMS / f"{called}.job"))

    told = kill_all(stage, ("cit-queue", "cit-answer", "cit-stop"), WAKES, rng)

    figure(f"{called}: ticks, answers and stops killed {told}, the same end")


def kill_all(stage: Stage, commands: tuple[str, ...], most: int, rng: random.Random) -> str:
    """Kill some commands at all places, or in each state, and check what comes of it; in words."""
    rng.seed(f"{harness.SEED} {stage.program.path.stem}")
    if "${last." in stage.program.path.read_text():
        stage.play()  # the first of a name has no job before it
    places = [place for place in stage.survey() if place.command in commands]
    reference = stage.told()
    assert [] == stage.wrong(reference[0])
    assert stage.program.ends == harness.outcome(stage.path(stage.jobs[-1]))

    tried = 0
    states = len({kill._replace(point=places[0].point) for kill in places})
    for kill in choose(places, rng):
        tried, before = tried + 1, stage.kills
        again = kill._replace(number=kill.number + 1, point=rng.choice(places).point)
        twice, held = rng.random() < TWICE, rng.random() < HELD
        stage.play(kill, *[again][:twice], hold=kill.number if held else None)
        stories = stage.told()

        assert [] == stage.wrong(stories[0]), kill
        if stage.program.again or stage.kills == before:
            assert reference == stories, kill
        else:
            assert [] == differences(reference[0], stories[0]), kill
        if tried % CHECK_EVERY == 0:
            assert [] == left(stage), kill
        if stage.kills >= most:
            break

    assert [] == left(stage)
    # Stages side by side, and what the kernel has to say, come in another order each time.
    assert stage.kills >= tried * 0.5, "most of the chosen system calls did not come"
    return f"{stage.kills} times, in {states} states, {len(places)} system calls"


def choose(places: list[Kill], rng: random.Random) -> Iterator[Kill]:
    """One place in each state, or each place, in some order."""
    found: dict[object, list[Kill]] = {}
    for kill in places:
        found.setdefault(kill if harness.EVERY else (*kill[:2], kill.state), []).append(kill)
    for key in rng.sample(list(found), len(found)):
        yield rng.choice(found[key])


def differences(reference: Story, story: Story) -> list[str]:
    """Where a job of which something was lost differs from the reference otherwise.

    The runs above the one that was lost may end as that does; what comes after need not have
    been begun; and a further attempt of what was lost is a run beside it.
    """
    lost = {run for run, told in story.items() if ("end", "lost", "123", "-") in told[""]}
    above = {run[:at] for run in lost for at in range(len(run) + 1)}
    beside = tuple(run.rpartition(".")[0] + "." for run in lost)
    if not lost:
        return [] if story == reference else ["it differs, and nothing was lost"]
    found = []
    for run, told in story.items():
        if run == "-":
            results = [event for event in told[""] if event[0] == "result"]
            if results not in ([("result", "lost", "123")], [("result", "ok", "0")]):
                found.append(f"result: {results}")
        elif run not in above and told != reference.get(run) and not run.startswith(beside):
            found.append(f"{run}: {told} and not {reference.get(run)}")
    return found


def left(stage: Stage) -> list[str]:
    """What is wrong with a queue where all has ended."""
    home = stage.home
    ids = stage.jobs + stage.spawned
    acknowledged = "".join(f"{id}\n" for id in ids).encode()
    fsck = home.run("cit-queue", "fsck", "--ids", "-", input=acknowledged, timeout=120)
    found = [f"fsck: {fsck}"] if fsck.code or fsck.out or fsck.err else []
    found += [f"{copy.id} is in {copy.state}" for copy in home.copies(done=False)]
    found += [f"{line}: {count} times" for line, count in stage.ledger().items() if count > 1]
    found += [f"process {pid}" for id in ids for pid in harness.processes(id)]
    found += [f"lock {line}" for line in harness.locked(home)]
    found += [text for copy in home.copies() for text in harness.forged(copy.path)]
    files = Path(home.environ["CIT_WORK"], ".files")
    found += [f"file {path}" for path in files.glob("*")]
    return found
