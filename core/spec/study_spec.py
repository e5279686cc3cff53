"""`StudySpec`: a study file as written and checked, before any token is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .problems import NOWHERE, Place

BATCH_SYSTEMS = ("slurm",)  # each has a backend (core/backends/batch.py)
OTHER_SCHEDULERS = ("lsf", "flux")  # supported by Maestro; mtui runs their studies with --local only

# A value of a `run` or `batch` key. Text may contain tokens; only `exclusive` uses the nested form.
RunValue = str | int | float | bool | Mapping[str, "str | int | float | bool"]


@dataclass(frozen=True, slots=True)
class EnvEntry:
    """One entry of `env.variables` or `env.labels`; variables come first in the order of definition."""

    name: str
    raw: object  # as YAML parses it; passed to a generator
    place: Place = NOWHERE

    @property
    def value(self) -> str:
        """The value of the token, as text; numbers as Python's str() formats them."""
        return str(self.raw)


class DependencyKind(Enum):
    """The kind of an entry of `env.dependencies`."""

    PATH = "path"
    GIT = "git"


@dataclass(frozen=True, slots=True)
class Dependency:
    """A path that has to exist, or a git repository to clone, before the study starts.

    `path` is the path itself, or for git the folder in which the repository is cloned.
    """

    kind: DependencyKind
    name: str
    path: str
    url: str = ""
    checkout: str = ""  # argument of `git checkout`; empty: the default branch
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Batch:
    """The `batch` block: the scheduler, and defaults for all steps submitted to it."""

    type: str = "local"
    shell: str = "/bin/bash"
    values: Mapping[str, RunValue] = field(default_factory=dict[str, RunValue])
    place: Place = field(default=NOWHERE, compare=False)  # of `type`; not stored in a plan

    @property
    def is_scheduled(self) -> bool:
        """Whether steps that request nodes or tasks are submitted to a batch system."""
        return self.type in BATCH_SYSTEMS

    def text(self, key: str) -> str:
        """Return the value of a key as text; empty if it is missing or null."""
        return str(self.values.get(key, "") or "")


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How a failed instance is retried automatically. `changes` are resources; `x1.5` multiplies the previous value."""

    times: int  # the most automatic retries; a retry by the user resets the count
    restart: bool | None = None  # run the restart command; None: if it timed out and has one
    exclude: bool = False  # exclude the node where it failed
    changes: tuple[tuple[str, str], ...] = ()
    named: bool = field(default=False, compare=False)  # its cause is written out, not part of "any"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of `study`, as written.

    `run` has every key of the run block except cmd, restart and depends, with values as written. `sources` maps a key
    to the offsets (start, end) of its value in the file, to locate problems that are found later (an unknown token).
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
    # From `mtui: steps:`, which Maestro does not read. Slurm options given there are merged into `run`.
    retry: Mapping[str, RetryRule] = field(
        default_factory=dict[str, RetryRule]
    )  # by cause: a job state of Slurm, or an exit code
    after: tuple[str, ...] = ()  # steps it depends on even if they fail; written as in `depends`
    after_places: tuple[Place, ...] = ()
    group: tuple[str, ...] = ()  # funnels limited to the instances with the same values of shared parameters
    group_places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of `global.parameters`: a value and a label per row, as text."""

    key: str
    values: tuple[str, ...]
    labels: tuple[str, ...]
    name: str = ""  # the value of $(KEY.name); a generator can set it
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class PackingOptions:
    """The `mtui: pack` block: which steps share allocations, and the size of those. 0 or empty: chosen by mtui."""

    steps: tuple[str, ...] = ()  # empty: all steps that can be packed
    nodes: int = 1  # per allocation
    walltime: str = ""  # of an allocation, in Slurm's format
    allocations: int = 1  # the most at a time
    cores: int = 0  # per node; 0: whole nodes
    gpus: int = 0  # per node; 0: as many as its instances request
    more_after: int = 600  # seconds that work may wait before another allocation is requested
    idle: int = 60  # seconds after which an idle allocation ends


@dataclass(frozen=True, slots=True)
class MtuiBlock:
    """The `mtui` block of a study file, with options that Maestro does not have."""

    submit_ahead: bool = True  # submit instances ahead of their parents, with Slurm dependencies (bound)
    array: int = 1000  # the most instances in one job array; 1: no arrays
    pack: PackingOptions | None = None  # None: each instance is a job or an array task
    site: str = ""  # the name or path of a site profile, or `none`; empty: detected from the machine
    confirm: float = 0.0  # node-hours above which a start needs confirmation; 0: from the site profile
    site_place: Place = NOWHERE
    on_end: str = ""  # a command that runs when the study has ended
    on_failure: str = ""  # a command that runs when the first instance has finally failed


@dataclass(frozen=True, slots=True)
class StudySpec:
    """A checked spec.

    `environment` includes the entry OUTPUT_PATH, if there is one, since it counts in the order of definition.
    `output_path` is its value as written: the parent folder of study directories.
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
    text: str = ""  # the whole file, for its copy in the study directory and to locate problems
