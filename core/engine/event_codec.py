"""Converts events to records of the journal, and back.

A reader ignores unknown fields, and refuses unknown types: a newer mtui wrote them. A cause is written as
`cause_code` and `cause_fields`; one given by its text alone as the text `cause`.
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
# Fields to read from a record: name, and whether it is required. Cached: resuming a study may read a million records.
_READ = {kind: tuple((field.name, field.default is MISSING) for field in own) for kind, own in _FIELDS.items()}


class UnknownEvent(ValueError):
    """A record of a type or version that this mtui does not know."""


def to_record(event: Event) -> dict[str, object]:
    """Return the event as JSON-ready values, with its version and type; fields at their default are omitted."""
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
    """Return the event as one line of the journal, without the newline."""
    return json.dumps(to_record(event), ensure_ascii=False, separators=(",", ":"))


def from_record(record: Mapping[str, object]) -> Event:
    """Return the event of a journal record; raises UnknownEvent, or KeyError/ValueError for a damaged one."""
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
