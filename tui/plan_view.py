"""`mtui plan` for people: what would run, where, how often, and what it asks for."""

from __future__ import annotations

from ..core.plan.cost import cost_of
from ..core.plan.model import Plan, PlannedStep
from ..core.plan.script import header_resources
from ..core.spec.problems import Problem
from .text import Paint, plural, safe, safe_lines, table


def plan_text(plan: Plan, file: str, warnings: list[Problem], paint: Paint) -> str:
    """The whole answer of `mtui plan`."""
    lines = [f"{paint.bold(safe(plan.name))}: {safe(plan.description)}", ""]
    heads = ("STEP", "INSTANCES", "WHERE", "ASKS FOR", "WAITS FOR")
    lines += table([heads, *(_row(plan, step) for step in plan.steps)], right=frozenset({1}))
    lines += ["", *_totals(plan), f"It would run in {plan.out}"]
    if warnings:
        lines += ["", paint.bold(f"{plural(len(warnings), 'warning')}:")]
        lines += [safe_lines(problem.text(file)) for problem in warnings]
    return "\n".join(lines)


def _row(plan: Plan, step: PlannedStep) -> tuple[str, ...]:
    direct = [plan.steps[parent].name for parent in step.parents]
    funnels = [f"all of {plan.steps[funnel].name}" for funnel in step.funnels]
    return (
        safe(step.name),
        f"{len(step.instances):,}",
        "Slurm" if step.scheduled else "here",
        safe(_resources(plan, step)),
        safe(", ".join([*direct, *funnels])) or "-",
    )


def _resources(plan: Plan, step: PlannedStep) -> str:
    if not step.scheduled or not step.instances:
        return "-"
    instances = [plan.instances[step.instances[0]], plan.instances[step.instances[-1]]]
    first, last = (header_resources(plan, instance) for instance in instances)
    words: list[str] = []
    for key, form, one in (
        ("nodes", "{} nodes", "1 node"),
        ("procs", "{} tasks", "1 task"),
        ("cores per task", "{} cores each", "1 core each"),
        ("gpus", "{} GPUs a node", "1 GPU a node"),
        ("walltime", "{}", ""),
        ("qos", "qos {}", ""),
    ):
        if key in first:
            value = first[key] if first[key] == last.get(key) else f"{first[key]}..{last.get(key, '')}"
            words.append(one if one and value == "1" else form.format(value))
    return ", ".join(words)


def _totals(plan: Plan) -> list[str]:
    slurm = sum(len(step.instances) for step in plan.steps if step.scheduled)
    here = len(plan.instances) - slurm
    lines = [f"{plural(len(plan.instances), 'instance')}: {slurm:,} on Slurm, {here:,} on this machine."]
    if slurm:
        cost = cost_of(plan)
        asked = f"At most {cost.node_hours:,.1f} node-hours."
        if cost.unknown:
            asked += f" {plural(cost.unknown, 'instance')} without a walltime not counted."
        lines.append(asked)
    return lines
