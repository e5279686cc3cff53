"""What a job requests of Slurm: the keys of its step, overridden by the options that the step's author wrote.

The author's options are those in the `sbatch` lists and in the `#SBATCH` lines of the step's cmd, with tokens replaced.
As in sbatch, the last of repeated options counts, and changes of retries come after all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..spec.resources import RESOURCES
from ..spec.sbatch_options import SbatchOption
from ..spec.walltime import walltime_seconds
from .gres import gpu_count
from .instance_script import header_resources, own_options, requested_by_keys
from .resource_changes import UNCHANGED
from .study_plan import Instance, Plan

# The keys of the options that have one; --gres has one if it requests GPUs of any type.
_KEYS = {
    "time": "walltime", "nodes": "nodes", "ntasks": "procs", "cpus-per-task": "cores per task", "partition": "queue",
    "account": "bank", "qos": "qos", "reservation": "reservation", "constraint": "constraint", "mem": "mem",
    "mem-per-cpu": "mem per cpu", "gpus-per-node": "gpus per node", "gpus-per-task": "gpus per task",
    "licenses": "licenses", "exclude": "exclude", "dependency": "dependency", "mail-user": "mail user",
    "mail-type": "mail type", "exclusive": "exclusive",
}  # fmt: skip
_COUNT = re.compile(r"\d+[km]?(-\d+[km]?(:\d+)?)?(,\d+[km]?(-\d+[km]?(:\d+)?)?)*", re.IGNORECASE)
_THOUSANDS = {"": 1, "k": 1024, "m": 1024 * 1024}  # as sbatch reads them


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a job requests. `values` is by the keys of `RESOURCES`, without empty ones."""

    values: Mapping[str, str]
    own: tuple[SbatchOption, ...] = ()  # the author's, in the order in which sbatch reads them

    def option(self, name: str) -> str:
        """Return the value of one of the author's options; empty without it."""
        return next((option.value for option in reversed(self.own) if option.name == name), "")

    @property
    def seconds(self) -> int:
        """The walltime; 0 if it is not known or unlimited."""
        return walltime_seconds(self.values.get("walltime", "")) or 0

    @property
    def is_spread(self) -> bool:
        """Whether Slurm chooses the number of nodes, from a number of tasks."""
        procs = self.values.get("procs", "")
        return "nodes" not in self.values and procs.isdecimal() and int(procs) > max(1, self.nodes)

    @property
    def nodes(self) -> int:
        """The most nodes that the job may get, or the least if Slurm chooses; 0 if it is not known."""
        if "nodes" in self.values:
            return most_of(self.values["nodes"])
        least = [1, *_hosts(self.option("nodelist"))]
        for total, each in (("ntasks", "ntasks-per-node"), ("gpus", "gpus-per-node")):
            count = self.values.get("procs", "") if total == "ntasks" else self.option(total).rpartition(":")[2]
            per_node = (self.option(each) or self.values.get("gpus per node", "0")).rpartition(":")[2]
            if count.isdecimal() and per_node.isdecimal() and int(per_node):
                least.append(-(-int(count) // int(per_node)))
        return max(least)


def job_request(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> JobRequest:
    """Return what an instance's job requests, with the resource changes of its retries."""
    own = own_options(plan, instance, changes)
    values = requested_by_keys(header_resources(plan, instance, changes), own, changes)
    if not own:
        return JobRequest(values)
    for option in own:
        key, value = key_and_value(option)
        if key and not changes.get(key):
            values[key] = value
    return JobRequest({key: values[key] for key in RESOURCES if values.get(key)}, own)


def key_and_value(option: SbatchOption) -> tuple[str, str]:
    """Return the key of `RESOURCES` that an option sets, and the value; empty if it has none."""
    if option.name == "gres":
        count = gpu_count(option.value)
        return ("gpus", count) if count else ("", "")
    if option.name == "exclusive":
        return "exclusive", option.value or "true"
    return _KEYS.get(option.name, ""), option.value


def most_of(text: str) -> int:
    """Return the largest number of a node count such as `4`, `2-4`, `1k` or `1,3-5`; 0 for any other text."""
    if not _COUNT.fullmatch(text):
        return 0
    counts = re.findall(r"(?<![:\d])(\d+)([km]?)", text.lower())
    return max(int(number) * _THOUSANDS[unit] for number, unit in counts)


def _hosts(nodelist: str) -> list[int]:
    """Return the number of nodes that a list such as `n[1-3,7],login` names; empty if it is a file or empty."""
    if not nodelist or "/" in nodelist:
        return []
    total = 0
    for part in re.findall(r"[^,\[]+(?:\[[^\]]*\])?", nodelist):
        ranges = re.findall(r"(\d+)(?:-(\d+))?", part.partition("[")[2]) if "[" in part else [("1", "")]
        total += sum(int(last or first) - int(first) + 1 for first, last in ranges)
    return [total]


def author_job_name(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> str:
    """Return the job name that the author of a step wrote; empty without one, and for a step on this machine."""
    if not plan.step_of(instance).scheduled:
        return ""
    own = own_options(plan, instance, changes)
    return next((option.value for option in reversed(own) if option.name == "job-name"), "")
