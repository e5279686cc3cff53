"""What a plan asks Slurm for: node-hours, from nodes and walltimes as the instances state them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .model import Plan
from .script import header_resources

_CLOCK = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Cost:
    """Node-hours at most; `unknown` counts the instances that state no walltime and are not in the sum."""

    node_hours: float
    unknown: int


def walltime_seconds(text: str) -> int | None:
    """A Slurm time as seconds; None if it is not one. A bare number is minutes."""
    match = _CLOCK.fullmatch(text.strip())
    if not match:
        return None
    days, first, second, third = (int(part) if part else 0 for part in match.groups())
    if match.group(1) is not None:  # days-hours[:minutes[:seconds]]
        return ((days * 24 + first) * 60 + second) * 60 + third
    if match.group(4) is not None:  # hours:minutes:seconds
        return (first * 60 + second) * 60 + third
    return first * 60 + second  # minutes[:seconds]


def cost_of(plan: Plan) -> Cost:
    """The most that the plan's Slurm instances can use, if each runs once and to its limit."""
    total, unknown = 0.0, 0
    for step in plan.steps:
        if not step.scheduled or not step.instances:
            continue
        varies = any(isinstance(value, str) and "$(" in value for value in step.run.values())
        per_instance = step.instances if varies else step.instances[:1]
        for index in per_instance:
            count = 1 if varies else len(step.instances)
            values = header_resources(plan, plan.instances[index])
            seconds = walltime_seconds(values.get("walltime", ""))
            nodes = values.get("nodes", "1")  # with tasks only, Slurm picks; at least one node
            if not seconds or not nodes.isdigit():  # 0 is no limit, as Slurm has it
                unknown += count
            else:
                total += count * int(nodes) * seconds / 3600
    return Cost(total, unknown)
