"""A batch system as a driver needs it, and the one that a plan asks for. Slurm is the only one so far."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Protocol

from ..plan.study_plan import Plan
from ..spec.study_spec import MtuiBlock
from .backend import Answer, Backend
from .cluster_limits import ClusterLimits
from .slurm import Slurm, require_slurm
from .slurm_text import SlurmView, Unobserved


class BatchSystem(Backend, Protocol):
    """Keeps jobs in a queue, and can be asked about them. Called from threads; each call may block.

    What of the abilities is false is neither promised by a plan nor asked for.
    """

    arrays: ClassVar[bool]  # whether a submission may be a job array (`Job.tasks`)
    binds: ClassVar[bool]  # whether a job can wait for others to end well (`Job.after`)
    allocates: ClassVar[bool]  # whether instances can share an allocation (`ask`)

    def __init__(self, home: Path, log: Path) -> None:
        """`home` is the study's `.mtui` directory, `log` the log of calls. Raises BackendMissing."""
        ...

    def look(self, expected: Collection[str], names: Collection[str] = ()) -> SlurmView | Unobserved:
        """All jobs of the user that live, and what is known of the `expected` ones and those with these `names`.

        A job that is missing from a look counts as gone, and is lost if that stays so: whatever keeps a look from
        being complete is Unobserved.
        """
        ...

    def site(self) -> ClusterLimits:
        """What it allows, as far as it can be asked."""
        ...

    def ask(self, name: str, script: Path) -> Answer:
        """Ask for an allocation that instances share, with a job script that is written."""
        ...


_SYSTEMS: dict[str, tuple[Callable[[], None], type[BatchSystem]]] = {"slurm": (require_slurm, Slurm)}


def within_abilities(plan: Plan, mtui: MtuiBlock) -> MtuiBlock:
    """The study's own block without what the batch system of its plan cannot do."""
    if not plan.uses_slurm:
        return mtui
    _, able = _SYSTEMS[plan.batch.type]
    return replace(
        mtui,
        array=mtui.array if able.arrays else 1,
        submit_ahead=mtui.submit_ahead and able.binds,
        pack=mtui.pack if able.allocates else None,
    )


def require_batch_system(plan: Plan) -> None:
    """Raise BackendMissing if a plan needs a batch system whose programs this machine lacks."""
    if plan.uses_slurm:
        require, _ = _SYSTEMS[plan.batch.type]
        require()


def batch_system(plan: Plan, home: Path, log: Path) -> BatchSystem | None:
    """The batch system of a plan, None if all of it runs here. `home` and `log` as for Slurm.

    Raises BackendMissing.
    """
    if not plan.uses_slurm:
        return None
    _, make = _SYSTEMS[plan.batch.type]
    return make(home, log)
