"""Ends local steps whose host is gone: it was rebooted, or the Slurm job in which they ran has ended.

Nothing else reports their ends. If that cannot be known, the user decides: `mtui cancel DIR INSTANCE --host-gone`.
"""

from __future__ import annotations

import threading
import time

from ..claims import attempt_name
from ..engine import events as ev
from ..engine.attempt import Attempt
from ..engine.causes import BY_COMMAND, Cause, CauseCode
from ..engine.status import Status
from ..store.lease_owner import Owner, boot_id, pid_namespace, read_owner
from .collect import Collector
from .context import DriverContext
from .io_errors import no_thread
from .owner_job import owners_job_has_ended
from .part import DriverPart

_ASK_EVERY = 60.0  # seconds between two queries of Slurm for the jobs of earlier drivers


class HostLoss(DriverPart):
    """The part of a driver that handles local steps which earlier drivers started."""

    def __init__(self, context: DriverContext, collector: Collector) -> None:
        self._context = context
        self._collector = collector
        self._unseen: dict[int, tuple[int, Owner]] = {}  # steps elsewhere: attempt and the driver that started it
        self._ask_at = 0.0
        self._is_asking = False

    def begin(self) -> None:
        """Adopt the steps that run on this host, and end those that are over. Reports were read before."""
        for index in list(self._context.state.live_local):
            attempt = self._context.state.attempts[index][-1]
            if attempt.job:
                self._sort(index, attempt)

    def due(self) -> float | None:
        return self._ask_at if self._unseen and not self._is_asking else None

    def step(self) -> None:
        """Query Slurm for the jobs in which earlier drivers ran, on a separate thread. Raises OSError without one."""
        state = self._context.state
        self._unseen = {
            index: unseen
            for index, unseen in self._unseen.items()
            if index in state.live_local and state.attempts[index][-1].number == unseen[0]
        }
        if not self._unseen or self._is_asking or time.monotonic() < self._ask_at:
            return
        owners = list(dict.fromkeys(owner for _, owner in self._unseen.values()))
        # A daemon: a driver that ends does not wait for a silent Slurm.
        thread = threading.Thread(target=self._ask, args=(owners,), name="mtui-host-loss", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            raise no_thread() from None
        self._is_asking = True  # until the answer, which this thread applies

    def _ask(self, owners: list[Owner]) -> None:
        over = [owner for owner in owners if owners_job_has_ended(owner)]
        self._context.post(lambda: self._answered(over))

    def _answered(self, over: list[Owner]) -> None:
        self._is_asking, self._ask_at = False, time.monotonic() + _ASK_EVERY
        if not self._collector.read_spool():
            return
        for index, (number, owner) in list(self._unseen.items()):
            last = self._context.state.attempts[index][-1]
            is_current = last.number == number and index in self._context.state.live_local
            if owner in over and is_current:
                self._lose(index, last, Cause(CauseCode.DRIVER_JOB_ENDED, job=owner.slurm_job, node=last.node))

    def _sort(self, index: int, attempt: Attempt) -> None:
        """Decide about one step: it runs here, it is over, or only Slurm or the user knows."""
        context, name = self._context, attempt_name(index, attempt.number)
        starter = self._starter(attempt)
        here = context.host
        if context.local.is_running(name, attempt.job):
            if attempt.node != here:  # this host had another name
                started = ev.Started(at=time.time(), instance=index, attempt=attempt.number, job=attempt.job, node=here)
                context.emit(started)
            self._collector.adopt(index, attempt.number, attempt.job)
        elif attempt.node == here and not (starter and _was_restarted(starter)):
            self._collector.adopt(index, attempt.number, attempt.job)  # it has ended: so the collector finds
        elif attempt.node == here:
            self._lose(index, attempt, Cause(CauseCode.HOST_RESTARTED, node=attempt.node))
        elif starter and _is_this_machine(starter):
            self._collector.adopt(index, attempt.number, attempt.job)
        elif starter and starter.slurm_job:
            self._unseen[index] = attempt.number, starter

    def _starter(self, attempt: Attempt) -> Owner | None:
        """Return the driver that started a step; None if it cannot be read."""
        epoch = attempt.submission.partition("-")[0]
        return read_owner(self._context.directory.owner, int(epoch)) if epoch.isdecimal() else None

    def _lose(self, index: int, attempt: Attempt, cause: Cause) -> None:
        status, cause = (Status.CANCELLED, BY_COMMAND) if attempt.cancelled else (Status.LOST, cause)
        ended = ev.Ended(at=time.time(), instance=index, attempt=attempt.number, status=status, cause=cause)
        self._context.emit(ended)


def _was_restarted(owner: Owner) -> bool:
    """Whether this host was rebooted since then, or is another machine with that name."""
    now = boot_id()
    return bool(owner.boot and now) and owner.boot != now


def _is_this_machine(owner: Owner) -> bool:
    """Whether a driver ran on this machine under another name, where it saw the same processes."""
    return bool(owner.boot and owner.pids) and (owner.boot, owner.pids) == (boot_id(), pid_namespace())
