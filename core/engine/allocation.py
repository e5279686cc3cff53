"""An allocation of Slurm that many instances share, as the journal records it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..plan.shared_allocations import Pool
from .causes import Cause
from .status import IN_SLURM, LIVE, Status


@dataclass(slots=True)
class Allocation:
    """A job of Slurm in which a leader runs the instances assigned to it. Times are wall clock seconds; 0: not yet."""

    name: str
    pool: Pool
    nodes: int
    seconds: int  # its walltime
    asked_at: float
    status: Status = Status.SUBMITTING
    job: str = ""
    cluster: str = ""  # the Slurm cluster of its job; empty: not known
    reason: str = ""  # why Slurm keeps it pending
    queued_at: float = 0.0
    began_at: float = 0.0  # when its leader was ready
    usable: float = 0.0  # seconds that it had left then; 0: no limit
    ends_at: float = 0.0  # by its time limit in Slurm, and the clock of the driver that wrote this
    ended_at: float = 0.0
    hosts: tuple[str, ...] = ()
    cores: int = 0  # on all nodes together
    graph: bool = True  # whether instances can be assigned ahead of their parents in it
    ending: bool = False  # accepts no more instances
    cause: Cause | None = None  # why it ended, if it did not finish well
    ran: int = 0  # instances that began in it
    gave_back: bool = False  # an instance left it that it could not begin
    forgiven: bool = False  # a user retried instances since: if it ran nothing, that does not count
    done: int = 0  # instances that finished in it
    members: dict[int, None] = field(default_factory=dict[int, None])  # instances assigned to it that are not over

    @property
    def is_over(self) -> bool:
        return self.status not in LIVE

    @property
    def takes(self) -> bool:
        """Whether instances can be assigned to it."""
        return bool(self.job) and not self.ending and self.status in IN_SLURM and self.status is not Status.COMPLETING
