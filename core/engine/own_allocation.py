"""Decides what can still run in the allocation that the driver itself runs in: it uses no other."""

from __future__ import annotations

from collections.abc import Mapping

from ..plan.shared_allocations import PackingPlan, PoolShare
from .allocation_policy import needed_seconds
from .state import StudyState
from .status import LIVE, OVER, Status


def too_long(state: StudyState, packing: PackingPlan, left: float) -> dict[int, int]:
    """Return the instances that are yet to run and need more than `left` seconds, with their walltimes in seconds."""
    found: dict[int, int] = {}
    for step in packing.steps:
        for index in state.plan.steps[step].instances:
            if state.status[index] not in OVER | LIVE:
                share = packing.of(index, state.changes.get(index, {}))
                if isinstance(share, PoolShare) and needed_seconds(share) > left:
                    found[index] = share.ask.seconds
    return found


def is_exhausted(state: StudyState, late: Mapping[int, int]) -> bool:
    """Whether nothing runs, and nothing can begin but instances that are too long (`late`)."""
    if any(state.counts[status] for status in LIVE) or state.is_over:
        return False
    if state.counts[Status.HELD] and not late.keys() >= state.held:
        return False  # released, they may run here
    return all(index in late for step in state.ready for index in step)
