"""Reads what is new in a log that is written, rewritten, and replaced by the output of the next attempt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ...core.file_reading import open_file
from ...core.store.study_directory import kept_output

_CHUNK = 1 << 16
_SEAL = 64  # bytes before the position, to notice that the file was rewritten and is longer than before


class FollowedLog:
    """A log of which every byte is read once. The path is opened again for each read, as in file_tail.py.

    A file that another one replaces stays open until then, because its end may not have been read yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._known: set[tuple[int, int]] = set()  # device and inode of each file that was read or was there before
        self._position = 0
        self._seal = b""

    def ignore_attempts(self, count: int) -> None:
        """Do not read the output of the attempts up to this number that is kept already."""
        for number in range(1, count + 1):
            with suppress(OSError):
                self._known.add(_identity(os.stat(kept_output(self.path, number))))  # noqa: PTH116

    def new_data(self, attempts: int = 0) -> Iterator[bytes]:
        """Read what is new: the rest of the file, the output of attempts up to this number that is kept, the new file.

        Raises UnusableFile or IsADirectoryError if something else is in its place.
        """
        try:
            current = open_file(self.path)
        except FileNotFoundError:
            yield from self._rest()
            yield from self._kept(attempts)
            return
        if self._file is not None and _same(self._file, current):
            self._file.close()
            self._file = current
            if self._is_rewritten():
                self._position, self._seal = 0, b""
            yield from self._rest()
            return
        self._known.add(_identity(os.fstat(current.fileno())))
        yield from self._rest()
        yield from self._kept(attempts)
        self._begin(current)
        yield from self._rest()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _kept(self, attempts: int) -> Iterator[bytes]:
        """Read the output of attempts that began and ended since the last read."""
        for number in range(1, attempts + 1):
            with suppress(OSError):
                file = open_file(kept_output(self.path, number))
                identity = _identity(os.fstat(file.fileno()))
                if identity in self._known:
                    file.close()
                    continue
                self._known.add(identity)
                self._begin(file)
                yield from self._rest()

    def _begin(self, file: BinaryIO) -> None:
        self.close()
        self._file, self._position, self._seal = file, 0, b""

    def _rest(self) -> Iterator[bytes]:
        if self._file is None:
            return
        self._file.seek(self._position)
        while data := self._file.read(_CHUNK):
            self._position += len(data)
            self._seal = (self._seal + data)[-_SEAL:]
            yield data

    def _is_rewritten(self) -> bool:
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size < self._position:
            return True
        return os.pread(self._file.fileno(), len(self._seal), self._position - len(self._seal)) != self._seal


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _same(first: BinaryIO, second: BinaryIO) -> bool:
    return _identity(os.fstat(first.fileno())) == _identity(os.fstat(second.fileno()))
