"""The table of what each answer of Slurm about a job means for its attempt.

A job ends twice: it reports its exit code, and Slurm shows that it ended. Only Slurm knows about time limits and
memory, only the job knows its exit code for certain: so whichever comes first waits some time for the other. What may
be shown for some time only has a limit in expectation.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .status import Status

NEVER = "DependencyNeverSatisfied"  # Slurm's reason for a bound job that it will not start, or has cancelled
_QUEUED = (Status.PENDING, Status.CONFIGURING, Status.REQUEUED)


@dataclass(frozen=True, slots=True)
class SeenJob:
    """How Slurm shows one job: alive or ended as `status`, with its reason and (from accounting) exit code.

    `listed`: whether squeue shows it; otherwise only accounting does. `accounted` is how accounting shows the end of a
    job that squeue shows as completing.
    """

    status: Status
    ended: bool
    reason: str = ""
    node: str = ""
    exit_code: int | None = None
    listed: bool = True
    accounted: SeenJob | None = None


class Accounting(Enum):
    """Whether accounting answered a poll."""

    ANSWERED = "answered, or was not needed"
    UNANSWERED = "gave no answer"
    ABSENT = "the cluster has none"


class Awaited(Enum):
    """What is still awaited for the end of an attempt."""

    __hash__ = object.__hash__  # members are singletons; a poll looks up each live job in the table

    NOTHING = "it has not ended"
    VERDICT = "the job has reported a failure: Slurm's word on the cause"
    REPORT = "Slurm shows its end: the job's own report"


class JobAnswer(Enum):
    """What a poll of Slurm shows about the job of an attempt."""

    __hash__ = object.__hash__  # members are singletons; a poll looks up each live job in the table

    QUEUED = "in the queue"
    RUNNING = "running"
    COMPLETING = "its script has ended, and Slurm cleans up"
    ALIVE = "active in another state"
    FINISHED = "ended successfully"
    FAILED = "ended in another way"
    UNSATISFIABLE = "will never start, because of the jobs that it depends on"
    CANCELLED = "unknown, after its cancellation was requested"
    UNLISTED = "not in the queue, and active in accounting"
    MISSING = "unknown"
    LEFT_OUT = "unknown, but its array is known: it was cancelled alone before it started"
    UNANSWERED = "not in the queue, and accounting does not answer"


class JobAction(Enum):
    """What the observer does about an answer."""

    WAIT = "wait"
    OBSERVE = "record the state that Slurm shows"
    RUN_AGAIN = "discard the end, because the job is active, and record its state"
    NOTE = "record what mtui waits for"
    END = "end it, with the exit code that it reported"
    END_BY_CODE = "end it by the exit code that it reported, without Slurm's verdict"
    FINISH = "end it as finished, unless it never started"
    AWAIT_REPORT = "wait for its report, then end it as Slurm shows it"
    REBIND = "submit it again with new dependencies, or block it"
    CANCEL = "end it as cancelled"
    LOSE = "end it as lost, or submit it again if it never started"


# The action for each answer: a column for each thing awaited.
_COLUMNS = (Awaited.NOTHING, Awaited.VERDICT, Awaited.REPORT)
_ROWS = {
    JobAnswer.QUEUED: (JobAction.OBSERVE, JobAction.RUN_AGAIN, JobAction.RUN_AGAIN),
    JobAnswer.RUNNING: (JobAction.OBSERVE, JobAction.WAIT, JobAction.RUN_AGAIN),  # VERDICT: Slurm shows the end late
    JobAnswer.COMPLETING: (JobAction.OBSERVE, JobAction.OBSERVE, JobAction.WAIT),
    JobAnswer.ALIVE: (JobAction.OBSERVE, JobAction.OBSERVE, JobAction.RUN_AGAIN),
    JobAnswer.FINISHED: (JobAction.FINISH, JobAction.END, JobAction.FINISH),
    JobAnswer.FAILED: (JobAction.AWAIT_REPORT, JobAction.END, JobAction.WAIT),
    JobAnswer.UNSATISFIABLE: (JobAction.REBIND, JobAction.REBIND, JobAction.REBIND),
    JobAnswer.CANCELLED: (JobAction.CANCEL, JobAction.CANCEL, JobAction.CANCEL),
    JobAnswer.UNLISTED: (JobAction.NOTE, JobAction.NOTE, JobAction.WAIT),
    JobAnswer.MISSING: (JobAction.NOTE, JobAction.NOTE, JobAction.WAIT),
    JobAnswer.LEFT_OUT: (JobAction.NOTE, JobAction.NOTE, JobAction.WAIT),
    JobAnswer.UNANSWERED: (JobAction.NOTE, JobAction.NOTE, JobAction.WAIT),
}
ACTIONS = {
    (awaited, answer): action
    for answer, actions in _ROWS.items()
    for awaited, action in zip(_COLUMNS, actions, strict=True)
}


def answer_of(view: SeenJob) -> JobAnswer:
    """Return the answer of a poll that shows the job."""
    if view.ended:
        return JobAnswer.FINISHED if view.status is Status.FINISHED else JobAnswer.FAILED
    if not view.listed:
        return JobAnswer.UNLISTED
    if view.status in _QUEUED:
        return JobAnswer.QUEUED
    return _ALIVE.get(view.status, JobAnswer.ALIVE)


# What is recorded as the reason of a job that a poll does not show as it should be.
NOTES = {
    JobAnswer.UNLISTED: "squeue does not list it, accounting shows it active",
    JobAnswer.MISSING: "squeue and accounting do not show it",
    JobAnswer.LEFT_OUT: "squeue and accounting show its array without it",
    JobAnswer.UNANSWERED: "squeue does not list it, accounting does not answer",
}
_ALIVE = {Status.RUNNING: JobAnswer.RUNNING, Status.COMPLETING: JobAnswer.COMPLETING}
