"""Work on one job: walk its program, answer what it wants, write each answer down first.

What has been answered is in the trace; so going on after a crash is walking the program
again with those answers. A command begins only after its `begin` is durable: one whose
`begin` is there and whose `end` is not may have run, and is not run again.
"""

from __future__ import annotations

import os
import time

from cit import (
    VERSION, amount, answers, asked, cgroup, isolation, job, people, proc, replay, section, steps,
    survivors, trace, usage, walk, workspace,
)  # fmt: skip
from cit.errors import Bad
from cit.isolation import Place, SetupFailed
from cit.supervise import FULL, TICK, Bounds, Supervision
from cit.wants import Begin, Down, End, Exec, Outcome, Up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NamedTuple

    from cit.held import Held
    from cit.hierarchy import Tree
    from cit.usage import Usage
    from cit.wants import Want

    Echo = Callable[[str, bytes], None]

    class Means(NamedTuple):
        """What a runner has to work with."""

        tree: Tree | None  # control groups
        user: tuple[int, int] | None  # whom jobs become
        base: str  # directory of the workspaces
        grace: float
        echo: Echo | None = None
        interrupted: Callable[[], str] = lambda: ""  # by whom, where a person sits before it
else:
    from collections import namedtuple

    Means = namedtuple(
        "Means", "tree user base grace echo interrupted", defaults=(None, lambda: "")
    )

AGAIN = 3  # executions of a lost command that asks for it, so that none ends its machine for ever


def work(hold: Held, means: Means) -> Outcome:
    """Run a held job in `run/` to its end, or go on with it; how it ended."""
    request = asked.parse(hold.asked)
    before = hold.read()
    if before.claimed:
        cgroup.kill_job(hold.name.id, means.tree)
        survivors.end(hold.name.id)
    hold.record("claim", "-", os.uname().nodename, str(os.getpid()), _boot(),
                str(before.attempt + 1), VERSION)  # fmt: skip
    space = workspace.Workspace(means.base, hold.name.name, hold.name.id, means.user)
    try:
        outcome = _Worker(hold, request, before, means, space).run()
    except Bad as bad:
        hold.record("log", "-", "cit", bad.show("trace"))
        outcome = Outcome("setup", 125, reason=str(bad))
    finally:
        space.close()
    hold.finish(outcome.status, outcome.code)
    return outcome


