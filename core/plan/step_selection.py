"""Selects a part of a study. The other steps are skipped, and count as finished for their dependents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..errors import UsageError
from ..spec.problems import nearest
from .study_plan import Plan, PlannedStep


@dataclass(frozen=True, slots=True)
class StepSelection:
    """The names of steps that the user selected. If all are empty: the whole study."""

    only: Sequence[str] = ()  # --only: just these
    start: Sequence[str] = ()  # --from: these and their dependents
    until: Sequence[str] = ()  # --until: these and the steps that they depend on

    def __bool__(self) -> bool:
        return bool(self.only or self.start or self.until)


def select_steps(plan: Plan, part: StepSelection) -> Plan:
    """Return the plan with all other steps marked as skipped. Raises UsageError for an unknown step."""
    if not part:
        return plan
    position = {step.name: step.index for step in plan.steps}
    for name in (*part.only, *part.start, *part.until):
        if name not in position:
            raise UsageError(f"no step named '{name}'", nearest(name, position))
    groups = [
        (f"not among --only {','.join(part.only)}", {position[name] for name in part.only}, part.only),
        (f"before --from {','.join(part.start)}", _below(plan, [position[name] for name in part.start]), part.start),
        (f"behind --until {','.join(part.until)}", _above(plan, [position[name] for name in part.until]), part.until),
    ]

    def why(step: PlannedStep) -> str:
        return next((words for words, kept, named in groups if named and step.index not in kept), "")

    return replace(plan, steps=tuple(replace(step, skipped=why(step)) for step in plan.steps))


def _below(plan: Plan, steps: Collection[int]) -> set[int]:
    found = set(steps)
    for step in plan.steps:  # in topological order
        if found.intersection(step.above):
            found.add(step.index)
    return found


def _above(plan: Plan, steps: Collection[int]) -> set[int]:
    found = set(steps)
    for step in reversed(plan.steps):
        if step.index in found:
            found.update(step.above)
    return found
