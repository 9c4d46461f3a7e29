"""Files that a job brings along, as a section: a gzip-compressed tar in base64.

Unpacking trusts nothing in the archive: regular files, directories and symbolic links
that stay inside, each under a name that stays inside; all else is refused.
"""

from __future__ import annotations

import io
import os

from cit.errors import BAD, MISSING, Bad, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile

CAP = 1 << 28  # bytes unpacked: an archive may be a bomb


def pack(paths: list[str]) -> bytes:
    """The body of a `files` section with these files and directories, by their given names.

    Names that lead out of the current directory lose what leads there. Raises Failure.
    """
    import base64
    import gzip
    import tarfile

    data = io.BytesIO()
    # No times and owners: equal files make equal bytes, and so does an equal job.
    with (
        gzip.GzipFile("", "wb", 9, data, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in paths:
            inside = os.path.normpath(path)
            if inside.startswith(("/", "..")):
                inside = os.path.basename(inside)
            try:
                archive.add(path, inside, filter=_plain)
            except FileNotFoundError:
                raise Failure(MISSING, f"cannot open '{path}': no such file") from None
            except OSError as error:
                raise Failure(BAD, f"cannot pack '{path}': {error.strerror}") from None
    return base64.encodebytes(data.getvalue())


def unpack(body: bytes, directory: str) -> None:
    """Make the files of a section in a directory. Raises Bad where the archive is not clean."""
    import base64
    import binascii
    import tarfile
    import zlib

    try:
        data = base64.b64decode(body, validate=False)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            left = CAP
            for member in archive:
                left -= member.size
                if left < 0:
                    raise Bad(f"its files are over {CAP} bytes")
                _unpack(archive, member, directory)
    except (tarfile.TarError, binascii.Error, EOFError, zlib.error, ValueError) as error:
        raise Bad(f"its files cannot be unpacked: {error}") from None


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
        goal = os.path.normpath(os.path.join(os.path.dirname(inside), member.linkname))
        if os.path.isabs(member.linkname) or goal.startswith(".."):
            raise Bad(f"its link '{member.name}' leads out of the workspace")
        os.symlink(member.linkname, path)
    elif member.isreg():
        source = archive.extractfile(member)
        assert source is not None
        # Never through something that is there already.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o755 if member.mode & 0o100 else 0o644), "wb") as target:
            while part := source.read(1 << 20):
                target.write(part)
    else:
        raise Bad(f"its file '{member.name}' is neither file, directory nor link")
