"""Writes the files of a study: complete or not at all, and on the disk before anything depends on them.

After a power cut a file that was never synced is empty, cut at the end of a block, or not there; a name that was never
synced is not there. So there are two kinds of files:

- what cannot be made again from others (study.json, the study file, owners, commands, job.sh, the journal) is written
  by `write_durably` or `create_durably`, or synced by its writer;
- what follows from plan and journal (scripts, status.csv, heartbeats) is written by `replace_file` or in place, is not
  synced, and is verified before it is used (`store/file_verification.py`).
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

# Errors of file systems that cannot sync a directory; nothing more can be done for its names.
_NO_DIRECTORY_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF)


def write_durably(path: Path, data: bytes) -> None:
    """Replace or create a file, by one writer at a time; from then on a power cut does not lose it. Raises OSError."""
    temporary = temporary_name(path)
    _write(temporary, data, sync=True)
    temporary.replace(path)
    sync_directory(path.parent)


def create_durably(path: Path, data: bytes) -> bool:
    """Create a file that must not exist, with its content, by link(2): of several writers one succeeds.

    Returns False if it exists. Raises OSError.
    """
    unique = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        _write(unique, data, sync=True)
        try:
            os.link(unique, path)
        except FileExistsError:
            if unique.stat().st_nlink != 2:  # NFS may report a link that it made as failed
                return False
    finally:
        with suppress(OSError):
            unique.unlink()
    sync_directory(path.parent)
    return True


def replace_file(path: Path, data: bytes) -> None:
    """Replace or create a file in one move, without sync: for what can be made again. One writer at a time."""
    temporary = temporary_name(path)
    _write(temporary, data, sync=False)
    temporary.replace(path)


def temporary_name(path: Path) -> Path:
    """The name under which a file is written before it takes its place."""
    return path.with_name(f".{path.name}.tmp")


def sync_file(path: Path) -> None:
    """Put the content of a file on the disk. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_directory(folder: Path) -> None:
    """Put the names in a folder on the disk, where the file system can. Raises OSError."""
    try:
        sync_file(folder)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise


def sync_tree(folder: Path) -> None:
    """Put a folder on the disk with all files and folders in it. Raises OSError."""
    for place, _, files in os.walk(folder):
        for name in files:
            sync_file(Path(place, name))
        sync_directory(Path(place))


def _write(path: Path, data: bytes, *, sync: bool) -> None:
    """Write a temporary file. Anything that an earlier writer left there is removed, also if it is no file."""
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        while data:
            data = data[os.write(file, data) :]
        if sync:
            os.fsync(file)
    finally:
        os.close(file)
