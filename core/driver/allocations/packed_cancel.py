"""Cancels instances in allocations: unstarted ones directly, the others through their leader."""

from __future__ import annotations

import time
from contextlib import suppress

from ...claims import attempt_name
from ...engine import events as ev
from ...engine.causes import BY_COMMAND
from ...engine.status import Status
from ...packing.protocol import cancel_text
from ..context import DriverContext
from ..part import DriverPart
from .members import NOT_BEGUN, append_to_list, last_attempt_name


class PackedCanceller(DriverPart):
    """The part of a driver that cancels instances in allocations."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context

    def step(self) -> None:
        """Send the open requests."""
        context, state = self._context, self._context.state
        by_leader: dict[str, list[int]] = {}
        for index in [index for index in state.to_cancel if index in state.live_packed]:
            if state.status[index] in (Status.SUBMITTING, Status.UNCLEAR):
                continue  # soon it is known whether it was dispatched
            if not self._cancel_before_start(index):
                by_leader.setdefault(state.attempts[index][-1].allocation, []).append(index)
        for name, members in by_leader.items():
            if append_to_list(context, name, cancel_text(last_attempt_name(state, index) for index in members)):
                context.emit(ev.CancelSent(at=time.time(), instances=tuple(members)))

    def _cancel_before_start(self, index: int) -> bool:
        """End an unstarted instance; False if it has started, or its claim cannot be revoked."""
        context, state = self._context, self._context.state
        number = state.attempts[index][-1].number
        with suppress(OSError):  # disk full: its leader can end it
            if state.status[index] in NOT_BEGUN and context.directory.claims.revoke(attempt_name(index, number)):
                context.emit(
                    ev.Ended(
                        at=time.time(),
                        instance=index,
                        attempt=number,
                        status=Status.CANCELLED,
                        cause=BY_COMMAND,
                    )
                )
                return True
        return False
