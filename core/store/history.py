"""What happened to one instance, from the journal: read when somebody asks, so nothing of it is kept in memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..study import events as ev
from ..study.status import UNSUCCESSFUL

_MOST = 200  # events; the last ones


def history_of(journal: Path, index: int) -> list[tuple[float, str]]:
    """The events of an instance in order, each with its time (wall clock) and in words."""
    found: list[tuple[float, str]] = []
    submissions: dict[str, str] = {}  # with the backend of each
    # A line that cannot concern the instance is passed over without parsing it.
    mine = re.compile(rb'"(?:instance|submission|instances|members)":')
    number = re.compile(rb"(?<!\d)%d(?!\d)" % index)
    for path in sorted(journal.glob("*.jsonl")):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        for line in data.split(b"\n"):
            if not mine.search(line) or not (number.search(line) or _names(line, submissions)):
                continue
            try:
                event = ev.from_record(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue
            words = _words(event, index, submissions)
            if words:
                found.append((event.at, words))
    return found[-_MOST:]


def _names(line: bytes, submissions: dict[str, str]) -> bool:
    return any(f'"{submission}"'.encode() in line for submission in submissions)


def _words(event: ev.Event, index: int, submissions: dict[str, str]) -> str:
    match event:
        case ev.SubmitIntended() if any(index == member for member, _ in event.members):
            submissions[event.submission] = event.backend
            number = next(number for member, number in event.members if member == index)
            return f"attempt {number} is {_HANDED.get(event.backend, 'started')}"
        case ev.Submitted() if event.submission in submissions:
            packed = submissions[event.submission] == "pack"
            return f"allocation {event.job} has it" if packed else f"accepted as job {event.job}"
        case ev.Returned() | ev.Unbound() if any(index == member for member, _ in event.members):
            return f"returned: {event.cause}" if event.kind == "returned" else event.cause
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
            cause = f": {event.cause}" if event.cause and event.status in UNSUCCESSFUL else ""
            return event.status.value + cause
        case ev.Retried() if event.instance == index and event.why:
            return f"tried again by itself: {event.why}"
        case ev.Marked() if event.instance == index:
            return event.cause
        case ev.Held() | ev.Released() | ev.Retried() | ev.CancelRequested() if event.instance == index:
            return _ASKED[event.kind]
        case ev.CancelSent() if index in event.instances:
            return "its job was told to end"
        case _:
            return ""


_HANDED = {"slurm": "submitted", "local": "started here", "pack": "given to an allocation"}
_ASKED = {
    "held": "held by command",
    "released": "released by command",
    "retried": "to run again by command",
    "cancel_requested": "to be cancelled by command",
}
