"""What a way to isolate a step has to offer, and how it is found.

A module of cit.isolate is one way; it is found by its name and never
registered. up() builds what has to last for a whole body on disk, and names it
by a handle for the trace; enter() is one exec inside; ensure() finds it again,
or builds it anew, after a crash; down() removes it. Nothing but files outlives
enter(), so there is no process that could be lost.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import NamedTuple, Protocol

    class Place(NamedTuple):
        """Whose isolation, and where.

        `work` is the workspace; `state` a private directory for isolation files of this job,
        made if it is missing. `user` is (uid, gid) to become, None to stay who we are. `hide`
        are directories that no job may see (queues, CIT_HOME) wherever a template would show
        them with what is around them. `files` are files of the runner for the exec to come.
        """

        id: str
        run: str
        work: str
        state: str
        user: tuple[int, int] | None = None
        hide: tuple[str, ...] = ()
        files: tuple[str, ...] = ()

    class Entry(NamedTuple):
        """What proc.start needs for one exec inside.

        `prefix` goes before argv; `namespaces` are open files to enter, in this order; `cwd` is
        the workspace as seen inside; `env` what only the isolation knows (HOME, USER, PATH).
        `files` is the directory in which it sees those of its place. `setuid`: whether setuid
        programs (sudo, sendmail) may work as they do for the account.
        """

        prefix: list[str]
        namespaces: tuple[int, ...]
        cwd: str
        env: dict[str, str]
        files: str
        setuid: bool = False

    class Isolation(Protocol):
        """The names that a module of cit.isolate has."""

        HELP: str

        def check(self, spec: str) -> str | None:
            """A complaint about spec, or None. Pure: asked when a job is pushed."""

        def missing(self) -> list[str]:
            """What this machine lacks, each with the line for an administrator."""

        def up(self, spec: str, place: Place) -> str:
            """Build it; the handle is one printable line. SetupFailed."""

        def ensure(self, handle: str, place: Place) -> str:
            """The same handle if all is still there, else that of one built anew."""

        def down(self, handle: str, place: Place) -> None:
            """Remove it. Idempotent."""

        def enter(self, handle: str, place: Place) -> AbstractContextManager[Entry]:
            """For one exec; leaving ends every process inside. SetupFailed."""

else:
    Place = namedtuple("Place", "id run work state user hide files", defaults=(None, (), ()))
    Entry = namedtuple("Entry", "prefix namespaces cwd env files setuid", defaults=(False,))


class SetupFailed(Exception):
    """An isolation could not be built or entered; the text says why. It ends a run, not cit."""


def find(kind: str) -> Isolation | None:
    """The way to isolate of that name, None if there is none."""
    import importlib
    import importlib.util

    name = f"cit.isolate.{kind}"
    if not kind.isidentifier() or kind.startswith("_") or importlib.util.find_spec(name) is None:
        return None
    module: Isolation = importlib.import_module(name)
    return module


def complaint(kind: str, spec: str) -> str | None:
    """What is wrong with an isolation that a job asks for, or None."""
    way = find(kind)
    return f"no isolation '{kind}'" if way is None else way.check(spec)


def barred(path: str, user: tuple[int, int]) -> str:
    """The first directory on the way to path that (uid, gid) cannot pass; "" if there is none.

    Asked by root on behalf of another: access(2) would answer for root.
    """
    import os

    uid, gid = user
    here = "/"
    for name in os.path.realpath(path).split("/")[1:]:
        seen = os.stat(here)
        bit = 0o100 if seen.st_uid == uid else 0o010 if seen.st_gid == gid else 0o001
        if not seen.st_mode & bit:
            return here
        here = os.path.join(here, name)
    return ""
