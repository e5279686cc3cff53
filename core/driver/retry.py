"""Retries failed instances by the study's rules (engine/retry_policy.py), and repeats those that missed rows."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..engine import events as ev
from ..engine.commands import check_changes
from ..engine.retry_policy import decide_retry, launch_delay
from ..engine.status import UNSUCCESSFUL, Status
from .context import DriverContext
from .crash_points import crash_point
from .hooks import HookRunner
from .part import DriverPart


class Retrier(DriverPart):
    """The part of a driver that decides on retries: once for each failure, and for all of them when a driver starts."""

    def __init__(self, context: DriverContext, hooks: HookRunner) -> None:
        self._context = context
        self._hooks = hooks
        self._failed = self._unsuccessful()  # instances to decide on
        self._repeat = self._missed_rows()  # finished, but without rows that were added since
        context.log.subscribe(self._note)

    def step(self) -> None:
        """Decide about the failures since the last step."""
        context, state = self._context, self._context.state
        self._repeat_without_rows()
        failed, self._failed = self._failed, []
        for index in failed:
            again = decide_retry(state, index, context.tries, time.time())
            refusal = check_changes(state, [index], dict(again.changes)) if again else None
            if again and not refusal:
                crash_point("retry.judged")
                context.emit(again)
                crash_point("retry.journalled")
                if delay := launch_delay(state.attempts[index]):
                    context.delayed.delay(index, delay)
                continue
            if refusal:
                name = state.plan.instances[index].name
                context.emit(ev.Anomaly(at=time.time(), message=f"{name} cannot be retried: {refusal.message}"))
            self._hooks.failed(index)

    def _repeat_without_rows(self) -> None:
        """Repeat what finished without rows that were added since; dependents first, as a command does."""
        repeat, self._repeat = self._repeat, []
        for index in sorted(repeat, reverse=True):
            crash_point("retry.judged")
            self._context.emit(ev.Retried(at=time.time(), instance=index))
            crash_point("retry.journalled")

    def _note(self, event: ev.Event, refused: Sequence[int]) -> None:
        self._failed += refused
        match event:
            case ev.Ended() if event.instance in self._context.state.missed_rows:
                self._repeat.append(event.instance)
            case ev.PlanExtended():
                self._repeat = self._missed_rows()
            case ev.Ended() if event.status is not Status.FINISHED:
                self._failed.append(event.instance)
            case ev.SettingsChanged():
                self._failed = self._unsuccessful()
            case _:
                pass

    def _missed_rows(self) -> list[int]:
        state = self._context.state
        return [index for index in state.missed_rows if state.status[index] is Status.FINISHED]

    def _unsuccessful(self) -> list[int]:
        return [index for index, status in enumerate(self._context.state.status) if status in UNSUCCESSFUL]
