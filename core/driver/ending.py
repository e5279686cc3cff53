"""Ends jobs: those that somebody asked to cancel, and strays that must not run."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ..backends.base import Backend
from ..study import events as ev
from .drive import Drive
from .effects import Effect

_TRY_AGAIN = 5.0  # seconds after a scancel that was not taken
_KILL_AFTER = 10.0  # seconds that a local step has between TERM and KILL


class Ending:
    """The part of a driver that cancels. A request stays in the state until the backend has taken it."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._thread = ThreadPoolExecutor(1, "mtui-scancel")
        self._sending: set[int] = set()
        self._closed_until = 0.0
        self._kill_at: dict[int, float] = {}

    def due(self) -> float | None:
        times = list(self._kill_at.values())
        if self._open():
            times.append(self._closed_until)
        return min(times, default=None)

    def turn(self) -> None:
        """Send what has to be sent."""
        now = time.monotonic()
        wanted = self._open() if now >= self._closed_until else []
        groups: list[tuple[Backend | None, list[int]]] = [
            (self._drive.slurm, [index for index in wanted if self._backend(index) == "slurm"]),
            (self._drive.local, [index for index in wanted if self._backend(index) == "local"]),
        ]
        self._drive.effects.perform(
            [self._effect(backend, members) for backend, members in groups if backend and members]
        )
        for index, deadline in list(self._kill_at.items()):
            if index not in self._drive.state.live_local:
                del self._kill_at[index]
            elif now >= deadline:
                self._drive.local.kill(self._drive.state.attempts[index][-1].job)
                self._kill_at[index] = now + _KILL_AFTER

    def stop(self) -> None:
        self._thread.shutdown(wait=True)

    def end_strays(self, jobs: list[str]) -> None:
        """Cancel jobs that lost their claim or whose instance is over. Nothing hangs on the answer."""
        if jobs and self._drive.slurm:
            self._thread.submit(self._drive.slurm.cancel, jobs)

    def _open(self) -> list[int]:
        """Instances whose jobs are still to be told; those in allocations are not this part's business."""
        state = self._drive.state
        ours = (index for index in state.to_cancel if index not in state.live_packed and index not in self._sending)
        return [index for index in ours if state.attempts[index][-1].job]

    def _backend(self, index: int) -> str:
        return self._drive.state.attempts[index][-1].backend

    def _effect(self, backend: Backend, members: list[int]) -> Effect[str]:
        self._sending.update(members)
        jobs = [self._drive.state.attempts[index][-1].job for index in members]
        return Effect(
            "cancel",
            [],  # the intent is `cancel_requested`, which the command left
            act=partial(backend.cancel, jobs),
            take=lambda message: self._taken(members, message),
            executor=self._thread if backend is self._drive.slurm else None,
        )

    def _taken(self, members: list[int], message: str) -> None:
        self._sending.difference_update(members)
        now = time.monotonic()
        if message:
            self._closed_until = now + _TRY_AGAIN
            self._drive.emit(ev.CancelFailed(at=time.time(), message=message))
            return
        self._drive.emit(ev.CancelSent(at=time.time(), instances=tuple(members)))
        for index in members:
            if self._backend(index) == "local":
                self._kill_at[index] = now + _KILL_AFTER
