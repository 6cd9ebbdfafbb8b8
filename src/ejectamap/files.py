"""Write files that are either complete or absent, whatever happens meanwhile: an error, a kill, or a loss of power.

A file is written under a temporary name in the same folder, flushed to the disk, and renamed. The temporary name says
which process of which machine writes it, so that what a killed process left behind is told from what another one
still writes.
"""

import errno
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import psutil

from ejectamap.errors import OutputError

_PARTIAL = re.compile(r"\.(?P<pid>\d+)(?:@(?P<host>[^@]*))?\.partial$")
_FORGOTTEN_S = 86400.0  # after which a partial file of another machine, whose processes cannot be seen, is removed


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file, or replace the one that is there; leave the old one, and nothing else, if that fails.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with _put_in_place(path) as temporary:
        temporary.write_bytes(content)


def link_file(path: Path, target: Path) -> None:
    """Give a file a second name without a second copy; copy it where the two places cannot share one file.

    Raises
    ------
    OutputError
        If that fails.
    """
    with _put_in_place(target) as temporary:
        try:
            os.link(path, temporary)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(path, temporary)


@contextmanager
def _put_in_place(path: Path) -> Iterator[Path]:
    """Give a temporary name to write a file under, which then becomes `path`; raises `OutputError`."""
    temporary = partial_path(path)
    try:
        try:
            yield temporary
            move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}): free some space, or check the folder, "
            "and run again"
        ) from error


def partial_path(path: Path) -> Path:
    """Temporary name under which this process writes a file before `move_into_place`."""
    return path.with_name(f".{path.name}.{os.getpid()}@{platform.node()}.partial")


def move_into_place(temporary: Path, path: Path) -> None:
    """Rename a complete file, or folder of files, once its content is on the disk; raises `OSError`."""
    written = [temporary] if temporary.is_file() else [*temporary.rglob("*"), temporary]
    for part in written:
        _flush(part)
    temporary.replace(path)
    _flush(path.parent)


def remove_partial_files(folder: Path) -> None:
    """Remove files and folders that interrupted processes left half-written in a folder; those of running ones stay.

    Raises
    ------
    OutputError
        If one cannot be removed.
    """
    try:
        for path in folder.glob(".*.partial"):
            if _is_left_behind(path):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be cleaned up ({error.strerror}): check its permissions"
        ) from error


def require_file(path: Path) -> None:
    """Raise `OSError` if there is no file, or a pipe or a device, whose reader might wait without end."""
    mode = path.stat().st_mode
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "is a pipe or a device, not a file", str(path))


def read_bytes(path: Path) -> bytes:
    """Content of a file; raises `OSError`, also for a pipe or a device in its place."""
    require_file(path)
    return path.read_bytes()


def read_text(path: Path) -> str:
    """Text of a file in UTF-8, as `read_bytes`; raises `UnicodeDecodeError` besides."""
    require_file(path)
    return path.read_text(encoding="utf-8")


def hash_file(path: Path) -> str:
    """Digest (BLAKE2b, 128 bits, hexadecimal) of a file's content; raises `OSError`, also for a pipe or a device."""
    require_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _flush(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folders, and needs no such step
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_left_behind(path: Path) -> bool:
    """Whether the process that wrote a partial file has ended, as far as can be told."""
    name = _PARTIAL.search(path.name)
    if name is None:
        return False
    if name["host"] in (None, platform.node()):  # earlier versions wrote no name of the machine
        return not psutil.pid_exists(int(name["pid"]))
    try:
        return time.time() - path.stat().st_mtime > _FORGOTTEN_S
    except FileNotFoundError:  # renamed meanwhile
        return False
