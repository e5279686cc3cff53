"""Timers of an event loop."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Timers:
    """Scheduled calls. They cannot be cancelled: a call has to check whether it is still needed."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0  # keeps calls with the same time in order

    def at(self, when: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, call))

    @property
    def next(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Run the calls that are due."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
