"""Runs a program as a player's machine would: no Python, no compiler, no shell, no network.

With namespaces of Linux the program gets a root of its own that holds the C library, the folders it
is given (which it can't write to) and a temporary folder; its loopback is alone with it. Where the
system forbids that, the program still gets an empty environment, an empty PATH and another working
directory.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

# What every Linux desktop has, and no bundle brings along.
SYSTEM_LIBRARIES = (
    *("libc", "libm", "libdl", "libpthread", "librt", "libutil", "libresolv"),
    "libz",  # the one that PyInstaller's own program needs before it can load others
)
DEVICES = ("null", "zero", "urandom", "random")


@cache
def has_namespaces() -> bool:
    """Whether this system lets a process have a root and a network of its own."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    return subprocess.run([*_unshare(), "/bin/true"], capture_output=True).returncode == 0


def _unshare() -> list[str]:
    return [shutil.which("unshare") or "", "--user", "--map-root-user", "--mount", "--net"]


def command(program: Path, *arguments: str, seen: Sequence[Path]) -> list[str]:
    """Return the command line that runs a program there; `seen` are the folders it can read."""
    if not has_namespaces():
        return [str(program), *arguments]
    order = {"program": str(program), "arguments": arguments, "seen": list(map(str, seen))}
    return [*_unshare(), sys.executable, __file__, json.dumps(order)]


def environment(**more: str) -> Mapping[str, str]:
    """Return a player's environment: a home that can't be written to, and no PATH."""
    return {"HOME": "/home/Jörg Müller", "PATH": "", "TMPDIR": "/tmp", **more}


def _enter(order: dict) -> None:
    """In the namespaces: make the root, go there, and become the program."""
    root = Path(tempfile.mkdtemp(prefix="bare-"))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root))
    for folder in ("home/Jörg Müller", "tmp", "dev", "proc"):
        (root / folder).mkdir(parents=True)
    _mount("-t", "tmpfs", "tmpfs", str(root / "tmp"))
    for device in DEVICES:
        (root / "dev" / device).touch()
        _mount("--bind", f"/dev/{device}", str(root / "dev" / device))
    _mount("--rbind", "/proc", str(root / "proc"))
    for library in _system_libraries():
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, target)
    for folder in order["seen"]:
        target = root / Path(folder).relative_to("/")
        target.mkdir(parents=True, exist_ok=True)
        _mount("--bind", folder, str(target))
        _mount("-o", "remount,bind,ro", str(target))
    # What was copied here is read-only from now on, but for the temporary folder.
    _mount("-o", "remount,ro", str(root))
    _loopback_up()
    os.chroot(root)
    os.chdir("/")
    os.execve(order["program"], [order["program"], *order["arguments"]], dict(os.environ))


def _mount(*arguments: str) -> None:
    subprocess.run(["/bin/mount", *arguments], check=True)


def _system_libraries() -> list[Path]:
    """The loader and the C library's own files, at the places where programs look for them."""
    listed = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True
    ).stdout
    paths = [Path(line.rpartition("=> ")[2]) for line in listed.splitlines() if "=> " in line]
    loaders = [path for path in paths if path.name.startswith("ld-linux")]
    wanted = [path for path in paths if path.name.split(".")[0] in SYSTEM_LIBRARIES]
    interpreter = Path("/lib64/ld-linux-x86-64.so.2")
    return [*loaders, *wanted, *([interpreter] if interpreter.exists() else [])]


def _loopback_up() -> None:
    """Programs on one machine can talk with each other; nobody else is there."""
    up, set_flags = 0x1, 0x8914
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh", b"lo", up))


if __name__ == "__main__":
    _enter(json.loads(sys.argv[1]))
