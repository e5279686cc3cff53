"""The records that jobs drop: read when complete, removed once the journal has them on the disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..study.observer import Report

# What the job-side runner drops. A file of another name is none of ours: NFS leaves .nfs0123 of removed ones.
_RECORD = re.compile(r"\d+\.\d+\.(start|exit|twin)\.\w+")


def list_records(spool: Path) -> list[str]:
    """The names of all records, starts before exits so that a quick job's story stays in order."""
    try:
        names = [path.name for path in spool.iterdir() if _RECORD.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(names, key=lambda name: (".exit." in name, name))


def read_record(path: Path) -> Report | None:
    """One record; None if it cannot be understood."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        instance, _, attempt = str(record["attempt"]).partition(".")
        return Report(
            kind=str(record["kind"]),
            instance=int(instance),
            attempt=int(attempt),
            job=str(record["job"]),
            node=str(record["node"]),
            code=int(record.get("code", 0)),
            signal=str(record.get("signal", "")),
            error=str(record.get("error", "")),
            owner=str(record.get("owner", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_records(spool: Path, names: Iterable[str]) -> None:
    for name in names:
        with suppress(OSError):
            (spool / name).unlink()
