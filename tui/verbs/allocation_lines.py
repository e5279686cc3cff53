"""What a headless driver or viewer says of an event of an allocation."""

from __future__ import annotations

from ...core.plan.packing import ANY
from ...core.study import events as ev
from ...core.study.allocation import Allocation
from ...core.study.cause_text import cause_text
from ...core.study.status import Status
from ..model.allocations import clock, hosts, title
from ..text import plural, safe

_WHY = {"signal": "Slurm told it to end", "idle": "it has nothing to do", "ended": ""}  # words of its leader


def allocation_line(event: ev.AllocationEvent, allocation: Allocation) -> list[tuple[Status | None, str, bool]]:
    """The colour, the words, whether it matters when quiet; `allocation` has taken the event in."""
    name = title(allocation)
    match event:
        case ev.AllocationIntended() if allocation.pool == ANY:
            return []
        case ev.AllocationQueued() if allocation.pool == ANY:
            return [(None, f"{name}, in which this driver runs, is used", False)]
        case ev.AllocationIntended():
            words = f"allocation asked for: {plural(event.nodes, 'node')} for {clock(event.seconds)}"
            return [(None, words, False)]
        case ev.AllocationQueued():
            return [(None, f"allocation in Slurm's queue as job {event.job}", False)]
        case ev.AllocationObserved():
            why = f" ({safe(event.reason)})" if event.reason else ""
            return [(None, f"{name}: {event.status.value}{why}", False)]
        case ev.AllocationBegan():
            on = f" on {hosts(allocation)}" if event.hosts else ""
            cores = f" with {plural(event.cores, 'core')}" if event.cores else ""
            return [(Status.RUNNING, f"{name} began{on}{cores}", False)]
        case ev.AllocationEnding():
            why = _WHY.get(cause_text(event.cause), safe(cause_text(event.cause)))
            return [(None, f"{name} is ending{': ' if why else ''}{why}", False)]
        case ev.AllocationOver() if event.cause:
            # A cause names the job itself.
            return [(event.status, f"allocation over: {safe(cause_text(event.cause))}", True)]
        case ev.AllocationOver():
            return [(event.status, f"{name} is over", False)]
        case _:
            return []
