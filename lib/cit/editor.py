"""A stored program in the hands of its author: an editor on a copy, checked, a new version.

Whatever goes wrong, what was typed is kept in the copy, and its author is told where.
"""

from __future__ import annotations

import os

from cit import files, programs, request, terminal
from cit.errors import BAD, NO, Bad, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cit.programs import Program
    from cit.queue import Queue

    Say = Callable[[str], None]


def change(queue: Queue, called: str, reason: str, say: Say) -> Program:
    """The version that its author made of the newest one; the same where he changed nothing.

    `say` tells him what is wrong meanwhile. Raises Failure where nothing was stored.
    """
    programs.own(queue)
    base = programs.find(queue, called)
    path = _copy(base)
    try:
        made = _edited(queue, base, path, reason, say)
    except BaseException:
        say(f"program '{base.name}' is not stored; the text is in '{path}'")
        raise
    # What the editor left beside it goes as well.
    import shutil

    shutil.rmtree(os.path.dirname(path), ignore_errors=True)
    return made


def _edited(queue: Queue, base: Program, path: str, reason: str, say: Say) -> Program:
    while True:
        _edit(path)
        try:
            text = request.read(path)
            return programs.store(queue, base.name, text, base=base.version, reason=reason)
        except Failure as failure:
            if isinstance(failure, Bad):
                failure.path = path
            if failure.code != BAD or not (terminal.there(0) and terminal.there(2)):
                raise
            say(failure.show(path) if isinstance(failure, Bad) else str(failure))
        if not _again():
            raise Failure(BAD, "as it is, it cannot be stored")


def _again() -> bool:
    os.write(2, b"edit again? [Y/n] ")
    with open(0, encoding="utf-8", errors="replace", closefd=False) as keys:
        answer = keys.readline()
    return answer.strip().lower() in ("", "y", "yes") and answer != ""


def _copy(program: Program) -> str:
    import tempfile

    directory = files.Directory(tempfile.mkdtemp(prefix="cit-"))
    # The suffix tells the editor what it is.
    file = f"{program.name}.{program.format}"
    try:
        directory.publish(file, program.text)
        return os.path.join(directory.path, file)
    finally:
        directory.close()


def _edit(path: str) -> None:
    """Run $VISUAL, $EDITOR or vi on a file. Raises Failure(NO) where that fails."""
    import signal
    import subprocess

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    # By the shell: an editor may come with arguments of its own.
    child = subprocess.Popen(["/bin/sh", "-c", f'{editor} "$@"', editor, path])
    # A control-C in the editor is for the editor.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise Failure(NO, f"editor '{editor}' ended with code {code if code > 0 else 128 - code}")