class _Worker:
    def __init__(
        self, hold: Held, request: asked.Asked, before: job.Job, means: Means,
        space: workspace.Workspace,
    ) -> None:  # fmt: skip
        self.hold, self.request, self.means, self.space = hold, request, means, space
        self.before = before
        self.limits: dict[str, Any] = request.job.get("limits", {})
        time_limit = self.limits.get("time")
        self.deadline = (
            time.monotonic() + amount.duration(time_limit) if time_limit is not None else None
        )
        self.usages: list[Usage] = []
        self.seen = 0  # mtime of answers/ when it was last read
        stops = [act for act in before.acts if act.kind == "stop"]
        self.stopped = f"stopped by {job.column(stops[-1], 0)}" if stops else ""
        self.withheld = _withheld(before)

    def run(self) -> Outcome:
        """Walk the program to its end."""
        if self.before.claimed:
            old = replay.Replay(_records(self.hold))
        else:
            old = replay.Replay([])
            body = section.find(self.request.sections, "files")
            if body:
                self.space.unpack(body.body)
        again = AGAIN if self.request.job.get("retry", {}).get("on_lost") == "again" else 0
        walking = walk.walk(
            self.request.tree, steps.Steps(), self.request.job.get("vars", {}), again
        )
        answer: Any = None
        started = time.monotonic()
        try:
            while True:
                want = walking.send(answer)
                assert want is not None, "every want is answered at once"
                found = old.find(want)
                answer = found[0] if found else self._answer(want)
        except StopIteration as stop:
            outcome: Outcome = stop.value
        old.settle()
        total = usage.merge(self.usages)
        if total:
            wall = time.monotonic() - started
            self.hold.record("usage", "-", *usage.fields(total._replace(wall=wall)))
        return outcome

    def _answer(self, want: Want) -> Any:
        if isinstance(want, Begin):
            return self._begin(want)
        if isinstance(want, Exec):
            return self._exec(want)
        if isinstance(want, Up):
            return self._up(want)
        if isinstance(want, Down):
            kind = isolation.find(want.isolation.kind)
            if kind:
                kind.down(want.isolation.handle, self._place(want.isolation.run))
            self.hold.record("down", want.run)
        elif isinstance(want, End):
            if want.outcome.reason and want.outcome.status in ("setup", "nostart"):
                self.hold.record("log", want.run, "cit", want.outcome.reason)
            self.hold.record("end", want.run, *replay.fields(want.outcome))
        return None

    def _begin(self, want: Begin) -> Outcome | None:
        self._listen()
        while self.withheld and not self.stopped:
            # To be stopped here for as long as somebody likes is what a hold is for.
            time.sleep(TICK)
            self._listen()
        if self.stopped and not want.cleanup:
            return Outcome("cancelled", 130, reason=self.stopped)
        self.hold.record("begin", want.run, want.step, str(want.attempt))
        return None

    def _up(self, want: Up) -> str | Outcome:
        kind = isolation.find(want.isolation_kind)
        try:
            if kind is None:
                raise SetupFailed(f"no isolation '{want.isolation_kind}'")
            handle = kind.up(want.spec, self._place(want.run))
        except (SetupFailed, OSError) as error:
            return Outcome("setup", 125, reason=str(error))
        self.hold.record("up", want.run, handle)
        return handle

    # --- a command ---------------------------------------------------------------------------

    def _exec(self, want: Exec) -> Outcome:
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return Outcome("timeout", 124, reason="the job is over its time")
        self._sync()
        kind = isolation.find(want.isolation.kind)
        place = self._place(want.isolation.run)
        script, store = f"{want.run}.script", f"{want.run}.data"
        data = -1
        try:
            if kind is None:
                raise SetupFailed(f"no isolation '{want.isolation.kind}'")
            handle = kind.ensure(want.isolation.handle, place)
            if want.script is not None:
                text = want.script.encode("utf-8", "surrogateescape")
                os.close(self.space.make(script, text, 0o700))
            data = self.space.make(store, b"", 0o600)
            with kind.enter(handle, place) as entry:
                argv = [*entry.prefix, *want.argv]
                private = os.path.join(entry.cwd, workspace.PRIVATE)
                if want.script is not None:
                    argv.append(os.path.join(private, script))
                env = self._environment(want, entry, os.path.join(private, store))
                cwd = os.path.join(entry.cwd, want.cwd) if want.cwd else entry.cwd
                outcome = self._start(want, argv, env, cwd, entry.namespaces)
        except (SetupFailed, OSError) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            return Outcome("setup", 125, reason=str(error))
        finally:
            if data >= 0:
                for name, value in workspace.data(data):
                    self.hold.record("data", want.run, name, value)
                os.close(data)
            self.space.remove(script, store)
        return outcome

    def _start(
        self, want: Exec, argv: list[str], env: dict[str, str], cwd: str,
        namespaces: tuple[int, ...],
    ) -> Outcome:  # fmt: skip
        bounds = self._bounds(want)
        group = None
        if self.means.tree is not None:
            limits = cgroup.Limits(bounds.memory, bounds.procs)
            group = cgroup.make(self.means.tree, self.hold.name.id, want.run, limits)
        out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        try:
            try:
                child = proc.start(
                    argv, env, cwd, stdout=out[1], stderr=err[1],
                    join=group.entries if group else (), user=self.means.user,
                    namespaces=namespaces, limits=_rlimits(bounds, grouped=group is not None),
                )  # fmt: skip
            finally:
                os.close(out[1])
                os.close(err[1])
            with child:
                if child.failed:
                    return _failed(child.failed, argv[0])
                outcome, used = Supervision(
                    self.hold, want.run, child, group, (out[0], err[0]), bounds,
                    stop=self._stop, disk=self.space.size, echo=self.means.echo,
                ).watch()  # fmt: skip
            self.usages.append(used)
            self.hold.record("usage", want.run, *usage.fields(used))
            return outcome
        finally:
            os.close(out[0])
            os.close(err[0])
            if group:
                group.remove()

    def _bounds(self, want: Exec) -> Bounds:
        limits = self.limits
        deadlines = [self.deadline] if self.deadline is not None else []
        if want.timeout is not None:
            deadlines.append(time.monotonic() + want.timeout)
        sizes = {k: amount.size(limits[k]) for k in ("memory", "disk", "log") if k in limits}
        return Bounds(
            min(deadlines, default=None),
            amount.duration(limits["idle"]) if "idle" in limits else None,
            sizes.get("memory"), limits.get("procs"), sizes.get("disk"), sizes.get("log"),
            amount.duration(limits["grace"]) if "grace" in limits else self.means.grace,
        )  # fmt: skip

    def _environment(self, want: Exec, entry: isolation.Entry, store: str) -> dict[str, str]:
        """Built from nothing: what cit says, what the isolation knows, the job, the step."""
        name = self.hold.name
        return {
            "PATH": proc.PATH, "LANG": "C.UTF-8", "TERM": "dumb", "CI": "true",
            **entry.env,
            "CIT_ID": name.id, "CIT_NAME": name.name, "CIT_RUN": want.run,
            "CIT_QUEUE": str(self.request.job["queue"]), "CIT_WORKSPACE": entry.cwd,
            "CIT_DATA": store, "CIT_ATTEMPT": str(self.before.attempt + 1),
            **self.request.job.get("env", {}),
            **dict(pair.split("=", 1) for pair in want.env),
        }  # fmt: skip

    def _place(self, run: str) -> Place:
        hide = (self.hold.queue.path, self.means.base)
        state = os.path.join(self.means.base, ".isolate", self.hold.name.id)
        return Place(self.hold.name.id, run, self.space.path, state, self.means.user, hide)

    # --- people ------------------------------------------------------------------------------

    def _stop(self) -> str:
        self._listen()
        return "cancelled" if self.stopped else ""

    def _listen(self) -> None:
        """Write down what people ask of this job, and do it."""
        who = "" if self.stopped else self.means.interrupted()
        if who:
            self.hold.record("stop", "-", who, "interrupted")
            self.stopped = f"stopped by {who}: interrupted"
        queue = self.hold.queue
        directory = queue.directory("answers")
        changed = os.fstat(directory.fd).st_mtime_ns
        if changed == self.seen:
            return
        # The clock of the file system is coarse: what came in this instant may not show yet.
        self.seen = changed if time.time_ns() - changed > 100_000_000 else 0
        for answer in answers.pending(queue, self.hold.name.id):
            refused = answers.refusal(queue, answer, self.before)
            if refused:
                queue.note("refused", answer.id, refused, people.who(answer.uid))
            elif not answers.repeated(self.before, answer):
                self.hold.record(answer.kind, answer.run, *answers.fields(answer))
                self._sync()
                self._obey(answer)
            directory.remove(answer.file)

    def _obey(self, answer: answers.Answer) -> None:
        if answer.kind == "stop":
            who = people.who(answer.uid)
            self.stopped = f"stopped by {who}: {answer.text}" if answer.text else f"stopped by {who}"
        elif answer.kind in ("hold", "release"):
            self.withheld = answer.kind == "hold"

    def _sync(self) -> None:
        while True:
            try:
                return self.hold.sync()
            except OSError as error:
                if error.errno not in FULL:
                    raise
                time.sleep(TICK)  # a full disk passes; nothing was executed yet


def _records(hold: Held) -> list[tuple[str, str, tuple[str, ...]]]:
    hold.journal.flush()
    return [(r.kind, r.run, r.fields) for r in hold.queue.records(hold.name)]


def _withheld(before: job.Job) -> bool:
    acts = [record.kind for record in before.acts if record.kind != "stop"]
    return bool(acts) and acts[-1] == "hold"


def _failed(failed: proc.Failed, command: str) -> Outcome:
    reason = os.strerror(failed.errno).lower()
    if failed.stage == "setup":
        return Outcome("setup", 125, reason=f"cannot {failed.attempt}: {reason}")
    return Outcome("nostart", proc.code(failed), reason=f"cannot execute '{command}': {reason}")


def _rlimits(bounds: Bounds, *, grouped: bool) -> list[tuple[int, int]]:
    """What the kernel can refuse a process by itself, as a net below the limits of groups."""
    import resource

    limits = []
    if bounds.disk is not None:
        limits.append((resource.RLIMIT_FSIZE, bounds.disk))
    if bounds.procs is not None and not grouped:
        # Counted for the whole user, so what he runs already comes on top.
        limits.append((resource.RLIMIT_NPROC, survivors.threads(os.getuid()) + bounds.procs))
    return limits


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
