"""Finds which instances can share an allocation, what each needs of it, and what the allocations request from Slurm.

Instances whose jobs request the same place (partition, account, qos, constraint, ...) form a pool: any allocation of
the pool can run any of them. The nodes, tasks, cores, memory, GPUs and time that an instance requests are its share of
an allocation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ..errors import Refusal
from ..packing.protocol import ResourceRequest
from ..spec.sbatch_options import SbatchOption, burst_buffer_lines, parse_options
from ..spec.study_spec import PackingOptions
from ..spec.walltime import walltime_seconds, walltime_text
from .instance_script import command_text, header_resources, own_options, part_options, place_options
from .job_arrays import OWN_OF_A_JOB, varies
from .job_request import key_and_value
from .resource_changes import UNCHANGED
from .study_plan import Instance, Plan

_HOUR = 3600  # seconds; the least walltime of an allocation if the study does not set one
_MARGIN = 300  # seconds beyond the longest walltime of an instance: to start, and to end cleanly
_LEAST_MARGIN = 60  # the same if the study sets the allocation's walltime
_NUMBERS = {"nodes": "nodes", "ntasks": "tasks", "cpus-per-task": "cpus", "gpus-per-node": "gpus"}
_IGNORED = frozenset(
    ("job-name", "comment", "help", "ignore-pbs", "parsable", "quiet", "usage", "verbose", "version", "wrap")
)
# Options that belong to the pool; so do those of a site's plugins. Any other one affects a share of an allocation in a
# way that is not supported here.
_OF_POOL = frozenset(
    (
        "account",
        "partition",
        "qos",
        "reservation",
        "constraint",
        "cluster-constraint",
        "prefer",
        "licenses",
        "exclude",
        "mail-user",
        "mail-type",
        "wckey",
        "mcs-label",
        "nice",
        "priority",
        "reboot",
        "network",
        "no-requeue",
        "propagate",
        "profile",
        "power",
    )
)
_MEMORY = re.compile(r"(\d+)([KMGT]?)B?", re.IGNORECASE)
_GPUS = re.compile(r"gpu:(\d+)")  # of --gres, without a type: any allocation of the pool has them
_UNITS = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024 * 1024}


@dataclass(frozen=True, slots=True)
class Pool:
    """What allocations that can run the same instances request. Equal pools are the same pool."""

    options: tuple[str, ...]  # of sbatch, as in `#SBATCH` lines
    gpus: int = 0  # on each node


ANY = Pool(("any",))  # of the allocation that a driver runs in: it runs any instance


@dataclass(frozen=True, slots=True)
class PoolShare:
    """What an instance uses of an allocation of a pool."""

    pool: Pool
    ask: ResourceRequest


class PackingPlan:
    """The shares of a plan's instances, each computed once: one for all of a step whose resources use no parameter."""

    def __init__(self, plan: Plan, pack: PackingOptions | None) -> None:
        self._plan = plan
        self._shared: dict[int, PoolShare | Refusal] = {}
        self._varied: dict[int, PoolShare | Refusal] = {}  # by instance, without changes
        self._changed: dict[tuple[int, tuple[tuple[str, str], ...]], PoolShare | Refusal] = {}
        self._varying = frozenset(step.index for step in plan.steps if varies(step))
        self.pack = pack or PackingOptions()
        self.steps = frozenset(
            step.index
            for step in plan.steps
            if pack and step.scheduled and step.instances and (not pack.steps or step.name in pack.steps)
        )

    @cached_property
    def longest(self) -> int:
        """The longest walltime, in seconds, that an instance requests."""
        longest = 0
        for step in self.steps:
            own = self._plan.steps[step].instances
            for index in own if step in self._varying else own[:1]:
                share = self._share(self._plan.instances[index], UNCHANGED, any_time=True)
                longest = max(longest, share.ask.seconds if isinstance(share, PoolShare) else 0)
        return longest

    @cached_property
    def seconds(self) -> int:
        """The walltime of an allocation, in seconds."""
        return walltime_seconds(self.pack.walltime) or max(_HOUR, self.longest and self.longest + _MARGIN)

    def of(self, index: int, changes: Mapping[str, str] = UNCHANGED) -> PoolShare | Refusal:
        """Return the share of an instance, with the resource changes of its retries; or why it has none."""
        instance = self._plan.instances[index]
        if instance.step not in self.steps:
            return Refusal("its step is not packed")
        if changes:
            key = index, tuple(changes.items())
            if key not in self._changed:
                self._changed[key] = self._share(instance, changes)
            return self._changed[key]
        if instance.step in self._varying:
            if index not in self._varied:
                self._varied[index] = self._share(instance, changes)
            return self._varied[index]
        if instance.step not in self._shared:
            self._shared[instance.step] = self._share(instance, changes)
        return self._shared[instance.step]

    def takes(self, index: int, changes: Mapping[str, str] = UNCHANGED) -> bool:
        """Return whether an instance runs in shared allocations instead of as a separate job."""
        return self._plan.instances[index].step in self.steps and isinstance(self.of(index, changes), PoolShare)

    def takes_all(self, step: int) -> bool:
        """Return whether all instances of a step are known to share allocations; False if they may differ."""
        if step not in self.steps or step in self._varying:
            return False
        return self.takes(self._plan.steps[step].instances[0])

    def request(self, pool: Pool) -> tuple[str, ...]:
        """Return the sbatch options of an allocation of a pool."""
        pack = self.pack
        size = (f"--cpus-per-task={pack.cores}",) if pack.cores else ("--exclusive",)
        gpus = (f"--gres=gpu:{pool.gpus}",) if pool.gpus else ()
        time = f"--time={walltime_text(self.seconds)}"
        return (f"--nodes={pack.nodes}", "--ntasks-per-node=1", *size, time, *gpus, *pool.options)

    def cores(self, pool: Pool) -> int:
        """Return the most cores that an instance of a pool uses on a node, judged by the first of each step."""
        shares = [self.of(self._plan.steps[step].instances[0]) for step in self.steps]
        asks = [share.ask for share in shares if isinstance(share, PoolShare) and share.pool == pool]
        return max((-(-ask.tasks // ask.nodes) * ask.cpus for ask in asks), default=1)

    def _share(self, instance: Instance, changes: Mapping[str, str], *, any_time: bool = False) -> PoolShare | Refusal:
        plan, pack = self._plan, self.pack
        if buffers := burst_buffer_lines(command_text(plan, instance, changes)):
            return Refusal(f"'{buffers[0]}' needs a separate job")
        values = header_resources(plan, instance, changes)
        named = {"nodes": "nodes", "procs": "tasks", "cores per task": "cpus", "gpus": "gpus"}
        numbers: dict[str, int] = {}
        for key, name in named.items():
            if key in values:
                if not values[key].isdigit() or (name != "gpus" and values[key] == "0"):
                    return Refusal(f"its {key} is '{values[key]}'")
                numbers[name] = int(values[key])
        seconds = walltime_seconds(values.get("walltime", "0")) or 0
        ask = replace(ResourceRequest(), **numbers, seconds=seconds, exclusive="exclusive" in values)
        by_author = [
            option
            for option in own_options(plan, instance, changes)
            if not changes.get(key_and_value(option)[0])
            or (option.name == "gres" and not _GPUS.fullmatch(option.value))
        ]
        rest: list[str] = []
        per_core = 0
        for option in (*parse_options(part_options(values)), *by_author):
            if option.name == "mem-per-cpu" and (match := _MEMORY.fullmatch(option.value)):
                per_core = _megabytes(match)
                continue
            read = _read(ask, option)
            if isinstance(read, Refusal):
                return read
            ask, is_place = read
            rest += [_canonical(option)] if is_place else []
        if "tasks" not in numbers and ask.tasks == 1:
            ask = replace(ask, tasks=ask.nodes)
        if per_core:
            ask = replace(ask, memory=per_core * ask.cpus * -(-ask.tasks // ask.nodes))
        if ask.nodes > pack.nodes:
            return Refusal(f"it requests {ask.nodes} nodes, an allocation has {pack.nodes}")
        if pack.cores and ask.tasks * ask.cpus > pack.cores * ask.nodes:
            return Refusal(f"it requests {ask.tasks * ask.cpus} cores, a node of an allocation has {pack.cores}")
        if pack.gpus and ask.gpus > pack.gpus:
            return Refusal(f"it requests {ask.gpus} GPUs, a node of an allocation has {pack.gpus}")
        if not any_time and ask.seconds and ask.seconds > self.seconds - _LEAST_MARGIN:
            return Refusal(f"its walltime is longer than an allocation of {walltime_text(self.seconds)}")
        gpus = (pack.gpus or ask.gpus) if ask.gpus else 0
        place = (option.replace('"', "") for option in place_options(values))
        return PoolShare(Pool((*place, *rest), gpus), ask)


def _read(ask: ResourceRequest, option: SbatchOption) -> tuple[ResourceRequest, bool] | Refusal:
    """Apply an option to a request. Return it and whether the option belongs to the pool; or why it is not packed."""
    name, value = option.name, option.value
    if name in OWN_OF_A_JOB:
        return Refusal(f"'#SBATCH {option.text}' needs a separate job")
    if name in _IGNORED:
        return ask, False
    if name in _NUMBERS and value.isdigit():
        return replace(ask, **{_NUMBERS[name]: int(value)}), False
    if name == "time" and (seconds := walltime_seconds(value)) is not None:
        return replace(ask, seconds=seconds), False
    if name == "exclusive" and not value:
        return replace(ask, exclusive=True), False
    if name == "mem" and (match := _MEMORY.fullmatch(value)):
        return replace(ask, memory=_megabytes(match)), False
    if name == "gres" and (match := _GPUS.fullmatch(value)):
        return replace(ask, gpus=int(match.group(1))), False
    if option.is_known and name not in _OF_POOL:
        return Refusal(f"'#SBATCH {option.text}' is not supported in a shared allocation")
    return ask, True


def _canonical(option: SbatchOption) -> str:
    """Return an option as one word, so that pools do not differ by spelling. An unknown one is left as written."""
    if not option.is_known:
        return "".join(option.words) if len(option.name) == 1 else "=".join(option.words)
    return f"--{option.name}={option.value}" if option.value else f"--{option.name}"


def _megabytes(match: re.Match[str]) -> int:
    return int(int(match.group(1)) * _UNITS[match.group(2).upper()])
