"""What a chroot shows: the mounts of each template, as arguments of bubblewrap.

/ is read-only and made anew for each exec; what persists are the directories in
WRITABLE. Nothing is ever mounted inside a directory that a job can write to: a
symlink planted there would lead the next mount out of the root.
"""

from __future__ import annotations

import functools
import os

from cit import proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HOME = "/home/job"
WRITABLE = {
    "busybox": (HOME, "/opt", "/srv", "/tmp", "/var"),
    "host": (HOME, "/tmp", "/var/tmp"),
}
# What waits inside while a command runs. A shell that waits reaps orphans too.
_WAIT = ("-c", "(cat); :")
HOLDER = {"busybox": ("/bin/busybox", "sh", *_WAIT), "host": ("/bin/sh", *_WAIT)}

# Permissions hold inside too, with those of the caller's groups. These are for what was left
# readable by mistake, or to a group that the caller is in.
SECRET = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers",
    "/etc/sudoers.d", "/etc/ssl/private", "/etc/krb5.keytab", "/etc/apt/auth.conf",
    "/etc/apt/auth.conf.d", "/etc/NetworkManager", "/etc/wireguard", "/etc/cit",
)  # fmt: skip

_RESOLVER = ("/etc/resolv.conf", "/etc/hosts", "/etc/localtime")
_TREES = ("/usr", "/etc", "/opt", "/nix", "/gnu")  # of the host, read-only
_MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_BASE = ("--proc", "/proc", "--dev", "/dev", "--dir", "/run", "--dir", "/home")


def host(hide: Iterable[str]) -> list[str]:
    """The machine's own programs and settings, less what is to be hidden."""
    mounts = [*_BASE, "--dir", "/var"]
    shown = [path for path in _TREES if os.path.isdir(path)]
    for path in _MERGED:
        if os.path.islink(path):
            mounts += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            shown.append(path)
    for path in shown:
        mounts += ["--ro-bind", path, path]
    # What names the resolver is often a link into /run.
    resolver = os.path.realpath(_RESOLVER[0])
    if not _below(resolver, shown):
        mounts += ["--ro-bind-try", resolver, resolver]
    for path in map(os.path.realpath, hide):
        if not _below(path, shown):
            continue
        if os.path.isdir(path):
            mounts += ["--tmpfs", path, "--remount-ro", path]
        elif os.path.exists(path):
            mounts += ["--ro-bind", os.devnull, path]
    return mounts


def busybox(program: str) -> list[str]:
    """Nothing but a busybox, under the name of every command that it can be."""
    mounts = [*_BASE, "--dir", "/bin", "--dir", "/etc", "--dir", "/usr"]
    mounts += ["--ro-bind", program, "/bin/busybox"]
    for applet in _applets(program):
        mounts += ["--symlink", "busybox", f"/bin/{applet}"]
    for path in ("/sbin", "/usr/bin", "/usr/sbin"):
        mounts += ["--symlink", "/bin", path]
    for path in _RESOLVER:
        mounts += ["--ro-bind-try", os.path.realpath(path), path]
    return mounts


def static_busybox() -> str:
    """A busybox that needs no library; "" if there is none."""
    path = tool("busybox")
    if not path:
        return ""
    with open(path, "rb") as file:
        return "" if b"/ld-" in file.read(4096) else path  # names its dynamic loader


def tool(name: str) -> str:
    """A program on our own PATH; "" if it is not there."""
    for directory in os.environ.get("PATH", proc.PATH).split(":"):
        path = os.path.join(directory, name)
        if directory and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


@functools.cache
def _applets(program: str) -> list[str]:
    """The names that a busybox answers to. OSError."""
    out, into = os.pipe()
    try:
        with proc.start([program, "--list"], {}, "/", stdout=into, stderr=into) as child:
            os.close(into)
            into = -1
            said = b""
            while piece := os.read(out, 65536):
                said += piece
            if child.wait().code:
                raise OSError(f"'{program} --list' failed")
    finally:
        os.close(out)
        if into >= 0:
            os.close(into)
    return [name for name in said.decode().split() if name != "busybox" and "/" not in name]


def _below(path: str, trees: list[str]) -> bool:
    return any(path.startswith(tree + "/") for tree in trees)
