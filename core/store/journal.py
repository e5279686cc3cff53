"""The journal: one segment of JSON lines per driver, one writer per file, the last line perhaps torn.

Readers never lock and never write. A line counts once its newline is there: what a driver was writing when it
died is dropped. Older segments are read as they are, in the order of their epochs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import StudyDirectoryError
from ..study import events as ev


def segment(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch:06d}.jsonl"


class Journal:
    """The segment of one epoch, open for writing. `append` buffers; `sync` puts it on the disk."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self.path = segment(folder, epoch)
        try:
            self._file = self.path.open("xb", buffering=1 << 16)
        except OSError as error:
            raise StudyDirectoryError(f"cannot write the journal {self.path}: {error.strerror}") from None
        self._unsynced = False

    def append(self, event: ev.Event) -> None:
        try:
            self._file.write(ev.to_line(event).encode("utf-8", "backslashreplace") + b"\n")
        except OSError as error:
            raise self._broken(error) from None
        self._unsynced = True

    def flush(self) -> None:
        """Hand everything to the operating system: other processes of this host see it."""
        try:
            self._file.flush()
        except OSError as error:
            raise self._broken(error) from None

    def sync(self) -> None:
        """Put everything on the disk; only then may what it announces be done."""
        if not self._unsynced:
            return
        self.flush()
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            raise self._broken(error) from None
        self._unsynced = False

    def close(self) -> None:
        self.sync()
        self._file.close()

    def _broken(self, error: OSError) -> StudyDirectoryError:
        return StudyDirectoryError(
            f"cannot write the journal {self.path}: {error.strerror}",
            "nothing is lost: make room or repair the directory, then start mtui on it again",
        )


def read_events(folder: Path) -> Iterator[ev.Event]:
    """All events of a study, in order. Raises StudyDirectoryError for a journal that it cannot understand."""
    for path in sorted(folder.glob("*.jsonl")):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StudyDirectoryError(f"cannot read {path}: {error.strerror}") from None
        yield from parse_lines(data, str(path))


def parse_lines(data: bytes, name: str) -> Iterator[ev.Event]:
    """The events of one segment's bytes. A torn last line is dropped, also if another follows the tear."""
    lines = data.split(b"\n")
    del lines[-1]  # what follows the last newline: nothing, or a torn line
    for number, line in enumerate(lines, 1):
        try:
            yield ev.from_record(json.loads(line))
        except ev.UnknownEvent as error:
            raise StudyDirectoryError(
                f"{name}:{number}: this journal holds an {error}", "a newer mtui wrote it; use that one"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                return
            raise StudyDirectoryError(f"{name}:{number}: damaged journal line: {error}") from None
