"""The environment of Slurm's programs: what users set for their jobs counts, what would change the answers does not."""

from __future__ import annotations

from collections.abc import Mapping

from ..spec.sbatch_options import SbatchOption, directive_texts, parse_options

# Which cluster, and how it is reached.
_CLUSTER = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")
# Defaults of options, debug output and formats of all programs.
_OPTIONS = (
    *("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SACCT_", "SACCTMGR_", "SCANCEL_", "SCONTROL_", "SINFO_"),
    *("SPRIO_", "SSHARE_", "SREPORT_", "SSTAT_", "SDIAG_"),
)
# What Slurm sets in jobs, and a driver that runs in one would hand on as options of the jobs that it submits.
_OF_JOBS = ("SLURM_", "SRUN_", "SBATCH_CPU_BIND", "SBATCH_MEM_BIND")
# For which sbatch would not submit one job, not answer with its id, or write more than its answer.
_NEVER = ("SBATCH_ARRAY_INX", "SBATCH_WAIT", "SBATCH_DEBUG", "SBATCH_VERBOSE", "SLURM_EXIT_ERROR")
_MEMORY = ("SBATCH_MEM_PER_CPU", "SBATCH_MEM_PER_GPU", "SBATCH_MEM_PER_NODE")  # sbatch accepts one of them

_NAMES = {
    "array": ("ARRAY_INX",),
    "mem": ("MEM_PER_NODE",),
    "switches": ("REQ_SWITCH", "WAIT4SWITCH"),
    "time": ("TIMELIMIT",),
    "no-requeue": ("NO_REQUEUE", "REQUEUE"),
    "requeue": ("NO_REQUEUE", "REQUEUE"),
}


def query_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for all programs but sbatch: none of the user's options and formats.

    They query the cluster to which sbatch submits.
    """
    given = submission_environment(environment)
    kept = {name: text for name, text in given.items() if name in _CLUSTER or not name.startswith(_OPTIONS)}
    if clusters := given.get("SBATCH_CLUSTERS") or given.get("SLURM_CLUSTERS"):
        kept["SLURM_CLUSTERS"] = clusters
    # 0: squeue shows the whole list of an array's tasks instead of truncating it.
    return {**kept, "SLURM_BITSTR_LEN": "0", "SLURM_TIME_FORMAT": "standard"}


def submission_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for sbatch, which the job gets: the user's, without that of a job in which this runs."""
    inside = "SLURM_JOB_ID" in environment
    return {
        name: text
        for name, text in environment.items()
        if name not in _NEVER and (name in _CLUSTER or not (inside and name.startswith(_OF_JOBS)))
    }


def header_options(script: str, environment: Mapping[str, str]) -> list[str]:
    """Return the options of a script's `#SBATCH` lines as words, if the environment would change any of them.

    sbatch lets SBATCH_* variables override these lines, but not its command line.
    """
    given = [option for option in parse_options(directive_texts(script)) if option.is_read and option.name != "wait"]
    stated = {name for option in given for name in _variables(option)}
    if stated & set(_MEMORY):
        stated.update(_MEMORY)
    return [word for option in given for word in option.words] if any(name in environment for name in stated) else []


def _variables(option: SbatchOption) -> list[str]:
    """Return the variables that would override an option of a `#SBATCH` line."""
    return [f"SBATCH_{name}" for name in _NAMES.get(option.name, (option.name.replace("-", "_").upper(),))]
