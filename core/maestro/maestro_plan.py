"""Creates the plan of a Maestro study: from the copy of its spec, or else from the rows of its status.csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import MtuiError
from ..plan.expand import path_component
from ..plan.parameter_table import ParameterTable
from ..plan.study_plan import Instance, Plan, PlannedStep
from ..spec.study_spec import Batch
from ..study_creation import PlanOptions, plan_study
from .status_rows import Row


def plan_of_maestro(root: Path, rows: Sequence[Row]) -> tuple[Plan, str, bool]:
    """Return the plan, the path of the spec, and whether the plan has edges; without a usable spec it has none."""
    for spec in sorted(path for path in root.glob("*.y*ml") if path.is_file()):
        try:
            plan = plan_study(spec, PlanOptions(out=str(root))).plan
        except MtuiError:
            continue
        if not rows or {instance.name for instance in plan.instances} == {row.name for row in rows}:
            return _as_laid_out(plan, rows), str(spec), True
    return _of_rows(root, rows), "", False


def _as_laid_out(plan: Plan, rows: Sequence[Row]) -> Plan:
    """Return the plan with the workspaces that Maestro chose; with --hashws these are numbered."""
    places = {row.name: row.workspace for row in rows}
    instances = [
        replace(instance, workspace=places.get(instance.name, instance.workspace), stem=_stem(instance, places))
        for instance in plan.instances
    ]
    return replace(plan, instances=tuple(instances))


def _stem(instance: Instance, places: dict[str, str]) -> str:
    place = places.get(instance.name, instance.workspace)
    return instance.stem if place == instance.workspace else place.rpartition("/")[2]


def _of_rows(root: Path, rows: Sequence[Row]) -> Plan:
    """Create a plan from the rows: a step for each first part of the workspaces, without edges."""
    keys = tuple(dict.fromkeys(key for row in rows for key in row.params))
    by_step: dict[str, list[Row]] = {}
    for row in rows:
        by_step.setdefault(row.workspace.partition("/")[0] or row.name, []).append(row)
    values = tuple(tuple(row.params.get(key, "") for row in rows) for key in keys)
    number = {row.name: place for place, row in enumerate(rows)}
    steps: list[PlannedStep] = []
    instances: list[Instance] = []
    for name, members in by_step.items():
        first = len(instances)
        used = tuple(sorted({key for row in members for key in row.params}))
        for row in members:
            stem = path_component(row.name)
            instances.append(Instance(len(instances), row.name, len(steps), number[row.name], row.workspace, stem, ()))
        by_row = [first] * len(rows)
        for place, row in enumerate(members):
            by_row[number[row.name]] = first + place
        steps.append(
            PlannedStep(
                index=len(steps), name=name, folder=name, description="", cmd="", restart="", run={}, parents=(),
                funnels=(), references=(), used=used, scheduled=any(row.job and "." not in row.job for row in members),
                instances=range(first, len(instances)), by_row=tuple(by_row),
            )
        )  # fmt: skip
    table = ParameterTable(keys, keys, values, values)
    return Plan(root.name, "", str(root), Batch("local"), False, table, tuple(steps), tuple(instances))
