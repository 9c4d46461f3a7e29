"""The directories of a new queue, and who may do what in them.

Rights are those of the file system: who may push can make names in `in/` and
`answers/` and see nothing there (1733); who may read can open the other states.
"""

from __future__ import annotations

import os

from cit import files, formats, name, toml
from cit.errors import NO, USAGE, Bad, Failure

STATES = ("wait", "hold", "park", "run", "done", "bad", "builders", "programs", "log")
DROPS = ("in", "answers")
READ = {"owner": 0o700, "group": 0o750, "all": 0o755}


def create(path: str, given: dict[str, object]) -> None:
    """Make a queue. `given` are settings of queue.toml; what is not there gets its default.

    A queue exists from the moment its queue.toml does, which is made last. Raises
    Failure(NO) where there is one already, Failure(USAGE) for settings that cannot be, OSError.
    """
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
    readers, private = str(settings["readers"]), settings["push"] == ["owner"]
    os.makedirs(os.path.dirname(os.path.abspath(path)), 0o700, exist_ok=True)
    # Others must be able to go through it to the drop box, though not to look around.
    files.make_directory(path, READ[readers] | (0 if private else 0o711))
    for state in STATES:
        mode = READ[readers]
        # Files made in a directory with the setgid bit belong to its group.
        files.make_directory(os.path.join(path, state), mode | (0o2000 if mode == 0o750 else 0))
    for drop in DROPS:
        files.make_directory(os.path.join(path, drop), 0o700 if private else 0o1733)
    directory = files.Directory(path)
    try:
        directory.publish("queue.toml", toml.dumps(settings), 0o644)
    except FileExistsError:
        raise Failure(NO, f"there is a queue '{path}' already") from None
    finally:
        directory.close()
