"""The protocol between the driver's loop and its parts. Each part is one external effect or source of events."""

from __future__ import annotations

from typing import Protocol


class DriverPart(Protocol):
    """One part of a driver. The loop (loop.py) calls every method on its own thread, and documents the order.

    A part changes the study only by events (`DriverContext.emit`). Blocking calls run on threads of the part, which
    touch no state and hand their results to `DriverContext.post`.
    """

    def step(self) -> None:
        """Do what can be done now, without waiting. Called in each turn, so it is cheap if there is nothing to do."""
        ...

    def due(self) -> float | None:
        """Return when to step again even if nothing is posted, in monotonic seconds; None: not for this part."""
        return None

    def close(self) -> None:
        """Wait for what is under way on the part's threads, and end them. Called once, after the last step."""
