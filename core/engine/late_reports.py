"""Reports of attempts that are over, or that another job has."""

from __future__ import annotations

from . import events as ev
from .attempt import Attempt
from .job_reports import DuplicateReport, ExitReport, JobReport, StartReport
from .state import StudyState
from .status import Status


def late_report(state: StudyState, report: JobReport, at: float) -> list[ev.Event]:
    """Return what the journal keeps of a report that changes nothing: the true end of an attempt counted as lost."""
    attempts = state.attempts.get(report.instance, [])
    lost = any(each.number == report.attempt and each.ended_as is Status.LOST for each in attempts)
    if not lost or not isinstance(report, ExitReport):
        return []
    name = state.plan.instances[report.instance].name
    message = f"attempt {report.attempt} of {name}, which counts as lost, ended with exit code {report.code}"
    return [ev.Anomaly(at=at, message=f"{message} (job {report.job})")]


def reopens(state: StudyState, report: JobReport, attempt: Attempt) -> bool:
    """Whether a report shows that an attempt counted as lost by mistake, and nothing runs in its place.

    An attempt that is known to have started has reported its start before: that report is read twice.
    """
    if attempt.number != report.attempt or not state.can_reopen(report.instance):
        return False
    return isinstance(report, ExitReport) or (isinstance(report, StartReport) and not attempt.started_at)


def duplicate_report(report: DuplicateReport, attempt: Attempt, at: float) -> list[ev.Event]:
    """Return the events of a duplicate job: the job that has the claim is the attempt's from now on."""
    index, number, owner = report.instance, report.attempt, report.owner
    message = f"job {report.job} found attempt {index}.{number} taken by job {owner}"
    found: list[ev.Event] = [ev.Anomaly(at=at, message=message)]
    if owner not in ("", attempt.job):
        node = report.node if attempt.backend == "local" else ""
        found.append(ev.Started(at=at, instance=index, attempt=number, job=owner, node=node))
    return found
