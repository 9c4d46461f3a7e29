"""One command of a job: where it runs, with what around it, and what becomes of it."""

from __future__ import annotations

import os
import time
from collections import namedtuple

from cit import amount, cgroup, config, isolation, orphans, proc, reports, usage
from cit.errors import LATER, Failure
from cit.files import patiently
from cit.isolation import Place, SetupFailed
from cit.supervise import Bounds, Supervision
from cit.wants import Outcome, ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import NamedTuple, TypeAlias

    from cit.asked import Asked
    from cit.cgroup import Group
    from cit.held import Held
    from cit.hierarchy import Tree
    from cit.isolation import Entry
    from cit.supervise import Loop
    from cit.usage import Usage
    from cit.wants import Down, Exec, Up, Want
    from cit.workspace import Workspace

    Echo = Callable[[str, bytes], None]
    Ended: TypeAlias = tuple[Outcome, Usage | None]
    Running: TypeAlias = Generator[Supervision, None, Ended]

    class Means(NamedTuple):
        """What a runner has to work with."""

        tree: Tree | None  # control groups
        user: tuple[int, int] | None  # whom jobs become
        base: str  # directory of the workspaces
        grace: float
        echo: Echo | None = None
        interrupted: Callable[[], str] = lambda: ""  # by whom, where a person sits before it
        patience: float | None = None  # seconds of waiting before the slot is left; None: never
        consent: Callable[[Want], bool] | None = None  # asked before each step, where one is
        tell: Callable[[str], None] | None = None  # what the job waits for, to who watches it

    class Around(NamedTuple):
        """What all commands of a job have in common."""

        hold: Held
        request: Asked
        attempt: int
        means: Means
        space: Workspace
        loop: Loop
        last: dict[str, str]  # `last.NAME`: what the job before it of that name reported
else:
    Means = namedtuple(
        "Means", "tree user base grace echo interrupted patience consent tell",
        defaults=(None, lambda: "", None, None, None),
    )  # fmt: skip
    Around = namedtuple("Around", "hold request attempt means space loop last")

HOLDERS = 5  # processes that keep an isolation up are the user's too
_LAST = {"last.id": "CIT_LAST_ID", "last.result": "CIT_LAST_RESULT"}
SPARE = 256  # processes that the kernel allows above a limit, without groups


def execute(around: Around, want: Exec, deadline: float | None) -> Running:
    """Run the command of a want, its records written down but for its end.

    A generator: it yields the watch over the command once that runs, is resumed when it has
    ended, and returns its Outcome and what it used. `deadline` is of time.monotonic().
    """
    kind = isolation.find(want.isolation.kind)
    here = place(around, want.isolation.run)
    script, made = f"{want.run}.script", []
    told, result = None, None
    try:
        if kind is None:
            raise SetupFailed(f"no isolation '{want.isolation.kind}'")
        handle = kind.ensure(want.isolation.handle, here)
        if want.script is not None:
            text = want.script.encode("utf-8", "surrogateescape")
            os.close(patiently(lambda: around.space.make(script, text, 0o700)))
            made.append(script)
        told = patiently(lambda: reports.Reports(around.space, want.run, around.request.tree))
        paths = tuple(around.space.file(name) for name in (*made, *told.files.values()))
        with kind.enter(handle, here._replace(files=paths)) as entry:
            argv = [*entry.prefix, *want.argv]
            if want.script is not None:
                argv.append(os.path.join(entry.files, os.path.basename(paths[0])))
            env = _environment(around, want, entry, told)
            result = yield from _start(around, want, entry, argv, env, deadline)
    except (SetupFailed, OSError) as error:
        if not result:  # else leaving the isolation failed, and not the command
            result = ended("setup", str(error)), None
    finally:
        if told:
            told.read()
            told.close()
        around.space.remove(*made)
    if told:
        told.record(around.hold)
        outcome, used = result
        result = outcome._replace(data=tuple(told.data), stages=tuple(told.stages)), used
    return result


def up(around: Around, want: Up) -> str | Outcome:
    """Build an isolation; its handle."""
    kind = isolation.find(want.isolation_kind)
    try:
        if kind is None:
            raise SetupFailed(f"no isolation '{want.isolation_kind}'")
        handle = kind.up(want.spec, place(around, want.run))
    except (SetupFailed, OSError) as error:
        return ended("setup", str(error))
    around.hold.record("up", want.run, handle)
    return handle


def down(around: Around, want: Down) -> None:
    """Take an isolation down; where that fails, say so and go on."""
    kind = isolation.find(want.isolation.kind)
    try:
        if kind:
            kind.down(want.isolation.handle, place(around, want.isolation.run))
    except OSError as error:
        around.hold.record("log", want.run, "cit", f"cannot take it down: {error}")
    around.hold.record("down", want.run)


def place(around: Around, run: str) -> Place:
    """Where the isolation that a run built is, and for whom."""
    name, means = around.hold.name, around.means
    state = os.path.join(means.base, ".isolate", name.id)
    hide = (around.hold.queue.path, means.base)
    return Place(name.id, run, around.space.path, state, means.user, hide)


