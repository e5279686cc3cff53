"""Withdraws bound jobs from Slurm: those whose parents will not finish, and those that are held.

The driver revokes the attempt's claim. From then on its job can never run the script, whatever Slurm does with it, and
the instance is free for another attempt.
"""

from __future__ import annotations

import time
from itertools import chain, islice

from ..claims import attempt_name
from ..debug_log import get_logger
from ..engine import events as ev
from ..engine.causes import Cause, CauseCode
from ..engine.state import StudyState
from ..engine.status import Status
from .cancel import Canceller
from .context import DriverContext
from .crash_points import crash_point
from .part import DriverPart

_log = get_logger(__name__)

_AT_ONCE = 1000  # instances in one step, so that other parts are stepped in between
_PAUSE = 0.2  # seconds between two turns with work
_TRY_AGAIN = 5.0  # seconds until a failed revocation is repeated


class Withdrawer(DriverPart):
    """The part of a driver that withdraws bound instances."""

    def __init__(self, context: DriverContext, canceller: Canceller) -> None:
        self._context = context
        self._canceller = canceller
        self._closed_until = 0.0

    def due(self) -> float | None:
        if not (self._context.state.to_unbind or self._context.observer.never()):
            return None
        return max(self._closed_until, time.monotonic() + _PAUSE)  # what could be done now was done

    def step(self) -> None:
        """Withdraw what must be withdrawn."""
        context, now = self._context, time.monotonic()
        state = context.state
        if now < self._closed_until:
            return
        # Parents first: their dependents are then withdrawn because of a parent that failed.
        wanted = sorted(islice(chain(state.to_unbind, context.observer.never() - state.to_unbind.keys()), _AT_ONCE))
        taken: list[int] = []
        began: list[int] = []
        for index in wanted:
            context.log.renew()
            try:
                is_revoked = context.directory.claims.revoke(attempt_name(index, state.attempts[index][-1].number))
                (taken if is_revoked else began).append(index)
            except OSError as error:  # the others are withdrawn nevertheless
                self._put_off(error)
        try:
            if taken:
                context.directory.claims.sync()
        except OSError as error:  # the next try finds the revoked ones revoked
            self._put_off(error)
            taken = []
        if taken:
            crash_point("unbind.claimed")
            self._canceller.cancel_orphans(
                context.job_of_attempt(state.attempts[index][-1]) for index in taken if index in state.live_slurm
            )
            for index in taken:
                members = ((index, state.attempts[index][-1].number),)
                context.emit(ev.Unbound(at=time.time(), members=members, cause=_cause(state, index)))
            crash_point("unbind.journalled")
        for index in began:
            self._too_late(index)

    def _put_off(self, error: OSError) -> None:
        _log.warning("a claim cannot be revoked: %s", error)
        self._closed_until = time.monotonic() + _TRY_AGAIN

    def _too_late(self, index: int) -> None:
        """Handle a job that has started already.

        A held one keeps running, and so does one that misses rows: it is repeated afterwards. One whose parents failed
        is cancelled.
        """
        state, number = self._context.state, self._context.state.attempts[index][-1].number
        self._context.observer.note_began(index)
        if index in state.held:
            self._context.emit(ev.Released(at=time.time(), instance=index))
        if index in state.missed_rows and not state.failed_above(index):
            running = ev.Observed(at=time.time(), instance=index, attempt=number, status=Status.RUNNING)
            self._context.emit(running)
        elif index in state.to_unbind:
            self._context.emit(ev.CancelRequested(at=time.time(), instance=index))


def _cause(state: StudyState, index: int) -> Cause:
    if state.failed_above(index):
        code = CauseCode.PARENT_FAILED
    elif index in state.missed_rows:
        code = CauseCode.ROWS_ADDED
    else:
        code = CauseCode.HELD if index in state.held else CauseCode.PARENT_JOB_GONE
    return Cause(code, allocation=state.attempts[index][-1].allocation)
