"""The plan of a study: every instance and edge, frozen before the first of them runs.

Scripts are not stored: `script.render` makes the text of an instance when it is needed, so a plan of
100,000 instances stays small. A funnel is one entry in `PlannedStep.funnels`, not an edge per pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..spec.study_spec import Batch, Dependency, RetryRule, RunValue
from .parameter_table import ParameterTable
from .resource_changes import restarts


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its env tokens replaced. Other steps are named by their index in `Plan.steps`."""

    index: int
    name: str
    folder: str  # its directory in the study directory
    description: str
    cmd: str
    restart: str
    run: Mapping[str, RunValue]
    parents: tuple[int, ...]  # direct dependencies: an instance waits for the instance of its own row
    funnels: tuple[int, ...]  # funnel dependencies: every instance waits for all instances of these
    references: tuple[int, ...]  # steps whose $(name.workspace) it uses
    used: tuple[str, ...]  # parameters, sorted; empty: a single instance
    scheduled: bool
    instances: Sequence[int] = ()
    by_row: Sequence[int] = ()  # for each parameter row, the instance that covers it; empty if `used` is
    after: tuple[int, ...] = ()  # of its parents and funnels: those whose ends count, whatever they are
    groups: tuple[int, ...] = ()  # funnels by group: their instances that share its parameters are direct parents
    retry: Mapping[str, RetryRule] = field(default_factory=dict[str, RetryRule])  # by cause
    skipped: str = ""  # why none of its instances is to run; they count as done

    @property
    def above(self) -> tuple[int, ...]:
        """The steps that it hangs on, by whatever kind of edge."""
        return (*self.parents, *self.groups, *self.funnels)


@dataclass(frozen=True, slots=True)
class Instance:
    """One step for one combination of the parameters that it uses.

    `row` is the first parameter row with this combination, -1 if the step uses none. `workspace` is relative
    to the study directory, `stem` begins the names of its script and output files. `parents` are the direct
    ones; funnels stand in the step.
    """

    index: int
    name: str
    step: int
    row: int
    workspace: str
    stem: str
    parents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a study will run. Steps are in topological order, instances by step and then by row.

    Rows that were added to a study that had begun stand behind all others (extend.py).
    """

    name: str
    description: str
    out: str  # absolute path of the study directory
    batch: Batch
    local: bool  # everything on this machine, whatever the batch block says
    parameters: ParameterTable
    steps: tuple[PlannedStep, ...]
    instances: tuple[Instance, ...]
    dependencies: tuple[Dependency, ...] = ()
    # If rows were added since it began: how many instances there were in the beginning, and after each time.
    sizes: tuple[int, ...] = ()

    @property
    def uses_slurm(self) -> bool:
        return any(step.scheduled and step.instances for step in self.steps)

    def step_of(self, instance: Instance) -> PlannedStep:
        return self.steps[instance.step]

    def parents(self, instance: Instance) -> Iterator[int]:
        """The indices of all parents, those by funnel included, each once."""
        seen: set[int] = set()
        funnels = (self.steps[step].instances for step in self.steps[instance.step].funnels)
        for group in (instance.parents, *funnels):
            for index in group:
                if index not in seen:
                    seen.add(index)
                    yield index

    def params(self, instance: Instance) -> dict[str, str]:
        """The parameters that the instance's step uses, with their values in its row."""
        return {key: self.parameters.value(key, instance.row) for key in self.steps[instance.step].used}

    def script_of(self, instance: Instance, changes: Mapping[str, str]) -> str:
        """The file name of the script that an attempt with these changes runs."""
        return self.script_name(instance, restart=bool(self.step_of(instance).restart) and restarts(changes))

    def script_name(self, instance: Instance, *, restart: bool = False) -> str:
        """The file name of the instance's script, or of its restart script."""
        slurm = ".slurm" if self.batch.is_scheduled and not self.local else ""
        return f"{instance.stem}{'.restart' if restart else ''}{slurm}.sh"
