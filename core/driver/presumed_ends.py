"""Makes ends true that follow from missing answers: a job that Slurm does not show may still begin.

The driver revokes the claim of the attempt, so that its job can never run the script, and cancels the job. Only then
the attempt is over. If a job has the claim already, it did begin: the attempt is running.
"""

from __future__ import annotations

import time

from ..claims import attempt_name
from ..debug_log import get_logger
from ..engine import events as ev
from ..engine.attempt import Attempt
from .cancel import Canceller
from .context import DriverContext
from .part import DriverPart

_log = get_logger(__name__)


class PresumedEnds(DriverPart):
    """The part of a driver that makes presumed ends true, or finds that the job has begun."""

    def __init__(self, context: DriverContext, canceller: Canceller) -> None:
        self._context = context
        self._canceller = canceller

    def step(self) -> None:
        """Take the claims of all attempts that are presumed over. One that cannot be taken now is presumed again."""
        claims, revoked = self._context.directory.claims, dict[str, bool]()
        ends = [end for end in self._context.observer.take_presumed_ends() if self._is_current(end)]
        for end in ends:
            self._context.log.renew()
            name = attempt_name(end.instance, end.attempt)
            try:
                revoked[name] = claims.revoke(name)
            except OSError as error:
                _log.warning("a claim cannot be revoked: %s", error)
        try:
            if revoked:
                claims.sync()
        except OSError as error:
            _log.warning("revoked claims cannot be synced: %s", error)
            return
        for end in ends:
            name = attempt_name(end.instance, end.attempt)
            if name in revoked and self._is_current(end):
                self._conclude(end, revoked[name])

    def _is_current(self, end: ev.Ended) -> bool:
        last = self._context.state.attempts[end.instance][-1]
        return last.number == end.attempt and not last.ended_at

    def _conclude(self, end: ev.Ended, is_revoked: bool) -> None:
        """End an attempt whose claim was tried to be revoked, or record that its job has begun."""
        last = self._context.state.attempts[end.instance][-1]
        if is_revoked or last.started_at:
            self._canceller.cancel_orphans([self._context.job_of_attempt(last)] if last.job else [])
            self._context.emit(end)
        else:
            owner = self._context.directory.claims.owner(attempt_name(end.instance, end.attempt))
            self._began(end, last, owner)

    def _began(self, end: ev.Ended, last: Attempt, owner: str) -> None:
        """Record that a job has the claim, though its report of the start is missing."""
        at = time.time()
        job = owner or last.job
        self._context.emit(ev.Started(at=at, instance=end.instance, attempt=end.attempt, job=job, node=""))
        if last.cancelled:  # the request was sent to a job that Slurm did not show
            self._context.emit(ev.CancelRequested(at=at, instance=end.instance))
