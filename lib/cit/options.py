"""The arguments of a command: argparse, as every command of cit wants it.

Imported by commands only: it is argparse, which the modules below must not load.
"""

from __future__ import annotations

import argparse

from cit.errors import USAGE, Failure

# argparse looks for a translation of its headings whenever a parser is made: that loads
# locale and searches directories, 1.5 ms, and ours are English like all that cit says.
argparse._ = str  # type: ignore[attr-defined]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors are Failures, and whose long options are never abbreviated.

    The parsers of sub-commands made from it are of this class too.
    """

    def __init__(self, prog: str | None = None, **settings: Any) -> None:
        super().__init__(prog, **{"allow_abbrev": False, "formatter_class": _Help, **settings})

    def error(self, message: str) -> NoReturn:
        """A usage error, said like every other error, in one line."""
        raise Failure(USAGE, f"{message}; see {self.prog} -h")


class _Help(argparse.HelpFormatter):
    """Help, 80 columns wide.

    argparse makes a formatter for every argument that is added, and a formatter
    without a width asks shutil for that of the terminal: that import alone would
    take longer than all the rest of a short command.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)
