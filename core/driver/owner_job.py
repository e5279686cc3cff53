"""Whether the Slurm job that a driver ran in has ended."""

from __future__ import annotations

from ..backends.slurm_programs import job_has_ended
from ..store.lease_owner import Owner


def owners_job_has_ended(owner: Owner) -> bool:
    """Return whether Slurm shows the job of a driver as ended; False if it ran in none, or if that is not known."""
    return bool(owner.slurm_job) and job_has_ended(owner.slurm_job, owner.slurm_job_name, owner.slurm_cluster)
