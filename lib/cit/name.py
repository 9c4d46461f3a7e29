"""Names: the ids of jobs, and what the name of a job's file says.

    ID-NAME.job                        in in/ and done/
    PP-NNNNNNNNNN-ID-NAME.job          in wait/, hold/ and run/
    DUE-PP-NNNNNNNNNN-ID-NAME.job      in park/
    ID-NAME.job.INODE                  in bad/

ID is a ULID in lower case: 48 bits of milliseconds since 1970 and 80 random ones, in
Crockford's base 32, so that ids sort by time (https://github.com/ulid/spec).
"""

from __future__ import annotations

from collections import namedtuple

from cit.errors import Ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NamedTuple

    class Name(NamedTuple):
        state: str
        file: str
        id: str
        name: str
        priority: int = 50
        number: int = 0
        due: int = 0
        day: str = ""
else:
    Name = namedtuple("Name", "state file id name priority number due day", defaults=(50, 0, 0, ""))

SUFFIX = ".job"
BEFORE_STAGE = ":"  # JOB:STAGE; no name of a job has it
LONGEST = 64
# In the place of an instant: what no clock wakes.
FOR_ANSWER = 9999999999
FOR_OTHERS = 9999999998  # until another job is over, say: the last `park` record says what
# Where the id begins in the name of a file, by state.
ID_AT = {"in": 0, "wait": 14, "hold": 14, "park": 25, "run": 14, "done": 0, "bad": 0}
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = frozenset(_DIGITS)
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


def make(milliseconds: int, random: bytes) -> str:
    """An id from a time and ten random bytes."""
    value = (milliseconds << 80) | int.from_bytes(random, "big")
    return "".join(_DIGITS[(value >> shift) & 31] for shift in range(125, -1, -5))


def is_id(text: str) -> bool:
    return len(text) == 26 and text[0] in "01234567" and _ID.issuperset(text)


def is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text[0] not in "._-" and _NAME.issuperset(text)


def made(id: str) -> float:
    """When an id was made, in seconds since 1970."""
    value = 0
    for digit in id[:10]:
        value = value * 32 + _DIGITS.index(digit)
    return value / 1000


def simplify(text: str) -> str:
    """A name made from any text: lower case, and `-` for what a name may not have."""
    plain = "".join(c if c in _NAME else "-" for c in text.lower()).lstrip("._-")
    while "--" in plain:
        plain = plain.replace("--", "-")
    return plain[:LONGEST].rstrip("-") or "job"


def meant(word: str, names: Mapping[str, str]) -> str:
    """The id that a word stands for, of those with these names; "" for none.

    It is an id, a beginning or an end that only one of them has, or a name: the newest of it.
    Raises Ambiguous.
    """
    ids = [id for id in names if id.startswith(word) or id.endswith(word)] if word else []
    if word not in ids:
        named = [id for id, name in names.items() if name == word]
        if named:
            return max(named)
        if len(ids) > 1:
            some = sorted(ids)[:4]
            more = " ..." if len(ids) > len(some) else ""
            raise Ambiguous(f"'{word}' is not unique: {' '.join(some)}{more}")
        return ids[0] if ids else ""
    return word


def drop(id: str, name: str) -> str:
    return f"{id}-{name}{SUFFIX}"


def queued(priority: int, number: int, id: str, name: str) -> str:
    return f"{priority:02d}-{number:010d}-{id}-{name}{SUFFIX}"


def parked(due: int, priority: int, number: int, id: str, name: str) -> str:
    """`due` is in seconds since 1970, or one of the two above."""
    return f"{min(max(due, 0), FOR_ANSWER):010d}-{queued(priority, number, id, name)}"


def parse(state: str, file: str, day: str = "") -> Name | None:
    """What a file name in that state's directory says; None where it is no job's."""
    whole = file
    if state == "bad":
        # Admission tells apart what it refuses by its inode.
        file, _, inode = file.rpartition(".")
        if not inode.isdecimal():
            return None
    if not file.endswith(SUFFIX) or not file.isascii():
        return None
    text, due, priority, number = file[: -len(SUFFIX)], 0, 50, 0
    if state == "park":
        if not (text[:10].isdecimal() and text[10:11] == "-"):
            return None
        due, text = int(text[:10]), text[11:]
    if state not in ("in", "done", "bad"):
        if not (text[:2].isdecimal() and text[3:13].isdecimal() and text[2] == text[13:14] == "-"):
            return None
        priority, number, text = int(text[:2]), int(text[3:13]), text[14:]
    id, name = text[:26], text[27:]
    if not (is_id(id) and text[26:27] == "-" and is_name(name)):
        return None
    return Name(state, whole, id, name, priority, number, due, day)
