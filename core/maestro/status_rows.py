"""Parses Maestro's status.csv, which has no quoting and is rewritten in place, so it may be incomplete."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

_COLUMNS = 11  # the last one, Params, may contain commas


@dataclass(frozen=True, slots=True)
class Row:
    """One instance. Times are seconds since the epoch, 0 if there is none."""

    name: str
    job: str
    workspace: str
    state: str
    started: float
    submitted: float
    ended: float
    restarts: int
    params: Mapping[str, str]


def parse_rows(text: str) -> list[Row]:
    """Parse the rows of the file; incomplete lines are left out."""
    rows: list[Row] = []
    for line in text.splitlines()[1:]:
        cells = line.split(",", _COLUMNS - 1)
        if len(cells) != _COLUMNS:
            continue
        name, job, workspace, state, _, _, started, submitted, ended, restarts, params = cells
        rows.append(
            Row(
                name=name,
                job="" if job == "--" else job,
                workspace=workspace,
                state=state,
                started=_seconds(started),
                submitted=_seconds(submitted),
                ended=_seconds(ended),
                restarts=int(restarts) if restarts.isdecimal() else 0,
                params=dict(item.split(":", 1) for item in params.split(";") if ":" in item),
            )
        )
    return rows


def _seconds(text: str) -> float:
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return 0.0
