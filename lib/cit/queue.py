"""A queue: a directory of jobs, a subdirectory per state. docs/states.md is the law here.

This module finds and reads jobs and moves them between states. Who may move which job
when is decided above (manager.py, runner.py); that the mover holds the job is its duty.
"""

from __future__ import annotations

import errno
import os
import stat

from cit import config, files, job, jobfile, locks, name, people, trace
from cit.errors import CONFIG, DENIED, MISSING, Bad, Failure
from cit.name import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from typing import TypeVar

    T = TypeVar("T")

STATES = ("in", "wait", "hold", "park", "run", "done", "bad")
# In the order of a job's way: read so, one that moves meanwhile is seen twice, never missed.
WAY = ("in", "wait", "hold", "park", "run", "bad", "done")
MODES = {"owner": 0o600, "group": 0o640, "all": 0o644}


class Queue:
    """An existing queue. Raises Failure(MISSING) where there is none."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        try:
            self.owner = os.stat(os.path.join(self.path, "queue.toml")).st_uid
        except FileNotFoundError:
            raise Failure(MISSING, f"no queue '{path}'") from None
        except (PermissionError, NotADirectoryError) as error:
            raise Failure(DENIED, f"cannot open queue '{path}': {error.strerror}") from None
        self._directories: dict[str, files.Directory] = {}
        self._settings: dict[str, object] = {}
        self._locks: locks.Locks | None = None

    @property
    def mine(self) -> bool:
        """Whether the caller manages this queue; root is nobody's manager but his own."""
        return os.geteuid() == self.owner

    def own(self, more: str = "") -> None:
        """Raise Failure(DENIED) where the caller does not manage this queue; `more` ends it."""
        if not self.mine:
            owner = people.user(self.owner)
            raise Failure(DENIED, f"queue '{self.path}' belongs to {owner}{more}")

    @property
    def readable(self) -> bool:
        """Whether the caller may see which jobs there are."""
        return os.access(os.path.join(self.path, "wait"), os.R_OK | os.X_OK)

    def look(self) -> None:
        """Raise Failure(DENIED) where the caller may not see which jobs there are."""
        if not self.readable:
            raise Failure(DENIED, f"cannot look into queue '{self.path}': permission denied")

    @property
    def home(self) -> str:
        """The directory that holds the workspaces of this queue's jobs.

        Beside the queue; but jobs of root's queue become another user, who must be able
        to go there. CIT_WORK overrides.
        """
        beside = os.path.join(os.path.dirname(self.path), "work")
        return config.value("work") or (beside if self.owner else "/var/lib/cit/work")

    @property
    def locks(self) -> locks.Locks:
        if self._locks is None:
            self._locks = locks.Locks(os.path.join(self.path, "locks"))
        return self._locks

    def setting(self, key: str) -> object:
        """A value of queue.toml, or its default; None where it has neither."""
        if not self._settings:
            from cit import formats

            path = os.path.join(self.path, "queue.toml")
            try:
                with open(path, "rb") as file:
                    text = file.read(1 << 16)
                self._settings = formats.defaults("queue") | formats.settings(text, "queue")
            except Bad as bad:
                bad.code, bad.path = CONFIG, path
                raise
        return self._settings.get(key)

    @property
    def slots(self) -> int:
        """How many jobs run here at once: by its owner's configuration, else by the queue's."""
        own = config.value("slots") if self.mine else None
        if own and not (own.isascii() and own.isdecimal() and int(own)):
            raise Failure(CONFIG, f"slots: expected a number of jobs, found '{own}'")
        slots = int(own) if own else self.setting("slots")
        assert isinstance(slots, int)
        return slots or os.cpu_count() or 1

    @property
    def paused(self) -> trace.Record | None:
        """Who paused the queue, and why; None while it is not paused."""
        try:
            with open(os.path.join(self.path, "paused"), "rb") as file:
                return trace.parse(file.read(1 << 12))
        except FileNotFoundError:
            return None

    @property
    def ticked(self) -> float:
        """When the manager was last there, in seconds; 0 where he never was or nobody may know."""
        try:
            return os.stat(os.path.join(self.path, "log", "tick")).st_mtime
        except OSError:
            return 0

    @property
    def next_number(self) -> int:
        """The admission number that is given next. Raises ValueError where the file has none."""
        try:
            with open(os.path.join(self.path, "number"), "rb") as file:
                return int(file.read(32))
        except FileNotFoundError:
            return 1

    def refusal(self, uid: int, isolations: Container[str]) -> str:
        """Why a job of this user with these isolations is not taken; "" where it is."""
        rules = self.setting("push")
        if not people.allowed(uid, self.owner, rules if isinstance(rules, list) else []):
            return f"{people.user(uid)} may not push into this queue"
        if uid != self.owner and "none" in isolations and self.setting("none") != "all":
            return "isolation 'none' is only for jobs of the queue's owner (none in queue.toml)"
        return ""

    def directory(self, state: str) -> files.Directory:
        """The open directory of a state; `done/2026-11-21` for a day."""
        if state not in self._directories:
            path = os.path.join(self.path, state)
            try:
                self._directories[state] = files.Directory(path)
            except PermissionError:
                raise Failure(DENIED, f"cannot open '{path}': permission denied") from None
        return self._directories[state]

    def names(self, state: str, having: str = "") -> list[Name]:
        """The jobs in a state, first come first; of `done` the oldest first.

        `having` is looked for in the file names first: a cheap sieve.
        """
        found: list[Name] = []
        for directory in self._days() if state == "done" else [state]:
            day = directory[5:] if state == "done" else ""
            try:
                listed = os.listdir(os.path.join(self.path, directory))
            except (PermissionError, FileNotFoundError):
                continue
            parsed = [name.parse(state, file, day) for file in listed if having in file]
            found += sorted(filter(None, parsed), key=_order)
        return found

    def waiting(self) -> list[str]:
        """The file names in `wait/`, first come first: their order is that of the alphabet.

        Nothing is parsed: of a hundred thousand that wait, a runner needs one.
        """
        listed = os.listdir(self.directory("wait").path)
        return sorted(file for file in listed if file.endswith(name.SUFFIX))

    def every(self, having: str = "") -> Iterator[Name]:
        """The jobs of all states. A job that moves meanwhile may be told twice, never missed."""
        for state in STATES:
            yield from self.names(state, having)

    def find(self, query: str) -> Name:
        """The job of an id, of a unique beginning or end of one, or the newest of a name.

        Raises Failure(MISSING) where there is none, or more than one, and Failure(DENIED)
        where the caller may not look.
        """
        query = query.lower() if name.is_id(query.lower()) else query
        for _ in range(2 if query else 0):  # "" is part of every id, and stands for none
            seen: dict[str, Name] = {}
            for found in self.every(query):
                # States come in the order of a job's way: the later one wins. What was
                # refused is a job only as long as there is none of that id.
                if found.state != "bad" or found.id not in seen:
                    seen[found.id] = found
            id = name.meant(query, {id: found.name for id, found in seen.items()})
            if id:
                return seen[id]
            # It may have been released just now, against the order: look once more.
        self.look()  # there may be one
        raise Failure(MISSING, f"no job '{query}' in '{self.path}'")

    def now(self, id: str) -> Name | None:
        """Where a job is now, in its highest state; None if it is nowhere."""
        for _ in range(2):  # a job that is released goes against the order of the states
            last = None
            for other in self.every(id):
                if other.id == id and other.state != "bad":
                    last = other
            if last:
                return last
        return None

    def where(self, found: Name) -> tuple[files.Directory, str]:
        state = f"done/{found.day}" if found.day else found.state
        return self.directory(state), found.file

    def file(self, found: Name) -> str:
        """The path of a job's file."""
        directory, file = self.where(found)
        return os.path.join(directory.path, file)

    def open(self, found: Name) -> int:
        """A descriptor of a job's file. Raises Failure, FileNotFoundError."""
        directory, file = self.where(found)
        try:
            fd = directory.open(file)
        except PermissionError:
            raise Failure(DENIED, f"cannot read job '{found.id}': permission denied") from None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise Bad(f"'{found.state}/{file}' is a link") from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)  # what a stranger dropped, or what became of it in bad/
            raise Bad(f"'{found.state}/{file}' is not a regular file")
        return fd

    def head(self, found: Name) -> tuple[bytes, bytes]:
        """What was asked, and the beginning of the trace. Raises FileNotFoundError."""
        return self._read(found, jobfile.head)

    def tail(self, found: Name) -> job.Job:
        """The end of a job, from `result` on where it is finished; head() tells the rest."""
        return self._read(found, lambda fd: jobfile.tail(fd, finished=found.state == "done"))

    def job(self, found: Name) -> job.Job:
        """The whole job, but for its log, however long that is."""
        return job.fold(self.records(found))

    def records(self, found: Name) -> list[trace.Record]:
        """The records of a job but its log."""
        return self._read(found, lambda fd: list(jobfile.records(fd, *jobfile.KINDS)))

    def claims(self, found: Name) -> int:
        """How often a job was claimed, or more. Cheaper than its records, if its log is long."""
        return self._read(found, jobfile.claims)

    def _read(self, found: Name, read: Callable[[int], T]) -> T:
        fd = self.open(found)
        try:
            return read(fd)
        finally:
            os.close(fd)

    def take(self, found: Name, state: str, day: str = "", due: int = 0) -> Name:
        """Rename a held job into a state, durable on return. `due` is for `park`."""
        directory, file = self.where(found)
        if state == "done":
            target = self._day(day)
            new = name.drop(found.id, found.name)
        else:
            target = self.directory(state)
            new = name.queued(found.priority, found.number, found.id, found.name)
            if state == "park":
                new = name.parked(due, found.priority, found.number, found.id, found.name)
        files.move(directory, file, target, new)
        return found._replace(state=state, file=new, day=day, due=due)

    def note(self, act: str, subject: str = "-", reason: str = "", who: str = "") -> None:
        """A line in log/DAY.tab: an administrative act, who and why."""
        import time

        now = time.time()
        record = trace.Record(trace.stamp(now), act, subject, (who or people.who(), reason))
        path = os.path.join(self.path, "log", f"{trace.day(now)}.tab")
        files.append(path, trace.render(record), MODES[str(self.setting("readers"))])

    def noted(self, day: str, most: int) -> list[trace.Record]:
        """The acts of a day, of the last `most` bytes of its log."""
        try:
            fd = os.open(os.path.join(self.path, "log", f"{day}.tab"), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            start = max(os.fstat(fd).st_size - most, 0)
            data = files.read(fd, most, start)
        finally:
            os.close(fd)
        return list(trace.records(data.partition(b"\n")[2] if start else data))

    def tombstones(self) -> dict[str, str]:
        """The ids that prune removed, and the sha256 of what each asked."""
        try:
            with open(os.path.join(self.path, "pruned.tab"), "rb") as file:
                records = trace.records(file.read())
                return {r.run: job.column(r, 0) for r in records}
        except FileNotFoundError:
            return {}

    def _days(self) -> list[str]:
        try:
            listed = os.listdir(os.path.join(self.path, "done"))
            # What somebody else put there is no day.
            return [f"done/{day}" for day in sorted(listed) if len(day) == 10 and day[4::3] == "--"]
        except (PermissionError, FileNotFoundError):
            return []

    def _day(self, day: str) -> files.Directory:
        path = os.path.join(self.path, "done", day)
        if not os.path.isdir(path):
            made = {"owner": 0o700, "group": 0o2750, "all": 0o755}[str(self.setting("readers"))]
            files.make_directory(path, made)
        return self.directory(f"done/{day}")


def listed(queue: Queue, state: str) -> list[tuple[str, str]]:
    """The day, of `done`, and the file of every job in a state, unsorted and not yet parsed.

    Nothing where this user may not look.
    """
    top = os.path.join(queue.path, state)
    try:
        days = os.listdir(top) if state == "done" else [""]
    except (PermissionError, FileNotFoundError):
        return []
    found: list[tuple[str, str]] = []
    for day in days:
        try:
            found += [(day, file) for file in os.listdir(os.path.join(top, day))]
        except (PermissionError, FileNotFoundError, NotADirectoryError):
            continue
    return found


def _order(found: Name) -> tuple[int, int, str]:
    return found.priority, found.number, found.id
