"""Files that a job brings along, as a section: a gzip-compressed tar in base64.

Unpacking trusts nothing in the archive: regular files, directories and symbolic links
that stay inside, each under a name that stays inside; all else is refused.
"""

from __future__ import annotations

import errno
import io
import os

from cit import amount, section
from cit.errors import BAD, MISSING, Bad, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import gzip
    import tarfile

CAP = 1 << 28  # bytes unpacked: an archive may be a bomb
PIECE = 1 << 20
DEEPEST = 100  # directories in directories

_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS)


def pack(paths: list[str]) -> bytes:
    """The body of a `files` section with these files and directories, by their given names.

    Names that lead out of the current directory lose what leads there. Raises Failure, also
    for what unpack() would refuse.
    """
    import base64
    import gzip
    import tarfile

    left = CAP

    def packed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal left
        plain = _plain(member)
        left -= plain.size if plain else 0
        if left < 0:
            raise Failure(BAD, f"cannot pack {_listed(paths)}: over {CAP} bytes")
        if plain and plain.issym() and _leads_out(plain):
            link = os.path.normpath(plain.name)
            raise Failure(BAD, f"cannot pack link '{link}': it leads out, to '{plain.linkname}'")
        return plain

    data = io.BytesIO()
    # No times and owners: equal files make equal bytes, and so does an equal job.
    with (
        gzip.GzipFile("", "wb", 9, data, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in paths:
            inside = os.path.normpath(path)
            if inside.startswith(("/", "..")):
                inside = os.path.basename(os.path.abspath(path))
            try:
                archive.add(path, inside, filter=packed)
            except FileNotFoundError:
                raise Failure(MISSING, f"cannot open '{path}': no such file") from None
            except OSError as error:
                raise Failure(BAD, f"cannot pack '{path}': {error.strerror}") from None
    body = base64.encodebytes(data.getvalue())
    if len(body) > section.ASKED_CAP:
        size, most = amount.human_size(len(body)), amount.human_size(section.ASKED_CAP)
        what = f"compressed and in base64 it is {size}, and a job is at most {most}"
        raise Failure(BAD, f"cannot pack {_listed(paths)}: {what}")
    return body


def unpack(body: bytes, directory: str, cap: int = CAP) -> None:
    """Make the files of a section in a directory, instead of those of the same name.

    Raises Bad where the archive is not clean, OSError where the machine is at fault.
    """
    import base64
    import binascii
    import gzip
    import tarfile
    import zlib

    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(body, validate=False))) as zipped,
            tarfile.open(fileobj=_Capped(zipped, cap), mode="r:") as archive,  # type: ignore[call-overload]
        ):
            left = cap
            for member in archive:
                left -= member.size
                if left < 0:
                    raise Bad(f"its files are over {cap} bytes")
                _unpack(archive, member, directory)
    except (tarfile.TarError, binascii.Error, EOFError, zlib.error, ValueError) as error:
        raise Bad(f"its files cannot be unpacked: {error}") from None
    except OSError as error:
        if error.errno in _MACHINE:
            raise
        # A name that is too long, a file and a directory of one name: no archive of ours.
        raise Bad(f"its files cannot be unpacked: {error.strerror or error}") from None


class _Capped:
    """What is unpacked, of which a few bytes may stand for gigabytes: so much, and a piece at once.

    Headers count too, and tarfile holds each of them in memory.
    """

    def __init__(self, file: gzip.GzipFile, cap: int) -> None:
        self.file, self.cap, self.tell = file, cap + PIECE, file.tell

    def read(self, size: int) -> bytes:
        self._check(size, self.file.tell() + size)
        return self.file.read(size)

    def seek(self, offset: int) -> None:
        self._check(0, offset)
        self.file.seek(offset)

    def _check(self, size: int, end: int) -> None:
        if size > PIECE or end > self.cap:
            raise Bad(f"its files and their names are over {self.cap - PIECE} bytes")


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    base = os.path.basename(member.name)
    if base in ("__pycache__", ".git") or not (member.isreg() or member.isdir() or member.issym()):
        return None
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 or member.isdir() else 0o644
    return member


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, directory: str) -> None:
    inside = os.path.normpath(member.name)
    if inside.startswith(("/", "..")) or "\0" in inside:
        raise Bad(f"its file '{member.name}' leads out of the workspace")
    if inside.count("/") > DEEPEST:
        raise Bad(f"its file '{member.name[:100]}...' is more than {DEEPEST} directories deep")
    path = os.path.join(directory, inside)
    parent = os.path.dirname(path)
    # A link among the files must not carry a later one out.
    if os.path.realpath(parent) != os.path.join(
        os.path.realpath(directory), os.path.dirname(inside)
    ).rstrip("/"):
        raise Bad(f"its file '{member.name}' goes through a link")
    os.makedirs(parent, exist_ok=True)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
    elif member.issym():
        if _leads_out(member):
            raise Bad(f"its link '{member.name}' leads out of the workspace")
        _make_room(path)
        os.symlink(member.linkname, path)
    elif member.isreg():
        source = archive.extractfile(member)
        assert source is not None
        _make_room(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o755 if member.mode & 0o100 else 0o644), "wb") as target:
            while part := source.read(PIECE):
                target.write(part)
    else:
        raise Bad(f"its file '{member.name}' is neither file, directory nor link")


def _leads_out(link: tarfile.TarInfo) -> bool:
    inside = os.path.dirname(os.path.normpath(link.name))
    goal = os.path.normpath(os.path.join(inside, link.linkname))
    return os.path.isabs(link.linkname) or goal.startswith("..")


def _listed(paths: list[str]) -> str:
    return ", ".join(f"'{path}'" for path in paths)


def _make_room(path: str) -> None:
    # What a cut left half unpacked, or an earlier member of the archive: never written through.
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
