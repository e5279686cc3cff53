"""Makes ends true that follow from missing answers: a job that Slurm does not show may still begin.

The driver revokes the claim of the attempt, so that its job can never run the script, and cancels the job. Only then
the attempt is over. If a job has the claim already, it did begin: the attempt is running.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

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
        claims, revoked, taken = self._context.directory.claims, list[ev.Ended](), list[ev.Ended]()
        for end in self._context.observer.take_presumed_ends():
            self._context.log.renew()
            last = self._last(end)
            if last.number != end.attempt or last.ended_at:
                continue
            try:
                is_revoked = claims.revoke(attempt_name(end.instance, end.attempt))
            except OSError as error:
                _log.warning("a claim cannot be revoked: %s", error)
            else:
                (revoked if is_revoked else taken).append(end)
        self._sync_and_end(revoked)
        for end in taken:
            last = self._last(end)
            if last.started_at:
                self._end(end)
            else:
                self._began(end, last, claims.owner(attempt_name(end.instance, end.attempt)))

    def _last(self, end: ev.Ended) -> Attempt:
        return self._context.state.attempts[end.instance][-1]

    def _sync_and_end(self, revoked: Sequence[ev.Ended]) -> None:
        """End attempts of which the driver has the claim, once the claims are on the disk: one sync for all."""
        try:
            if revoked:
                self._context.directory.claims.sync()
        except OSError as error:
            _log.warning("revoked claims are not on the disk: %s", error)
            return
        for end in revoked:
            self._end(end)

    def _end(self, end: ev.Ended) -> None:
        last = self._last(end)
        if last.job:
            self._canceller.cancel_orphans([self._context.job_of(last.job, last.submission)])
        self._context.emit(end)

    def _began(self, end: ev.Ended, last: Attempt, owner: str) -> None:
        """Record that a job has the claim, though its report of the start is missing."""
        at = time.time()
        job = owner or last.job
        self._context.emit(ev.Started(at=at, instance=end.instance, attempt=end.attempt, job=job, node=""))
        if last.cancelled:  # the request was sent to a job that Slurm did not show
            self._context.emit(ev.CancelRequested(at=at, instance=end.instance))
