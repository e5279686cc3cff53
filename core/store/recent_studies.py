"""The user's recent studies: their directories, and a summary of each.

Each study directory that was started or opened is remembered in a separate small file, so that two programs
never write the same one. The file is named by a hash of the path, holds the path, and is as old as the last visit.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..engine.status import Status
from ..errors import StudyDirectoryError
from ..file_reading import open_file, read_bytes
from .journal import end_of_journal
from .lease import LeaseState, Liveness
from .lease_owner import Owner, read_current_owner
from .status_csv import COLUMNS
from .study_directory import StudyDirectory

_MOST = 200  # studies that are remembered; the oldest are forgotten
_ENTRY = re.compile(r"[0-9a-f]{32}")


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local" / "state") / "mtui" / "studies"


def remember_study(root: Path) -> None:
    """Note that a study was started or opened. It is a convenience: what goes wrong here is passed over."""
    with suppress(OSError, RuntimeError, ValueError):  # RuntimeError: there is no home directory
        path = os.fsencode(os.path.abspath(root))  # noqa: PTH100
        entry = _folder() / hashlib.sha256(path).hexdigest()[:32]
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = entry.with_name(f".{entry.name}.{os.getpid()}")
        temporary.write_bytes(path)
        temporary.replace(entry)
        for _, old in _entries()[_MOST:]:
            old.unlink()


def list_recent_studies() -> list[Path]:
    """The directories of the user's studies, the one that was visited last first. Those that are gone are left out.

    A study is forgotten if its parent directory is there and it is not; else its file system may just be away.
    """
    found: list[Path] = []
    for _, entry in _entries()[:_MOST]:
        with suppress(OSError, ValueError):
            root = Path(os.fsdecode(read_bytes(entry)))
            if not root.is_absolute():
                continue
            if StudyDirectory(root).study_file.is_file():
                found.append(root)
            elif root.parent.is_dir() and not root.exists():
                entry.unlink()
    return found


def _entries() -> list[tuple[int, Path]]:
    """The remembered studies, the youngest first."""
    entries: list[tuple[int, Path]] = []
    with suppress(OSError, RuntimeError):
        for item in os.scandir(_folder()):
            with suppress(OSError):
                if _ENTRY.fullmatch(item.name):
                    entries.append((item.stat().st_mtime_ns, Path(item.path)))
    return sorted(entries, reverse=True)


# --- the summary of a study


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study as its status.csv shows it, which is a few seconds old at most while somebody drives it.

    `counts` are instances by status, in the words of engine/status.py; Maestro's table does not distinguish all of them
    apart, so `failed` holds the blocked ones too. None if there is no table, or it cannot be understood.
    """

    name: str
    counts: dict[str, int] | None
    result: str  # how it ended; empty if it did not
    driver: Owner | None  # who drove last
    standing: LeaseState | None  # of that driver, as far as one check shows
    last_change: float  # wall clock seconds; 0 if not known


_STATUSES = {
    "INITIALIZED": Status.WAITING,
    "PENDING": Status.PENDING,
    "RUNNING": Status.RUNNING,
    "FINISHED": Status.FINISHED,
    "FAILED": Status.FAILED,
    "TIMEDOUT": Status.TIMED_OUT,
    "CANCELLED": Status.CANCELLED,
}
_STATE_COLUMN = COLUMNS.index("State")
_MOST_BYTES = 64 << 20  # of a table that is read: some 400,000 instances
_HEAD = 1 << 16  # of study.json, which contains the study's name
_NAME = re.compile(rb',"name":("(?:[^"\\]|\\.)*")')


def summarize_study(root: Path) -> StudySummary:
    """Summarize a study without its plan and journal. Never raises: what cannot be read is left out."""
    directory = StudyDirectory(root)
    driver, standing = None, None
    with suppress(StudyDirectoryError, OSError):
        driver = read_current_owner(directory.owner)
        standing = Liveness(directory.owner, driver).judge() if driver else None
    result, last_change = end_of_journal(directory.journal)
    counts: dict[str, int] | None = None
    with suppress(OSError):
        stat = directory.status_csv.stat()
        last_change = last_change or stat.st_mtime
        counts = _counts(directory.status_csv, stat.st_mtime_ns, stat.st_size)
    name = root.name
    with suppress(OSError):
        name = _study_name(directory.study_file, directory.study_file.stat().st_mtime_ns) or name
    return StudySummary(name, counts and dict(counts), result, driver, standing, last_change)


@lru_cache(maxsize=_MOST)  # a list of studies looks again and again, and most of them have not changed
def _counts(path: Path, changed: int, size: int) -> dict[str, int] | None:
    del changed  # the time stands for the content
    if size > _MOST_BYTES:
        return None
    counts: Counter[Status] = Counter()
    try:
        with open_file(path) as file:
            rows = csv.reader(io.TextIOWrapper(file, "utf-8", "replace", newline=""))
            if next(rows)[_STATE_COLUMN] != COLUMNS[_STATE_COLUMN]:
                return None
            for row in rows:
                counts[_STATUSES[row[_STATE_COLUMN]]] += 1
    except (OSError, ValueError, LookupError, StopIteration, csv.Error):
        return None
    return {status.value: counts[status] for status in Status if counts[status]}


@lru_cache(maxsize=_MOST)
def _study_name(path: Path, changed: int) -> str:
    del changed
    with suppress(OSError, ValueError), open_file(path) as file:
        found = _NAME.search(file.read(_HEAD))
        return str(json.loads(found.group(1))) if found else ""
    return ""