def _start(
    around: Around, want: Exec, entry: Entry, argv: list[str], env: dict[str, str],
    deadline: float | None,
) -> Running:  # fmt: skip
    bounds = _bounds(around, want, deadline)
    cwd = os.path.join(entry.cwd, want.cwd) if want.cwd else entry.cwd
    group = _group(around, want, bounds)
    state = place(around, want.run).state  # where a chroot has /tmp, /var and HOME
    out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    uid = around.means.user[0] if around.means.user else os.getuid()
    child = None
    try:
        try:
            child = proc.start(
                argv, env, cwd, stdout=out[1], stderr=err[1],
                join=group.entries if group else (), user=around.means.user,
                namespaces=entry.namespaces, setuid=entry.setuid,
                limits=_rlimits(bounds, entry, uid, grouped=bool(group and group.tree.pids)),
            )  # fmt: skip
        finally:
            _shut(out[1], err[1])
        with child:
            if child.failed:
                return _failed(child.failed, argv[0]), None
            watching = Supervision(
                around.loop, around.hold, want.run, child, group, (out[0], err[0]), bounds,
                disk=lambda: around.space.size(state), echo=around.means.echo,
            )  # fmt: skip
            try:
                yield watching
                outcome, used = watching.result()
            finally:
                watching.forget()
        around.hold.record("usage", want.run, *usage.fields(used))
        return outcome, used
    except OSError as error:
        if child is None or child.failed:
            raise
        # The command has begun, so this is no failed set-up; and nothing more is to be
        # written to a file that has failed.
        reason = os.strerror(error.errno or 0).lower()
        id = around.hold.name.id
        raise Failure(LATER, f"cannot go on with job '{id}': {reason}") from error
    finally:
        _shut(out[0], err[0])
        if group:
            _forget(group)


def _forget(group: Group) -> None:
    try:
        group.remove()
    except OSError:
        pass  # what is left of it is empty; how the command ended does not depend on it


def _shut(*fds: int) -> None:
    # Pipes, and files that we only read: an error of close(2) says nothing of them.
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def _group(around: Around, want: Exec, bounds: Bounds) -> Group | None:
    if around.means.tree is None:
        return None
    limits = cgroup.Limits(bounds.memory, bounds.procs)
    try:
        return cgroup.make(around.means.tree, around.hold.name.id, want.run, limits)
    except OSError as error:
        # The number of groups may be limited. Measured less exactly is better than not run.
        around.hold.record("log", want.run, "cit", f"no control group: {error}")
        return None


def _bounds(around: Around, want: Exec, deadline: float | None) -> Bounds:
    limits = around.request.job.get("limits", {})
    deadlines = [deadline] if deadline is not None else []
    if want.timeout is not None:
        deadlines.append(time.monotonic() + want.timeout)
    sizes = {k: amount.size(limits[k]) for k in ("memory", "disk", "log") if k in limits}
    return Bounds(
        min(deadlines, default=None),
        amount.duration(limits["idle"]) if "idle" in limits else None,
        sizes.get("memory"), limits.get("procs"), sizes.get("disk"), sizes.get("log"),
        amount.duration(limits["grace"]) if "grace" in limits else around.means.grace,
    )  # fmt: skip


def _environment(
    around: Around, want: Exec, entry: Entry, told: reports.Reports
) -> dict[str, str]:
    """Built from nothing: what cit says, what the isolation knows, the job, the step."""
    name, job = around.hold.name, around.request.job
    return {
        "PATH": proc.PATH, "LANG": "C.UTF-8", "TERM": "dumb", "CI": "true",
        **entry.env,
        **(_outside(around) if want.isolation.kind == "none" else {}),
        **job.get("env", {}),
        **dict(pair.split("=", 1) for pair in want.env),
        # Last, since others rely on them: what is left of a job is found by its id.
        "CIT_ID": name.id, "CIT_NAME": name.name, "CIT_RUN": want.run,
        "CIT_QUEUE_NAME": str(job["queue"]), "CIT_WORKSPACE": entry.cwd,
        "CIT_ATTEMPT": str(around.attempt),
        **{key: os.path.join(entry.files, os.path.basename(around.space.file(file)))
           for key, file in told.files.items()},
        **{_LAST[key]: text for key, text in around.last.items() if key in _LAST},
    }  # fmt: skip


def _outside(around: Around) -> dict[str, str]:
    """Where the commands of cit find this queue, and whose it is: in a chroot there is neither."""
    path, home = around.hold.queue.path, config.home()
    env = {"CIT_QUEUE": path}
    if around.means.user is None and path.startswith(home + "/"):
        env["CIT_HOME"] = home
    return env


def _failed(failed: proc.Failed, command: str) -> Outcome:
    reason = os.strerror(failed.errno).lower()
    if failed.stage == "setup":
        return ended("setup", f"cannot {failed.attempt}: {reason}")
    return ended("nostart", f"cannot execute '{command}': {reason}", proc.code(failed))


def _rlimits(bounds: Bounds, entry: Entry, uid: int, *, grouped: bool) -> list[tuple[int, int]]:
    """What the kernel can refuse a process by itself, as a net below the limits of groups."""
    if bounds.disk is None and (bounds.procs is None or grouped):
        return []
    import resource

    limits = []
    if bounds.disk is not None:
        limits.append((resource.RLIMIT_FSIZE, bounds.disk))
    if bounds.procs is not None and not grouped:
        # Counted for a whole user, in his user namespace: what he runs comes on top. And some
        # more, or a shell would be refused a process and end as it likes, before it is seen
        # that it has too many.
        others = HOLDERS if entry.namespaces else orphans.threads(uid)
        limits.append((resource.RLIMIT_NPROC, others + bounds.procs + SPARE))
    return limits
