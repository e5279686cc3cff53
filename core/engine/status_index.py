"""Counters over the statuses of all instances, derived from the statuses and never stored.

The cost of a status change depends on what it affects, not on the size of the study: see Tally in graph.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..plan.study_plan import Plan
from .graph import EdgeKind, Edges, Graph, Tally
from .status import BAD, DONE, IN_SLURM, OVER, Status


class StatusIndex:
    """Numbers of instances by status, and for each instance the number of parents that hold it back."""

    def __init__(self, plan: Plan, status: Sequence[Status]) -> None:
        """`status` is by instance; later changes must be reported to `count` and to the tallies' `change`."""
        self._plan = plan
        self.graph = Graph(plan)
        self.counts: Counter[Status] = Counter(status)
        self.step_counts: list[Counter[Status]] = [
            Counter(status[index] for index in step.instances) for step in plan.steps
        ]
        has_after = any(step.after for step in plan.steps)
        edges = Edges(plan, EdgeKind.SUCCESS) if has_after else self.graph
        self.unfinished_above = Tally(edges, [each not in DONE for each in status])
        self.failed_above = Tally(edges, [each in BAD for each in status])
        self.unbindable_above = Tally(edges, [not self.is_bindable(i, each) for i, each in enumerate(status)])
        self.unfinished_after_parents = (
            Tally(Edges(plan, EdgeKind.AFTER), [each not in OVER for each in status]) if has_after else None
        )

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
        after = self.unfinished_after_parents
        return not self.unbindable_above.above[index] and not (after and after.above[index])

    def is_bindable(self, index: int, status: Status) -> bool:
        """Whether an instance of that status has a job that others can be bound to, or is done and needs none."""
        if status in DONE:
            return True
        return status in IN_SLURM and self._plan.steps[self._plan.instances[index].step].scheduled
