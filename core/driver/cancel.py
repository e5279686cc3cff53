"""Cancels jobs: those of instances with a cancel request, and orphan jobs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial

from ..backends.backend import Backend, JobIdentity
from ..claims import attempt_name
from ..engine import events as ev
from ..engine.attempt import Attempt
from .context import DriverContext
from .effects import Effect
from .part import DriverPart

_TRY_AGAIN = 5.0  # seconds until a rejected scancel is repeated; doubled for each further rejection
_TRY_AGAIN_MOST = 60.0
_ORPHAN_TRIES = 6  # that Slurm could answer
_KILL_AFTER = 10.0  # seconds that a local step has between TERM and KILL


class Canceller(DriverPart):
    """The part of a driver that cancels. A request stays in the state until the backend has accepted it."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._thread = context.threads(1, "mtui-scancel")
        self._sending: dict[int, int] = {}  # instance -> attempt
        self._orphans: dict[JobIdentity, int] = {}  # jobs to cancel -> tries left
        self._orphans_due = 0.0
        self._orphans_again_after = _TRY_AGAIN
        self._closed_until = 0.0
        self._try_again_after = _TRY_AGAIN
        self._rejection = ""  # the last message, until a request is accepted
        self._kill_at: dict[int, float] = {}
        self._kept: set[str] = set()  # jobs that were orphans until their attempts were reopened
        context.log.subscribe(self._note)

    def due(self) -> float | None:
        times = list(self._kill_at.values())
        if self._open():
            times.append(self._closed_until)
        if self._may_cancel_orphans():
            times.append(self._orphans_due)
        return min(times, default=None)

    def step(self) -> None:
        """Send the open requests."""
        now = time.monotonic()
        if self._may_cancel_orphans() and now >= self._orphans_due:
            self._send_orphans()
        wanted = self._open() if now >= self._closed_until else []
        groups: list[tuple[Backend | None, list[int]]] = [
            (self._context.slurm, [index for index in wanted if self._last(index).in_queue]),
            (self._context.local, [index for index in wanted if not self._last(index).in_queue]),
        ]
        self._context.effects.perform(
            [self._effect(backend, members) for backend, members in groups if backend and members]
        )
        for index, deadline in list(self._kill_at.items()):
            if index not in self._context.state.live_local:
                del self._kill_at[index]
            elif now >= deadline:
                self._context.local.kill(self._identity(index))
                self._kill_at[index] = now + _KILL_AFTER

    def close(self) -> None:
        self._thread.shutdown()

    def cancel_orphans(self, jobs: Iterable[JobIdentity]) -> None:
        """Cancel orphan jobs in this turn, or the next; repeated a few times until Slurm accepts it."""
        orphans = dict.fromkeys(jobs, _ORPHAN_TRIES)
        if orphans and self._context.slurm:
            self._kept.difference_update(job.job for job in orphans)
            self._orphans.update(orphans)
            self._orphans_due, self._orphans_again_after = 0.0, _TRY_AGAIN

    def _note(self, event: ev.Event, _refused: Sequence[int]) -> None:
        """Keep the job of an attempt that was presumed lost, and is current again by its own late report."""
        if isinstance(event, ev.Reopened):
            self._kept.add(event.job)
            self._orphans = {job: tries for job, tries in self._orphans.items() if job.job != event.job}

    def _may_cancel_orphans(self) -> bool:
        """Whether orphan jobs can be cancelled: not before their dependents are withdrawn.

        Slurm would start what is bound to the end of a job (`afterany`) as soon as that is cancelled.
        """
        return bool(self._orphans) and not self._context.state.to_unbind

    def _send_orphans(self) -> None:
        assert self._context.slurm is not None
        slurm, jobs, context = self._context.slurm, list(self._orphans), self._context
        counted = not context.state.slurm_silent_since
        left = {job: tries - counted for job, tries in self._orphans.items() if tries > counted}
        self._orphans = {}

        def send() -> None:
            if slurm.cancel(jobs):
                context.post(lambda: self._try_again(left))

        self._thread.submit(send)

    def _try_again(self, left: dict[JobIdentity, int]) -> None:
        self._orphans = {**{job: tries for job, tries in left.items() if job.job not in self._kept}, **self._orphans}
        self._orphans_due = time.monotonic() + self._orphans_again_after
        self._orphans_again_after = min(2 * self._orphans_again_after, _TRY_AGAIN_MOST)

    def _open(self) -> list[int]:
        """Return instances with an unsent request; allocations/packed_cancel.py cancels those in allocations."""
        state = self._context.state
        ours = [(index, self._last(index)) for index in state.to_cancel if index not in state.live_packed]
        return [index for index, last in ours if last.job and self._sending.get(index) != last.number]

    def _last(self, index: int) -> Attempt:
        return self._context.state.attempts[index][-1]

    def _identity(self, index: int) -> JobIdentity:
        last = self._last(index)
        if last.in_queue:
            return self._context.job_of_attempt(last)
        return JobIdentity(last.job, attempt_name(index, last.number))

    def _effect(self, backend: Backend, members: list[int]) -> Effect[str]:
        attempts = {index: self._last(index).number for index in members}
        self._sending.update(attempts)
        jobs = [self._identity(index) for index in members]
        return Effect(
            "cancel",
            [],  # the intent is `cancel_requested`, which the command emitted
            act=partial(backend.cancel, jobs),
            apply_answer=lambda message: self._apply_answer(attempts, message),
            executor=self._thread if backend is self._context.slurm else None,
        )

    def _apply_answer(self, attempts: dict[int, int], message: str) -> None:
        for index, number in attempts.items():
            if self._sending.get(index) == number:
                del self._sending[index]
        members = [index for index, number in attempts.items() if self._last(index).number == number]
        now = time.monotonic()
        if message:
            self._closed_until = now + self._try_again_after
            self._try_again_after = min(2 * self._try_again_after, _TRY_AGAIN_MOST)
            if message != self._rejection:
                self._rejection = message
                self._context.emit(ev.CancelFailed(at=time.time(), message=message))
            return
        self._try_again_after, self._rejection = _TRY_AGAIN, ""
        self._context.emit(ev.CancelSent(at=time.time(), instances=tuple(members)))
        for index in members:
            if not self._last(index).in_queue:
                self._kill_at[index] = now + _KILL_AFTER
