"""Where a command starts, and where its errors end.

A command is a module `cit.cmd.NAME` with `main(argv) -> int`. It raises Failure;
whatever else escapes is told apart here, in one place, and ends in one line on
standard error and an exit code, never in a traceback. A bug keeps its traceback
in a file, for the report.

The stubs in bin/ start Python with -ISXutf8: no site-packages (3 ms, and nobody's
packages under a cron job), text is UTF-8 whatever the locale says, and on standard
input and output bytes that are not UTF-8 survive unchanged. The few commands that
use a package from outside ask for it where they need it (HACKING.md).
"""

from __future__ import annotations

import errno
import gc
import os
import sys

from cit import VERSION, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BROKEN_PIPE = 141  # what a shell shows for a program that SIGPIPE ended

# The machine is short of something, or failing: another try may go well.
PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOLCK,
        errno.ENOMEM,
        errno.ENOSPC,
    }
)
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

# Control characters of a name or a text must not reach a terminal.
HARMLESS = {n: f"\\x{n:02x}" for n in (*range(0x20), *range(0x7F, 0xA0)) if n not in (9, 10)}


def start(name: str) -> None:
    """Run the command `name` with the arguments of this process; does not return."""
    # Commands are short, or make little that refers to itself: collecting for it after each few
    # hundred objects would be a third of the time of reading a long trace.
    gc.set_threshold(500_000)
    for number in range(3):
        # A file opened later must not become the standard output of a child.
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    try:
        code = main(name)
    except KeyboardInterrupt:  # a second one, while main() was dealing with the first
        code = errors.INTERRUPTED
    except OSError as error:  # of what main() needs for dealing with one
        code = _say(name, _reason(error), errors.LATER)
    # Everything is written: files are closed as they are made, main() flushed the
    # streams. Taking the interpreter apart piece by piece would only cost time.
    os._exit(code)


def main(name: str, argv: list[str] | None = None) -> int:
    """The exit code of the command `name` (`add-builder`), run with `argv`."""
    try:
        code = _call(name, sys.argv[1:] if argv is None else argv)
        # A result that did not get out is not a success.
        print(end="", flush=True)
        return code
    except BaseException as error:  # whatever it is, it ends here
        return _end(name, error)


def _call(name: str, argv: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - a stub starts whatever python3 is
        raise errors.Failure(errors.CONFIG, f"needs Python 3.11, this is {sys.version.split()[0]}")
    if argv[:1] == ["--version"]:
        print(f"cit-{name} {VERSION}")
        return errors.DONE
    return _command(name)(argv)


def _command(name: str) -> Callable[[list[str]], int]:
    module = f"cit.cmd.{name.replace('-', '_')}"
    try:
        found = __import__(module, fromlist=["main"])
    except ModuleNotFoundError as error:
        # Only the command itself may be missing; a missing import inside it is a bug.
        if error.name != module:
            raise
        raise errors.Failure(errors.USAGE, f"no such command: '{name}'") from None
    command: Callable[[list[str]], int] = found.main
    return command


def _end(name: str, error: BaseException) -> int:
    """Say on standard error what ended the command; its exit code."""
    stuck = _flush()
    if isinstance(error, BrokenPipeError) and (isinstance(stuck, BrokenPipeError) or _unread()):
        return BROKEN_PIPE
    if isinstance(error, OSError) and stuck:
        return _say(name, f"cannot write the output: {_reason(stuck)}", errors.LATER)
    if isinstance(error, errors.Failure):
        return _say(name, _show(error), error.code)
    if isinstance(error, SystemExit):
        return _exit_code(name, error)
    if isinstance(error, KeyboardInterrupt):
        return errors.INTERRUPTED
    if isinstance(error, MemoryError):
        return _say(name, "cannot allocate memory", errors.LATER)
    if isinstance(error, OSError) and error.errno in PASSING:
        return _say(name, _reason(error), errors.LATER)
    if isinstance(error, OSError) and error.errno in FORBIDDEN and error.filename is not None:
        return _say(name, _reason(error), errors.DENIED)
    return _bug(name, error)


def _show(failure: errors.Failure) -> str:
    if isinstance(failure, errors.Bad) and (failure.line or failure.path):
        return failure.show(failure.path.replace("\n", "\\n")).lstrip(":")
    # One line, whatever the name of a file holds.
    return str(failure).replace("\n", "\\n")


def _exit_code(name: str, leave: SystemExit) -> int:
    """argparse leaves this way, having said what it had to say."""
    if isinstance(leave.code, str):
        return _say(name, leave.code, errors.NO)
    return leave.code or errors.DONE


def _say(name: str, text: str, code: int) -> int:
    line = f"cit-{name}: {text}\n".translate(HARMLESS)
    # Straight to the descriptor: the stream would escape bytes that are not UTF-8.
    # When nobody listens, the code still tells.
    try:
        os.write(2, line.encode(errors="surrogateescape"))
    except OSError:
        pass
    return code


def _reason(error: OSError) -> str:
    why = (error.strerror or str(error)).lower()
    if error.filename is None:
        return why
    return f"cannot use '{os.fsdecode(error.filename)}': {why}"


def _flush() -> OSError | None:
    """Write out what print() still holds; what kept it from getting out, if anything."""
    try:
        print(end="", flush=True)
    except OSError as error:
        return error
    return None


def _unread() -> bool:
    """Whether nobody reads our output any more: it is that pipe which broke, not another."""
    import select

    poll = select.poll()
    poll.register(1, 0)
    poll.register(2, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


# --- bugs ------------------------------------------------------------------------------------


def _bug(name: str, error: BaseException) -> int:
    try:
        import traceback
    except OSError as worse:  # so short of something that not even this can be read
        return _say(name, f"bug: {error!r} (and no traceback: {_reason(worse)})", errors.BUG)
    what = traceback.format_exception_only(error)[-1].strip().replace("\n", " ")
    story = "".join(traceback.format_exception(error))
    report = f"cit {VERSION}, Python {sys.version}\n{sys.argv!r}\n\n{story}"
    kept = _keep(name, report)
    if kept:
        return _say(name, f"bug: {what} (traceback in {kept})", errors.BUG)
    return _say(name, f"bug: {what} (no file for its traceback, so here)\n{report}", errors.BUG)


def _keep(name: str, report: str) -> str:
    """Write `report` to a new file only its owner can read; its path, or nothing."""
    import time

    os.umask(0o077)  # the directories too; this process makes nothing else any more
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for directory in _shelves():
        path = os.path.join(directory, f"{moment}-{name}-{os.getpid()}.txt")
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            # O_EXCL: in /tmp the name may be somebody else's, or a link of his.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError:
            continue
        try:
            with open(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(report)
        except OSError:
            continue
        return path
    return ""


def _shelves() -> list[str]:
    """Where tracebacks may be kept, best first."""
    home = os.environ.get("HOME", "")
    shelves = [os.path.join(os.environ.get("CIT_HOME") or os.path.join(home, ".cit"), "bugs")]
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    shelves.append(os.path.join(state, "cit", "bugs"))
    shelves.append(os.environ.get("TMPDIR") or "/tmp")
    return [shelf for shelf in shelves if os.path.isabs(shelf)]
