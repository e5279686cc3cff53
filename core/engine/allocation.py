"""An allocation of Slurm that many instances share, as the journal tells it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..plan.shared_allocations import Pool
from .causes import Cause
from .status import IN_SLURM, LIVE, Status


@dataclass(slots=True)
class Allocation:
    """One job of Slurm with a leader in it that runs what it is given. Times are wall clock seconds, 0: not yet."""

    name: str
    pool: Pool
    nodes: int
    seconds: int  # its walltime
    asked_at: float
    status: Status = Status.SUBMITTING
    job: str = ""
    reason: str = ""  # why Slurm lets it wait
    queued_at: float = 0.0
    began_at: float = 0.0  # when its leader stood ready
    ends_at: float = 0.0  # by Slurm's time limit
    ended_at: float = 0.0
    hosts: tuple[str, ...] = ()
    cores: int = 0  # on all nodes together
    graph: bool = True  # whether it can be given what waits for others that it has
    ending: bool = False  # it takes nothing more
    cause: Cause | None = None  # why it ended, if it did not finish well
    done: int = 0  # instances that finished in it
    members: dict[int, None] = field(default_factory=dict[int, None])  # instances that it has and that are not over

    @property
    def is_over(self) -> bool:
        return self.status not in LIVE

    @property
    def takes(self) -> bool:
        """Whether it can be given instances."""
        return bool(self.job) and not self.ending and self.status in IN_SLURM and self.status is not Status.COMPLETING
