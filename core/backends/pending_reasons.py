"""Slurm's reasons for not running a job, in words, and what to do about those that do not pass without anybody.

The reasons are those of squeue(1) and of Slurm's job_reason_codes.html, for Slurm 20.11 to 26.05.
"""

from __future__ import annotations

import re

REASONS: dict[str, str] = {
    "Priority": "jobs with higher priority are first",
    "Resources": "waiting for free nodes",
    "Dependency": "waiting for another job",
    "DependencyNeverSatisfied": "the job that it depends on failed",
    "JobHeldUser": "held by the user",
    "JobHeldAdmin": "held by an administrator",
    "JobHoldMaxRequeue": "held: it was requeued too often",
    "launch failed requeued held": "held: it could not be launched on its node",
    "job requeued in held state": "held after it was requeued",
    "job requeued in special exit state": "held after it was requeued",
    "ReservationDeleted": "held: its reservation was deleted",
    "BeginTime": "its start time is in the future",
    "ReqNodeNotAvail": "a node that it needs is down, drained or reserved",
    "PartitionTimeLimit": "its walltime is longer than the partition allows",
    "PartitionNodeLimit": "it requests more nodes than the partition allows",
    "PartitionDown": "the partition is down",
    "PartitionConfig": "it requests more than the partition has",
    "BadConstraints": "no node has what it requests",
    "AccountNotAllowed": "its account may not use the partition",
    "InvalidAccount": "its account is no longer valid",
    "QOSNotAllowed": "its QOS may not be used in the partition",
    "InvalidQOS": "its QOS is no longer valid",
    "QOSMaxJobsPerUserLimit": "as many of the user's jobs run as the QOS allows",
    "QOSMaxWallDurationPerJobLimit": "its walltime is longer than the QOS allows",
    "QOSMaxNodePerUserLimit": "the user has as many nodes as the QOS allows",
    "AssocGrpCPUMinutesLimit": "the account has used up its time",
    "AssocMaxJobsLimit": "as many jobs run as the account allows",
    "Licenses": "waiting for a licence",
    "Reservation": "waiting for its reservation",
}

_RELEASE = "to release it: scontrol release {job}"
_CHANGE = "it cannot start with these resources; change them: mtui cancel, then mtui retry --set"
_NEVER = "DependencyNeverSatisfied"
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"JobHeldUser|.*requeued (in )?held.*|.*special exit state.*|JobHoldMaxRequeue", re.I), _RELEASE),
    (re.compile(r"JobHeldAdmin"), "only the site's administrators can release it: ask them why it is held"),
    (
        re.compile(_NEVER),
        "to start it without its --dependency: scontrol update job={job} dependency=",
    ),
    (
        re.compile(r"ReservationDeleted"),
        "to start it without one: scontrol update job={job} reservation= and release it",
    ),
    (re.compile(r"Partition(Time|Node)Limit|PartitionConfig|BadConstraints|InvalidQOS|InvalidAccount"), _CHANGE),
    (re.compile(r"(QOS|Account)NotAllowed|(QOS|Assoc)Max\w+Per(Job|Node)(Limit)?|QOSMin\w+"), _CHANGE),
)


def reason_words(reason: str) -> str:
    """Return an explanation of Slurm's pending reason; the reason itself if there is none."""
    return REASONS.get(_plain(reason), reason)


def reason_text(reason: str) -> str:
    """Return the explanation followed by Slurm's reason in brackets; the reason alone if there is none."""
    words = reason_words(reason)
    return words if words == reason else f"{words} ({reason.strip('()')})"


def _plain(reason: str) -> str:
    """Return a reason without what squeue adds: nodes after a comma, underscores for blanks in newer versions."""
    return reason.strip("()").partition(",")[0].replace("_", " ")


def next_step(reason: str, job: str, *, bound: bool = False) -> str:
    """Return what somebody has to do before a job with that reason starts; empty if it starts without.

    `bound`: mtui bound it to its parents' jobs, so a driver withdraws it when one of them has failed.
    """
    text = _plain(reason)
    if bound and text == _NEVER:
        return ""
    return next((step.format(job=job) for pattern, step in _STEPS if pattern.fullmatch(text)), "")
