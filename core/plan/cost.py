"""Computes the node-hours that a plan requests, from the nodes and walltimes of its instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .job_arrays import varies
from .job_request import job_request
from .resource_changes import UNCHANGED
from .study_plan import Instance, Plan


@dataclass(frozen=True, slots=True)
class Cost:
    """An upper limit in node-hours.

    `unknown` counts instances without walltime or number of nodes, left out of it; `spread` those whose number of nodes
    Slurm chooses from `procs`, counted with the fewest.
    """

    node_hours: float
    unknown: int
    spread: int
    by_qos: Mapping[str, float] = field(default_factory=dict[str, float])  # node-hours


def cost_of(plan: Plan) -> Cost:
    """Compute the most that the plan's Slurm instances can use if each runs once, up to its walltime."""
    by_qos: dict[str, float] = {}
    unknown = spread = 0
    for step in plan.steps:
        if not step.scheduled or not step.instances or step.skipped:
            continue
        by_instance = varies(step)
        per_instance = step.instances if by_instance else step.instances[:1]
        for index in per_instance:
            count = 1 if by_instance else len(step.instances)
            request = job_request(plan, plan.instances[index])
            if not request.seconds or not request.nodes:  # a walltime of 0 means no limit in Slurm
                unknown += count
            else:
                spread += count if request.is_spread else 0
                qos = request.values.get("qos", "")
                by_qos[qos] = by_qos.get(qos, 0.0) + count * request.nodes * request.seconds / 3600
    return Cost(sum(by_qos.values()), unknown, spread, by_qos)


def nodes_asked(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> int:
    """Return the nodes that an instance requests from Slurm; 0 for a local step, or if it is not a number."""
    return job_request(plan, instance, changes).nodes if plan.step_of(instance).scheduled else 0
