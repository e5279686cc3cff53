"""Recovers unfinished work of an earlier driver, when a driver takes a study over."""

from __future__ import annotations

import time

from ..claims import attempt_name
from ..engine import events as ev
from ..engine.status import Status
from ..store.lease_owner import read_owner
from .allocations.tracker import AllocationTracker
from .cluster import UNNAMED
from .collect import Collector
from .context import DriverContext
from .file_recovery import restore_files
from .host_loss import HostLoss


def recover_study(
    context: DriverContext, tracker: AllocationTracker, collector: Collector, host_loss: HostLoss
) -> None:
    """Update the state with what happened since the journal ended. Called once, before the first turn.

    The order matters: leaders' records cover the instances dispatched to allocations, and the spool covers jobs;
    only submissions found in neither count as unclear. Local steps come last, because a report in the spool says more
    about an end than a missing process.
    """
    restore_files(context)  # first: a job of the study may begin at any moment
    tracker.recover()
    while not collector.read_spool() and collector.is_behind:
        context.log.renew()
    _recover_submissions(context)
    host_loss.begin()
    context.observer.resume(time.monotonic())
    if context.slurm and context.state.clusters and not context.cluster:
        context.emit(ev.SlurmSilent(at=time.time(), message=UNNAMED))  # until then nothing is submitted
    elif context.state.slurm_silent_since:
        context.emit(ev.SlurmAnswers(at=time.time()))  # the silence was another driver's; the first poll decides


def _recover_submissions(context: DriverContext) -> None:
    at, now = time.time(), time.monotonic()
    for submission, members in list(context.state.submissions.items()):
        index, number = members[0]
        if any(context.state.status[member] is Status.SUBMITTING for member, _ in members):
            message = "the driver ended before the answer came"
            context.emit(ev.SubmitUnclear(at=at, submission=submission, message=message))
        attempt = context.state.attempts[index][-1]
        if attempt.in_queue:
            context.observer.note_unclear(submission, now)
        elif not attempt.allocation:
            _recover_local_start(context, submission, attempt_name(index, number), at)


def _recover_local_start(context: DriverContext, submission: str, attempt: str, at: float) -> None:
    """Recover a local step that was being started: its claim shows whether it was.

    A step that has not written its claim in full yet is started again: the second process waits for the owner's name.
    """
    pid = context.directory.claims.owner(attempt)
    if not pid:
        context.emit(ev.SubmitMissed(at=at, submission=submission))
        return
    epoch = submission.partition("-")[0]
    starter = read_owner(context.directory.owner, int(epoch)) if epoch.isdecimal() else None
    node = starter.host if starter else context.host
    context.emit(ev.Submitted(at=at, submission=submission, job=pid, node=node))
