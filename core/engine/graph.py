"""Who hangs on whom in a plan, and counters over it that cost no more than what a change touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from ..plan.study_plan import Instance, Plan, PlannedStep


class EdgeKind(Enum):
    """What has to become of a parent for the edge from it to be free."""

    ANY = "all edges"
    SUCCESS = "it has to be done"
    AFTER = "it has to be over"


class Edges:
    """Edges of a plan, downwards. A funnel is an edge between two steps, not between instances."""

    def __init__(self, plan: Plan, kind: EdgeKind = EdgeKind.ANY) -> None:
        self.plan = plan
        self.children: list[list[int]] = [[] for _ in plan.instances]  # by direct edges
        self.funnel_users: list[list[int]] = [[] for _ in plan.steps]  # steps that wait for all of a step
        self._chosen = [_chosen(step, kind) for step in plan.steps]  # by step, the steps above it that are meant
        for step in plan.steps:
            for funnel in self.funnels(step):
                self.funnel_users[funnel].append(step.index)
        for step in plan.steps if kind is not EdgeKind.AFTER or any(self._chosen) else ():
            for index in step.instances:
                for parent in self.parents(plan.instances[index]):
                    self.children[parent].append(index)

    def parents(self, instance: Instance) -> Sequence[int]:
        """The direct parents of an instance."""
        chosen = self._chosen[instance.step]
        if chosen is None:
            return instance.parents
        return [parent for parent in instance.parents if self.plan.instances[parent].step in chosen]

    def funnels(self, step: PlannedStep) -> Sequence[int]:
        """The funnels of a step."""
        chosen = self._chosen[step.index]
        return step.funnels if chosen is None else [funnel for funnel in step.funnels if funnel in chosen]

    def users(self, step: int) -> list[int]:
        """Every instance that waits for all of a step."""
        return [index for user in self.funnel_users[step] for index in self.plan.steps[user].instances]


def _chosen(step: PlannedStep, kind: EdgeKind) -> frozenset[int] | None:
    """The steps above a step to which its edges are of a kind; None if all are."""
    if kind is EdgeKind.ANY or (kind is EdgeKind.SUCCESS and not step.after):
        return None
    if kind is EdgeKind.AFTER:
        return frozenset(step.after)
    return frozenset(step.above) - frozenset(step.after)


class Graph(Edges):
    """All edges of a plan, and what follows from them."""

    def deepest_first(self) -> tuple[int, ...]:
        """The steps, those with the most steps above them first; else as in the plan."""
        depth: list[int] = []
        for step in self.plan.steps:
            depth.append(1 + max((depth[above] for above in step.above), default=0))
        return tuple(sorted(range(len(depth)), key=lambda step: -depth[step]))

    def below(self, indices: Iterable[int]) -> set[int]:
        """Everything that hangs on these instances, directly or further down."""
        found: set[int] = set()
        steps: set[int] = set()
        todo = list(indices)
        while todo:
            index = todo.pop()
            children = list(self.children[index])
            step = self.plan.instances[index].step
            if step not in steps:
                steps.add(step)
                children += self.users(step)
            todo += [child for child in children if child not in found]
            found.update(children)
        return found


class Tally:
    """For each instance, how much directly above it has some property.

    A direct parent that has it counts one, and so does a funnel step with at least one instance that has it: a
    funnel over thousands is one barrier, and touches what waits for it only when its first comes or its last goes.
    """

    def __init__(self, edges: Edges, has: Sequence[bool]) -> None:
        """`has`: by instance, whether it has the property."""
        self._edges = edges
        plan = edges.plan
        self._within = [sum([has[index] for index in step.instances]) for step in plan.steps]
        self.above = [0] * len(plan.instances)
        for step in plan.steps if any(self._within) else ():
            funnels = sum(1 for funnel in edges.funnels(step) if self._within[funnel])
            for index in step.instances:
                parents = edges.parents(plan.instances[index])
                self.above[index] = funnels + sum([has[parent] for parent in parents])

    def change(self, index: int, has: bool) -> Sequence[int]:
        """An instance got the property, or lost it. Returns the instances whose count that changed."""
        edges, by = self._edges, 1 if has else -1
        step = edges.plan.instances[index].step
        before = self._within[step]
        self._within[step] = after = before + by
        touched = edges.children[index]
        if edges.funnel_users[step] and (before == 0 or after == 0):
            touched = touched + edges.users(step)
        for child in touched:
            self.above[child] += by
        return touched
