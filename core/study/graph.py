"""Who hangs on whom in a plan, and counters over it that cost no more than what a change touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..plan.model import Plan


class Graph:
    """The edges of a plan in both directions. A funnel is an edge between two steps, not between instances."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.children: list[list[int]] = [[] for _ in plan.instances]  # by direct edges
        self.funnel_users: list[list[int]] = [[] for _ in plan.steps]  # steps that wait for all of a step
        for step in plan.steps:
            for funnel in step.funnels:
                self.funnel_users[funnel].append(step.index)
        for instance in plan.instances:
            for parent in instance.parents:
                self.children[parent].append(instance.index)

    def deepest_first(self) -> tuple[int, ...]:
        """The steps, those with the most steps above them first; else as in the plan."""
        depth: list[int] = []
        for step in self.plan.steps:
            depth.append(1 + max((depth[above] for above in (*step.parents, *step.funnels)), default=0))
        return tuple(sorted(range(len(depth)), key=lambda step: -depth[step]))

    def users(self, step: int) -> list[int]:
        """Every instance that waits for all of a step."""
        return [index for user in self.funnel_users[step] for index in self.plan.steps[user].instances]

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

    def __init__(self, graph: Graph, *, at_first: bool) -> None:
        """`at_first`: whether every instance has the property in the beginning."""
        self._graph = graph
        plan = graph.plan
        self._within = [len(step.instances) if at_first else 0 for step in plan.steps]
        self.above = [0] * len(plan.instances)
        if at_first:
            for instance in plan.instances:
                funnels = plan.steps[instance.step].funnels
                self.above[instance.index] = len(instance.parents) + sum(1 for step in funnels if self._within[step])

    def change(self, index: int, has: bool) -> Sequence[int]:
        """An instance got the property, or lost it. Returns the instances whose count that changed."""
        graph, by = self._graph, 1 if has else -1
        step = graph.plan.instances[index].step
        before = self._within[step]
        self._within[step] = after = before + by
        touched = graph.children[index]
        if graph.funnel_users[step] and (before == 0 or after == 0):
            touched = touched + graph.users(step)
        for child in touched:
            self.above[child] += by
        return touched

    def recount(self, has: Sequence[bool]) -> None:
        """Count anew; `has` says of each instance whether it has the property."""
        plan = self._graph.plan
        self._within = [sum(has[index] for index in step.instances) for step in plan.steps]
        for step in plan.steps:
            funnels = sum(1 for funnel in step.funnels if self._within[funnel])
            for index in step.instances:
                self.above[index] = funnels + sum(has[parent] for parent in plan.instances[index].parents)
