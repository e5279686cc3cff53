"""Follows a journal while somebody else writes it: each call gives the events that are new."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..engine import events as ev
from .journal import parse_lines

_LONGEST_LINE = 1 << 20  # bytes that are searched for the end of the last event


class JournalFollower:
    """Reads on where it stopped. Files are opened anew each time: network file systems show no more to an open one."""

    def __init__(self, journal: Path, read: Mapping[str, int] | None = None) -> None:
        """`read` says how much of each segment is known already."""
        self._journal = journal
        self._offsets: dict[str, int] = dict(read or {})

    @classmethod
    def from_now(cls, journal: Path) -> JournalFollower:
        """One that passes over the events that are written already."""
        read: dict[str, int] = {}
        for path in journal.glob("*.jsonl"):
            with suppress(OSError), path.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
                file.seek(start)
                data = file.read()
                read[path.name] = start + data.rfind(b"\n") + 1 if b"\n" in data else 0
        return cls(journal, read)

    def new_events(self) -> list[ev.Event]:
        """The complete lines that were written since the last call.

        Raises StudyDirectoryError for what it cannot understand; the next call gives the same lines again.
        """
        events: list[ev.Event] = []
        offsets = dict(self._offsets)
        for path in sorted(self._journal.glob("*.jsonl")):
            offset = offsets.get(path.name, 0)
            try:
                if path.stat().st_size <= offset:
                    continue
                with path.open("rb") as file:
                    file.seek(offset)
                    data = file.read()
            except OSError:
                continue  # not there for a moment: the next call reads it
            data = data[: data.rfind(b"\n") + 1]
            offsets[path.name] = offset + len(data)
            events += parse_lines(data, str(path))
        self._offsets = offsets
        return events
