"""The events of one instance, read from its journal on request: keeping them for all instances would cost too much."""

from __future__ import annotations

import json
import re
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..engine import events as ev
from ..engine.event_codec import from_record
from ..file_reading import open_file

_MOST = 200  # events; the last ones
_OF_INSTANCES = re.compile(rb'"(?:instance|submission|instances|members)":')


class InstanceEvent(NamedTuple):
    """An event of an instance. `backend` is that of the submission that the event is of; empty if it is of none."""

    event: ev.Event
    backend: str


class History:
    """The events of one instance. Each `read` continues where the last one stopped."""

    def __init__(self, journal: Path, index: int) -> None:
        self._journal = journal
        self._index = index
        self._offsets: dict[str, int] = {}
        self._backends: dict[str, str] = {}  # by submission of the instance
        self._found: deque[InstanceEvent] = deque(maxlen=_MOST)
        # A line that cannot concern the instance is skipped without parsing it.
        self._number = re.compile(rb"(?<!\d)%d(?!\d)" % index)

    def read(self) -> list[InstanceEvent]:
        """Its events in order; of very many the last ones."""
        for path in sorted(self._journal.glob("*.jsonl")):
            with suppress(OSError), open_file(path) as file:
                offset = self._offsets.get(path.name, 0)
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    offset += len(line)
                    self._read_line(line)
                self._offsets[path.name] = offset
        return list(self._found)

    def _read_line(self, line: bytes) -> None:
        if not _OF_INSTANCES.search(line) or not (self._number.search(line) or _names(line, self._backends)):
            return
        try:
            event = from_record(json.loads(line))
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(event, ev.SubmitIntended) and any(self._index == member for member, _ in event.members):
            self._backends[event.submission] = event.backend
        if _concerns(event, self._index, self._backends):
            self._found.append(InstanceEvent(event, self._backends.get(getattr(event, "submission", ""), "")))


def _names(line: bytes, submissions: dict[str, str]) -> bool:
    return any(f'"{submission}"'.encode() in line for submission in submissions)


def _concerns(event: ev.Event, index: int, submissions: dict[str, str]) -> bool:
    match event:
        case ev.SubmitIntended() | ev.Submitted():
            return event.submission in submissions
        case ev.SubmitDeferred() | ev.SubmitUnclear() | ev.SubmitMissed() | ev.SubmitRefused():
            return event.submission in submissions
        case ev.Returned() | ev.Unbound():
            return any(index == member for member, _ in event.members)
        case ev.CancelSent():
            return index in event.instances
        case ev.Started() | ev.Exited() | ev.Observed() | ev.Ended() | ev.Warned() | ev.Retried() | ev.Marked():
            return event.instance == index
        case ev.Held() | ev.Released() | ev.CancelRequested():
            return event.instance == index
        case _:
            return False
