"""What to start next: the one place where throttle, local slots and Slurm's limits are weighed.

Steps far down the graph come first: what was begun gets through, instead of every row's first step being done
before any row's second. What is ready goes before what can be submitted ahead of its parents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ..plan.job_arrays import JobShape, JobShapes
from ..plan.shared_allocations import PackingPlan
from .slurm_dependencies import DependencyPlanner, PlannedSubmission
from .state import StudyState

MOST_AT_ONCE = 1000  # instances that one turn submits: the driver looks up in between


@dataclass(frozen=True, slots=True)
class Limits:
    """What may run at once. `throttle` counts instances in Slurm (0: no limit), local steps are apart from it."""

    throttle: int = 0
    local_jobs: int = 2


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the driver can do at this moment."""

    calls: int  # how many sbatch calls are free
    slurm_open: bool  # whether Slurm takes jobs now
    array: int = 1  # the most tasks of an array
    ahead: bool = False  # whether what waits for jobs in Slurm may be bound to them
    doubtful: Collection[int] = field(default=())  # instances whose end is being made out: not to be bound to
    room: Mapping[str, int] = field(default_factory=dict[str, int])  # by submit limit: how many jobs it has room for
    limit_of: Sequence[str] = ()  # by step, the name of the submit limit that it is under
    resting: Collection[int] = field(default=())  # steps that wait for more of their instances to get ready


def next_local(state: StudyState, limits: Limits) -> list[int]:
    """The ready local instances to start now."""
    free = limits.local_jobs - len(state.live_local)
    ready = (
        index for step in state.deepest_first if not state.plan.steps[step].scheduled for index in state.ready[step]
    )
    return list(islice(ready, max(0, free)))


def next_submissions(
    state: StudyState, kinds: JobShapes, packing: PackingPlan, limits: Limits, capacity: Capacity
) -> list[PlannedSubmission]:
    """What to submit to Slurm now as jobs of their own or in arrays. Asking changes nothing."""
    if not capacity.slurm_open or capacity.calls <= 0:
        return []
    return list(islice(_Choice(state, kinds, packing, limits, capacity).starts(), capacity.calls))


class _Choice:
    """One weighing: the room that is left while submissions are chosen one after the other."""

    def __init__(
        self, state: StudyState, kinds: JobShapes, packing: PackingPlan, limits: Limits, capacity: Capacity
    ) -> None:
        self._state = state
        self._kinds = kinds
        self._packing = packing
        self._capacity = capacity
        self._free = MOST_AT_ONCE
        if limits.throttle:
            self._free = min(self._free, limits.throttle - len(state.live_slurm) - len(state.live_packed))
        self._room = dict(capacity.room)

    def starts(self) -> Iterator[PlannedSubmission]:
        state, most = self._state, self._capacity.array
        scheduled = [step for step in state.deepest_first if state.plan.steps[step].scheduled]
        for step in scheduled:
            for kind, members in self._by_kind(step, state.ready[step]):
                size = 1 if kind.alone else most
                for first in range(0, len(members), size):
                    yield self._take(step, PlannedSubmission(tuple(members[first : first + size])))
        if not self._capacity.ahead:
            return
        binding = DependencyPlanner(state, self._capacity.doubtful)
        for step in reversed(scheduled):
            for kind, members in self._by_kind(step, state.ahead[step]):
                if not kind.waits:
                    for start in binding.starts(members, 1 if kind.alone else most):
                        yield self._take(step, start)

    def _by_kind(self, step: int, waiting: dict[int, None]) -> list[tuple[JobShape, list[int]]]:
        """As many as there is room for, each kind in the order of the plan."""
        state, packing = self._state, self._packing
        if not waiting or step in self._capacity.resting or (packing.takes_all(step) and not state.changes):
            return []
        room = min(self._free, self._room.get(self._limit_of(step), self._free))
        found: dict[JobShape, list[int]] = {}
        for index in islice(waiting, max(0, room)):
            changes = state.changes.get(index, {})
            if not packing.takes(index, changes):
                found.setdefault(self._kinds.of(index, changes), []).append(index)
        return [(kind, sorted(members)) for kind, members in found.items()]

    def _take(self, step: int, start: PlannedSubmission) -> PlannedSubmission:
        self._free -= len(start.members)
        if (limit := self._limit_of(step)) in self._room:
            self._room[limit] -= len(start.members)
        return start

    def _limit_of(self, step: int) -> str:
        return self._capacity.limit_of[step] if self._capacity.limit_of else ""
