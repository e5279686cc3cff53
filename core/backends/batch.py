"""The interface of batch systems, and the selection of a plan's batch system. Slurm is the only one so far."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Protocol

from ..plan.study_plan import Plan
from ..spec.study_spec import MtuiBlock
from .backend import Answer, Backend, JobIdentity
from .cluster_limits import ClusterLimits
from .slurm import Slurm
from .slurm_programs import require_slurm
from .slurm_text import SlurmView, Unobserved


class BatchSystem(Backend, Protocol):
    """A backend that queues jobs and can be queried. Called from several threads; calls may block.

    Features that are False are neither planned nor used.
    """

    arrays: ClassVar[bool]  # whether a submission may be a job array (`Job.tasks`)
    binds: ClassVar[bool]  # whether a job can depend on the success of others (`Job.after`)
    allocates: ClassVar[bool]  # whether instances can share an allocation (`ask`)

    def __init__(self, home: Path, log: Path) -> None:
        """Take the study's `.mtui` directory as `home` and the log of calls as `log`. Raises BackendMissing."""
        ...

    def cluster(self) -> str:
        """Return the name of the cluster; empty if it has none or does not answer. Job ids are unique in a cluster."""
        ...

    def look(self, expected: Collection[JobIdentity], names: Collection[str] = ()) -> SlurmView | Unobserved:
        """Query all active jobs of the user, and the state of the `expected` jobs and those with these `names`.

        A job that `SlurmView.find` does not find in the view counts as gone, and as lost if it stays missing: so an
        incomplete query has to return Unobserved.
        """
        ...

    def site(self) -> ClusterLimits:
        """Query the limits of the cluster; defaults for those that cannot be queried."""
        ...

    def ask(self, name: str, script: Path) -> Answer:
        """Submit a shared allocation, with a job script that is already written."""
        ...


_SYSTEMS: dict[str, tuple[Callable[[], None], type[BatchSystem]]] = {"slurm": (require_slurm, Slurm)}


def within_abilities(plan: Plan, mtui: MtuiBlock) -> MtuiBlock:
    """Return the study's `mtui` block without features that the batch system of its plan does not have."""
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
    """Raise BackendMissing if a plan needs a batch system whose programs are missing on this machine."""
    if plan.uses_slurm:
        require, _ = _SYSTEMS[plan.batch.type]
        require()


def batch_system(plan: Plan, home: Path, log: Path) -> BatchSystem | None:
    """Return the batch system of a plan; None if all of it runs on this machine. `home` and `log` as for `BatchSystem`.

    Raises BackendMissing.
    """
    if not plan.uses_slurm:
        return None
    _, make = _SYSTEMS[plan.batch.type]
    return make(home, log)
