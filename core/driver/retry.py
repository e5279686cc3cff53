"""Lets instances that failed run again by themselves, as the study's rules say (study/again.py)."""

from __future__ import annotations

import time

from ..study import events as ev
from ..study.again import try_again
from ..study.commands import change_problem
from .context import DriverContext
from .crash_points import crash_point
from .hooks import HookRunner


class Retrier:
    """The part of a driver that judges failures: each once, and all of them when a driver begins."""

    def __init__(self, context: DriverContext, hooks: HookRunner) -> None:
        self._context = context
        self._hooks = hooks

    def turn(self) -> None:
        """Look at what has failed since the last turn."""
        context, state = self._context, self._context.state
        for index in context.take_failed():
            again = try_again(state, index, context.tries, time.time())
            problem = change_problem(state, [index], dict(again.changes))[0] if again else ""
            if again and not problem:
                crash_point("retry.judged")
                context.emit(again)
                crash_point("retry.journalled")
                continue
            if problem:
                name = state.plan.instances[index].name
                context.emit(ev.Anomaly(at=time.time(), message=f"{name} cannot be tried again: {problem}"))
            self._hooks.failed(index)
