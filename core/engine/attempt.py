"""One try at running an instance, as the journal tells it."""

from __future__ import annotations

from dataclasses import dataclass

from .causes import Cause
from .status import Status


@dataclass(slots=True)
class Attempt:
    """One try at running an instance. Times are wall clock seconds, 0 if it did not come to that."""

    number: int
    submission: str
    backend: str
    job: str = ""
    node: str = ""
    submitted_at: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    exit_code: int | None = None
    reason: str = ""  # why Slurm lets it wait
    cancelled: bool = False  # somebody asked for its end
    cause: Cause | None = None  # why it ended as it did
    changes: tuple[tuple[str, str], ...] = ()  # what retries had changed of its resources
    task: int = -1  # which task of an array it is; -1: a job of its own
    after: str = ""  # the jobs that Slurm waits for before it begins, as sbatch was told
    freed_at: float = 0.0  # when those were done, if it was bound to any
    allocation: str = ""  # that it was given to; its job is then that allocation's
    returned: bool = False  # it began, and did not end: its allocation did
    automatic: bool = False  # made by itself after the one before it failed, not because a person asked for it
    ended_as: Status | None = None  # if it did not finish

    @property
    def in_queue(self) -> bool:
        """Whether a batch system was given it as a job of its own: not this machine, nor an allocation."""
        return self.backend not in ("local", "pack")

    @property
    def queued_at(self) -> float:
        """Since when nothing but Slurm's queue keeps it from starting; 0 if it is not known, or bound to others."""
        return self.freed_at if self.after else self.submitted_at

    @property
    def outcome(self) -> Status | None:
        """How it ended; None if it did not, or if it never came to run and is made again."""
        return Status.FINISHED if self.ended_at and self.exit_code == 0 else self.ended_as

    @property
    def array(self) -> str:
        """The id of the array that its job is a task of, or of its job."""
        return self.job.partition("_")[0]
