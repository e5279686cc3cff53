"""What to start next: the one place where throttle, local slots and Slurm's limits are weighed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from .state import StudyState


@dataclass(frozen=True, slots=True)
class Limits:
    """What may run at once. `throttle` counts instances in Slurm (0: no limit), local steps are apart from it."""

    throttle: int = 0
    local_jobs: int = 2


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the driver can do at this moment: how many sbatch calls are free, whether Slurm takes jobs now."""

    submissions: int
    slurm_open: bool


def next_starts(state: StudyState, limits: Limits, capacity: Capacity) -> list[int]:
    """The ready instances to start now, in the order in which they became ready."""
    return [*_local(state, limits), *_slurm(state, limits, capacity)]


def _local(state: StudyState, limits: Limits) -> Iterator[int]:
    free = limits.local_jobs - len(state.live_local)
    return islice(state.ready_local, max(0, free))


def _slurm(state: StudyState, limits: Limits, capacity: Capacity) -> Iterator[int]:
    if not capacity.slurm_open:
        return iter(())
    free = capacity.submissions
    if limits.throttle:
        free = min(free, limits.throttle - len(state.live_slurm))
    return islice(state.ready_slurm, max(0, free))
