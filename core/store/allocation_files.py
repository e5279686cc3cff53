"""The files between the driver and the leaders of allocations; packing/protocol.py defines their contents."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.job_reports import JobReport
from ..file_reading import WHOLE, open_file, open_to_append, read_text
from .spool import UnreadableRecord, parse_record

_MOST_AT_ONCE = 1 << 20  # bytes: the driver looks up in between


@dataclass(frozen=True, slots=True)
class LeaderStarted:
    """A leader is ready. `seconds` are left of its walltime, 0 if there is no end."""

    job: str
    hosts: tuple[str, ...]
    cores: int
    seconds: float
    graph: bool
    at: float


@dataclass(frozen=True, slots=True)
class LeaderEnding:
    """A leader has ended, or is about to."""

    job: str
    why: str


@dataclass(frozen=True, slots=True)
class LeaderTimeLeft:
    """The answer to a driver that asked how many seconds are left; None without a limit."""

    question: str
    seconds: float | None


Word = LeaderStarted | LeaderEnding | LeaderTimeLeft | JobReport | UnreadableRecord


def append(path: Path, text: str) -> None:
    """Append to a list, completely or (on a full disk) in part. Raises OSError."""
    data = text.encode("utf-8", "surrogateescape")
    with open_to_append(path, 0o600) as file:
        while data:
            data = data[os.write(file.fileno(), data) :]


def has_dispatch(path: Path, submission: str) -> bool:
    """Whether a list has a gift, from a driver that may have died over it. Raises OSError."""
    try:
        text = read_text(path, WHOLE, errors="surrogateescape")
    except FileNotFoundError:
        return False
    return f"\ngive\t{submission}\t" in text


class RecordReader:
    """The records of one leader, read as they are written. Reopened for each read: so NFS shows new data."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[Word]:
        """What was added since the last call; a line that is being written is left for the next one."""
        try:
            with open_file(self._path) as file:
                file.seek(self._offset)
                data = file.read(_MOST_AT_ONCE)
        except OSError:
            return []
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        return [_word(line) for line in data.decode("utf-8", "replace").splitlines() if line]


def _word(line: str) -> Word:
    try:
        record: dict[str, Any] = json.loads(line)
        match record.get("kind"):
            case "began":
                return LeaderStarted(
                    job=str(record["job"]),
                    hosts=tuple(map(str, record["hosts"])),
                    cores=int(record["cores"]),
                    seconds=float(record["left"] or 0.0),
                    graph=record.get("mode") != "sh",
                    at=float(record.get("at", 0.0)),
                )
            case "left":
                left = record["left"]
                return LeaderTimeLeft(str(record["question"]), None if left is None else float(left))
            case "over":
                return LeaderEnding(str(record.get("job", "")), str(record.get("why", "")))
            case _:
                return parse_record(line)
    except (ValueError, KeyError, TypeError, AttributeError):
        return UnreadableRecord.DAMAGED
