"""Adds rows to a plan. Existing instances keep their indices; new ones are appended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..errors import UsageError
from .expand import GroupBarriers, path_component
from .parameter_table import ParameterTable
from .study_plan import Instance, Plan, PlannedStep


def extend_plan(plan: Plan, table: ParameterTable) -> Plan:
    """Return the plan with the rows of a table that it does not have yet; the same plan if it has all of them.

    Raises UsageError if the parameters differ, or if a new instance would have the name or directory of another.
    """
    old = plan.parameters
    if table.keys != old.keys:
        have, want = ", ".join(old.keys) or "none", ", ".join(table.keys) or "none"
        raise UsageError(f"the study's parameters are {have}, and not {want}", "extend adds rows, not parameters")
    known = set(zip(*old.labels, strict=True))
    fresh = [row for row, labels in enumerate(zip(*table.labels, strict=True)) if labels not in known]
    if not fresh:
        return plan
    rows = _joined(old, table, fresh)
    builder = _PlanExtender(plan, rows)
    for step in plan.steps:
        builder.add(step)
    sizes = (*(plan.sizes or (len(plan.instances),)), len(builder.instances))
    return replace(
        plan,
        parameters=rows,
        steps=tuple(builder.steps),
        instances=tuple(builder.instances),
        sizes=sizes,
        barriers=builder.groups.barriers,
    )


def widened_funnels(plan: Plan, size: int) -> list[int]:
    """Return those of the first `size` instances that have parents which were added later: by a funnel."""
    found: list[int] = []
    wider = {barrier for barrier, members in enumerate(plan.barriers) if any(member >= size for member in members)}
    for step in plan.steps:
        over_new = any(index >= size for funnel in step.funnels for index in plan.steps[funnel].instances[-1:])
        for index in step.instances if over_new or step.groups else ():
            instance = plan.instances[index]
            grown = any(parent >= size for parent in instance.parents) or not wider.isdisjoint(instance.barriers)
            if index < size and (over_new or grown):
                found.append(index)
    return found


def _joined(old: ParameterTable, new: ParameterTable, rows: Sequence[int]) -> ParameterTable:
    def more(have: tuple[tuple[str, ...], ...], columns: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        return tuple((*old, *(column[row] for row in rows)) for old, column in zip(have, columns, strict=True))

    return replace(old, values=more(old.values, new.values), labels=more(old.labels, new.labels))


class _PlanExtender:
    """Builds the steps and instances of the extended plan, step by step in topological order."""

    def __init__(self, plan: Plan, table: ParameterTable) -> None:
        self._plan = plan
        self._table = table
        self._first = len(plan.instances)
        self._names = {instance.name for instance in plan.instances}
        self._folders = {instance.workspace for instance in plan.instances}
        self.groups = GroupBarriers(table)
        self.steps: list[PlannedStep] = []
        self.instances: list[Instance] = list(plan.instances)

    def add(self, step: PlannedStep) -> None:
        """Add a step with instances for its new rows; all its parents have to be added before."""
        by_row = list(step.by_row)
        members = list(step.instances)
        if step.used:
            combinations = self._table.combinations(step.used)
            number = {combinations[self._plan.instances[index].row]: index for index in step.instances}
            for row in range(len(by_row), len(combinations)):
                if combinations[row] not in number:
                    number[combinations[row]] = len(self.instances)
                    members.append(len(self.instances))
                    self.instances.append(self._instance(step, row, combinations[row], len(members) - 1))
                by_row.append(number[combinations[row]])
        self.steps.append(replace(step, instances=_short(members), by_row=tuple(by_row)))
        for index in members if step.groups else ():
            instance = self.instances[index]
            self.instances[index] = replace(instance, barriers=self.groups.of(step, self.steps, instance.row))

    def _instance(self, step: PlannedStep, row: int, combination: str, place: int) -> Instance:
        name = f"{step.name}_{combination}"
        stem, folder = path_component(name), path_component(combination)
        first = self._plan.instances[step.instances[0]] if step.instances else None
        if first and first.workspace.startswith(f"{step.folder}/{step.folder}_instance_"):  # numbered: --hashws
            width = len(first.stem.rpartition("_")[2])
            stem = folder = path_component(f"{step.name}_instance_{place:0{width}d}")
        workspace = f"{step.folder}/{folder}"
        if name in self._names or workspace in self._folders:
            raise UsageError(f"there is an instance '{name}' already, or one in '{workspace}'", "change the label")
        self._names.add(name)
        self._folders.add(workspace)
        parents = tuple(dict.fromkeys(self._parents(step, row)))
        return Instance(len(self.instances), name, step.index, row, workspace, stem, parents)

    def _parents(self, step: PlannedStep, row: int) -> Iterable[int]:
        for index in step.parents:
            parent = self.steps[index]
            yield parent.by_row[row] if parent.by_row else parent.instances[0]


def _short(members: list[int]) -> Sequence[int]:
    """Return members as a range if they are consecutive, else as a tuple."""
    if members and members[-1] - members[0] == len(members) - 1:
        return range(members[0], members[-1] + 1)
    return tuple(members)
