"""Cancels instances in allocations: unstarted ones directly, the others through their leader."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
        revoked: list[int] = []
        for index in [index for index in state.to_cancel if index in state.live_packed]:
            if state.status[index] in (Status.SUBMITTING, Status.UNCLEAR):
                continue  # soon it is known whether it was dispatched
            if self._revoke(index):
                revoked.append(index)
            else:
                by_leader.setdefault(state.attempts[index][-1].allocation, []).append(index)
        self._end(revoked)
        for name, members in by_leader.items():
            if append_to_list(context, name, cancel_text(last_attempt_name(state, index) for index in members)):
                context.emit(ev.CancelSent(at=time.time(), instances=tuple(members)))

    def _revoke(self, index: int) -> bool:
        """Revoke an unstarted instance; False if it has started, or its claim cannot be revoked."""
        state = self._context.state
        with suppress(OSError):  # disk full: its leader can end it
            name = attempt_name(index, state.attempts[index][-1].number)
            return state.status[index] in NOT_BEGUN and self._context.directory.claims.revoke(name)
        return False

    def _end(self, revoked: Sequence[int]) -> None:
        """End instances that can no longer start."""
        context, state = self._context, self._context.state
        if revoked:
            with suppress(OSError):  # they are revoked, unless the power fails now
                context.directory.claims.sync()
        for index in revoked:
            context.emit(
                ev.Ended(
                    at=time.time(),
                    instance=index,
                    attempt=state.attempts[index][-1].number,
                    status=Status.CANCELLED,
                    cause=BY_COMMAND,
                )
            )
