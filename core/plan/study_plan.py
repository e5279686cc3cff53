"""The plan of a study: every instance and edge, frozen before the first instance runs.

Scripts are not stored: `instance_script.render` creates the text of an instance when it is needed, so a plan of 100,000
instances stays small. A funnel is one entry in `PlannedStep.funnels`, and a group is one barrier, not an edge per pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..spec.study_spec import Batch, Dependency, RetryRule, RunValue
from .parameter_table import ParameterTable
from .resource_changes import restarts


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its env tokens replaced. Other steps are given by their index in `Plan.steps`."""

    index: int
    name: str
    folder: str  # its directory in the study directory
    description: str
    cmd: str
    restart: str
    run: Mapping[str, RunValue]
    parents: tuple[int, ...]  # direct dependencies: an instance depends on the instance of the same row
    funnels: tuple[int, ...]  # funnel dependencies: every instance waits for all instances of these
    references: tuple[int, ...]  # steps whose $(name.workspace) it uses
    used: tuple[str, ...]  # parameters, sorted; empty: a single instance
    scheduled: bool
    instances: Sequence[int] = ()
    by_row: Sequence[int] = ()  # for each parameter row, its instance; empty if `used` is
    after: tuple[int, ...] = ()  # those of its parents and funnels that it depends on even if they fail
    groups: tuple[int, ...] = ()  # grouped funnels: their instances with the same parameters are parents
    retry: Mapping[str, RetryRule] = field(default_factory=dict[str, RetryRule])  # by cause
    skipped: str = ""  # why its instances are not run; they count as finished

    @property
    def above(self) -> tuple[int, ...]:
        """The steps that it depends on, by any kind of edge."""
        return (*self.parents, *self.groups, *self.funnels)

    @property
    def is_retried(self) -> bool:
        """Whether an instance whose job fails may be retried by rule (engine/retry_policy.py)."""
        restarts = self.scheduled and bool(self.restart) and "TIMEOUT" not in self.retry
        return restarts or any(rule.times for rule in self.retry.values())


@dataclass(frozen=True, slots=True)
class Instance:
    """One step for one combination of the parameters that it uses.

    `row` is the first parameter row with this combination, -1 if the step uses no parameter. `workspace` is relative to
    the study directory, `stem` is the start of the names of its script and output files. `parents` are the direct ones,
    `barriers` those of its groups, by their index in `Plan.barriers`; funnels are in the step.
    """

    index: int
    name: str
    step: int
    row: int
    workspace: str
    stem: str
    parents: tuple[int, ...]
    barriers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All instances of a study. Steps are in topological order, instances by step and then by row.

    Instances of rows that were added after the study began come after all others (extend.py).
    """

    name: str
    description: str
    out: str  # absolute path of the study directory
    batch: Batch
    local: bool  # run everything on this machine, regardless of the batch block
    parameters: ParameterTable
    steps: tuple[PlannedStep, ...]
    instances: tuple[Instance, ...]
    dependencies: tuple[Dependency, ...] = ()
    # If rows were added after the study began: the number of instances at the start, and after each addition.
    sizes: tuple[int, ...] = ()
    barriers: tuple[tuple[int, ...], ...] = ()  # instances of one step that others wait for as a group

    @property
    def uses_slurm(self) -> bool:
        """Whether any step with instances is submitted to a batch system."""
        return any(step.scheduled and step.instances for step in self.steps)

    def step_of(self, instance: Instance) -> PlannedStep:
        return self.steps[instance.step]

    def parents(self, instance: Instance) -> Iterator[int]:
        """Yield the indices of all parents, including those by funnel, each once."""
        seen: set[int] = set()
        barriers = (self.barriers[barrier] for barrier in instance.barriers)
        funnels = (self.steps[step].instances for step in self.steps[instance.step].funnels)
        for group in (instance.parents, *barriers, *funnels):
            for index in group:
                if index not in seen:
                    seen.add(index)
                    yield index

    def params(self, instance: Instance) -> dict[str, str]:
        """Return the parameters that the instance's step uses, with their values in its row."""
        return {key: self.parameters.value(key, instance.row) for key in self.steps[instance.step].used}

    def script_of(self, instance: Instance, changes: Mapping[str, str]) -> str:
        """Return the file name of the script that an attempt with these changes runs."""
        return self.script_name(instance, restart=bool(self.step_of(instance).restart) and restarts(changes))

    def script_name(self, instance: Instance, *, restart: bool = False) -> str:
        """Return the file name of the instance's script, or of its restart script."""
        slurm = ".slurm" if self.batch.is_scheduled and not self.local else ""
        return f"{instance.stem}{'.restart' if restart else ''}{slurm}.sh"
