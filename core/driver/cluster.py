"""Whether this machine belongs to the cluster that has the study's jobs: only there a driver may change anything."""

from __future__ import annotations

from ..engine.state import StudyState
from ..errors import WrongCluster

UNNAMED = "scontrol does not show the name of this cluster, but the study has jobs on a named one"


def require_cluster(state: StudyState, here: str) -> None:
    """Raise WrongCluster if all jobs of a study are on other clusters than `here`; not if nothing of it is in Slurm.

    Job ids mean nothing on another cluster: the study's jobs would count as lost, and jobs of others as the study's.
    """
    clusters = sorted(state.clusters)
    if here and clusters and here not in clusters:
        names = ", ".join(clusters)
        raise WrongCluster(
            f"the study has jobs on cluster {names}, but this machine belongs to cluster {here}",
            f"nothing was changed; start it on a login node of {names}. mtui status and mtui why work everywhere",
        )
