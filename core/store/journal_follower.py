"""Follows a journal while somebody else writes it: each call gives the events that are new."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..engine import events as ev
from ..file_reading import open_file, read_rest
from .journal import parse_lines

_LONGEST_LINE = 1 << 20  # bytes that are searched for the end of the last event


class JournalFollower:
    """Continues where the last read stopped. Files are reopened: an open one shows no new data on NFS."""

    def __init__(self, journal: Path, read: Mapping[str, int] | None = None) -> None:
        """`read` is how many bytes of each segment were read before."""
        self._journal = journal
        self._offsets: dict[str, int] = dict(read or {})

    @classmethod
    def from_now(cls, journal: Path) -> JournalFollower:
        """One that passes over the events that are written already."""
        read: dict[str, int] = {}
        for path in journal.glob("*.jsonl"):
            with suppress(OSError), open_file(path) as file:
                start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
                file.seek(start)
                data = file.read(_LONGEST_LINE)
                read[path.name] = start + data.rfind(b"\n") + 1 if b"\n" in data else 0
        return cls(journal, read)

    def new_events(self) -> list[ev.Event]:
        """The complete lines that were written since the last call.

        Raises StudyDirectoryError for lines that cannot be parsed; the next call reads the same lines again.
        """
        events: list[ev.Event] = []
        offsets = dict(self._offsets)
        for path in sorted(self._journal.glob("*.jsonl")):
            offset = offsets.get(path.name, 0)
            try:
                if path.stat().st_size <= offset:
                    continue
                with open_file(path) as file:
                    file.seek(offset)
                    data = read_rest(file, path)
            except OSError:
                continue  # not there for a moment: the next call reads it
            data = data[: data.rfind(b"\n") + 1]
            offsets[path.name] = offset + len(data)
            events += parse_lines(data, str(path))
        self._offsets = offsets
        return events
