"""Decides what to start next: the one place where throttle, local slots and Slurm's limits are combined.

The deepest steps of the graph come first, so that started rows get finished instead of every row's first step running
before any row's second. Ready instances go before those that can be submitted ahead of their parents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ..plan.job_arrays import JobShape, JobShapes
from ..plan.shared_allocations import PackingPlan
from .slurm_dependencies import DependencyPlanner, PlannedSubmission
from .state import StudyState

MOST_AT_ONCE = 1000  # instances submitted in one turn, so the driver's loop stays responsive


@dataclass(frozen=True, slots=True)
class Limits:
    """What may run at once. `throttle` limits instances in Slurm (0: no limit); local steps have their own limit."""

    throttle: int = 0
    local_jobs: int = 2


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the driver can do at this moment."""

    calls: int  # free sbatch calls
    slurm_open: bool  # whether Slurm accepts jobs now
    array: int = 1  # the most tasks of an array
    ahead: bool = False  # whether instances may be bound to jobs in Slurm
    doubtful: Collection[int] = field(default=())  # instances whose jobs may be over: nothing is bound to them
    delayed: Collection[int] = field(default=())  # instances whose files could not be written a moment ago
    room: Mapping[str, int] = field(default_factory=dict[str, int])  # by submit limit: how many more jobs fit
    limit_of: Sequence[str] = ()  # by step, the name of its submit limit
    resting: Collection[int] = field(default=())  # steps that wait for more of their instances to become ready


def next_local(state: StudyState, limits: Limits, delayed: Collection[int] = ()) -> list[int]:
    """Return the ready local instances to start now; none of the `delayed` ones."""
    free = limits.local_jobs - len(state.live_local)
    ready = (
        index
        for step in state.deepest_first
        if not state.plan.steps[step].scheduled
        for index in state.ready[step]
        if index not in delayed
    )
    return list(islice(ready, max(0, free)))


def next_submissions(
    state: StudyState, kinds: JobShapes, packing: PackingPlan, limits: Limits, capacity: Capacity
) -> list[PlannedSubmission]:
    """Return what to submit to Slurm now, as individual jobs or arrays. Changes nothing."""
    if not capacity.slurm_open or capacity.calls <= 0:
        return []
    return list(islice(_Choice(state, kinds, packing, limits, capacity).starts(), capacity.calls))


class _Choice:
    """One decision: keeps the remaining room while submissions are chosen one after the other."""

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
        """Return as many instances as there is room for, by job shape, each in the order of the plan."""
        state, packing = self._state, self._packing
        if not waiting or step in self._capacity.resting or (packing.takes_all(step) and not state.changes):
            return []
        room = min(self._free, self._room.get(self._limit_of(step), self._free))
        found: dict[JobShape, list[int]] = {}
        delayed = self._capacity.delayed
        for index in islice((index for index in waiting if index not in delayed), max(0, room)):
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
