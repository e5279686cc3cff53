"""Keeps `status.csv` up to date, at limited cost."""

from __future__ import annotations

import time

from ..store.status_csv import write_status
from .context import DriverContext
from .crash_points import crash_point
from .part import DriverPart

_EVERY = 2.0  # seconds between two writes; more for a study that takes long to write


class StatusWriter(DriverPart):
    """The part of a driver that writes status.csv."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._written = -1  # events that the file includes
        self._due = 0.0

    def due(self) -> float | None:
        return self._due if self._written != self._context.log.count else None

    def step(self) -> None:
        """Write the file if something has changed and it is due."""
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Write the file if something has changed. Raises OSError."""
        context, now = self._context, time.monotonic()
        if self._written == context.log.count:
            return
        write_status(context.directory.status_csv, context.state, time.time())
        crash_point("status.written")
        took = time.monotonic() - now
        self._due = now + max(_EVERY, 50 * took)
        self._written = context.log.count
