"""Dependencies between the instances of a plan, and counters whose updates cost only what a change affects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from ..plan.study_plan import Instance, Plan, PlannedStep


class EdgeKind(Enum):
    """What an edge requires of its parent."""

    ANY = "all edges"
    SUCCESS = "it has to be done"
    AFTER = "it has to be over"


class Edges:
    """The edges of a plan, from parents to dependents. A funnel is an edge between two steps, not between instances."""

    def __init__(self, plan: Plan, kind: EdgeKind = EdgeKind.ANY) -> None:
        self.plan = plan
        self.children: list[list[int]] = [[] for _ in plan.instances]  # by direct edges
        self.funnel_users: list[list[int]] = [[] for _ in plan.steps]  # steps that depend on all instances of a step
        self._chosen = [_chosen(step, kind) for step in plan.steps]  # by step, the parent steps included
        for step in plan.steps:
            for funnel in self.funnels(step):
                self.funnel_users[funnel].append(step.index)
        for step in plan.steps if kind is not EdgeKind.AFTER or any(self._chosen) else ():
            for index in step.instances:
                for parent in self.parents(plan.instances[index]):
                    self.children[parent].append(index)

    def parents(self, instance: Instance) -> Sequence[int]:
        """Return the direct parents of an instance."""
        chosen = self._chosen[instance.step]
        if chosen is None:
            return instance.parents
        return [parent for parent in instance.parents if self.plan.instances[parent].step in chosen]

    def funnels(self, step: PlannedStep) -> Sequence[int]:
        """Return the funnels of a step."""
        chosen = self._chosen[step.index]
        return step.funnels if chosen is None else [funnel for funnel in step.funnels if funnel in chosen]

    def users(self, step: int) -> list[int]:
        """Return every instance that depends on all instances of a step."""
        return [index for user in self.funnel_users[step] for index in self.plan.steps[user].instances]


def _chosen(step: PlannedStep, kind: EdgeKind) -> frozenset[int] | None:
    """Return the parent steps to which a step's edges are of that kind; None: all."""
    if kind is EdgeKind.ANY or (kind is EdgeKind.SUCCESS and not step.after):
        return None
    if kind is EdgeKind.AFTER:
        return frozenset(step.after)
    return frozenset(step.above) - frozenset(step.after)


class Graph(Edges):
    """All edges of a plan, and queries over them."""

    def deepest_first(self) -> tuple[int, ...]:
        """Return the steps, deepest in the graph first; ties in plan order."""
        depth: list[int] = []
        for step in self.plan.steps:
            depth.append(1 + max((depth[above] for above in step.above), default=0))
        return tuple(sorted(range(len(depth)), key=lambda step: -depth[step]))

    def below(self, indices: Iterable[int]) -> set[int]:
        """Return all dependents of these instances, direct and indirect."""
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
    """For each instance, the number of direct parents that have some property.

    A direct parent counts as one, and so does a funnel step with at least one instance that has the property: a
    funnel over thousands is one barrier, and updates its dependents only for its first and last such instance.
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
        """Record that an instance gained or lost the property. Returns the instances whose count changed."""
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
