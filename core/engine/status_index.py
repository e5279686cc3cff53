"""Counters over the statuses of all instances, derived from the statuses and never stored.

The cost of a status change depends on what it affects, not on the size of the study: see Tally in graph.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence

from ..plan.study_plan import Plan
from .graph import EdgeKind, Edges, Graph, Tally
from .status import BAD, DONE, IN_SLURM, OVER, Status

Binding = tuple[bool, bool]  # whether others can be bound to the success of an instance, and whether to its end


class StatusIndex:
    """Numbers of instances by status, and for each instance the number of parents that hold it back."""

    def __init__(self, plan: Plan, status: Sequence[Status], missed_rows: Container[int] = ()) -> None:
        """`status` is by instance; later changes must be reported to `count` and to the tallies' `change`.

        `missed_rows` are the instances that run again although their present attempts may finish.
        """
        self._plan = plan
        self._missed_rows = missed_rows
        self.graph = Graph(plan)
        self.counts: Counter[Status] = Counter(status)
        self.step_counts: list[Counter[Status]] = [
            Counter(status[index] for index in step.instances) for step in plan.steps
        ]
        has_after = any(step.after for step in plan.steps)
        edges = Edges(plan, EdgeKind.SUCCESS) if has_after else self.graph
        self.unfinished_above = Tally(edges, [each not in DONE for each in status])
        self.failed_above = Tally(edges, [each in BAD for each in status])
        self._retried_above = _retried_above(plan)
        bindings = [self.binding(index, each) for index, each in enumerate(status)]
        self.unbindable = [Tally(edges, [not bindable for bindable, _ in bindings])]  # by success, by end
        self.unfinished_after_parents: Tally | None = None
        if has_after:
            edges = Edges(plan, EdgeKind.AFTER)
            self.unfinished_after_parents = Tally(edges, [each not in OVER for each in status])
            self.unbindable.append(Tally(edges, [not bindable for _, bindable in bindings]))

    def count(self, index: int, source: Status, target: Status) -> None:
        """Count a status change of an instance."""
        for counts in (self.counts, self.step_counts[self._plan.instances[index].step]):
            counts[source] -= 1
            counts[target] += 1

    def waits_for(self, index: int) -> int:
        """Return the number of direct parents not done yet (not over, where that suffices); a funnel counts as one."""
        after = self.unfinished_after_parents
        return self.unfinished_above.above[index] + (after.above[index] if after else 0)

    def can_go_ahead(self, index: int) -> bool:
        """Whether every parent is done or has a job in Slurm, so that an instance can be bound to those jobs."""
        return not any(tally.above[index] for tally in self.unbindable)

    def binding(self, index: int, status: Status) -> Binding:
        """Whether others can be bound to the success of an instance of that status, and whether to its end.

        They can if Slurm has its job, or if it needs none any more. Slurm starts what is bound to the end of a job at
        once, so nothing is bound to an end that a retry by rule may follow.
        """
        step = self._plan.steps[self._plan.instances[index].step]
        has_job = status in IN_SLURM and step.scheduled
        if index in self._missed_rows:
            return False, False
        may_be_retried = step.is_retried or (status is Status.BOUND and self._retried_above[step.index])
        return status in DONE or has_job, status in OVER or (has_job and not may_be_retried)


def _retried_above(plan: Plan) -> list[bool]:
    """Return for each step whether any step above it is retried by rule: Slurm then drops what is bound to it."""
    found: list[bool] = []
    for step in plan.steps:
        found.append(any(found[above] or plan.steps[above].is_retried for above in step.above))
    return found
