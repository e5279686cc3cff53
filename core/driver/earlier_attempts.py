"""Keeps an earlier attempt of an instance from running beside a new one.

An attempt may have ended before its job began: cancelled after an unclear submission, lost, or ended as Slurm shows it.
Before the next one is submitted, the driver takes the claim of such an attempt. If a job has it, the attempt did begin.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..claims import attempt_name
from ..debug_log import get_logger
from ..engine import events as ev
from ..engine.attempt import Attempt
from ..engine.status import Status
from .context import DriverContext

_log = get_logger(__name__)


def may_submit(context: DriverContext, instances: Iterable[int]) -> bool:
    """Return whether no earlier attempt of these instances can run; reopen those that do."""
    unstarted = [index for index in instances if _may_begin(context.state.last_attempt(index))]
    if not all([_bar(context, index) for index in unstarted]):
        return False
    try:
        if unstarted:  # on the disk before the journal has the next attempt
            context.directory.claims.sync()
    except OSError as error:
        _log.warning("revoked claims are not on the disk: %s", error)
        return False
    return True


def _may_begin(last: Attempt | None) -> bool:
    """Whether an attempt ended without having started, so that its job may still begin."""
    return last is not None and bool(last.ended_at) and not last.started_at and last.in_queue


def _bar(context: DriverContext, index: int) -> bool:
    """Take the claim of the last attempt of an instance. Return False if its job has it, and may run."""
    context.log.renew()
    last = context.state.attempts[index][-1]
    claims, name = context.directory.claims, attempt_name(index, last.number)
    try:
        if claims.revoke(name):
            return True
    except OSError as error:  # it is tried again with the next submission
        _log.warning("a claim cannot be revoked: %s", error)
        return False
    owner = claims.owner(name)
    if _has_ended(last, owner):
        return True
    job = owner or last.job
    context.emit(ev.Reopened(at=time.time(), instance=index, attempt=last.number, job=job))
    return False


def _has_ended(attempt: Attempt, owner: str) -> bool:
    """Whether Slurm itself showed the end of the job that has the claim."""
    return owner == attempt.job and attempt.ended_as not in (None, Status.LOST)
