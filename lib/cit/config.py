"""Configuration: where a value comes from.

In this order: an option, a CIT_ variable, `./.cit.toml` and upward, `$CIT_HOME/config.toml`,
`/etc/cit/config.toml`. The one place that reads the environment and these files.
"""

from __future__ import annotations

import os

from cit.errors import CONFIG, Failure

SYSTEM = "/etc/cit/config.toml"


def home() -> str:
    """$CIT_HOME, else ~/.cit; absolute. It is not made here."""
    return os.path.abspath(os.environ.get("CIT_HOME") or os.path.expanduser("~/.cit"))


def value(key: str) -> str | None:
    """A setting as text, None where nothing sets it."""
    return origin(key)[0]


def origin(key: str) -> tuple[str | None, str]:
    """A setting and where it comes from."""
    variable = "CIT_" + key.upper()
    if os.environ.get(variable):
        return os.environ[variable], f"${variable}"
    for path in paths():
        found = _load(path).get(key)
        if found is not None:
            return str(found), path
    return None, "default"


def queue() -> str:
    """The queue that commands use when they name none."""
    return os.path.abspath(value("queue") or os.path.join(home(), "queue"))


def paths() -> list[str]:
    """The configuration files that exist, the nearest first."""
    found, directory = [], os.getcwd()
    while True:
        found.append(os.path.join(directory, ".cit.toml"))
        parent = os.path.dirname(directory)
        if parent == directory:
            break
        directory = parent
    found += [os.path.join(home(), "config.toml"), SYSTEM]
    return [path for path in found if os.path.isfile(path)]


def _load(path: str) -> dict[str, object]:
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise Failure(CONFIG, f"cannot read '{path}': {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Failure(CONFIG, f"cannot read '{path}': {error}") from error
