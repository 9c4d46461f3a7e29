"""Wait for a change of files and directories.

Where the package watchdog is installed the kernel tells of changes; else they are
looked for a few times a second. Neither is to be relied on: events get lost, network
file systems have none, and two changes within one tick of a file system's clock look
like one. So whoever waits looks again after every wait, whatever made it end.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

INTERVAL = 0.1  # seconds between two looks where nobody tells


class Watch:
    """Watches paths while it is open: a directory for its names, a file for its bytes.

    Watching begins with the constructor, so: watch, look, wait, look again.
    """

    def __init__(self, *paths: str, interval: float = INTERVAL) -> None:
        self.paths, self.interval = paths, interval
        self._observer: Any = None
        self._reader = self._writer = -1
        self._seen = self._look()
        self._observe()

    def wait(self, timeout: float) -> bool:
        """Wait for a change, at most so many seconds; whether there was one."""
        if self._observer is not None:
            return self._told(timeout)
        end = time.monotonic() + timeout
        while True:
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(self.interval, left))

    def fileno(self) -> int:
        """A descriptor that can be read after a change; -1 where nobody tells."""
        return self._reader

    def close(self) -> None:
        """Stop watching."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            os.close(self._reader)
            os.close(self._writer)
            self._observer, self._reader = None, -1

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_state(path) for path in self.paths]

    def _observe(self) -> None:
        watchdog = _watchdog()
        if watchdog is None:
            return
        observer_class, handler_class = watchdog
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        writer = self._writer
        watched = {os.fspath(path) for path in self.paths if not os.path.isdir(path)}

        def tell(event: Any) -> None:
            # Reading a file is an event as well; whoever waits reads. Of a directory only its
            # names are watched: a job in it may write a thousand lines a second.
            if event.event_type in ("opened", "closed_no_write"):
                return
            if event.event_type in ("modified", "closed") and event.src_path not in watched:
                return
            try:
                os.write(writer, b"!")
            except BlockingIOError:
                pass  # it has been told often enough

        handler = handler_class()
        handler.dispatch = tell
        observer = observer_class()
        try:
            for path in self.paths:
                observer.schedule(handler, path, recursive=False)
            observer.start()
        except OSError:
            # No permission to read, no inotify left for this user: look by ourselves.
            os.close(self._reader)
            os.close(self._writer)
            self._reader = -1
            return
        self._observer = observer

    def _told(self, timeout: float) -> bool:
        import select

        poll = select.poll()  # select() knows no descriptor over 1023
        poll.register(self._reader, select.POLLIN)
        if not poll.poll(timeout * 1000):
            return False
        while True:
            try:
                if not os.read(self._reader, 4096):
                    return True
            except BlockingIOError:
                return True


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _watchdog() -> tuple[Any, Any] | None:
    """The classes of watchdog that are needed; None where it is not installed."""
    import sys

    if "site" not in sys.modules:
        # Commands start without the directories of packages (bin/cit-NAME).
        import site

        site.main()
    try:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer
    except ImportError:
        return None
    return Observer, FileSystemEventHandler
