"""The journal: one segment of JSON lines per driver, one writer per file, the last line perhaps torn.

Readers never lock and never write. A line counts once its newline is there: what a driver was writing when it
died is dropped. Older segments are read as they are, in the order of their epochs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..durable_files import sync_directory
from ..engine import events as ev
from ..engine.event_codec import UnknownEvent, from_record, to_line
from ..errors import StudyDirectoryError
from ..file_reading import open_file, read_rest

_TAIL = 1 << 13  # bytes: the last events
_BUFFER = 1 << 16  # bytes that are kept before they are handed over
_AT_ONCE = 500  # lines that are read together: other threads wait for a millisecond


def segment(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch:06d}.jsonl"


class Journal:
    """The segment of one epoch, open for writing. `append` buffers; `sync` puts it on the disk."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self.path = segment(folder, epoch)
        try:
            self._file = self.path.open("xb", buffering=0)
            sync_directory(folder)
        except OSError as error:
            raise StudyDirectoryError(f"cannot write the journal {self.path}: {error.strerror}") from None
        self._buffer = bytearray()
        self._written = 0
        self._unsynced = False

    def append(self, event: ev.Event) -> None:
        self._buffer += to_line(event).encode("utf-8", "backslashreplace") + b"\n"
        self._unsynced = True
        if len(self._buffer) >= _BUFFER:
            self.flush()

    @property
    def size(self) -> int:
        """Bytes written so far, those included that are not on the disk yet."""
        return self._written + len(self._buffer)

    def flush(self) -> None:
        """Hand everything to the operating system: other processes of this host see it."""
        try:
            while self._buffer:
                count = self._file.write(self._buffer) or 0
                self._written += count
                del self._buffer[:count]
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

    def discard(self) -> None:
        """Forget what is not handed over yet: another driver went on from what the file holds."""
        self._buffer.clear()

    def close(self) -> None:
        self.sync()
        self._file.close()

    def _broken(self, error: OSError) -> StudyDirectoryError:
        return StudyDirectoryError(
            f"cannot write the journal {self.path}: {error.strerror}",
            "nothing is lost: make room or repair the directory, then start mtui on it again",
        )


def read_events(folder: Path, read: dict[str, int] | None = None) -> Iterator[ev.Event]:
    """Read all events of a study, in order. Raises StudyDirectoryError for a journal that cannot be parsed.

    `read` is how many bytes of each segment were read before; it is updated.
    """
    known = {} if read is None else read
    for path in sorted(folder.glob("*.jsonl")):
        try:
            with open_file(path) as file:
                file.seek(known.get(path.name, 0))
                data = read_rest(file, path)
        except OSError as error:
            raise StudyDirectoryError(f"cannot read {path}: {error.strerror}") from None
        yield from parse_lines(data, str(path))
        known[path.name] = known.get(path.name, 0) + data.rfind(b"\n") + 1


def segment_ends(folder: Path) -> list[tuple[str, bool]]:
    """The names of all segments, and whether the last line of each is complete."""
    ends: list[tuple[str, bool]] = []
    for path in sorted(folder.glob("*.jsonl")):
        with suppress(OSError), open_file(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            ends.append((path.name, file.read() in (b"", b"\n")))
    return ends


def end_of_journal(journal: Path) -> tuple[str, float]:
    """The result of the study if it is over, and when its journal was written to last."""
    try:
        path = max(journal.glob("*.jsonl"), default=None)
        if path is None:
            return "", 0.0
        with open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            lines = file.read(_TAIL).split(b"\n")
            changed = os.fstat(file.fileno()).st_mtime
    except OSError:
        return "", 0.0
    for line in reversed(lines):
        with suppress(ValueError, LookupError, TypeError, AttributeError):  # torn by the cut, or by a crash
            event = from_record(json.loads(line))
            if isinstance(event, ev.DriverStarted):
                break
            if isinstance(event, ev.StudyEnded):
                return event.result, changed
    return "", changed


def parse_lines(data: bytes, name: str) -> Iterator[ev.Event]:
    """The events of one segment's bytes. A torn last line is dropped, also if another follows the tear."""
    lines = data.decode("utf-8", "replace").split("\n")  # at once: json would detect the encoding of each line
    del lines[-1]  # what follows the last newline: nothing, or a torn line
    for first in range(0, len(lines), _AT_ONCE):
        records = _records(lines[first : first + _AT_ONCE])
        for number, record in enumerate(records, first + 1):
            try:
                yield from_record(json.loads(record) if isinstance(record, str) else record)
            except UnknownEvent as error:
                raise StudyDirectoryError(
                    f"{name}:{number}: this journal holds an {error}", "a newer mtui wrote it; use that one"
                ) from None
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if number == len(lines):
                    return
                hint = "restore the file from a backup; without its journal a study cannot go on"
                raise StudyDirectoryError(f"{name}:{number}: damaged journal line: {error}", hint) from None


def _records(lines: list[str]) -> list[Any]:
    """The records of some lines, read together because that is quicker; the lines themselves if that fails."""
    with suppress(ValueError):
        records: list[Any] = json.loads(f"[{','.join(lines)}]")
        if len(records) == len(lines):
            return records
    return list(lines)
