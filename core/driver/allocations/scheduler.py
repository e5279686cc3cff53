"""Uses allocations: dispatches instances to them, requests and releases them, withdraws what others should run.

engine/allocation_policy.py decides what to do; this part carries it out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ...engine import events as ev
from ...engine.allocation import Allocation
from ...engine.allocation_policy import AllocationPolicy
from ...packing.protocol import END_TEXT
from ..cancel import Canceller
from ..context import DriverContext
from ..part import DriverPart
from .dispatch import Dispatcher
from .members import append_to_list, return_instances
from .request import AllocationRequester
from .tracker import AllocationTracker

_EVERY = 1.0  # seconds between two checks for withdrawals, releases and requests


class AllocationScheduler(DriverPart):
    """The part of a driver that decides on the use of allocations."""

    def __init__(self, context: DriverContext, canceller: Canceller, tracker: AllocationTracker) -> None:
        self._context = context
        self._canceller = canceller
        self._tracker = tracker
        self._dispatcher = Dispatcher(context)
        self._requester = AllocationRequester(context, tracker.watch)
        self._due = 0.0

    def due(self) -> float | None:
        state = self._context.state
        if not self._tracker.is_used or not (state.allocations.open() or self._is_any_ready):
            return None
        ahead = self._dispatcher.due()
        if ahead is not None and ahead > time.monotonic():  # otherwise just tried, or dispatching is paused
            return min(self._due, ahead)
        return self._due

    @property
    def _is_any_ready(self) -> bool:
        return any(self._context.state.ready[step] for step in self._context.packing.steps)

    def step(self) -> None:
        """Dispatch first, so that requests cover only what existing allocations cannot take.

        Withdrawals and releases come last: what was just dispatched is neither idle nor late.
        """
        if not self._tracker.is_used:
            return
        now = time.monotonic()
        is_due = self._tracker.pop_change() or now >= self._due
        if is_due:
            self._due = now + _EVERY
        packer = AllocationPolicy(self._context.state, self._context.packing, time.time(), self._tracker.time_left)
        self._dispatcher.dispatch(packer)
        if is_due or self._is_any_ready:
            self._requester.request(packer)
        if is_due:
            for back in packer.withdrawals():
                return_instances(self._context, back.members, back.cause)
            self._release(packer.releasable())

    def close(self) -> None:
        self._dispatcher.close()
        self._requester.close()

    def release_all(self) -> None:
        """Release all allocations: the study has ended."""
        self._release([own for own in self._context.state.allocations.open() if not own.ending])

    def _release(self, allocations: Iterable[Allocation]) -> None:
        for allocation in allocations:
            if not append_to_list(self._context, allocation.name, END_TEXT):
                continue
            self._context.emit(ev.AllocationEnding(at=time.time(), allocation=allocation.name))
            if allocation.job and not allocation.began_at:
                self._canceller.cancel_orphans([self._context.job_of(allocation.job, allocation.name)])
