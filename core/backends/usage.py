"""Queries sacct for the time, cores and memory that jobs requested and used."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from .backend import JobIdentity
from .program_run import run_program
from .slurm_environment import query_environment
from .slurm_ids import is_component, our_ids, whole_job
from .slurm_programs import user_name

USAGE_FORMAT = "JobID,ElapsedRaw,TimelimitRaw,AllocCPUS,AllocNodes,TotalCPU,MaxRSS,ReqMem,JobName%250"
_COLUMNS = 9  # the name is last, since only it may contain a "|"
_IDS_PER_CALL = 500  # keeps command lines short
_DEADLINE = 60.0  # seconds for one call of sacct
_SIZE = re.compile(r"([0-9.]+)([KMGT]?)([cn]?)", re.IGNORECASE)
_MEGABYTES = {"": 1 / (1024 * 1024), "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024.0}
_CLOCK = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of one job. Times in seconds, memory in MB; 0 if accounting has no value."""

    elapsed: int = 0
    limit: int = 0
    cpus: int = 0
    nodes: int = 0
    cpu_seconds: float = 0.0
    memory: float = 0.0  # the peak of any task (MaxRSS)
    asked_memory: float = 0.0  # requested per node


class NoAccounting(Exception):
    """sacct failed; the message says why."""


def ask_usage(jobs: Collection[JobIdentity]) -> dict[JobIdentity, Usage]:
    """Query the usage of jobs and array tasks; unknown ones are left out.

    Raises NoAccounting.
    """
    arrays = sorted({whole_job(job) for job, _ in jobs}, key=lambda job: (len(job), job))
    found: dict[JobIdentity, Usage] = {}
    for first in range(0, len(arrays), _IDS_PER_CALL):
        found.update(parse_usage(_sacct(arrays[first : first + _IDS_PER_CALL]), jobs))
    return found


def _sacct(jobs: Sequence[str]) -> str:
    command = [
        "sacct",
        "--duplicates",
        f"--user={user_name()}",
        "--noheader",
        "--parsable2",
        f"--format={USAGE_FORMAT}",
    ]
    command.append(f"--jobs={','.join(jobs)}")
    try:
        done = run_program([*command, "--starttime=now-365days"], query_environment(os.environ), _DEADLINE)
    except FileNotFoundError:
        raise NoAccounting("sacct is not installed on this machine") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAccounting(f"sacct failed: {type(error).__name__}") from None
    if done.returncode:
        errors = done.stderr.strip().splitlines()
        raise NoAccounting(errors[-1] if errors else f"sacct exited with code {done.returncode}")
    return done.stdout


def parse_usage(text: str, jobs: Collection[JobIdentity]) -> dict[JobIdentity, Usage]:
    """Parse sacct output in `USAGE_FORMAT`: a line for each job, then one for each of its steps, with the memory.

    Other jobs with the id of one of `jobs` are left out.
    """
    by_id: dict[str, list[JobIdentity]] = {}
    for wanted in jobs:
        by_id.setdefault(wanted.job, []).append(wanted)
    found: dict[JobIdentity, Usage] = {}
    shown_jobs: list[JobIdentity] = []  # whose lines these are
    for line in text.splitlines():
        parts = line.split("|", _COLUMNS - 1)
        if len(parts) != _COLUMNS:
            continue
        job, elapsed, limit, cpus, nodes, cpu, memory, asked, shown = (part.strip() for part in parts)
        name, dot, _ = job.partition(".")
        if not dot:
            ids = [whole_job(name)] if is_component(name) else our_ids(name)
            own = (wanted for number in ids for wanted in by_id.get(number, ()))
            shown_jobs = [wanted for wanted in own if shown.startswith(wanted.name)]
        for wanted in shown_jobs:
            usage = found.get(wanted, Usage())
            if not dot:
                before = usage if is_component(name) else Usage()  # of a heterogeneous job the components add up
                usage = replace(
                    usage,
                    elapsed=_whole(elapsed),
                    limit=60 * _whole(limit),
                    cpus=before.cpus + _whole(cpus),
                    nodes=before.nodes + _whole(nodes),
                    cpu_seconds=before.cpu_seconds + _seconds(cpu),
                    asked_memory=_asked(asked, _whole(cpus), _whole(nodes)),
                )
            found[wanted] = replace(usage, memory=max(usage.memory, _size(memory)))
    return found


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _seconds(text: str) -> float:
    """Convert sacct's `1-02:03:04`, `02:03:04` or `03:04.567` to seconds."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return 0.0
    days, hours, minutes, seconds = match.groups()
    return (int(days or 0) * 24 + int(hours or 0)) * 3600 + int(minutes) * 60 + float(seconds)


def _size(text: str) -> float:
    match = _SIZE.fullmatch(text)
    return float(match.group(1)) * _MEGABYTES[match.group(2).upper()] if match else 0.0


def _asked(text: str, cpus: int, nodes: int) -> float:
    """Convert ReqMem to MB per node: it is per job (`4G`), per node (`4Gn`) or per core (`4Gc`)."""
    match = _SIZE.fullmatch(text)
    if not match:
        return 0.0
    size = float(match.group(1)) * _MEGABYTES[match.group(2).upper()]
    kind = match.group(3).lower()
    return size * cpus / max(1, nodes) if kind == "c" else size if kind == "n" else size / max(1, nodes)
