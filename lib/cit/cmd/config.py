"""cit-config - get and set what commands use where no option says otherwise"""

from __future__ import annotations

import argparse
import os
import sys

from cit import config, files, home, settings, table, wording
from cit.errors import DONE, NO, USAGE, Failure
from cit.options import Parser


def parser() -> argparse.ArgumentParser:
    top = Parser("cit-config", description="Get and set what commands use where no option says"
                 " otherwise.")  # fmt: skip
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help)
        return made

    get = verb("get", "print a setting")
    get.add_argument("key", metavar="KEY", help=", ".join(settings.KEYS))
    change = verb("set", "write a setting into config.toml of CIT_HOME")
    change.add_argument("key", metavar="KEY", help="as for get")
    change.add_argument("value", metavar="VALUE", help="its new value")
    unset = verb("unset", "remove a setting from config.toml of CIT_HOME")
    unset.add_argument("key", metavar="KEY", help="as for get")
    listing = verb("list", "print all settings that have a value")
    for each in (get, listing):
        each.add_argument("--origin", action="store_true", help="print where it comes from, too")
    return top


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.verb == "list":
        for key in settings.KEYS:
            value, origin = settings.effective(key)
            if value is not None:
                fields = (key, value, origin) if args.origin else (key, value)
                sys.stdout.write(table.tabbed(fields))
        return DONE
    if args.key not in settings.KEYS:
        raise Failure(USAGE, wording.unknown("key", args.key, settings.KEYS))
    if args.verb == "get":
        value, origin = settings.effective(args.key)
        if value is None:
            return NO
        sys.stdout.write(table.tabbed((value, origin)) if args.origin else value + "\n")
        return DONE
    return _write(args.key, args.value if args.verb == "set" else None)


def _write(key: str, value: str | None) -> int:
    """Change one line of the file, and leave the others alone."""
    if value and key in config.PATHS and not value.startswith("~"):
        value = os.path.abspath(value)  # typed here, read anywhere
    path = config.own()
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    if text:
        config.load(path)  # who mends a file wants to know what is wrong with it
    new = settings.changed(text, key, value)
    if new == text:
        return DONE if value is not None else NO
    directory = files.Directory(home.make())
    try:
        directory.replace(os.path.basename(path), new.encode(), 0o600)
    finally:
        directory.close()
    return DONE
