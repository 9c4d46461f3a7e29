"""What only Linux has and Python does not: prctl, setns, capset.

Everything goes through ctypes, which takes some milliseconds to load: call
load() before a fork, so that a child between fork and exec need not.
"""

from __future__ import annotations

import errno
import functools
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PDEATHSIG, _CAPBSET_DROP, _CHILD_SUBREAPER, _NO_NEW_PRIVS, _CAP_AMBIENT = 1, 24, 36, 38, 47
_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522


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
    _check(load().prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, in the place of init."""
    _check(load().prctl(_CHILD_SUBREAPER, 1, 0, 0, 0))


def no_new_privileges() -> None:
    """From here on no exec gives rights: setuid, setgid and file capabilities are void."""
    _check(load().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))


def enter(namespace: int) -> None:
    """Enter an open namespace; that of processes holds for children only. OSError."""
    _check(load().setns(namespace, 0))


def drop_capabilities() -> None:
    """Give up every capability, and every way to get one back. OSError."""
    import ctypes

    libc = load()
    _check(libc.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0))
    for capability in range(64):
        if libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0):
            if ctypes.get_errno() == errno.EINVAL:  # past the last one that this kernel knows
                break
            _check(-1)
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(libc.capset(head, (ctypes.c_uint32 * 6)()))


def _check(result: int) -> None:
    if result == 0:
        return
    import ctypes

    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
