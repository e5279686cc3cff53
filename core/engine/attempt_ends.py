"""The ends of attempts as events: by exit code, or as Slurm shows them. job_observer.py decides which end counts."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

from . import events as ev
from .causes import BY_COMMAND, NOT_LAUNCHED, Cause, CauseCode, exit_cause, job_cause
from .slurm_answers import JobAnswer, SeenJob
from .state import StudyState
from .status import Status

_CODES_OF_LOSS = {
    JobAnswer.COMPLETING: CauseCode.JOB_COMPLETING,
    JobAnswer.UNLISTED: CauseCode.JOB_RUNAWAY,
}


class AttemptEnds:
    """Builds the ends of the current attempts of a study; `at` is the wall clock."""

    def __init__(self, state: StudyState) -> None:
        self._state = state

    def ended(
        self, at: float, index: int, number: int, status: Status, code: int | None, cause: Cause | None, node: str
    ) -> ev.Ended:
        """Build the end of an attempt; if a cancel was requested, any unsuccessful end is a cancellation."""
        if status is not Status.FINISHED and self._state.attempts[index][-1].cancelled:
            status, cause = Status.CANCELLED, BY_COMMAND
        return ev.Ended(at=at, instance=index, attempt=number, status=status, exit_code=code, cause=cause, node=node)

    def as_shown(
        self, index: int, view: SeenJob, *, reported: bool, claimed: bool = True
    ) -> Callable[[float], ev.Ended]:
        """Return the end that Slurm shows, as a function of its time; with the reported exit code and cause, if any.

        A job that failed and has not `claimed` its attempt ran nothing, as one that Slurm could not launch. 22.05 does
        not launch a job whose output cannot be created; 24.11 does, and it cannot read what it is to do.
        """
        attempt = self._state.attempts[index][-1]
        if view.status is Status.FAILED and not (reported or claimed or attempt.started_at):
            view = replace(view, reason=NOT_LAUNCHED, exit_code=None)
        number, code = attempt.number, attempt.exit_code if reported else view.exit_code
        status = Status.FAILED if view.status is Status.FINISHED and code else view.status
        cause = None if status is Status.FINISHED else job_cause(status, code, view.reason, view.node)
        if reported and status is Status.FAILED:
            cause = attempt.cause or cause
        return lambda at: self.ended(at, index, number, status, code, cause, view.node)

    def without_verdict(self, index: int, at: float) -> ev.Ended:
        """Return the end by the exit code that was reported, if Slurm has no verdict."""
        attempt = self._state.attempts[index][-1]
        code = attempt.exit_code or 0
        return self.by_code(index, code, attempt.cause or exit_cause(code, attempt.node), attempt.node, at)

    def by_code(self, index: int, code: int, cause: Cause, node: str, at: float) -> ev.Ended:
        """Return the end by an exit code; `cause` is why it failed, if it is not 0."""
        number = self._state.attempts[index][-1].number
        status = Status.FAILED if code else Status.FINISHED
        return self.ended(at, index, number, status, code, cause if code else None, node)

    def of_process(self, index: int, number: int, code: int | None, at: float) -> ev.Ended:
        """Return the end of a local step by the exit code of its process; None: unknown."""
        status = Status.FINISHED if code == 0 else Status.FAILED
        cause = None
        if code is None or code == 128 + signal.SIGKILL:
            cause = Cause(CauseCode.NO_RECORD)
        elif code:
            cause = exit_cause(code)
        return self.ended(at, index, number, status, code, cause, "")

    def never_began(self, index: int) -> Callable[[float], ev.Ended]:
        """Return the end of an attempt whose job succeeded and ran nothing, as a function of its time."""
        attempt = self._state.attempts[index][-1]
        number, cause = attempt.number, Cause(CauseCode.NEVER_BEGAN, job=attempt.job)
        return lambda at: self.ended(at, index, number, Status.LOST, None, cause, "")

    def lost(self, index: int, answer: JobAnswer, accounting: bool, at: float) -> ev.Ended:
        """Return the end of an attempt after such answers, mostly as lost; `accounting`: whether it answered."""
        attempt = self._state.attempts[index][-1]
        if answer is JobAnswer.LEFT_OUT:
            cause = Cause(CauseCode.CANCELLED_IN_SLURM)
            return self.ended(at, index, attempt.number, Status.CANCELLED, None, cause, "")
        code = _CODES_OF_LOSS.get(answer) or (CauseCode.JOB_UNKNOWN if accounting else CauseCode.JOB_NOT_IN_QUEUE)
        if self._state.status[index] is Status.PENDING and "_" in attempt.job and answer not in _CODES_OF_LOSS:
            code = CauseCode.TASK_UNKNOWN if accounting else CauseCode.TASK_NOT_IN_QUEUE
        cause = Cause(code, job=attempt.job, node=attempt.node)
        return self.ended(at, index, attempt.number, Status.LOST, None, cause, "")
