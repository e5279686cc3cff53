"""The plan as `mtui plan --json` prints it."""

from __future__ import annotations

from .instance_script import render
from .study_plan import Plan


def plan_as_json(plan: Plan) -> dict[str, object]:
    """Return the plan as JSON-compatible values; see docs/json.md."""
    rows: list[dict[str, object]] = []
    for instance in plan.instances:
        step = plan.step_of(instance)
        script = render(plan, instance)
        rows.append(
            {
                "name": instance.name,
                "step": step.name,
                "workspace": instance.workspace,
                "parents": sorted(plan.instances[parent].name for parent in plan.parents(instance)),
                "params": plan.params(instance),
                "scheduled": step.scheduled,
                "skipped": bool(step.skipped),
                "script": f"{instance.workspace}/{plan.script_name(instance)}",
                "body": script.body,
                "restart": script.restart,
            }
        )
    study = {"name": plan.name, "description": plan.description, "directory": plan.out}
    return {"version": 1, "study": study, "instances": rows}
