"""What happened to one instance, from the journal: read when somebody asks, for it is much to keep of all of them."""

from __future__ import annotations

import json
import re
from collections import deque
from contextlib import suppress
from pathlib import Path

from ..study import events as ev
from ..study.cause_text import cause_text
from ..study.event_records import from_record
from ..study.status import UNSUCCESSFUL

_MOST = 200  # events; the last ones
_SOMEBODYS = re.compile(rb'"(?:instance|submission|instances|members)":')


class History:
    """What happened to one instance. Each `read` goes on where the last one stopped."""

    def __init__(self, journal: Path, index: int) -> None:
        self._journal = journal
        self._index = index
        self._offsets: dict[str, int] = {}
        self._submissions: dict[str, str] = {}  # of the instance, with the backend of each
        self._found: deque[tuple[float, str]] = deque(maxlen=_MOST)
        # A line that cannot concern the instance is passed over without parsing it.
        self._number = re.compile(rb"(?<!\d)%d(?!\d)" % index)

    def read(self) -> list[tuple[float, str]]:
        """Its events in order, each with its time (wall clock) and in words; of very many the last ones."""
        for path in sorted(self._journal.glob("*.jsonl")):
            with suppress(OSError), path.open("rb") as file:
                offset = self._offsets.get(path.name, 0)
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    offset += len(line)
                    self._take(line)
                self._offsets[path.name] = offset
        return list(self._found)

    def _take(self, line: bytes) -> None:
        if not _SOMEBODYS.search(line) or not (self._number.search(line) or _names(line, self._submissions)):
            return
        try:
            event = from_record(json.loads(line))
        except (ValueError, KeyError, TypeError):
            return
        if words := _words(event, self._index, self._submissions):
            self._found.append((event.at, words))


def _names(line: bytes, submissions: dict[str, str]) -> bool:
    return any(f'"{submission}"'.encode() in line for submission in submissions)


def _words(event: ev.Event, index: int, submissions: dict[str, str]) -> str:
    match event:
        case ev.SubmitIntended() if any(index == member for member, _ in event.members):
            submissions[event.submission] = event.backend
            number = next(number for member, number in event.members if member == index)
            return f"attempt {number} is {_HANDED.get(event.backend, 'submitted')}"
        case ev.Submitted() if event.submission in submissions:
            return _TAKEN.get(submissions[event.submission], "accepted as job {}").format(event.job)
        case ev.Returned() | ev.Unbound() if any(index == member for member, _ in event.members):
            words = cause_text(event.cause)
            return f"returned: {words}" if event.kind == "returned" else words
        case ev.SubmitDeferred() if event.submission in submissions:
            return f"put off: {event.message}"
        case ev.SubmitUnclear() if event.submission in submissions:
            return f"no clear answer: {event.message}"
        case ev.SubmitMissed() if event.submission in submissions:
            return "that submission had not arrived"
        case ev.SubmitRefused() if event.submission in submissions:
            return f"refused: {event.message}"
        case ev.Started() if event.instance == index:
            return f"running as job {event.job} on {event.node}"
        case ev.Exited() if event.instance == index:
            return f"its script ended with exit code {event.code}"
        case ev.Observed() if event.instance == index:
            return event.status.value + (f" ({event.reason})" if event.reason else "")
        case ev.Ended() if event.instance == index:
            cause = f": {cause_text(event.cause)}" if event.cause and event.status in UNSUCCESSFUL else ""
            return event.status.value + cause
        case ev.Retried() if event.instance == index and event.why:
            return f"tried again by itself: {event.why}"
        case ev.Marked() if event.instance == index:
            return cause_text(event.cause)
        case ev.Held() | ev.Released() | ev.Retried() | ev.CancelRequested() if event.instance == index:
            return _ASKED[event.kind]
        case ev.CancelSent() if index in event.instances:
            return "its job was told to end"
        case _:
            return ""


_HANDED = {"local": "started here", "pack": "given to an allocation"}
_TAKEN = {"local": "it is process {}", "pack": "allocation {} has it"}
_ASKED = {
    "held": "held by command",
    "released": "released by command",
    "retried": "to run again by command",
    "cancel_requested": "to be cancelled by command",
}
