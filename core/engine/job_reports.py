"""Reports about one attempt by its job, or by the leader of an allocation: a class for each kind."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JobReport:
    """A report about an attempt, with the job (or process) and the node that wrote it."""

    instance: int
    attempt: int
    job: str
    node: str
    at: float = field(default=0.0, kw_only=True)  # wall clock seconds of the writer; 0 if not given


@dataclass(frozen=True, slots=True)
class StartReport(JobReport):
    """The job has taken the claim, and its script begins."""


@dataclass(frozen=True, slots=True)
class ExitReport(JobReport):
    """The script ended."""

    code: int = 0
    signal: str = ""  # received before the end, without SIG
    error: str = ""  # what prevented the script from running at all
    verdict: str = ""  # value of a Status, if an allocation's leader knows more than the exit code


@dataclass(frozen=True, slots=True)
class DuplicateReport(JobReport):
    """A duplicate job found the claim taken, and ran nothing."""

    owner: str = ""  # the job that has the claim; empty if unknown


@dataclass(frozen=True, slots=True)
class LostReport(JobReport):
    """The allocation could not finish the attempt, through no fault of the attempt."""

    cause: str = ""
