"""No isolation: the account, the files and the processes of whoever runs the job."""

from __future__ import annotations

import os

from cit.isolation import Entry, SetupFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.isolation import Place

HELP = "none: the builder's own account; nothing is hidden or protected"


def check(spec: str) -> str | None:
    return f"isolation none takes no argument, not '{spec}'" if spec else None


def missing() -> list[str]:
    return []


def up(spec: str, place: Place) -> str:
    return "none"


def ensure(handle: str, place: Place) -> str:
    return handle


def down(handle: str, place: Place) -> None:
    pass


class enter:
    """Entry with the home and name of the user that the job becomes."""

    def __init__(self, handle: str, place: Place) -> None:
        self.place = place

    def __enter__(self) -> Entry:
        import pwd

        uid = self.place.user[0] if self.place.user else os.getuid()
        _reachable(self.place)
        try:
            who = pwd.getpwuid(uid)
        except KeyError:  # a uid without an entry: in containers, or a dedicated one
            return Entry([], (), self.place.work, {"HOME": self.place.work, "USER": str(uid)})
        return Entry([], (), self.place.work, {"HOME": who.pw_dir, "USER": who.pw_name})

    def __exit__(self, *_: object) -> None:
        pass


def _reachable(place: Place) -> None:
    """Someone that a job becomes may not pass through the directories of root."""
    if place.user is None:
        return
    uid, gid = place.user
    path = os.path.realpath(place.work)
    while (path := os.path.dirname(path)) != "/":
        seen = os.stat(path)
        bit = 0o100 if seen.st_uid == uid else 0o010 if seen.st_gid == gid else 0o001
        if not seen.st_mode & bit:
            raise SetupFailed(f"user {uid} cannot pass through '{path}' to the workspace")
