"""Dependencies between the instances of a plan, and counters whose updates cost only what a change affects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from ..plan.study_plan import Instance, Plan, PlannedStep


class EdgeKind(Enum):
    """What an edge requires of its parent."""

    ANY = "all edges"
    SUCCESS = "it must be done"
    AFTER = "it must be over"


class Edges:
    """The edges of a plan, from parents to dependents.

    A funnel is an edge between two steps, not between instances; a barrier is one node between a group and what waits
    for it.
    """

    def __init__(self, plan: Plan, kind: EdgeKind = EdgeKind.ANY) -> None:
        self.plan = plan
        self.children: list[list[int]] = [[] for _ in plan.instances]  # by direct edges
        self.funnel_users: list[list[int]] = [[] for _ in plan.steps]  # steps that depend on all instances of a step
        self.barriers_over: list[tuple[int, ...]] = [()] * len(plan.instances)  # that an instance is a member of
        self.barrier_users: list[list[int]] = [[] for _ in plan.barriers]
        self._chosen = [_chosen(step, kind) for step in plan.steps]  # by step, the parent steps included
        for step in plan.steps:
            for funnel in self.funnels(step):
                self.funnel_users[funnel].append(step.index)
        for step in plan.steps if kind is not EdgeKind.AFTER or any(self._chosen) else ():
            for index in step.instances:
                for parent in self.parents(plan.instances[index]):
                    self.children[parent].append(index)
                for barrier in self.barriers(plan.instances[index]):
                    self.barrier_users[barrier].append(index)
        for barrier, members in enumerate(plan.barriers):
            for index in members if self.barrier_users[barrier] else ():
                self.barriers_over[index] += (barrier,)

    def parents(self, instance: Instance) -> Sequence[int]:
        """Return the direct parents of an instance."""
        chosen = self._chosen[instance.step]
        if chosen is None:
            return instance.parents
        return [parent for parent in instance.parents if self.plan.instances[parent].step in chosen]

    def barriers(self, instance: Instance) -> Sequence[int]:
        """Return the barriers that an instance waits for."""
        chosen = self._chosen[instance.step]
        if chosen is None or not instance.barriers:
            return instance.barriers
        step_of, members = self.plan.instances, self.plan.barriers
        return [barrier for barrier in instance.barriers if step_of[members[barrier][0]].step in chosen]

    def funnels(self, step: PlannedStep) -> Sequence[int]:
        """Return the funnels of a step."""
        chosen = self._chosen[step.index]
        return step.funnels if chosen is None else [funnel for funnel in step.funnels if funnel in chosen]

    def users(self, step: int) -> list[int]:
        """Return every instance that depends on all instances of a step."""
        return [index for user in self.funnel_users[step] for index in self.plan.steps[user].instances]

    def dependents(self, index: int) -> list[int]:
        """Return the dependents of an instance, except those by funnel."""
        users = (user for barrier in self.barriers_over[index] for user in self.barrier_users[barrier])
        return [*self.children[index], *users] if self.barriers_over[index] else self.children[index]


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
        barriers: set[int] = set()
        todo = list(indices)
        while todo:
            index = todo.pop()
            children: list[int] = list(self.children[index])
            for barrier in self.barriers_over[index]:
                if barrier not in barriers:
                    barriers.add(barrier)
                    children += self.barrier_users[barrier]
            step = self.plan.instances[index].step
            if step not in steps:
                steps.add(step)
                children += self.users(step)
            todo += [child for child in children if child not in found]
            found.update(children)
        return found


class Tally:
    """For each instance, the number of direct parents that have some property.

    A direct parent counts as one, and so does a barrier, or the step of a funnel, with at least one instance that has
    the property: one over thousands updates its dependents only for its first and last such instance.
    """

    def __init__(self, edges: Edges, has: Sequence[bool]) -> None:
        """`has`: by instance, whether it has the property."""
        self._edges = edges
        plan = edges.plan
        self._within = [sum([has[index] for index in step.instances]) for step in plan.steps]
        self._within_barrier = [sum([has[index] for index in members]) for members in plan.barriers]
        self.above = [0] * len(plan.instances)
        for step in plan.steps if any(self._within) else ():
            funnels = sum(1 for funnel in edges.funnels(step) if self._within[funnel])
            for index in step.instances:
                instance = plan.instances[index]
                barriers = sum(1 for barrier in edges.barriers(instance) if self._within_barrier[barrier])
                self.above[index] = funnels + barriers + sum([has[parent] for parent in edges.parents(instance)])

    def change(self, index: int, has: bool) -> Sequence[int]:
        """Record that an instance gained or lost the property. Returns the instances whose count changed."""
        edges, by = self._edges, 1 if has else -1
        step = edges.plan.instances[index].step
        before = self._within[step]
        self._within[step] = after = before + by
        touched = edges.children[index]
        for barrier in edges.barriers_over[index]:
            within = self._within_barrier[barrier]
            self._within_barrier[barrier] = within + by
            if within == 0 or within + by == 0:
                touched = touched + edges.barrier_users[barrier]
        if edges.funnel_users[step] and (before == 0 or after == 0):
            touched = touched + edges.users(step)
        for child in touched:
            self.above[child] += by
        return touched
