"""Lets instances that failed run again by themselves, as the study's rules say (study/again.py)."""

from __future__ import annotations

import time

from ..study import events as ev
from ..study.again import try_again
from ..study.commands import check_changes
from .drive import Drive
from .faults import point
from .hooks import Hooks


class Retrying:
    """The part of a driver that judges failures: each once, and all of them when a driver begins."""

    def __init__(self, drive: Drive, hooks: Hooks) -> None:
        self._drive = drive
        self._hooks = hooks

    def turn(self) -> None:
        """Look at what has failed since the last turn."""
        drive, state = self._drive, self._drive.state
        for index in drive.take_failed():
            again = try_again(state, index, drive.tries, time.time())
            refusal = check_changes(state, [index], dict(again.changes)) if again else None
            if again and not refusal:
                point("retry.judged")
                drive.emit(again)
                point("retry.journalled")
                continue
            if refusal:
                name = state.plan.instances[index].name
                drive.emit(ev.Anomaly(at=time.time(), message=f"{name} cannot be tried again: {refusal.message}"))
            self._hooks.failed(index)
