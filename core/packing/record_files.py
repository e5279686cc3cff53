"""The leader's files: the list that grows, the records that it appends, and the programs that it writes."""

from __future__ import annotations

import codecs
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


class GrowingFile:
    """A file that somebody else appends to. It is opened each time: then NFS looks at the file's newest state."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def read(self) -> str:
        """What was added since the last time."""
        try:
            with self._path.open("rb", buffering=0) as file:
                file.seek(self._offset)
                added = file.readall() or b""
        except OSError:
            return ""  # not there yet, or a file system that hiccups
        self._offset += len(added)
        return self._decoder.decode(added)


class RecordWriter:
    """Appends records. What the disk does not take is kept and tried again."""

    _OPEN_AT_MOST = 0.5  # seconds; NFS sends on what was written when the file is closed

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten = b""
        self._file: int | None = None
        self._opened = 0.0
        self._stuck = False

    def add(self, kind: str, **fields: Any) -> None:
        self._unwritten += json.dumps({"v": 1, "kind": kind, **fields}, separators=(",", ":")).encode() + b"\n"

    @property
    def through(self) -> bool:
        """Whether everything is written."""
        return not self._unwritten

    @property
    def stuck(self) -> bool:
        """Whether something could not be written."""
        return self._stuck

    def write(self, now: float) -> None:
        """Write what was added, in one call."""
        if self._unwritten:
            try:
                if self._file is None:
                    self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                    self._opened = now
                self._unwritten = self._unwritten[os.write(self._file, self._unwritten) :]
            except OSError:
                self.close()
            self._stuck = bool(self._unwritten)
        if now - self._opened >= self._OPEN_AT_MOST:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a quota may be told only here
                os.close(self._file)
            self._file = None


def write_program(path: Path, text: str) -> None:
    """Write a program, in one move, unless it is there. Raises OSError."""
    with suppress(OSError):
        if path.read_text(encoding="utf-8") == text:
            return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{os.uname().nodename}")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o700)
    fresh.replace(path)
