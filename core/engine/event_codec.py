"""An event as a record of the journal, and a record as an event.

A reader passes over fields that it does not know, and refuses types that it does not know: a newer mtui wrote them.
A cause is written as `cause_code` and `cause_fields`; one that is known by its words alone is the text `cause`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields

from .causes import cause_record, read_cause
from .events import TYPES, Event
from .status import Status

VERSION = 1
_FIELDS = {kind: tuple(fields(event)) for kind, event in TYPES.items()}
# What is read of a record: names, and whether they have to be there. A resumed study reads a million of them.
_READ = {kind: tuple((field.name, field.default is MISSING) for field in own) for kind, own in _FIELDS.items()}


class UnknownEvent(ValueError):
    """A record of a kind or version that this mtui does not know."""


def to_record(event: Event) -> dict[str, object]:
    """The event as JSON-ready values, with its version and kind; fields at their default are left out."""
    record: dict[str, object] = {"v": VERSION, "type": event.kind}
    for field in _FIELDS[event.kind]:
        value = getattr(event, field.name)
        if field.name == "cause":
            if field.default is MISSING:
                record["cause"] = ""  # an older reader requires it
            record.update(cause_record(value))
        elif field.default is MISSING or value != field.default:
            record[field.name] = value.value if isinstance(value, Status) else value
    return record


def to_line(event: Event) -> str:
    """The event as one line of the journal, without its end."""
    return json.dumps(to_record(event), ensure_ascii=False, separators=(",", ":"))


def from_record(record: Mapping[str, object]) -> Event:
    """The event of a journal record; raises UnknownEvent, or KeyError/ValueError for a damaged one."""
    kind = str(record.get("type"))
    event = TYPES.get(kind)
    if event is None or record.get("v") != VERSION:
        raise UnknownEvent(f"event '{kind}' of version {record.get('v')}")
    values: dict[str, object] = {}
    for name, required in _READ[kind]:
        if name == "cause":
            if required and not ("cause" in record or "cause_code" in record):
                raise KeyError(f"event '{kind}' lacks 'cause'")
            values[name] = read_cause(record)
            continue
        value = record.get(name, MISSING)
        if value is MISSING:
            if required:
                raise KeyError(f"event '{kind}' lacks '{name}'")
            continue
        if name == "status":
            value = Status(value)
        elif isinstance(value, list):
            value = tuple(tuple(item) if isinstance(item, list) else item for item in value)  # pyright: ignore
        values[name] = value
    return event(**values)  # pyright: ignore[reportArgumentType]
