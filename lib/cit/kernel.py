"""What only Linux has and Python does not: prctl, setns, capset, the id of a boot.

All but the last goes through ctypes, which takes some milliseconds to load: call
load() before a fork, so that a child between fork and exec need not.
"""

from __future__ import annotations

import errno
import functools
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_PDEATHSIG, _CAPBSET_DROP, _CHILD_SUBREAPER, _NO_NEW_PRIVS, _CAP_AMBIENT = 1, 24, 36, 38, 47
_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL = 9


@functools.cache
def boot() -> str:
    """The id of this boot: what ran under another one runs no more."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


@functools.cache
def load() -> Any:
    """The C library."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
    return libc


def die_with_parent() -> None:
    """Be killed when the parent is gone. A change of user, or a user namespace, undoes this."""
    if load().prctl(_PDEATHSIG, _SIGKILL, 0, 0, 0):
        _fail()


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, in the place of init."""
    if load().prctl(_CHILD_SUBREAPER, 1, 0, 0, 0):
        _fail()


def no_new_privileges() -> None:
    """From here on no exec gives rights: setuid, setgid and file capabilities are void."""
    if load().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        _fail()


def enter(namespace: int) -> None:
    """Enter an open namespace; that of processes holds for children only. OSError."""
    if load().setns(namespace, 0):
        _fail()


def drop_capabilities() -> None:
    """Give up every capability, and every way to get one back. OSError."""
    import ctypes

    libc = load()
    if libc.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0):
        _fail()
    for capability in range(64):
        if libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0):
            if ctypes.get_errno() == errno.EINVAL:  # past the last one that this kernel knows
                break
            _fail()
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if libc.capset(head, (ctypes.c_uint32 * 6)()):
        _fail()


def _fail() -> NoReturn:
    import ctypes

    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
