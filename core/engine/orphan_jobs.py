"""Orphan jobs: jobs in Slurm whose attempt is over, or whose claim another job has. The driver cancels them."""

from __future__ import annotations

from .attempt import Attempt
from .job_reports import StartReport
from .state import StudyState


class OrphanJobs:
    """The orphan jobs that reports have shown, until the driver takes them."""

    def __init__(self, state: StudyState) -> None:
        self._state = state
        self._jobs: list[str] = []
        self._within: dict[str, list[str]] = {}

    def take(self) -> list[str]:
        """Return and clear the orphan jobs found in Slurm: their attempt is over, or another job has the claim."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def take_in_allocations(self) -> dict[str, list[str]]:
        """Return and clear the attempts that began in allocations and must not run, by allocation."""
        within, self._within = self._within, {}
        return within

    def note_start(self, report: StartReport) -> None:
        """Record a start of an attempt that is over. In an open allocation only the attempt is ended, not the job."""
        if allocation := self._state.allocations.open_of_job(report.job):
            self._within.setdefault(allocation.name, []).append(f"{report.instance}.{report.attempt}")
        else:
            self._jobs.append(report.job)

    def note_owner(self, attempt: Attempt, owner: str) -> None:
        """Record that `owner` has the claim: the job followed until now is an orphan job."""
        if attempt.in_queue and attempt.job not in ("", owner):
            self._jobs.append(attempt.job)
