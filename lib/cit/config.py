"""Configuration: where a value comes from.

In this order: an option, a CIT_ variable, `./.cit.toml` and upward, `$CIT_HOME/config.toml`,
`/etc/cit/config.toml`. The one place that reads the environment and these files.
"""

from __future__ import annotations

import os

from cit.errors import CONFIG, Bad, Failure

SYSTEM = "/etc/cit/config.toml"
PATHS = ("queue", "work")  # keys whose values are paths


def home() -> str:
    """$CIT_HOME, else ~/.cit; absolute. It is not made here."""
    return os.path.abspath(os.environ.get("CIT_HOME") or os.path.expanduser("~/.cit"))


def value(key: str) -> str | None:
    """A setting as text, None where nothing sets it."""
    return origin(key)[0]


def origin(key: str) -> tuple[str | None, str]:
    """A setting and where it comes from: `$CIT_KEY`, the path of a file, or `default`."""
    variable = "CIT_" + key.upper()
    if os.environ.get(variable):
        return os.environ[variable], f"${variable}"
    for path in paths():
        found = load(path).get(key)
        if found is not None:
            return _placed(key, str(found), path), path
    return None, "default"


def _placed(key: str, text: str, path: str) -> str:
    """A path in a configuration file is below that file's directory, not the caller's."""
    if key not in PATHS:
        return text
    return os.path.join(os.path.dirname(path), os.path.expanduser(text))


def queue() -> str:
    """The queue that commands use when they name none."""
    return os.path.abspath(value("queue") or os.path.join(home(), "queue"))


def own() -> str:
    """The file that `cit-config set` writes."""
    return os.path.join(home(), "config.toml")


def paths() -> list[str]:
    """The configuration files that exist, the nearest first.

    A `.cit.toml` of another user (but root) is passed over: he could put it above
    where we happen to be, and have our jobs pushed to a queue of his.
    """
    found, directory = [], os.getcwd()
    while True:
        path = os.path.join(directory, ".cit.toml")
        if os.path.isfile(path) and os.stat(path).st_uid in (0, os.geteuid()):
            found.append(path)
        parent = os.path.dirname(directory)
        if parent == directory:
            break
        directory = parent
    return found + [path for path in (own(), SYSTEM) if os.path.isfile(path)]


def load(path: str) -> dict[str, object]:
    """The settings of one file, checked. Raises Failure with code CONFIG."""
    from cit import formats

    try:
        with open(path, "rb") as file:
            return formats.settings(file.read(1 << 16), "config")
    except OSError as error:
        raise Failure(CONFIG, f"cannot read '{path}': {str(error.strerror).lower()}") from None
    except Bad as bad:
        bad.path, bad.code = path, CONFIG
        raise
