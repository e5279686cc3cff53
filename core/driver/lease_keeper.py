"""Keeps the lease of a driver alive, and ends the driver if another one has taken it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from ..errors import DriverError
from ..file_reading import exists
from ..store.lease import ACT_FOR, SILENT_AFTER, Lease
from .event_log import EventLog
from .io_errors import IoErrors
from .part import DriverPart

_EVERY = 5.0  # seconds between two calls at most; store/lease.py decides when a heartbeat is written
_LONGEST_DELAY = 5.0  # seconds between two tries to write it
_HEARTBEAT = "write the heartbeat"


class LeaseKeeper(DriverPart):
    """The part of a driver that holds its lease."""

    def __init__(self, lease: Lease, log: EventLog, errors: IoErrors, root: Path) -> None:
        self._lease = lease
        self._log = log
        self._errors = errors
        self._root = root
        self._due = 0.0
        self._folder = _open_folder(root)

    def due(self) -> float | None:
        return self._due

    def step(self) -> None:
        """Check the lease, and write the heartbeat if it is due. Raises DriverError if the lease is lost."""
        now = time.monotonic()
        self._due = now + _EVERY
        try:
            if self._lease.is_lost():
                self._log.drop()
                raise DriverError(
                    "another driver took over this study, or its directory was removed",
                    "this driver has stopped",
                )
            self._lease.beat(now)
        except OSError as error:
            self._errors.failed(_HEARTBEAT, error, self._root, most=_LONGEST_DELAY)
            self._due = self._errors.until(_HEARTBEAT)
            self._end_without_directory()
            return
        self._errors.worked(_HEARTBEAT)

    @property
    def is_held(self) -> bool:
        """Whether the lease certainly holds, and its heartbeat can be written."""
        return self._lease.is_fresh and not self._errors.is_failing(_HEARTBEAT)

    def renew(self) -> bool:
        """Return whether the lease is held; checks it again during a long turn."""
        if self._lease.age >= ACT_FOR / 2 or time.monotonic() >= self._due:
            self.step()
        return self.is_held

    def close(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def _end_without_directory(self) -> None:
        """Raise DriverError if the directory was deleted, or moved so long ago that another driver may use it there.

        A directory whose file system is unavailable can return.
        """
        try:
            if exists(self._root):
                return
            is_deleted = self._folder is not None and os.fstat(self._folder).st_nlink == 0
            is_elsewhere = exists(self._root.parent) and self._lease.age > SILENT_AFTER
        except OSError:  # its file system is unavailable
            return
        if is_deleted or is_elsewhere:
            self._log.drop()
            raise DriverError(
                f"the study's directory no longer exists: {self._root}", "if it was moved: run mtui on its new location"
            )


def _open_folder(root: Path) -> int | None:
    """Open a directory: it shows later whether the directory was deleted. None if it cannot be opened."""
    with suppress(OSError):
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return None
