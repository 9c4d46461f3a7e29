"""People: names of uids, and who is on a list."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from cit import people

NOBODY_HAS = 3_999_999_999


def member() -> tuple[int, str]:
    """Somebody of this machine who is in a group beside his own, and that group."""
    for group in grp.getgrall():
        for name in group.gr_mem:
            if name in {entry.pw_name for entry in pwd.getpwall()}:
                return pwd.getpwnam(name).pw_uid, group.gr_name
    entry = pwd.getpwuid(0)
    return 0, grp.getgrgid(entry.pw_gid).gr_name


def test_a_uid_has_the_name_that_the_machine_knows() -> None:
    assert pwd.getpwuid(0).pw_name == people.user(0)


def test_a_uid_without_a_name_is_its_number() -> None:
    assert str(NOBODY_HAS) == people.user(NOBODY_HAS)


def test_who_is_on_this_machine_or_stands_for_others_is_not_lacking() -> None:
    root = pwd.getpwuid(0).pw_name, f"@{grp.getgrgid(0).gr_name}"

    assert [""] * 4 == [people.lacking(rule) for rule in (*root, "owner", "*")]


def test_who_is_not_on_this_machine_is_lacking_as_what_he_is() -> None:
    assert "no user 'no-one' on this machine" == people.lacking("no-one")
    assert "no group 'no-one' on this machine" == people.lacking("@no-one")
    assert f"no user '{'x' * 60}...' on this machine" == people.lacking("x" * 100_000)


def test_a_person_is_named_with_the_machine() -> None:
    host = os.uname().nodename

    assert f"{people.user(os.geteuid())}@{host}" == people.who()
    assert f"{people.user(0)}@{host}" == people.who(0)


@pytest.mark.parametrize(
    ("rules", "uid", "may"),
    [
        ([], 0, False), (["owner"], 1000, True), (["owner"], 0, False), (["*"], NOBODY_HAS, True),
        (["root"], 0, True), (["@root"], 0, True), (["@no-such-group", "root"], 0, True),
        (["@no-such-group"], 0, False), (["0"], 0, False), ([str(NOBODY_HAS)], NOBODY_HAS, False),
        (["@"], 0, False), (["no-such-user"], 0, False),
    ],
)  # fmt: skip
def test_who_is_on_a_list(rules: list[str], uid: int, may: bool) -> None:
    assert may == people.allowed(uid, 1000, rules)


def test_a_member_of_a_named_group_is_on_the_list() -> None:
    uid, group = member()

    assert people.allowed(uid, 1000, ["@" + group])
    assert not people.allowed(uid, 1000, [group]) or people.user(uid) == group
