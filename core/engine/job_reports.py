"""What a job, or the leader of an allocation, reports of one attempt: a class for each kind of record."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JobReport:
    """A record of an attempt, with the job (or process) and the node that wrote it."""

    instance: int
    attempt: int
    job: str
    node: str
    at: float = field(default=0.0, kw_only=True)  # wall clock seconds of whoever wrote it; 0 if it does not say


@dataclass(frozen=True, slots=True)
class StartReport(JobReport):
    """The job has taken the claim, and its script begins."""


@dataclass(frozen=True, slots=True)
class ExitReport(JobReport):
    """The script ended."""

    code: int = 0
    signal: str = ""  # that the job got before, without SIG
    error: str = ""  # what kept the script from being run at all
    verdict: str = ""  # an allocation's leader knows more than the exit code: the value of a Status


@dataclass(frozen=True, slots=True)
class DuplicateReport(JobReport):
    """The job found its claim taken, and ran nothing."""

    owner: str = ""  # the job that has the claim; empty if it is not known


@dataclass(frozen=True, slots=True)
class LostReport(JobReport):
    """The allocation could not bring the attempt to its end, by no fault of the attempt."""

    cause: str = ""
