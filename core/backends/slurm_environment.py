"""The environment of Slurm's programs: what users set for their jobs counts, what would change the answers does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..spec.sbatch_options import SbatchOption, directive_texts, parse_options

# Which cluster, and how it is reached.
_CLUSTER = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")
# Defaults of options, debug output and formats of all programs.
_OPTIONS = (
    *("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SACCT_", "SACCTMGR_", "SCANCEL_", "SCONTROL_", "SINFO_"),
    *("SPRIO_", "SSHARE_", "SREPORT_", "SSTAT_", "SDIAG_"),
)
# What Slurm sets in jobs, and a driver that runs in one would hand on as options of the jobs that it submits.
_OF_JOBS = (
    *("SLURM_", "SRUN_", "SBATCH_CPU_BIND", "SBATCH_MEM_BIND"),
    # What srun sets for MPI: ranks, and connections that another job does not have. Others of PMI_* are settings.
    *("PMI_FD", "PMI_JOBID", "PMI_RANK", "PMI_SIZE", "PMIX_RANK", "PMIX_NAMESPACE", "PMIX_SERVER_"),
)
# Only Slurm sets these, in a job. Users unset SLURM_JOB_ID alone, so that programs do not find themselves in one.
_INSIDE = ("SLURM_JOB_ID", "SLURM_JOBID", "SLURM_JOB_NODELIST", "SLURM_STEP_ID", "SLURM_TASK_PID")
# For which sbatch would not submit one job, not answer with its id, or write more than its answer.
_NEVER = ("SBATCH_ARRAY_INX", "SBATCH_WAIT", "SBATCH_DEBUG", "SBATCH_VERBOSE", "SLURM_EXIT_ERROR")
_OPTIONS_OF_SBATCH = ("SLURM_CLUSTERS", "SLURM_HINT")  # besides those that begin with SBATCH_
_SHOWN = 60  # characters of a value
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
    # SQUEUE_ALL: also jobs in hidden partitions, where no option says it.
    return {**kept, "SLURM_BITSTR_LEN": "0", "SLURM_TIME_FORMAT": "standard", "SQUEUE_ALL": "1"}


def submission_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for sbatch, which the job gets: the user's, without that of a job in which this runs."""
    inside = any(name in environment for name in _INSIDE)
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
    is_changed = any(name in environment for name in _stated(given))
    return [word for option in given for word in option.words] if is_changed else []


def options_in_effect(script: str, environment: Mapping[str, str]) -> list[str]:
    """Return the options that sbatch reads from its environment, without those that `#SBATCH` lines replace.

    Each is `NAME=VALUE`; a long value is truncated.
    """
    replaced = _stated(parse_options(directive_texts(script)))
    return [
        f"{name}={text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'}"
        for name, text in sorted(environment.items())
        if (name.startswith("SBATCH_") or name in _OPTIONS_OF_SBATCH) and name not in replaced
    ]


def _stated(options: Iterable[SbatchOption]) -> set[str]:
    """Return the variables that would override these options of `#SBATCH` lines."""
    stated = {name for option in options if option.is_read for name in _variables(option)}
    return stated | set(_MEMORY) if stated & set(_MEMORY) else stated


def _variables(option: SbatchOption) -> list[str]:
    """Return the variables that would override an option of a `#SBATCH` line."""
    return [f"SBATCH_{name}" for name in _NAMES.get(option.name, (option.name.replace("-", "_").upper(),))]
