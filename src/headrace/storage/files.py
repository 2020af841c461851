"""Atomic and durable files and folders: what is visible is whole, and what is visible stays.

The method is the one that databases use: write to a temporary name in the same folder, fsync the
file, rename it (a rename is atomic), fsync the folder (a rename is durable only then). A reader
sees the old content or the new content; a process that is killed leaves at most a temporary name
behind, which the next publication removes.

On Windows folders cannot be fsynced; there the rename is atomic and the system decides when it
reaches the disk.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "Disk",
    "append_line",
    "disk",
    "flush_folder",
    "make_folders",
    "new_file",
    "publish_folder",
    "remove_leftovers",
    "sha256",
    "temporary_name",
    "write_file",
]

_CHUNK = 1 << 20
_DAY = 86_400.0
_PREFIX = ".headrace-tmp-"
_TEMPORARY = re.compile(r"^\.headrace-tmp-(?P<host>.+)-(?P<process>\d+)-[0-9a-f]{8}$")
_in_use: set[str] = set()


class Disk:
    """The calls that change a disk, in one place, so that a test can make any of them fail."""

    def create(self, path: Path) -> int:
        """Create a new file and answer its descriptor; the file must not exist."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        return os.open(path, flags, 0o666)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of the bytes."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view[:_CHUNK]) :]

    def fsync(self, descriptor: int) -> None:
        """Wait until the file is on the disk."""
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or folder its final name."""
        source.replace(target)

    def exchange(self, left: Path, right: Path) -> None:
        """Let two names change places in one step; `OSError` where the system has no such call."""
        _exchange(left, right)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file to a size."""
        os.truncate(path, size)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()


disk = Disk()


def sha256(path: Path) -> str:
    """Answer the SHA-256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_file(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, and the new one stays.

    Args:
        path: The file; its folder must exist.
        data: The whole content.

    Raises:
        OSError: The disk refused; the old content is still there.
    """
    temporary = path.with_name(temporary_name())
    try:
        _write_new(temporary, data)
        disk.rename(temporary, path)
    finally:
        _discard(temporary)
    flush_folder(path.parent)


def new_file(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet; its folder is flushed later, as a whole."""
    descriptor = disk.create(path)
    try:
        disk.write(descriptor, data)
    finally:
        os.close(descriptor)


def append_line(path: Path, line: bytes) -> None:
    """Append one line and wait until it is on the disk; a torn last line is cut off first.

    A reader must ignore a last line without its line feed. Writers take turns: the caller holds
    a lock.
    """
    new = not path.exists()
    if not new:
        _cut_torn_line(path)
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        disk.write(descriptor, line + b"\n")
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        flush_folder(path.parent)


def publish_folder(
    parent: Path,
    build: Callable[[Path], str],
    *,
    replace: Callable[[Path], bool],
) -> Path:
    """Build a folder under a temporary name and show it, whole, under its final one.

    Args:
        parent: Where the folder will be; made when it is missing.
        build: Fills the empty folder that it is given, and answers the final name.
        replace: Asked when the final name is taken: True puts the new folder in its place, False
            keeps the old one and drops the new.

    Returns:
        The folder under its final name.
    """
    make_folders(parent)
    remove_leftovers(parent)
    temporary = parent / temporary_name()
    try:
        temporary.mkdir()
        target = parent / build(temporary)
        _flush_tree(temporary)
        if not os.path.lexists(target):
            disk.rename(temporary, target)
        elif replace(target):
            _take_place(temporary, target)
    finally:
        _discard(temporary)
    flush_folder(parent)
    return target


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, so that they stay."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_name() -> str:
    """Answer a fresh hidden name that says who made it: the machine and the process."""
    host = re.sub(r"[^A-Za-z0-9.]", "_", platform.node()) or "unknown"
    name = f"{_PREFIX}{host}-{os.getpid()}-{secrets.token_hex(4)}"
    _in_use.add(name)
    return name


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left behind; what a living process is writing stays."""
    for entry in folder.iterdir():
        if entry.name.startswith(_PREFIX) and _abandoned(entry):
            _discard(entry)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = disk.create(path)
    try:
        disk.write(descriptor, data)
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_tree(folder: Path) -> None:
    """Wait until every file and folder below is on the disk, the deepest first."""
    for root, _, files in os.walk(folder, topdown=False):
        here = folder.__class__(root)
        for file in sorted(files):
            # Windows flushes only descriptors that may write.
            descriptor = os.open(here / file, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
            try:
                disk.fsync(descriptor)
            finally:
                os.close(descriptor)
        flush_folder(here)


def _take_place(new: Path, old: Path) -> None:
    """Put a folder where another one is; the old one then carries the temporary name."""
    try:
        disk.exchange(new, old)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
            raise
        _swap_in_two_steps(new, old)


def _swap_in_two_steps(new: Path, old: Path) -> None:
    # Without an exchange call there is an instant with no folder; an error puts the old one back.
    aside = old.with_name(temporary_name())
    disk.rename(old, aside)
    try:
        disk.rename(new, old)
    except BaseException:
        aside.replace(old)
        raise
    _discard(aside)


def _exchange(left: Path, right: Path) -> None:
    library: Any = ctypes.CDLL(None, use_errno=True) if sys.platform != "win32" else None
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
        failed = library.renameat2(here, os.fsencode(left), here, os.fsencode(right), exchange)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(os.fsencode(left), os.fsencode(right), 2)  # RENAME_SWAP
    else:
        raise OSError(errno.ENOSYS, "this system cannot exchange two names")
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(left))


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        disk.truncate(path, content.rfind(b"\n") + 1)


def _discard(path: Path) -> None:
    """Remove a temporary file or folder, if it is there; never hides the error under way."""
    _in_use.discard(path.name)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return


def _abandoned(path: Path) -> bool:
    found = _TEMPORARY.match(path.name)
    if found is None or path.name in _in_use:
        return False
    host = re.sub(r"[^A-Za-z0-9.]", "_", platform.node()) or "unknown"
    if found["host"] == host and int(found["process"]) == os.getpid():
        return True
    if found["host"] == host and sys.platform != "win32":
        return not _alive(int(found["process"]))
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except OSError:
        return False


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
