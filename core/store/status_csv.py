"""status.csv with Maestro's columns and words, for `maestro status` and for scripts that read it."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

from ..durable_files import replace_file
from ..engine.attempt import Attempt
from ..engine.state import StudyState
from ..engine.status import LIVE, Status
from ..file_reading import WHOLE, read_text
from ..plan.study_plan import Instance

COLUMNS = (
    "Step Name",
    "Job ID",
    "Workspace",
    "State",
    "Run Time",
    "Elapsed Time",
    "Start Time",
    "Submit Time",
    "End Time",
    "Number Restarts",
    "Params",
)

# Maestro's words. It has none for most of ours, so the nearest of those that it shows.
_WORDS = {
    Status.WAITING: "INITIALIZED",
    Status.READY: "INITIALIZED",
    Status.HELD: "INITIALIZED",
    Status.SUBMITTING: "PENDING",
    Status.UNCLEAR: "PENDING",
    Status.BOUND: "PENDING",
    Status.PENDING: "PENDING",
    Status.CONFIGURING: "PENDING",
    Status.REQUEUED: "PENDING",
    Status.RUNNING: "RUNNING",
    Status.SUSPENDED: "RUNNING",
    Status.COMPLETING: "RUNNING",
    Status.FINISHED: "FINISHED",
    Status.SKIPPED: "FINISHED",
    Status.TIMED_OUT: "TIMEDOUT",
    Status.CANCELLED: "CANCELLED",
}


def status_table(state: StudyState, now: float) -> str:
    """The whole file as text. `now` is wall clock seconds, for the elapsed times."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for instance in state.plan.instances:
        writer.writerow(_row(state, instance, now))
    return out.getvalue()


def _row(state: StudyState, instance: Instance, now: float) -> tuple[str, ...]:
    status = state.status[instance.index]
    attempts = state.attempts.get(instance.index, [])
    last = attempts[-1] if attempts else Attempt(0, "", "")
    end = last.ended_at or (now if status in LIVE else 0.0)
    first = attempts[0].submitted_at if attempts else 0.0
    ran = last.ended_at - last.started_at if last.started_at and last.ended_at else 0.0
    params = state.plan.params(instance)
    return (
        instance.name,
        last.job or "--",
        instance.workspace,
        _WORDS.get(status, "FAILED"),
        _duration(ran),
        _duration(end - first if first and end else 0.0),
        _time(last.started_at),
        _time(first),
        _time(last.ended_at),
        str(max(0, len(attempts) - 1)),
        ";".join(f"{key}:{value}" for key, value in params.items()),
    )


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else "--"


def _duration(seconds: float) -> str:
    if seconds <= 0:
        return "--:--:--"
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24}d:{hours % 24:02d}h:{minutes:02d}m:{left:02d}s"


def write_status(path: Path, state: StudyState, now: float) -> None:
    """Replace the file in one move, so that a reader never sees half of it. Raises OSError."""
    replace_file(path, status_table(state, now).encode("utf-8", "backslashreplace"))


def is_complete(path: Path, state: StudyState) -> bool:
    """Whether the file has its columns, and a row for each instance."""
    try:
        rows = list(csv.reader(io.StringIO(read_text(path, WHOLE, "replace"))))
    except (OSError, csv.Error):
        return False
    return len(rows) == len(state.plan.instances) + 1 and all(len(row) == len(COLUMNS) for row in rows)
