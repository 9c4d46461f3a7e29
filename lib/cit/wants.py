"""The words of programs: steps as data, what a step may want, and how a run ends.

A step is a generator. It yields wants, which the runner answers and records, or a Do,
which the walk answers by running a child. It returns an Outcome. So a step touches
nothing itself, and a program is replayed by giving it the recorded answers again.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any, NamedTuple, Protocol, TypeAlias

    class Arg(NamedTuple):
        """An argument that a step declares. `low` (0 where None) and `high` bound numbers."""

        name: str
        kind: str  # one of the kinds below
        help: str
        default: Any = ...  # ... is required
        low: float | None = None
        high: float | None = None

    class Node(NamedTuple):
        """A step of a checked program."""

        step: str
        args: dict[str, Any]  # by declared name, defaults filled in; a child is its place
        children: tuple[Node, ...] = ()  # in the order written: the first one is run RUN.1
        line: int = 0
        column: int = 0
        isolate: tuple[str, str] | None = None  # kind and spec, of this run alone

    class Isolation(NamedTuple):
        """An isolation that is up. `run` is the run that built it."""

        kind: str
        spec: str
        handle: str
        run: str

    class Outcome(NamedTuple):
        """How a run ended. What comes after `reason` is between runs only, not in its `end`."""

        status: str  # of CODES
        code: int = 0
        signal: int = 0
        reason: str = ""
        value: Isolation | str | None = None  # what a run hands to its parent
        leave: int = 0  # so many loops are left; ALL: the whole program
        data: tuple[tuple[str, str], ...] = ()  # names and values that the run reported
        stages: tuple[str, ...] = ()  # texts of further stages, by it and what is below it

    class Call(NamedTuple):
        """What a step is given."""

        node: Node
        args: dict[str, Any]  # those of the node with the variables put in
        run: str
        isolation: Isolation | None
        variables: Mapping[str, str]
        steps: Mapping[str, Step]  # all there are

    class Do(NamedTuple):
        """Run the child at place `child` (from 0), or `node` in its stead.

        The answer is its Outcome.
        """

        child: int
        path: tuple[int | str, ...] = ()  # more components of its run: an iteration, an attempt
        variables: Mapping[str, str] = {}  # added to those in force
        isolation: Isolation | None = None  # instead of the one in force
        cleanup: bool = False  # runs also when the program has been stopped
        node: Node | None = None  # made while the program ran; `path` tells it from the child

    class Fork(NamedTuple):
        """Begin a child beside this step, which goes on; the answer is None."""

        do: Do

    class Join(NamedTuple):
        """Wait for any child that was forked; the answer is its Do and its Outcome.

        A Leave does not reach over a fork: it is `leave` in the Outcome. A step joins
        every child that it forked before it returns.
        """

    class Begin(NamedTuple):
        """A run is about to begin. Answer: None, or the Outcome it has without being run.

        With an Outcome the branch it is in ends so: that is how a program is stopped. A runner
        answers None where `cleanup` is set, unless it wants no clean-up either, and
        records `begin` only when it answered None.
        """

        run: str
        step: str
        attempt: int
        cleanup: bool

    class Exec(NamedTuple):
        """Run a command. Answer: its Outcome.

        With a `script` the runner writes that text to a file and adds its path to `argv`,
        which is the interpreter, or empty where the script names its own.
        """

        run: str
        argv: tuple[str, ...]
        env: tuple[str, ...]  # VAR=VALUE, added to what the runner gives every command
        cwd: str | None
        timeout: float | None  # seconds
        isolation: Isolation
        script: str | None = None

    class Reply(NamedTuple):
        """What was answered. `who` is empty where nobody did in time: `value` is the default."""

        value: str
        who: str
        reason: str = ""

    class Ask(NamedTuple):
        """Ask a person. Answer: a Reply, or the Outcome of having been stopped.

        `verb` is `approve`, whose values are yes and no, or `let`, which takes any.
        """

        run: str
        verb: str
        comment: str
        default: str  # taken after `timeout`
        timeout: float | None  # seconds; None is for as long as it takes
        who: tuple[str, ...] = ()  # users and @groups who may answer, else those of the job

    class Sleep(NamedTuple):
        """Wait for an instant. Answer: None, or the Outcome of having been stopped.

        So many seconds from now, or the next instant of a calendar: minutes, hours, days of the
        month, months, days of the week, as in crontab(5); an empty tuple is every one.
        """

        run: str
        seconds: float | None
        calendar: tuple[tuple[int, ...], ...] = ()

    class Spawn(NamedTuple):
        """Start a stored program as another job. Answer: its id, or the Outcome of a failure."""

        run: str
        program: str
        version: int | None  # None is the newest

    class Await(NamedTuple):
        """Wait for another job, or for an artefact. Answer: an Outcome, that of the job.

        `what` is `job`, then `name` is its id or name, or `artefact`, then it is JOB/ARTEFACT.
        """

        run: str
        what: str
        name: str
        timeout: float | None  # seconds

    class Up(NamedTuple):
        """Build an isolation. Answer: its handle, or the Outcome of having failed."""

        run: str
        isolation_kind: str
        spec: str

    class Down(NamedTuple):
        """Take an isolation down. Answer: None. Comes after the run's own End."""

        run: str
        isolation: Isolation

    class End(NamedTuple):
        """A run has ended so. Answer: None."""

        run: str
        outcome: Outcome

    Want: TypeAlias = Begin | Exec | Ask | Sleep | Spawn | Await | Up | Down | End
    Steps: TypeAlias = Generator[Do | Fork | Join | Want, Any, Outcome]

    class Shows(NamedTuple):
        """One line about a step, with {names} of arguments: written, waiting, running."""

        written: str
        waiting: str
        running: str

    class Step(Protocol):
        """A module of steps/, or what stands for an executable cit-step-NAME.

        It may also have: BUILDS = True (builds an isolation, stands only where one is
        wanted), ISOLATED = True (only inside an isolation), GROWS = True (takes the `stages`
        of the outcomes of its children), TURNS = True (the runs of its children have one
        component more, the turn), WITHIN = the step that it stands directly in, and nowhere
        else, `arrange(forms)`, which puts another spelling in the declared order,
        `check(args)`, which returns None or the name of an argument and what is wrong with
        it, and `review(args, children)`, which returns None or the place of a child and
        what is wrong with that.
        """

        HELP: str
        ARGS: tuple[Arg, ...]
        SHOWS: Shows

        def run(self, call: Call, /) -> Steps: ...

