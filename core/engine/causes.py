"""Why an attempt, a job or an allocation ended, or left the queue: a code with its fields.

The journal, the checkpoint and programs get the code; the words for people are in cause_text.py. Journals written
before codes existed contain texts: each is read as a cause of code OTHER.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from .status import Status


class CauseCode(Enum):
    """Codes of causes. The values are in journals, so none is ever renamed."""

    OTHER = "other"  # `text` describes it

    EXIT_CODE = "exit_code"
    TERMINATED = "terminated"  # the script got a TERM that mtui did not send
    WALLTIME = "walltime"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_FAILED = "node_failed"
    PREEMPTED = "preempted"
    DEADLINE = "deadline"
    CANCELLED_IN_SLURM = "cancelled_in_slurm"  # outside of mtui
    LAUNCH_FAILED = "launch_failed"
    JOB_FAILED = "job_failed"  # Slurm reports no exit code; `text` is its reason

    NO_RECORD = "no_record"  # a local process is gone
    HOST_RESTARTED = "host_restarted"  # this and the next two: of a local step
    DRIVER_JOB_ENDED = "driver_job_ended"
    HOST_GONE = "host_gone"  # confirmed by a user
    NEVER_BEGAN = "never_began"
    JOB_UNKNOWN = "job_unknown"  # to squeue and to sacct
    JOB_NOT_IN_QUEUE = "job_not_in_queue"  # and sacct does not answer
    TASK_UNKNOWN = "task_unknown"  # the same for a pending task of an array
    TASK_NOT_IN_QUEUE = "task_not_in_queue"
    JOB_COMPLETING = "job_completing"  # for minutes, without a report
    JOB_RUNAWAY = "job_runaway"  # active in accounting alone, for minutes

    COMMAND = "command"
    COMMAND_BEFORE_SUBMIT = "command_before_submit"
    MARKED_FINISHED = "marked_finished"  # `text` is the user's reason
    MARKED_SKIPPED = "marked_skipped"

    PARENT_FAILED = "parent_failed"  # this and the next two: withdrawn from Slurm, or from an allocation
    HELD = "held"
    PARENT_JOB_GONE = "parent_job_gone"
    PARENT_RERUN = "parent_rerun"
    ROWS_ADDED = "rows_added"  # that a funnel would have missed

    ALLOCATION_ENDED = "allocation_ended"
    ALLOCATION_WALLTIME = "allocation_walltime"
    ALLOCATION_NODE_FAILED = "allocation_node_failed"
    ALLOCATION_PREEMPTED = "allocation_preempted"
    ALLOCATION_OUT_OF_MEMORY = "allocation_out_of_memory"
    ALLOCATION_UNNEEDED = "allocation_unneeded"  # cancelled by mtui before it began
    ALLOCATION_CANCELLED = "allocation_cancelled"  # outside of mtui
    ALLOCATION_FAILED = "allocation_failed"
    ALLOCATION_LEADER_ENDED = "allocation_leader_ended"
    ALLOCATION_UNKNOWN = "allocation_unknown"  # to Slurm
    ALLOCATION_COMPLETING = "allocation_completing"  # for minutes
    ALLOCATION_RUNAWAY = "allocation_runaway"  # active in accounting alone, for minutes
    ALLOCATION_NOT_REQUESTED = "allocation_not_requested"  # the request for it never reached Slurm

    NO_WAITING = "no_waiting"  # an allocation that cannot hold instances that wait for parents
    NO_TIME_LEFT = "no_time_left"
    NO_PYTHON = "no_python"  # an allocation whose nodes have no Python cannot run instances of several nodes
    IDLE_ALLOCATION = "idle_allocation"  # another allocation is idle
    REVOKED = "revoked"  # by a driver that ended before it recorded the reason

    MAESTRO_STATE = "maestro_state"  # `text` is the state in its status.csv
    MAESTRO_CANCELLED = "maestro_cancelled"


@dataclass(frozen=True, slots=True)
class Cause:
    """A code and its fields; the wording in cause_text.py shows which fields a code has."""

    code: CauseCode
    text: str = ""  # text from elsewhere: Slurm's reason, the error of a script, a user's reason
    exit_code: int | None = None
    node: str = ""
    job: str = ""  # of the instance, or of an allocation
    allocation: str = ""  # by its name in the study
    times: int = 0  # attempts in a row that were lost with their allocations, if none follows


_PLAIN = tuple((field.name, field.default) for field in fields(Cause) if field.name != "code")
_CODES = {code.value: code for code in CauseCode}
_OF_JOBS = {
    Status.TIMED_OUT: CauseCode.WALLTIME,
    Status.OUT_OF_MEMORY: CauseCode.OUT_OF_MEMORY,
    Status.NODE_FAILED: CauseCode.NODE_FAILED,
    Status.PREEMPTED: CauseCode.PREEMPTED,
    Status.DEADLINE: CauseCode.DEADLINE,
    Status.CANCELLED: CauseCode.CANCELLED_IN_SLURM,
}
NOT_LAUNCHED = "JobLaunchFailure"  # Slurm's reason for a job whose script it could not run
BY_COMMAND = Cause(CauseCode.COMMAND)


def text_cause(text: str) -> Cause | None:
    """Return a cause given by its text alone; None if the text is empty."""
    return Cause(CauseCode.OTHER, text) if text else None


def exit_cause(code: int, node: str = "") -> Cause:
    """Return the cause of a script that exited with `code` on `node`."""
    return Cause(CauseCode.EXIT_CODE, exit_code=code, node=node)


def job_cause(status: Status, code: int | None, reason: str, node: str) -> Cause:
    """Return why a job ended as `status`: from its exit code, Slurm's reason and its node, if known."""
    if status in _OF_JOBS:
        return Cause(_OF_JOBS[status], node=node)
    if reason == NOT_LAUNCHED:
        return Cause(CauseCode.LAUNCH_FAILED, node=node)
    return exit_cause(code, node) if code is not None else Cause(CauseCode.JOB_FAILED, reason, node=node)


def cause_record(cause: Cause | None) -> dict[str, Any]:
    """Return a cause as fields of a journal record: `cause_code`, `cause_fields` if any; or `cause` for a text."""
    if cause is None:
        return {}
    if cause.code is CauseCode.OTHER:
        return {"cause": cause.text}
    values = {name: getattr(cause, name) for name, default in _PLAIN if getattr(cause, name) != default}
    return {"cause_code": cause.code.value, **({"cause_fields": values} if values else {})}


def read_cause(record: Mapping[str, Any]) -> Cause | None:
    """Return the cause in a journal record; None if it has none. Raises ValueError for a damaged one.

    A code of a newer mtui is read as a text; unknown fields are ignored.
    """
    word, text = record.get("cause_code", ""), record.get("cause", "")
    values = record.get("cause_fields", {})
    if not (isinstance(word, str) and isinstance(text, str) and isinstance(values, dict)):
        raise ValueError("a damaged cause")
    if not word:
        return text_cause(text)
    code = _CODES.get(word)
    if code is None:
        return text_cause(text or word.replace("_", " "))
    kept: dict[str, Any] = {name: values[name] for name, _ in _PLAIN if name in values}
    for name, value in kept.items():
        if not isinstance(value, int if name in ("exit_code", "times") else str):
            raise ValueError(f"a damaged cause: {name}")
    return Cause(code, **kept)
