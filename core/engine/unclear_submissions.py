"""Submissions without a usable answer: polls of Slurm find their jobs by name, or none for long enough."""

from __future__ import annotations

from collections.abc import Callable

from . import events as ev
from .expectation import STUCK_WAIT, UNCLEAR_WAIT, Expectations, PolledTime
from .slurm_answers import Accounting
from .state import StudyState
from .status import Status


class UnclearSubmissions:
    """The submissions to look for. A job found by name is unconfirmed in `expected`: it may be over."""

    def __init__(self, state: StudyState, expected: Expectations) -> None:
        self._state = state
        self._expected = expected
        self._since: dict[str, float] = {}
        self._polled: dict[str, PolledTime] = {}

    def __bool__(self) -> bool:
        return bool(self._since)

    def add(self, submission: str, now: float) -> None:
        """Record that a submission became unclear at `now`, by the driver's monotonic clock."""
        self._since.setdefault(submission, now)

    def apply_poll(self, find: Callable[[str], str], asked: float, at: float, accounting: Accounting) -> list[ev.Event]:
        """Return the events of a poll that was started at `asked`; `find` and `accounting` as for JobObserver."""
        wait = STUCK_WAIT if accounting is Accounting.UNANSWERED else UNCLEAR_WAIT
        names = [name for name, since in self._since.items() if since <= asked]
        return [event for name in names for event in self._look_for(name, find(name), asked, at, wait)]

    def _look_for(self, submission: str, job: str, asked: float, at: float, wait: float) -> list[ev.Event]:
        members = self._state.submissions.get(submission, ())
        attempts = [self._state.attempts[index][-1] for index, _ in members]
        reported = (attempt.array for attempt in attempts if attempt.submission == submission and attempt.job)
        job = job or next(reported, "")  # if one task of an array arrived, all did
        is_unclear = any(self._state.status[index] is Status.UNCLEAR for index, _ in members)
        polled = self._polled.setdefault(submission, PolledTime())
        if is_unclear and not job and not polled.covers(wait, asked):
            return []
        del self._since[submission], self._polled[submission]
        if not is_unclear:  # the job itself has reported
            return [ev.Submitted(at=at, submission=submission, job=job)] if members and job else []
        if not job:
            return [ev.SubmitMissed(at=at, submission=submission)]
        for index, _ in members:
            self._expected.doubt(index)
        return [ev.Submitted(at=at, submission=submission, job=job)]
