"""Follows a journal while somebody else writes it: each call gives the events that are new."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..study import events as ev
from .journal import parse_lines


class Follower:
    """Reads on where it stopped. Files are opened anew each time: network file systems show no more to an open one."""

    def __init__(self, journal: Path, read: Mapping[str, int] | None = None) -> None:
        """`read` says how much of each segment is known already."""
        self._journal = journal
        self._offsets: dict[str, int] = dict(read or {})

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
