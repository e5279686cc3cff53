"""A study as its author wrote it, checked, before any token is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .problems import NOWHERE, Place

BATCH_SYSTEMS = ("slurm",)  # each has a backend (core/backends/batch.py)
OTHER_SCHEDULERS = ("lsf", "flux")  # Maestro's; their studies can be run on this machine only

# A value of a `run` or `batch` key. Text may hold tokens; the nested form is that of `exclusive`.
RunValue = str | int | float | bool | Mapping[str, "str | int | float | bool"]


@dataclass(frozen=True, slots=True)
class EnvEntry:
    """One entry of `env.variables` or `env.labels`; the two differ only in the order of definition."""

    name: str
    raw: object  # as YAML reads it: what a generator sees
    place: Place = NOWHERE

    @property
    def value(self) -> str:
        """What the token gives; numbers in Python's spelling."""
        return str(self.raw)


class DependencyKind(Enum):
    PATH = "path"
    GIT = "git"


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something outside of the study that has to be there before it starts.

    `path` is for a path dependency the thing itself, for git the folder that the clone is put into.
    """

    kind: DependencyKind
    name: str
    path: str
    url: str = ""
    checkout: str = ""  # what `git checkout` is given; empty: the default branch
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Batch:
    """The `batch` block: which scheduler, and defaults for every step that goes there."""

    type: str = "local"
    shell: str = "/bin/bash"
    values: Mapping[str, RunValue] = field(default_factory=dict[str, RunValue])
    place: Place = field(default=NOWHERE, compare=False)  # of the type; a plan does not keep it

    @property
    def is_scheduled(self) -> bool:
        """Whether steps that ask for nodes or tasks are handed to a batch system."""
        return self.type in BATCH_SYSTEMS

    def text(self, key: str) -> str:
        """The value of a key as text, empty if it is missing or null."""
        return str(self.values.get(key, "") or "")


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How an instance that failed is tried again by itself. `changes` are resources; `x1.5` multiplies what it had."""

    times: int  # at most, until a person retries it
    restart: bool | None = None  # with the restart command; None: if it timed out and there is one
    exclude: bool = False  # not on the node where it failed
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of `study`, as written.

    `run` holds every key of the step's run block but cmd, restart and depends, with values as written.
    `sources` says for cmd, restart and the like which stretch of the file they came from, so that a later
    finding (an unknown token) can be placed.
    """

    name: str
    description: str
    cmd: str
    restart: str = ""
    depends: tuple[str, ...] = ()
    run: Mapping[str, RunValue] = field(default_factory=dict[str, RunValue])
    place: Place = NOWHERE
    depends_places: tuple[Place, ...] = ()
    sources: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, "tuple[int, int]"])
    # What only mtui reads, below `mtui: steps:`. Its options of Slurm stand in `run`.
    retry: Mapping[str, RetryRule] = field(
        default_factory=dict[str, RetryRule]
    )  # by cause: Slurm's word, or an exit code
    after: tuple[str, ...] = ()  # steps that it waits for whatever becomes of them, as in `depends`
    after_places: tuple[Place, ...] = ()
    group: tuple[str, ...] = ()  # funnels that take only the instances that share its own parameters
    group_places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of `global.parameters`: a value and a label per row, as text."""

    key: str
    values: tuple[str, ...]
    labels: tuple[str, ...]
    name: str = ""  # what $(KEY.name) gives; a generator can set it
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class PackingOptions:
    """Which steps share allocations, and what these are like. 0 and empty: as mtui finds it."""

    steps: tuple[str, ...] = ()  # all that can, if none is named
    nodes: int = 1  # of an allocation
    walltime: str = ""  # of an allocation, as Slurm writes times
    allocations: int = 1  # at most at a time
    cores: int = 0  # of each node; 0: whole nodes
    gpus: int = 0  # of each node; 0: as many as its instances ask for
    more_after: int = 600  # seconds that work may have to wait before another allocation is asked for
    idle: int = 60  # seconds after which an allocation that has nothing to do ends


@dataclass(frozen=True, slots=True)
class MtuiBlock:
    """The `mtui` block: what a study says to this engine alone."""

    submit_ahead: bool = True  # whether Slurm gets what waits for its jobs at once, bound to them
    array: int = 1000  # the most instances in one job array; 1: no arrays
    pack: PackingOptions | None = None  # None: each instance is a job or a task of an array
    site: str = ""  # the name or path of a site's profile, or `none`; empty: as the machine is recognised
    confirm: float = 0.0  # node-hours above which a start is confirmed; 0: as the site says
    on_end: str = ""  # a command that is run once the study is over
    on_failure: str = ""  # a command that is run when the first instance has failed for good


@dataclass(frozen=True, slots=True)
class StudySpec:
    """A checked spec.

    `environment` holds the entry OUTPUT_PATH as well, if there is one: it counts in the order of definition.
    `output_path` is its value, the parent folder of study directories, as written (no tokens).
    """

    name: str
    description: str
    steps: tuple[Step, ...]
    batch: Batch = Batch()
    environment: tuple[EnvEntry, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    output_path: str = ""
    mtui: MtuiBlock = MtuiBlock()
    file: str = ""
    text: str = ""  # the whole file, for its copy in the study directory and for placing findings
