"""Finds allocations that ran nothing: after several in a row no other is requested for what waits."""

from __future__ import annotations

from collections.abc import Callable

from ..plan.shared_allocations import Pool
from .allocation import Allocation
from .allocation_table import AllocationTable
from .status import Status

MOST_IN_VAIN = 3
_PACED_BY_SLURM = (Status.CANCELLED, Status.LOST, Status.PREEMPTED, Status.NODE_FAILED)


def vain_streak(table: AllocationTable, pool: Pool, is_useless: Callable[[Allocation], bool]) -> list[Allocation]:
    """Return the last allocations of a pool that ran nothing, up to the last that did, the latest first.

    `is_useless` returns whether one could not run any waiting instance, from its beginning. Those that Slurm or a user
    ended are skipped, and those before a user's retry do not count.
    """
    found: list[Allocation] = []
    for own in reversed(table.by_name.values()):
        if own.pool != pool:
            continue
        if own.ran or own.forgiven:
            break
        if own.status in _PACED_BY_SLURM or own.members:
            continue
        if (own.gave_back or is_useless(own)) if own.began_at else own.is_over:
            found.append(own)
    return found
