"""One attempt to run an instance, as the journal records it."""

from __future__ import annotations

from dataclasses import dataclass

from .causes import Cause
from .status import Status


@dataclass(slots=True)
class Attempt:
    """One attempt to run an instance. Times are wall clock seconds; 0: did not happen (yet)."""

    number: int
    submission: str
    backend: str
    job: str = ""
    node: str = ""
    submitted_at: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    exit_code: int | None = None
    reason: str = ""  # why Slurm keeps it pending
    cancelled: bool = False  # its end was requested
    cause: Cause | None = None  # why it ended as it did
    changes: tuple[tuple[str, str], ...] = ()  # resources changed by retries
    task: int = -1  # its task in a job array; -1: an individual job
    after: str = ""  # the jobs that it depends on in Slurm, as given to sbatch --dependency
    freed_at: float = 0.0  # when those jobs were done, if it was bound to any
    allocation: str = ""  # that it was assigned to; its job is then that allocation's
    returned: bool = False  # it started, and its allocation ended before it
    automatic: bool = False  # a retry by rule, not by a user
    ended_as: Status | None = None  # if it did not finish
    unclear: bool = False  # an answer to its submission was lost, so it may have more than one job
    reported: bool = False  # its job is known by its own report only: the name may be that of an earlier submission
    cluster: str = ""  # of its job, or of the driver that started it; empty: not known

    @property
    def in_queue(self) -> bool:
        """Whether it is an individual job of a batch system, not a local process or part of an allocation."""
        return self.backend not in ("local", "pack")

    @property
    def queued_at(self) -> float:
        """Return since when only Slurm's queue delays its start; 0 if unknown, or if its dependency is not met."""
        return self.freed_at if self.after else self.submitted_at

    @property
    def outcome(self) -> Status | None:
        """Return how it ended; None if it has not ended, or ended before it ran and is submitted again."""
        return self.ended_as or (Status.FINISHED if self.ended_at and self.exit_code == 0 else None)

    @property
    def array(self) -> str:
        """Return the id of the array of its job, or of its individual job."""
        return self.job.partition("_")[0]
