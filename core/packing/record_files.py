"""The leader's files: the list that it reads, the records that it appends, and the programs that it writes."""

from __future__ import annotations

import codecs
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..file_reading import open_file, open_to_append, read_rest, read_text


class GrowingFile:
    """Reads a file that another process appends to. It is opened for each read, so that NFS checks for new data."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def read(self) -> str:
        """Return the text that was appended since the last call; empty if the file cannot be read."""
        try:
            with open_file(self._path) as file:
                file.seek(self._offset)
                added = read_rest(file, self._path)
        except OSError:
            return ""  # not created yet, or a transient error
        self._offset += len(added)
        return self._decoder.decode(added)


class RecordWriter:
    """Appends records. Records that cannot be written are kept and retried."""

    _OPEN_AT_MOST = 0.5  # seconds; NFS flushes written data when the file is closed

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten = b""
        self._unsure = b""  # written since the file was opened: an error may be reported only when it is closed
        self._file: BinaryIO | None = None
        self._opened = 0.0
        self._stuck = False

    def add(self, kind: str, **fields: Any) -> None:
        """Add a record, which `write` will append."""
        self._unwritten += json.dumps({"v": 1, "kind": kind, **fields}, separators=(",", ":")).encode() + b"\n"

    @property
    def through(self) -> bool:
        """Whether all records are written."""
        return not self._unwritten

    @property
    def stuck(self) -> bool:
        """Whether the last write failed or was incomplete."""
        return self._stuck

    def write(self, now: float) -> None:
        """Write all pending records in one call, and close the file if it was open for `_OPEN_AT_MOST`."""
        if self._unwritten:
            try:
                if self._file is None:
                    self._file = open_to_append(self._path, 0o600)
                    self._opened = now
                taken = os.write(self._file.fileno(), self._unwritten)
                self._unsure += self._unwritten[:taken]
                self._unwritten = self._unwritten[taken:]
            except OSError:
                self.close()
            self._stuck = bool(self._unwritten)
        if now - self._opened >= self._OPEN_AT_MOST:
            self.close()

    def close(self) -> None:
        """Close the file. If that fails, what was written to it may be lost, so it is pending again."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.close()
        except OSError:  # an exceeded quota, on a network file system
            self._unwritten = b"\n" + self._unsure + self._unwritten  # the last line may be incomplete
            self._stuck = True
        self._unsure = b""


def write_program(path: Path, text: str) -> None:
    """Write an executable file atomically, unless it has this text already. Raises OSError."""
    with suppress(OSError):
        if read_text(path) == text:
            return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{os.uname().nodename}")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o700)
    fresh.replace(path)
