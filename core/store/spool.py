"""The records that jobs drop: read when complete, removed once the journal has them on the disk.

A job writes its record in place, for a move would cost it a process. It is complete with its newline.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Container, Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from ..debug_log import get_logger
from ..engine.job_reports import DuplicateReport, ExitReport, JobReport, LostReport, StartReport
from ..file_reading import UnusableFile, read_text

# What the job-side runner drops. A file of another name is none of ours: NFS leaves .nfs0123 of removed ones.
_RECORD = re.compile(r"\d+\.\d+\.(start|exit|twin)\.\w+")

_log = get_logger(__name__)


class UnreadableRecord(Enum):
    INCOMPLETE = "it is being written, or the disk was full"
    DAMAGED = "its content is invalid"


def list_records(spool: Path, known: Container[str] = ()) -> list[str] | None:
    """The names of all records but `known` ones, starts before exits so that the records of a short job stay in order.

    None if the spool cannot be listed: then it is not known whether there are any.
    """
    try:
        names = [name for name in os.listdir(spool) if name not in known and _RECORD.fullmatch(name)]  # noqa: PTH208
    except OSError as error:
        _log.warning("the spool cannot be listed: %s", error)
        return None
    return sorted(names, key=lambda name: (".exit." in name, name))


def start_record_of(name: str) -> str:
    """The name of the record with which the job began whose exit record this is; empty if it is none."""
    attempt, kind, job = name.rsplit(".", 2)
    return f"{attempt}.start.{job}" if kind == "exit" else ""


def read_record(path: Path) -> JobReport | UnreadableRecord:
    """One record, or why there is none."""
    try:
        text = read_text(path, errors="replace")
        if not text.endswith("\n"):
            return UnreadableRecord.INCOMPLETE
        return parse_record(text)
    except UnusableFile:
        return UnreadableRecord.DAMAGED
    except OSError:
        return UnreadableRecord.INCOMPLETE


def parse_record(text: str) -> JobReport | UnreadableRecord:
    """The record in a line."""
    try:
        record: dict[str, Any] = json.loads(text)
        instance, _, attempt = str(record["attempt"]).partition(".")
        place = int(instance), int(attempt), str(record["job"]), str(record["node"])
        at = float(record.get("at", 0.0))
        match record["kind"]:
            case "start":
                return StartReport(*place, at=at)
            case "exit":
                code, verdict = int(record.get("code", 0)), str(record.get("verdict", ""))
                ended_by, error = str(record.get("signal", "")), str(record.get("error", ""))
                return ExitReport(*place, at=at, code=code, signal=ended_by, error=error, verdict=verdict)
            case "twin":
                return DuplicateReport(*place, at=at, owner=str(record.get("owner", "")))
            case "lost":
                return LostReport(*place, at=at, cause=str(record.get("error", "")))
            case _:
                return UnreadableRecord.DAMAGED
    except (ValueError, KeyError, TypeError):
        return UnreadableRecord.DAMAGED


def remove_records(spool: Path, names: Iterable[str]) -> None:
    for name in names:
        try:
            (spool / name).unlink(missing_ok=True)  # a job that runs again removes its own
        except OSError as error:
            _log.warning("a record cannot be removed: %s", error)
