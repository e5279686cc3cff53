"""The events of shared allocations. They are among all events in events.py, which callers import.

The journal keeps them permanently, so a released type or field is never renamed or removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .causes import Cause
from .event_base import Event
from .status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationEvent(Event):
    """An event of an allocation, by the allocation's name in its study."""

    allocation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationIntended(AllocationEvent):
    """About to request a shared allocation from Slurm. On disk before the request."""

    kind: ClassVar[str] = "allocation_intended"
    pool: tuple[str, ...]  # sbatch options that its instances have in common
    gpus: int  # on each node
    nodes: int
    seconds: int  # its walltime


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationQueued(AllocationEvent):
    """Slurm accepted the allocation's job."""

    kind: ClassVar[str] = "allocation_queued"
    job: str
    cluster: str = ""  # as in Submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationObserved(AllocationEvent):
    """Slurm shows its job in another state, or pending for another reason, than before."""

    kind: ClassVar[str] = "allocation_observed"
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationBegan(AllocationEvent):
    """Its leader accepts instances. `seconds` are left of its walltime; 0: no limit."""

    kind: ClassVar[str] = "allocation_began"
    job: str
    hosts: tuple[str, ...] = ()
    cores: int = 0  # on all nodes together
    seconds: float = 0.0
    graph: bool = True  # whether instances can be assigned ahead of their parents in it


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationTimeLeft(AllocationEvent):
    """The `seconds` left that its leader reports, which differ from those by the clock of this driver."""

    kind: ClassVar[str] = "allocation_time_left"
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationEnding(AllocationEvent):
    """It accepts no more instances: it was released, or its leader reports so."""

    kind: ClassVar[str] = "allocation_ending"
    cause: Cause | None = None  # as text: the leader's reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationOver(AllocationEvent):
    """Its job has ended, or there is none. Its unfinished instances were returned before."""

    kind: ClassVar[str] = "allocation_over"
    status: Status
    cause: Cause | None = None