else:
    Arg = namedtuple("Arg", "name kind help default low high", defaults=(..., None, None))
    Node = namedtuple("Node", "step args children line column isolate", defaults=((), 0, 0, None))
    Isolation = namedtuple("Isolation", "kind spec handle run")
    Outcome = namedtuple(
        "Outcome",
        "status code signal reason value leave data stages",
        defaults=(0, 0, "", None, 0, (), ()),
    )
    Call = namedtuple("Call", "node args run isolation variables steps")
    Do = namedtuple("Do", "child path variables isolation cleanup node",
                    defaults=((), {}, None, False, None))  # fmt: skip
    Fork = namedtuple("Fork", "do")
    Join = namedtuple("Join", "")
    Begin = namedtuple("Begin", "run step attempt cleanup")
    Exec = namedtuple("Exec", "run argv env cwd timeout isolation script", defaults=(None,))
    Reply = namedtuple("Reply", "value who reason", defaults=("",))
    Ask = namedtuple("Ask", "run verb comment default timeout who", defaults=((),))
    Sleep = namedtuple("Sleep", "run seconds calendar", defaults=((),))
    Spawn = namedtuple("Spawn", "run program version")
    Await = namedtuple("Await", "run what name timeout")
    Up = namedtuple("Up", "run isolation_kind spec")
    Down = namedtuple("Down", "run isolation")
    End = namedtuple("End", "run outcome")
    Shows = namedtuple("Shows", "written waiting running")

# Kinds of arguments.
STRING = "string"  # with low=1 not an empty one
TEXT = "text"  # a string in which no variable is looked for
NAME = "name"  # of a variable: a symbol or a string
INTEGER = "integer"
SECONDS = "seconds"  # a number from 0
BOOLEAN = "boolean"  # t or f
STRINGS = "strings"  # a list
INTEGERS = "integers"  # a list
SETTINGS = "settings"  # a list of VAR=VALUE
PEOPLE = "people"  # a list of users and @groups, in which no variable is looked for
WORDS = "words"  # a list of symbols and whole numbers
STEP = "step"  # a child
STEPS = "steps"  # all that follow are children
BUILDER = "builder"  # a child that builds an isolation

WAITED = 36525 * 86400  # seconds: the longest that a program may ask to wait
ALL = -1  # loops to leave: every one, and the program

# How a run can end: the lowest and the highest exit code that goes with each status.
CODES = {
    "ok": (0, 0),
    "failed": (1, 255),
    "signal": (129, 128 + 64),
    "nostart": (126, 127),
    "setup": (125, 125),
    "timeout": (124, 124),
    "idle": (124, 124),
    "memory": (137, 137),
    "procs": (137, 137),
    "disk": (137, 137),
    "log": (137, 137),
    "cancelled": (130, 130),
    "denied": (130, 130),
    "expired": (121, 121),
    "limited": (122, 122),
    "lost": (123, 123),
}
OK = Outcome("ok")


class Leave(Exception):
    """Thrown into a step whose child broke out of it or was stopped.

    A step that has something to put away catches it, yields what it must, and raises it
    again. Never with `finally`: a generator that is dropped half-way must not yield.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def ended(status: str, reason: str = "", code: int | None = None, signal: int = 0) -> Outcome:
    """The Outcome of a status, with the code that belongs to it."""
    low, high = CODES[status]
    if code is None:
        code = 128 + signal if status == "signal" else low
    if not low <= code <= high:
        raise ValueError(f"code {code} does not go with '{status}'")
    return Outcome(status, code, signal, reason)
