"""Keeps the lease of a driver alive, and ends the driver if another one has taken it."""

from __future__ import annotations

import time

from ..errors import DriverError
from ..store.lease import Lease
from .event_log import EventLog
from .part import DriverPart

_EVERY = 5.0  # seconds between two calls at most; store/lease.py decides when a heartbeat is written


class LeaseKeeper(DriverPart):
    """The part of a driver that holds its lease."""

    def __init__(self, lease: Lease, log: EventLog) -> None:
        self._lease = lease
        self._log = log
        self._due = 0.0

    def due(self) -> float | None:
        return self._due

    def step(self) -> None:
        """Write the heartbeat if it is due. Raises OSError if that fails, DriverError if the lease is lost."""
        now = time.monotonic()
        self._due = now + _EVERY
        self._lease.beat(now)
        if self._lease.is_lost():
            self._log.drop()
            raise DriverError(
                "another driver has taken this study over, or its directory is gone",
                "this one has let go of it",
            )

    def renew(self) -> None:
        """Do the same during long work, if it is due."""
        if time.monotonic() >= self._due:
            self.step()
