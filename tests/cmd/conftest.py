"""Queues made by hand, in the states and with the traces that a test wants; and terminals."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cit import name, section, trace
from cit.section import Section
from cit.trace import Record

TOP = Path(__file__).resolve().parents[2]
START = 1795293421.0  # 2026-11-21T20:37:01Z


def at(seconds: float) -> str:
    """The stamp of so many seconds after START."""
    return trace.stamp(START + seconds)


class Made:
    """A queue of the default place that holds what it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0

    def put(
        self,
        state: str,
        called: str = "hello",
        *records: Record | bytes,
        head: str = "",
        program: str = "#!/bin/sh\necho hello\n",
        form: str = "sh",
        priority: int = 50,
        due: int = 0,
        more: tuple[Section, ...] = (),
    ) -> str:
        """Write a job into the directory of a state (`done/2026-11-21`); its id.

        It was pushed and admitted one second apart, each job ten seconds after the one
        before; `records` follow, or bytes of a trace.
        """
        self.number += 1
        pushed = (self.number - 1) * 10
        id = name.make(int((START + pushed) * 1000), self.number.to_bytes(10, "big"))
        text = f'id = "{id}"\nname = "{called}"\nqueue = "queue"\n{head}'
        sections = [
            Section("job", 1, "toml", {}, text.encode()),
            *more,
            Section("program", 1, form, {}, program.encode()),
        ]
        data = section.render(sections)
        happened = [
            Record(at(pushed), "push", "-", ("alice@laptop", "sha256:00")),
            Record(at(pushed + 1), "admit", "-", ("alice@laptop", str(self.number))),
            *records,
        ]
        if state not in ("in", "bad"):
            parts = [r if isinstance(r, bytes) else trace.render(r) for r in happened]
            data += section.TRACE + b"".join(parts)
        file = name.queued(priority, self.number, id, called)
        if state == "in" or state.startswith("done"):
            file = name.drop(id, called)
        elif state == "bad":
            file = name.drop(id, called) + ".4711"
        elif state == "park":
            file = f"{due:010d}-{file}"
        directory = self.path / state
        directory.mkdir(exist_ok=True)
        (directory / file).write_bytes(data)
        return id

    def finished(
        self,
        called: str = "hello",
        *records: Record | bytes,
        status: str = "ok",
        code: int = 0,
        began: float = 2,
        ended: float = 5,
        **more: object,
    ) -> str:
        """A job that ran on node1 from `began` to `ended`, seconds after START."""
        around = [
            Record(at(began), "claim", "-", ("node1", "4711", "b00t", "1", "0.1.0")),
            *records,
            Record(at(ended), "result", "-", (status, str(code))),
            Record(at(ended), "seal", "-", ("cit", "sha256:11")),
        ]
        return self.put("done/2026-11-21", called, *around, **more)  # type: ignore[arg-type]

    def file(self, id: str) -> Path:
        """The file of a job, wherever it is."""
        return next(path for path in self.path.rglob("*.job*") if id in path.name)


@pytest.fixture
def made(cit: Callable[..., tuple[int, str, str]]) -> Made:
    """The default queue of the test's world, empty."""
    code, _, err = cit("queue", "init")
    assert (0, "") == (code, err)
    return Made(Path(os.environ["CIT_HOME"]) / "queue")


# --- terminals -------------------------------------------------------------------------------


class Screen:
    """A command at a terminal of its own, which is its standard input, output and error."""

    def __init__(
        self, command: str, *arguments: str, typed: str = "", columns: int = 100,
        **environment: str,
    ) -> None:  # fmt: skip
        self._terminal, its = pty.openpty()
        self._got = b""
        os.write(self._terminal, typed.encode())
        self._process = subprocess.Popen(
            [TOP / "bin" / f"cit-{command}", *arguments], stdin=its, stdout=its, stderr=its,
            env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **environment},
        )  # fmt: skip
        os.close(its)

    def until(self, text: str) -> None:
        """Wait until the terminal has shown this."""
        while text.encode() not in self._got:
            assert self._read(), f"ended without '{text}': {self._got!r}"

    def end(self, code: int = 0) -> str:
        """Wait for the end of the command, which is to have that code; all that was shown.

        Lines end in a newline alone; bytes that are not UTF-8 are surrogates.
        """
        while self._read():
            pass
        text = self._got.decode(errors="surrogateescape").replace("\r\n", "\n")
        assert code == self._process.wait(30), text
        return text

    def _read(self) -> bool:
        try:
            part = os.read(self._terminal, 65536)
        except OSError:
            return False  # how the end of a terminal shows
        self._got += part
        return bool(part)

    def close(self) -> None:
        """End a command that still is there, and its terminal."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(30)
        os.close(self._terminal)


@pytest.fixture
def screen() -> Iterator[Callable[..., Screen]]:
    """Begin a command at a terminal: screen("logs", "-f", id) -> Screen."""
    begun: list[Screen] = []

    def begin(command: str, *arguments: str, **more: str) -> Screen:
        begun.append(Screen(command, *arguments, **more))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


@pytest.fixture
def terminal(screen: Callable[..., Screen]) -> Callable[..., str]:
    """Run a command at a terminal: terminal("ls", "--all") -> all that it shows.

    Named arguments: `code` [0] that it is to end with; `typed`, text that waits at the
    terminal; `columns` [100]; and changes to the environment.
    """

    def run(command: str, *arguments: str, code: int = 0, **more: str) -> str:
        return screen(command, *arguments, **more).end(code)

    return run
