"""The allocations of a study, as their events add up to. StudyState reports which instances they have."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..plan.shared_allocations import Pool
from . import events as ev
from .allocation import Allocation
from .causes import Cause, CauseCode
from .status import LIVE, Impossible, Status

_COULD_NOT_BEGIN = (
    *(CauseCode.NO_TIME_LEFT, CauseCode.NO_PYTHON, CauseCode.ALLOCATION_ENDED, CauseCode.ALLOCATION_WALLTIME),
    *(CauseCode.ALLOCATION_FAILED, CauseCode.ALLOCATION_OUT_OF_MEMORY, CauseCode.ALLOCATION_LEADER_ENDED),
)


@dataclass(slots=True)
class AllocationTable:
    """All allocations by name, in the order in which they were requested."""

    by_name: dict[str, Allocation] = field(default_factory=dict[str, Allocation])

    def open(self) -> list[Allocation]:
        """Return those that are not over, or not known to be."""
        return [allocation for allocation in self.by_name.values() if not allocation.is_over]

    def open_of_job(self, job: str) -> Allocation | None:
        """Return the open allocation with that job; None if there is none. Others may have had a job with that id."""
        return next((allocation for allocation in self.open() if allocation.job == job), None)

    def takes(self, name: str) -> bool:
        """Whether an allocation exists and instances can be assigned to it."""
        return name in self.by_name and self.by_name[name].takes

    def has(self, name: str, index: int) -> None:
        """Record that an instance is assigned to an allocation."""
        self.by_name[name].members[index] = None

    def note_started(self, name: str) -> None:
        """Record that an instance began in an allocation."""
        self.by_name[name].ran += 1

    def note_not_begun(self, name: str, cause: Cause | None) -> None:
        """Record that an instance leaves an allocation without having begun."""
        if cause and cause.code in _COULD_NOT_BEGIN:
            self.by_name[name].gave_back = True

    def forgive(self) -> None:
        """Record that a user retries: allocations that ran nothing do not count any more."""
        for allocation in self.by_name.values():
            allocation.forgiven = True

    def leaves(self, name: str, index: int, *, finished: bool) -> None:
        allocation = self.by_name[name]
        allocation.members.pop(index, None)
        allocation.done += finished

    def apply(self, event: ev.AllocationEvent, cluster: str = "") -> None:
        """Apply an event; `cluster` is the driver's. Raises Impossible, and changes nothing, if it is not allowed."""
        if isinstance(event, ev.AllocationIntended):
            self._intended(event)
            self.by_name[event.allocation].cluster = cluster
            return
        allocation = self.by_name.get(event.allocation)
        if allocation is None or allocation.is_over:
            raise Impossible(f"allocation {event.allocation} is {'over' if allocation else 'not known'}")
        match event:
            case ev.AllocationQueued():
                allocation.job, allocation.queued_at = event.job, event.at
                allocation.cluster = event.cluster or allocation.cluster
                if allocation.status in (Status.SUBMITTING, Status.UNCLEAR):
                    allocation.status = Status.PENDING
            case ev.AllocationObserved():
                if event.status not in LIVE:
                    raise Impossible(f"allocation {event.allocation} cannot be observed as {event.status.value}")
                allocation.status, allocation.reason = event.status, event.reason
            case ev.AllocationBegan():
                allocation.status, allocation.job, allocation.reason = Status.RUNNING, event.job, ""
                allocation.hosts, allocation.cores, allocation.graph = event.hosts, event.cores, event.graph
                allocation.began_at, allocation.usable = event.at, event.seconds
                allocation.ends_at = event.at + event.seconds if event.seconds else 0.0
            case ev.AllocationTimeLeft():
                allocation.ends_at = event.at + event.seconds
            case ev.AllocationEnding():
                allocation.ending = True
            case ev.AllocationOver():
                self._over(allocation, event)
            case _:
                raise Impossible(f"an event of allocations of unknown kind: {event.kind}")

    def _intended(self, event: ev.AllocationIntended) -> None:
        if event.allocation in self.by_name:
            raise Impossible(f"allocation {event.allocation} is requested twice")
        pool = Pool(event.pool, event.gpus)
        self.by_name[event.allocation] = Allocation(event.allocation, pool, event.nodes, event.seconds, event.at)

    def _over(self, allocation: Allocation, event: ev.AllocationOver) -> None:
        if event.status in LIVE or event.status is Status.BLOCKED:
            raise Impossible(f"allocation {event.allocation} cannot end as {event.status.value}")
        if allocation.members:
            raise Impossible(f"allocation {event.allocation} still has {len(allocation.members)} instances")
        allocation.status, allocation.cause, allocation.ended_at = event.status, event.cause, event.at
        allocation.reason = ""
