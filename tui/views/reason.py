"""One thing that is to be said of why an instance stands as it does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ReasonKind(str, Enum):
    """What a reason is about. The value is the word that programs read, so it never changes."""

    HELD = "held"  # somebody holds it
    PARENTS = "parents"  # it waits for them
    NO_DRIVER = "no_driver"  # nothing starts until somebody drives the study
    LOCAL_SLOTS = "local_slots"  # as many local steps run as may
    SLURM_SILENT = "slurm_silent"
    THROTTLE = "throttle"  # as many are in Slurm as may
    SUBMIT_LIMIT = "submit_limit"  # Slurm takes no more jobs for now
    ALLOCATION = "allocation"  # it waits for one, or in one for a slot
    SUBMITTING = "submitting"  # about to be handed over, or the answer is not there yet
    SLURM = "slurm"  # Slurm has its job, and does not run it
    RUNNING = "running"
    FAILED_ABOVE = "failed_above"  # what it hangs on did not finish
    FAILED = "failed"  # it did not finish itself
    NOT_PACKED = "not_packed"  # why it does not share an allocation
    RETRIES = "retries"  # that it was tried again by itself, or would be


@dataclass(frozen=True, slots=True)
class Next:
    """A command that would help: `mtui VERB DIR TARGET`; without a verb, `mtui DIR`."""

    verb: str = ""
    target: str = ""

    def argv(self, directory: str) -> list[str]:
        return [word for word in ("mtui", self.verb, directory, self.target) if word]


@dataclass(frozen=True, slots=True)
class Reason:
    """`words` are a sentence that is safe to show, `instances` those that it speaks of, by index."""

    kind: ReasonKind
    words: str
    instances: tuple[int, ...] = ()
    next: tuple[Next, ...] = ()
