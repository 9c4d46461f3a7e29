"""The directories of a new queue, and who may do what in them.

Rights are those of the file system: who may push can make names in `in/` and
`answers/` and see nothing there (1733); who may read can open the other states.
Where a group may read, all belongs to the group of the queue's directory, also what is
made later: for that there is the setgid bit.
"""

from __future__ import annotations

import os

from cit import files, formats, name, toml
from cit.errors import DENIED, MISSING, NO, USAGE, Bad, Failure

STATES = ("wait", "hold", "park", "run", "done", "bad", "builders", "programs", "log")
DROPS = ("in", "answers")
READ = {"owner": 0o700, "group": 0o2750, "all": 0o755}


def create(path: str, given: dict[str, object], group: str | None = None) -> None:
    """Make a queue. `given` are settings of queue.toml; what is not there gets its default.

    With `group` its members are the readers. A queue exists from the moment its queue.toml
    does, which is made last. Raises Failure(NO) where there is one already, Failure(USAGE) for
    settings that cannot be, Failure(DENIED) for a group the caller is not in, OSError.
    """
    gid = -1 if group is None else _gid(group)
    if group is not None and given.setdefault("readers", "group") != "group":
        raise Failure(USAGE, "a queue with a group is read by it: expected readers 'group'")
    called = {"name": name.simplify(os.path.basename(path))}
    settings = {**formats.defaults("queue"), **called, **given}
    # Where one user makes a queue for himself a push starts what is needed; else cron does.
    if "start" not in given:
        settings["start"] = "push" if settings["push"] == ["owner"] else "cron"
    try:
        formats.settings(toml.dumps(settings), "queue")
    except Bad as bad:
        raise Failure(USAGE, f"cannot make a queue with {bad.text}: {bad}") from None
    if os.path.exists(os.path.join(path, "queue.toml")):
        raise Failure(NO, f"there is a queue '{path}' already")
    try:
        _build(path, settings, gid)
    except (FileNotFoundError, NotADirectoryError, FileExistsError) as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Failure(MISSING, f"cannot make queue '{path}': {reason}") from None


def _build(path: str, settings: dict[str, object], gid: int) -> None:
    """Make the directories, and queue.toml last."""
    readers, private = str(settings["readers"]), settings["push"] == ["owner"]
    os.makedirs(os.path.dirname(os.path.abspath(path)), 0o700, exist_ok=True)
    # Others must be able to go through it to the drop box, though not to look around.
    files.make_directory(path, READ[readers] | (0 if private else 0o711))
    if readers == "group":
        gid = os.stat(path).st_gid if gid < 0 else gid
        _give(path, gid)
    for state in STATES:
        files.make_directory(os.path.join(path, state), READ[readers])
        if readers == "group":
            _give(os.path.join(path, state), gid)
    for drop in DROPS:
        files.make_directory(os.path.join(path, drop), 0o700 if private else 0o1733)
    directory = files.Directory(path)
    try:
        directory.publish("queue.toml", toml.dumps(settings), 0o644)
    except FileExistsError:
        raise Failure(NO, f"there is a queue '{path}' already") from None
    finally:
        directory.close()


def _gid(group: str) -> int:
    import grp

    try:
        gid = grp.getgrnam(group).gr_gid
    except KeyError:
        raise Failure(USAGE, f"no group '{group}'") from None
    if os.geteuid() and gid not in (os.getegid(), *os.getgroups()):
        raise Failure(DENIED, f"cannot give a queue to group '{group}': you are not in it")
    return gid


def _give(path: str, gid: int) -> None:
    """Give a directory, and what is made in it from now on, to a group."""
    status = os.stat(path)
    if status.st_gid != gid:
        os.chown(path, -1, gid)
    if not status.st_mode & 0o2000 or status.st_gid != gid:
        os.chmod(path, (status.st_mode & 0o7777) | 0o2000)
