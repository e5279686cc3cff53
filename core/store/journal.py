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
from ..errors import TRY_DOCTOR, DriverError, NewerVersion, StorageError, StudyDirectoryError, error_text, may_pass
from ..file_reading import open_file, read_rest

_TAIL = 1 << 13  # bytes: the last events
_BUFFER = 1 << 16  # bytes that are kept before they are handed over
_MOST_UNSYNCED = 1 << 22  # bytes that are kept until they are on the disk
_AT_ONCE = 500  # lines that are read together: other threads wait for a millisecond


def segment(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch:06d}.jsonl"


class Journal:
    """The segment of one epoch, open for writing. `append` buffers; `sync` puts it on the disk.

    After an error everything that is not known to be on the disk is written again, at its place: a file system may
    drop what it accepted before it failed (fsync(2)). So no line is lost, written in half or written twice.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        """Create the segment, now or at the first `sync` that can. Raises StudyDirectoryError if none can."""
        self.path = segment(folder, epoch)
        self._file: int | None = None
        self._is_tried = False  # to create it
        self._is_created = False
        self._is_named = False  # its name is on the disk
        self._pending = bytearray()  # not known to be on the disk
        self._handed_over = 0  # how many of these bytes the operating system has
        self._synced = 0  # bytes on the disk
        try:
            self._opened()
        except OSError as error:
            self._close()
            if not may_pass(error):
                raise StudyDirectoryError(
                    f"cannot write the journal {error_text(error, self.path)}", TRY_DOCTOR
                ) from None

    def append(self, event: ev.Event) -> None:
        """Add an event. Writes nothing: see `is_long`."""
        self._pending += to_line(event).encode("utf-8", "backslashreplace") + b"\n"

    @property
    def is_long(self) -> bool:
        """Whether so much was appended that it should be flushed."""
        return len(self._pending) - self._handed_over >= _BUFFER

    @property
    def size(self) -> int:
        """Bytes written so far, including those that are not on the disk yet."""
        return self._synced + len(self._pending)

    def flush(self) -> None:
        """Write everything to the operating system: other processes of this host see it. Raises OSError."""
        if self._handed_over == len(self._pending):
            return
        try:
            file = self._opened()
            while self._handed_over < len(self._pending):
                data = bytes(self._pending[self._handed_over :])
                self._handed_over += os.pwrite(file, data, self._synced + self._handed_over)
        except OSError as error:
            raise self._begin_again(error) from None
        if len(self._pending) >= _MOST_UNSYNCED:
            self.sync()

    def sync(self) -> None:
        """Sync everything; only then may the actions that it announces be taken. Raises OSError."""
        if not self._pending:
            return
        if self._handed_over < len(self._pending):
            self.flush()
        if not self._pending:
            return  # `flush` has synced it
        try:
            os.fdatasync(self._opened())
        except OSError as error:
            raise self._begin_again(error) from None
        self._synced += len(self._pending)
        self._pending.clear()
        self._handed_over = 0

    def discard(self) -> None:
        """Forget what is not handed over yet: another driver continued from the content of the file."""
        self._pending.clear()
        self._handed_over = 0

    def close(self) -> None:
        """Sync and close. Raises OSError."""
        try:
            self.sync()
        finally:
            self._close()

    def _opened(self) -> int:
        if self._file is None:
            self._file = file = self._open_or_create()
            self._is_created = True
            if os.fstat(file).st_size < self._synced:
                self._close()  # or the next call would write behind a hole
                raise DriverError(
                    f"the end of the journal is missing: {self.path}",
                    "start mtui on the directory again: it continues from what the journal contains",
                )
        if not self._is_named:
            sync_directory(self.path.parent)
            self._is_named = True
        return self._file

    def _open_or_create(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        was_tried, self._is_tried = self._is_tried, True
        if not self._is_created:
            try:
                return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                # A file server may have created it though its answer was lost: empty, and nobody else has our epoch.
                if not was_tried or self.path.stat().st_size > 0:
                    raise
        return os.open(self.path, flags)

    def _begin_again(self, error: OSError) -> OSError:
        """Close the file, so that the next try opens it again (ESTALE) and writes all that may be lost."""
        self._close()
        self._handed_over = 0
        return OSError(error.errno, error.strerror, str(self.path))

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)


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
            raise StorageError(f"cannot read {path}: {error.strerror}", TRY_DOCTOR) from None
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
                raise NewerVersion(
                    f"{name}:{number}: this journal contains an {error}", "a newer mtui wrote it; use that version"
                ) from None
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if number == len(lines):
                    return
                hint = "restore the file from a backup; a study cannot continue without its journal"
                raise StudyDirectoryError(f"{name}:{number}: damaged journal line: {error}", hint) from None


def _records(lines: list[str]) -> list[Any]:
    """The records of some lines, read together because that is quicker; the lines themselves if that fails."""
    with suppress(ValueError):
        records: list[Any] = json.loads(f"[{','.join(lines)}]")
        if len(records) == len(lines):
            return records
    return list(lines)
