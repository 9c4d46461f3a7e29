"""People: who a uid is, and which groups he is in."""

from __future__ import annotations

import os
from functools import cache

from cit import wording


@cache
def user(uid: int) -> str:
    """The name of a uid; the number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def who(uid: int | None = None) -> str:
    """`alice@laptop`, as records name a person. The uid is the kernel's word, not text's."""
    return f"{user(os.geteuid() if uid is None else uid)}@{os.uname().nodename}"


def lacking(rule: str) -> str:
    """What a rule such as `alice` or `@team` names and this machine has not; "" for nothing."""
    if rule in ("*", "owner"):
        return ""
    import grp
    import pwd

    try:
        if rule.startswith("@"):
            grp.getgrnam(rule[1:])
        else:
            pwd.getpwnam(rule)
    except KeyError:
        kind = "group" if rule.startswith("@") else "user"
        return f"no {kind} '{wording.short(rule.removeprefix('@'))}' on this machine"
    return ""


def allowed(uid: int, owner: int, rules: list[str]) -> bool:
    """Whether a list such as `["owner", "alice", "@team", "*"]` names this uid."""
    if "*" in rules or ("owner" in rules and uid == owner):
        return True
    import grp
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return False
    if entry.pw_name in rules:
        return True
    for rule in rules:
        if rule.startswith("@"):
            try:
                group = grp.getgrnam(rule[1:])
            except KeyError:
                continue
            if entry.pw_gid == group.gr_gid or entry.pw_name in group.gr_mem:
                return True
    return False
