"""No isolation: the account, the files and the processes of whoever runs the job."""

from __future__ import annotations

import os
from functools import cache

from cit.isolation import Entry, SetupFailed, barred

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
    """Entry with the home and the name of the user that the job becomes."""

    def __init__(self, handle: str, place: Place) -> None:
        self.place = place

    def __enter__(self) -> Entry:
        work, user = self.place.work, self.place.user
        if user and (closed := barred(work, user)):
            raise SetupFailed(f"user {user[0]} cannot pass through '{closed}' to the workspace")
        home, name = _account(user[0] if user else os.getuid())
        env = {"HOME": home or work, "USER": name, "LOGNAME": name}
        # An account's own jobs may do what it may. Nobody else gets near to root.
        files = os.path.dirname(self.place.files[0]) if self.place.files else ""
        return Entry([], (), work, env, files, setuid=user is None)

    def __exit__(self, *_: object) -> None:
        pass


@cache
def _account(uid: int) -> tuple[str, str]:
    """Home and name of a user; containers, and dedicated uids, may have no entry.

    Asking can mean a question to a directory service, so once for each runner is enough.
    """
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return "", str(uid)
    return entry.pw_dir, entry.pw_name
