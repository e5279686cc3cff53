"""One reason for the status of an instance."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ReasonKind(str, Enum):
    """The subject of a reason. Programs read the value, so it never changes."""

    HELD = "held"  # by a hold command
    PARENTS = "parents"  # it waits for them
    NO_DRIVER = "no_driver"  # nothing starts until a driver runs
    LOCAL_SLOTS = "local_slots"  # the limit of local steps is reached
    SLURM_SILENT = "slurm_silent"
    THROTTLE = "throttle"  # the limit of instances in Slurm is reached
    SUBMIT_LIMIT = "submit_limit"  # Slurm accepts no more jobs for now
    ALLOCATION = "allocation"  # it waits for one, or for a slot in one
    SUBMITTING = "submitting"  # about to be submitted, or the answer is pending
    SLURM = "slurm"  # Slurm has its job and does not run it
    RUNNING = "running"
    FAILED_ABOVE = "failed_above"  # an instance it depends on did not finish
    FAILED = "failed"  # it did not finish itself
    WARNING = "warning"  # it finished, and Slurm reports that something was wrong
    NOT_PACKED = "not_packed"  # why it does not share an allocation
    ROWS_ADDED = "rows_added"  # its attempt misses rows that were added later: it will run again
    RETRIES = "retries"  # it was retried automatically, or will be


@dataclass(frozen=True, slots=True)
class Next:
    """A command that may help: `mtui VERB DIR TARGET`; without a verb, `mtui DIR`."""

    verb: str = ""
    target: str = ""

    def argv(self, directory: str) -> list[str]:
        return [word for word in ("mtui", self.verb, directory, self.target) if word]


@dataclass(frozen=True, slots=True)
class Reason:
    """`words` is a sentence that is safe to print, `instances` are the indices of the instances that it is about."""

    kind: ReasonKind
    words: str
    instances: tuple[int, ...] = ()
    next: tuple[Next, ...] = ()
