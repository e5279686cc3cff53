"""Translates the job ids that Slurm's programs show to ours: `12` of a job, `12_3` of a task of an array.

squeue and sacct show several jobs on one line, and one job on several: see `our_ids`. Ids of a federation are plain
numbers (the cluster is in their upper bits). Sources: squeue(1), sacct(1), job arrays and heterogeneous jobs in Slurm's
documentation; tests/unit/backends/slurm_outputs has what several versions print.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_RUN = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
_REST = "_..."  # the tasks of an array that a shortened list does not name


def our_ids(shown: str) -> list[str]:
    """Return our ids of what Slurm shows as one job.

    `12_[0-2,5%4]` (waiting tasks of an array, or cancelled before they began): four tasks. `12_[0-2,...]` (shortened):
    three tasks, and all others that have no line (`rest_of`). `12+0` (the component of a heterogeneous job that runs
    the script): job `12`. Other components have different ids, `12+1`, which no job of ours has.
    """
    array, bracket, tasks = shown.partition("_[")
    if not bracket:
        job, plus, component = shown.partition("+")
        return [job if plus and component == "0" else shown]
    found: list[str] = []
    for run in tasks.rstrip("]").partition("%")[0].split(","):
        if match := _RUN.fullmatch(run):
            first, last, by = match.groups()
            found += [f"{array}_{number}" for number in range(int(first), int(last or first) + 1, int(by or 1))]
        elif run.endswith("..."):
            found.append(array + _REST)
    return found


def rest_of(job: str) -> str:
    """Return the id under which `our_ids` lists a task that Slurm left out of a list; empty if it is no task."""
    array, task, _ = job.partition("_")
    return array + _REST if task else ""


def whole_job(shown: str) -> str:
    """Return the id of the array, or of the whole heterogeneous job, that an id of ours or of Slurm belongs to.

    sacct and squeue show a task that has not begun only if its array is requested.
    """
    return re.split(r"[_+.]", shown, maxsplit=1)[0]


def is_component(shown: str) -> bool:
    """Return whether Slurm shows a further component of a heterogeneous job: it runs no script."""
    return "+" in shown and not shown.partition(".")[0].endswith("+0")


def array_list(tasks: Sequence[int]) -> str:
    """Format ascending task numbers for sbatch's --array: `0-2,5`."""
    runs: list[list[int]] = []
    for task in tasks:
        if runs and task == runs[-1][1] + 1:
            runs[-1][1] = task
        else:
            runs.append([task, task])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
