"""A long queue, made fast: copies of one job that was really pushed and admitted."""

from __future__ import annotations

import hashlib
import os
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scratch import Home

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
TRACE = b"%% trace 1 tab\n"


def fill(home: Home, count: int) -> None:
    """Have `count` jobs in wait/, each with an id and a number of its own."""
    script = home.path / "script"
    script.write_text("#!/bin/true\n")
    old = home.must("cit-push", str(script)).strip()
    home.must("cit-queue", "tick")
    [first] = home.jobs("wait")
    asked, mark, happened = first.read_bytes().partition(TRACE)
    hashed = hashlib.sha256(asked).hexdigest()
    place = os.open(first.parent, os.O_RDONLY)
    for number in range(2, count + 1):
        id = _ulid()
        ours = asked.replace(old.encode(), id.encode())
        trace = happened.replace(hashed.encode(), hashlib.sha256(ours).hexdigest().encode())
        # The number ends the record of its admission, and stands in the file's name.
        trace = trace.removesuffix(b"\t1\n") + b"\t%d\n" % number
        name = first.name.replace(old, id).replace(f"{1:010d}", f"{number:010d}")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place)
        os.write(fd, ours + mark + trace)
        os.close(fd)
    os.close(place)
    (home.queue / "number").write_text(f"{count + 1}\n")
    os.sync()


def _ulid() -> str:
    value = (time.time_ns() // 1_000_000 << 80) | random.getrandbits(80)
    return "".join(DIGITS[(value >> shift) & 31] for shift in range(125, -1, -5))
