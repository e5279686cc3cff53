"""Causes in words: the only place with their wording, used by views and by a study's hooks.

It is not in `tui` because the driver passes the words to hooks as MTUI_CAUSE. No module that decides imports it.
"""

from __future__ import annotations

import signal
from functools import lru_cache

from .causes import Cause, CauseCode

# {on}, {at}: the node. {end}: the error of the script, else its exit code. {place}: Slurm, or an allocation.
_TEXTS: dict[CauseCode, str] = {
    CauseCode.OTHER: "{text}",
    CauseCode.EXIT_CODE: "{exit}",
    CauseCode.TERMINATED: "terminated by SIGTERM, not by mtui ({end})",
    CauseCode.WALLTIME: "exceeded its walltime",
    CauseCode.OUT_OF_MEMORY: "used more memory than requested{on}",
    CauseCode.NODE_FAILED: "a node failed{on}",
    CauseCode.PREEMPTED: "Slurm took its nodes for another job",
    CauseCode.DEADLINE: "could not end before its deadline",
    CauseCode.CANCELLED_IN_SLURM: "cancelled outside of mtui",
    CauseCode.LAUNCH_FAILED: "Slurm could not run the script{on}: "
    "killed by a signal, or its output file could not be created (directory gone, disk full or read-only)",
    CauseCode.JOB_FAILED: "failed{on} ({reason})",
    CauseCode.NO_RECORD: "no exit record: it was killed, the disk was full, or the study was moved",
    CauseCode.HOST_RESTARTED: "no exit record: {node} was rebooted or replaced",
    CauseCode.DRIVER_JOB_ENDED: "no exit record: Slurm job {job}, in which it ran on {node}, has ended",
    CauseCode.HOST_GONE: "its host {node} is down, by command",
    CauseCode.NEVER_BEGAN: "job {job} is completed, but the script never began",
    CauseCode.JOB_UNKNOWN: "neither squeue nor sacct knows job {job}, and there is no exit record",
    CauseCode.JOB_NOT_IN_QUEUE: "squeue no longer knows job {job}, and there is no exit record",
    CauseCode.TASK_UNKNOWN: "neither squeue nor sacct knows job {job}, and there is no exit record{forgotten}",
    CauseCode.TASK_NOT_IN_QUEUE: "squeue no longer knows job {job}, and there is no exit record{forgotten}",
    CauseCode.JOB_COMPLETING: "job {job} does not leave the state COMPLETING{on}, and there is no exit record",
    CauseCode.JOB_RUNAWAY: "squeue no longer knows job {job}, accounting shows it active, and there is no exit record",
    CauseCode.COMMAND: "by command",
    CauseCode.COMMAND_BEFORE_SUBMIT: "by command, before it was submitted",
    CauseCode.MARKED_FINISHED: "marked as finished by hand{because}",
    CauseCode.MARKED_SKIPPED: "marked as skipped by hand{because}",
    CauseCode.PARENT_FAILED: "withdrawn from {place}: a parent failed",
    CauseCode.HELD: "withdrawn from {place}: held by command",
    CauseCode.PARENT_JOB_GONE: "withdrawn from {place}: a parent's job is gone",
    CauseCode.PARENT_RERUN: "a parent will run again",
    CauseCode.ROWS_ADDED: "withdrawn from {place}: rows were added that it did not include",
    CauseCode.ALLOCATION_ENDED: "allocation {job} ended first",
    CauseCode.ALLOCATION_WALLTIME: "allocation {job} exceeded its walltime",
    CauseCode.ALLOCATION_NODE_FAILED: "a node of allocation {job} failed{at}",
    CauseCode.ALLOCATION_PREEMPTED: "Slurm took the nodes of allocation {job} for another job",
    CauseCode.ALLOCATION_OUT_OF_MEMORY: "allocation {job} ran out of memory{at}",
    CauseCode.ALLOCATION_UNNEEDED: "allocation {job} was no longer needed",
    CauseCode.ALLOCATION_CANCELLED: "allocation {job} was cancelled outside of mtui",
    CauseCode.ALLOCATION_FAILED: "allocation {job} failed{at}",
    CauseCode.ALLOCATION_LEADER_ENDED: "the leader in allocation {job} ended{because}",
    CauseCode.ALLOCATION_UNKNOWN: "Slurm no longer knows allocation {job}",
    CauseCode.ALLOCATION_COMPLETING: "allocation {job} does not leave the state COMPLETING",
    CauseCode.ALLOCATION_RUNAWAY: "squeue no longer knows allocation {job}, accounting shows it active",
    CauseCode.ALLOCATION_NOT_REQUESTED: "its request did not reach Slurm",
    CauseCode.NO_WAITING: "it cannot wait for its parents there",
    CauseCode.NO_TIME_LEFT: "its walltime exceeds the time left of allocation {job}",
    CauseCode.NO_PYTHON: "the nodes of allocation {job} have no Python, so it runs only instances of one node",
    CauseCode.IDLE_ALLOCATION: "allocation {job} has nothing to do",
    CauseCode.REVOKED: "withdrawn",
    CauseCode.MAESTRO_STATE: "Maestro reports {text}",
    CauseCode.MAESTRO_CANCELLED: "cancelled in Maestro",
}
_FORGOTTEN = " (Slurm keeps no record of array tasks that are cancelled before they start)"  # seen with 22.05


@lru_cache(maxsize=4096)
def cause_text(cause: Cause | None) -> str:
    """Why something ended, in words; empty if there is no cause."""
    if cause is None:
        return ""
    exit_words = _exit_text(cause)
    words = _TEXTS[cause.code].format(
        text=cause.text,
        exit=exit_words,
        end=cause.text or exit_words,
        reason=cause.text or "no reason given",
        because=f": {cause.text}" if cause.text else "",
        on=f" on {cause.node}" if cause.node else "",
        at=f" ({cause.node})" if cause.node else "",
        job=cause.job,
        node=cause.node,
        place="its allocation" if cause.allocation else "Slurm",
        forgotten=_FORGOTTEN,
    )
    return f"{words}; it started {cause.times} times and never finished" if cause.times else words


def _exit_text(cause: Cause) -> str:
    """An exit code, with its meaning for a shell, and the node."""
    if cause.exit_code is None:
        return ""
    return _code_text(cause.exit_code) + (f" on {cause.node}" if cause.node else "")


def _code_text(code: int) -> str:
    if code == 126:
        return "exit code 126 (a command is not executable)"
    if code == 127:
        return "exit code 127 (a command was not found)"
    if code > 128:
        try:
            return f"exit code {code} (signal {signal.Signals(code - 128).name.removeprefix('SIG')})"
        except ValueError:
            pass
    return f"exit code {code}"
