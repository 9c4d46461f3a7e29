"""What a command reports of itself, in files that its environment names.

`$CIT_DATA`: lines `name <tab> value`. `$CIT_ARTEFACTS`: lines `name <tab> path`, files of
the workspace. `$CIT_STAGES`: text of further stages. Nothing is ever read from output.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat

from cit import tables, wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.held import Held
    from cit.wants import Node
    from cit.workspace import Workspace

CAP = 1 << 16  # bytes of such a file that are read
LONG = f"over {CAP} bytes"
PIECE = 1 << 20
NAMES = tables.KINDS["job"].schema["properties"]["vars"]["propertyNames"]  # `${data.NAME}` is one
MOST = 8 << 30  # bytes of an artefact: while its sum is made nobody looks after the job


class Reports:
    """The files of one command. `files` has their names by variable of the environment."""

    def __init__(self, space: Workspace, run: str, tree: Node) -> None:
        self.space, self.run = space, run
        self.files = {"CIT_DATA": f"{run}.data", "CIT_ARTEFACTS": f"{run}.artefacts"}
        if tree.step == "stages":
            self.files["CIT_STAGES"] = f"{run}.stages"
        self.data: list[tuple[str, str]] = []
        self.unnamed: list[str] = []  # names of data that no variable can have
        self.artefacts: list[tuple[str, str]] = []
        self.stages: list[str] = []
        self._over: list[str] = []  # what has more than is read
        self._fds: dict[str, int] = {}
        try:
            for key, file in self.files.items():
                self._fds[key] = space.make(file, b"", 0o600)
        except OSError:
            self.close()
            raise

    def read(self) -> None:
        """Take what the command wrote, through our own descriptors: the names are its."""
        texts = {key: _text(fd) for key, fd in self._fds.items()}
        self._over = [key for key, fd in self._fds.items() if os.fstat(fd).st_size > CAP]
        self.data, self.unnamed = [], []
        for name, value in _pairs(texts.get("CIT_DATA", b"")):
            if re.fullmatch(NAMES["pattern"], name):
                self.data.append((name, value))
            else:
                self.unnamed.append(name)
        self.artefacts = _pairs(texts.get("CIT_ARTEFACTS", b""))
        stages = texts.get("CIT_STAGES", b"").decode("utf-8", "surrogateescape")
        if "CIT_STAGES" in self._over:
            stages = LONG  # half of a stage is not to be run: this is no text of stages
        self.stages = [stages] if stages.strip() else []

    def record(self, hold: Held) -> None:
        for key in self._over:
            hold.record("log", self.run, "cit", f"{key} has {LONG}")
        if self.unnamed:
            # One line for all: there may be thousands.
            first, *more = (wording.short(name) for name in self.unnamed)
            others = f", nor {len(more)} more" if more else ""
            why = f"expected {NAMES['expected']}"
            hold.record("log", self.run, "cit", f"no data '{first}'{others}: {why}")
        for name, value in self.data:
            hold.record("data", self.run, name, value)
        for text in self.stages:
            hold.record("stage", self.run, text)
        for name, path in self.artefacts:
            try:
                sha256, size = _sum(self.space.path, path)
            except (OSError, ValueError) as error:
                why = str(getattr(error, "strerror", None) or error).lower()
                hold.record("log", self.run, "cit", f"no artefact '{name}': '{path}': {why}")
                continue
            hold.record("artefact", self.run, name, sha256, str(size))

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self.space.remove(*self.files.values())


def _text(fd: int) -> bytes:
    text = os.pread(fd, CAP, 0)
    # A line that is cut is none.
    return text[: text.rfind(b"\n") + 1] if len(text) == CAP else text


def _pairs(text: bytes) -> list[tuple[str, str]]:
    pairs = []
    for line in text.split(b"\n"):
        name, tab, value = line.decode("utf-8", "surrogateescape").partition("\t")
        if tab and name:
            pairs.append((name, value))
    return pairs


def _sum(workspace: str, path: str) -> tuple[str, int]:
    """The `sha256:HEX` and the size of a regular file. Raises OSError, ValueError.

    No link on the way is followed: who runs the job could lead us anywhere by one.
    """
    words = path.split("/")
    if path.startswith("/") or ".." in words:
        raise ValueError("expected a path in the workspace")
    at = os.open(workspace, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        for word in words[:-1]:
            below = os.open(word or ".", flags | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        fd = os.open(words[-1], flags | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size > MOST:
            raise ValueError(f"over {MOST >> 30} GiB")
        found, size = hashlib.sha256(), 0
        # Not beyond what it has now: what runs beside this command may go on writing to it.
        while piece := os.read(fd, min(PIECE, status.st_size - size)):
            found.update(piece)
            size += len(piece)
        return "sha256:" + found.hexdigest(), size
    finally:
        os.close(fd)
