"""Reads the end of a file that may grow, be truncated, be replaced, or not exist yet.

The file is opened again for each read, because a network file system reports its true size only then. It is never
memory-mapped: the process would be killed when another one truncates the file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

WINDOW = 1 << 20  # limit of bytes that are kept, and that are read at once
MOST_LINES = 20_000
LONGEST = 1 << 16  # bytes kept of one line

_SEAL = 64  # bytes before the position, to notice that the file was rewritten and is longer than before


class FileTail:
    """The last lines of a file. Line numbers count from the first line ever read and never decrease."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[bytes] = []
        self.first = 0  # the number of lines[0]
        self.changed = 0  # the number of the first line that the last poll added or changed
        self.missing = True
        self.problem = ""
        self.truncated_head = False  # older bytes exist that are not kept
        self.binary = False
        self.generation = 0  # how often the file was rewritten
        self._stamp: tuple[int, int, int, int] | None = None
        self._position = 0
        self._seal = b""
        self._open = False  # the last line is incomplete
        self._within = False  # the position is inside a line that is not shown

    @property
    def end(self) -> int:
        """The number of the line after the last one."""
        return self.first + len(self.lines)

    def poll(self) -> bool:
        """Read new data; return whether anything changed. Lines that were read stay if the file disappears."""
        before = (self.missing, self.problem)
        self.changed = self.end
        grown = False
        try:
            grown = self._check_file()
            self.missing, self.problem = False, ""
        except (FileNotFoundError, NotADirectoryError):
            self.missing, self.problem = True, ""
        except OSError as error:
            self.missing, self.problem = False, f"cannot be read: {error.strerror or error}"
        except ValueError:
            self.missing, self.problem = False, "no file can have this name"
        return grown or before != (self.missing, self.problem)

    def _check_file(self) -> bool:
        # Checked before opening: opening a pipe wakes its writer, opening a device may have any effect.
        _only_files(self.path.stat())
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            _only_files(found)
            return self._catch_up(descriptor, found)
        finally:
            os.close(descriptor)

    def _catch_up(self, descriptor: int, found: os.stat_result) -> bool:
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp == self._stamp and self._position == found.st_size:
            return False
        replaced = self._is_another(descriptor, found)
        if replaced:
            self._restart()
        self._stamp = stamp
        if found.st_size - self._position > WINDOW:
            self._forget()
            self.truncated_head = True
            self._position = found.st_size - WINDOW
            self._within = os.pread(descriptor, 1, self._position - 1) != b"\n"
        data = os.pread(descriptor, found.st_size - self._position, self._position)
        if data:
            self._position += len(data)
            self._seal = (self._seal + data)[-_SEAL:] if len(data) < _SEAL else data[-_SEAL:]
            self._take(data)
        return replaced or bool(data)

    def _is_another(self, descriptor: int, found: os.stat_result) -> bool:
        """Return whether the file was replaced or rewritten since the last read."""
        if self._stamp is None or not self._position:
            return False
        if (found.st_dev, found.st_ino) != self._stamp[:2] or found.st_size < self._position:
            return True
        return os.pread(descriptor, len(self._seal), self._position - len(self._seal)) != self._seal

    def _restart(self) -> None:
        self._forget()
        self._position = 0
        self._seal = b""
        self.generation += 1
        self.truncated_head = self.binary = self._within = False

    def _forget(self) -> None:
        self.first = self.changed = self.end
        self.lines = []
        self._open = False

    def _take(self, data: bytes) -> None:
        self.binary = self.binary or b"\0" in data
        if self._within:
            start = data.find(b"\n") + 1
            if start < len(data):  # else one line is longer than the window: its end is shown
                data = data[start:]
            self._within = False
        pieces = data.split(b"\n")
        if self._open:
            pieces[0] = self.lines.pop() + pieces[0]
            self.changed -= 1
        self._open = pieces[-1] != b""
        if not self._open:
            pieces.pop()
        self.lines += [piece if len(piece) <= LONGEST else _shortened(piece) for piece in pieces]
        self._close()

    def _close(self) -> None:
        """Drop the oldest lines beyond the limits."""
        gone = max(0, len(self.lines) - MOST_LINES)
        held = sum(map(len, self.lines[gone:]))
        while held > WINDOW:
            held -= len(self.lines[gone])
            gone += 1
        if gone:
            del self.lines[:gone]
            self.first += gone
            self.changed = max(self.changed, self.first)
            self.truncated_head = True


def _only_files(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is a directory" if stat.S_ISDIR(found.st_mode) else "it is not a regular file")


def _shortened(line: bytes) -> bytes:
    """Shorten a very long line: to the last state of a progress bar, else to its beginning."""
    end = line[-LONGEST:]
    at = end.rstrip(b"\r").find(b"\r")
    return end[at + 1 :] if at >= 0 else line[:LONGEST]
