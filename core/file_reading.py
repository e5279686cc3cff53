"""Opens files that may not be what they should be: a FIFO or a device in their place must not block the reader.

Every file of a study is read, and every log is appended to, through this module. Compute nodes use it too, so it
imports only the standard library.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

RECORD = 1 << 20  # bytes; the most that a small file of a study has: an owner, a claim, a report, a command
WHOLE = 1 << 32  # bytes; the most that is read of a journal or a plan


class UnusableFile(OSError):
    """It is no regular file, or larger than a file of its kind can be: reading it again does not help."""


_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_file(path: Path | str) -> BinaryIO:
    """Open a regular file for reading, without blocking. Raises OSError, also for any other kind of file."""
    # Checked before opening: opening a FIFO wakes its writer, opening a device may have any effect.
    _require_regular(os.stat(path), path)  # noqa: PTH116
    descriptor = os.open(path, _FLAGS)
    try:
        _require_regular(os.fstat(descriptor), path)
        return open(descriptor, "rb")  # noqa: PTH123
    except BaseException:
        os.close(descriptor)
        raise


def open_to_append(path: Path | str, mode: int = 0o666) -> BinaryIO:
    """Open or create a log, without buffer and without blocking. Raises OSError, also for a FIFO.

    A device such as /dev/null is left to the user who put it there.
    """
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a FIFO without a reader
            raise UnusableFile(errno.EINVAL, "not a regular file", str(path)) from None
        raise
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            raise UnusableFile(errno.EINVAL, "not a regular file", str(path))
        os.set_blocking(descriptor, True)  # for the processes that inherit it
        return open(descriptor, "ab", buffering=0)  # noqa: PTH123
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path | str, most: int = RECORD) -> bytes:
    """Read a regular file of at most `most` bytes. Raises OSError."""
    with open_file(path) as file:
        return read_rest(file, path, most)


def read_text(path: Path | str, most: int = RECORD, errors: str = "strict") -> str:
    """Read a regular file of at most `most` bytes as UTF-8. Raises OSError, and UnicodeDecodeError if strict."""
    return read_bytes(path, most).decode("utf-8", errors).replace("\r\n", "\n").replace("\r", "\n")


def read_rest(file: BinaryIO, path: Path | str, most: int = WHOLE) -> bytes:
    """Read an open file to its end. Raises OSError if that is more than `most` bytes."""
    too_large = UnusableFile(errno.EFBIG, f"larger than {most} bytes", str(path))
    if os.fstat(file.fileno()).st_size - file.tell() > most:
        raise too_large
    data = file.read(most + 1)
    if len(data) > most:
        raise too_large
    return data


def read_tail(path: Path | str, start: int = 0, most: int = 1000) -> str:
    """Return the last complete words of a log from byte `start` on, on one line; empty if it cannot be read."""
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(start, size - most))
            data = file.read(most)
    except OSError:
        return ""
    return " / ".join(line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip())


def exists(path: Path | str) -> bool:
    """Return whether a path exists. Raises OSError if that cannot be found out, unlike Path.exists of newer Pythons."""
    try:
        os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def size_of(path: Path | str) -> int:
    """Return the size of a file; 0 if it is not there."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def _require_regular(found: os.stat_result, path: Path | str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
    if not stat.S_ISREG(found.st_mode):
        raise UnusableFile(errno.EINVAL, "not a regular file", str(path))
