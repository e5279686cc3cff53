"""Carries out the commands in the inbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ..engine import events as ev
from ..engine.commands import apply_command
from ..errors import Refusal
from ..store import inbox
from .context import DriverContext
from .crash_points import crash_point
from .part import DriverPart

_CARRY_OUT_FOR = 2.0  # seconds in one turn, so that the heartbeat and reports are not held up


class CommandRunner(DriverPart):
    """The part of a driver that carries out commands.

    `own` has the calls for commands to the driver itself: detach, stop, extend.
    """

    def __init__(self, context: DriverContext, own: Mapping[str, Callable[[], None]]) -> None:
        self._context = context
        self._own = own
        self.is_behind = False  # commands are left for the next turn

    def due(self) -> float | None:
        return 0.0 if self.is_behind else None

    def step(self) -> None:
        """Carry out the pending commands, oldest first; very many in several turns."""
        context, started = self._context, time.monotonic()
        self.is_behind = False
        for path in inbox.pending_commands(context.directory.inbox):
            if time.monotonic() - started >= _CARRY_OUT_FOR:
                self.is_behind = True
                return
            request = inbox.read_command(path)
            if request is None:
                continue
            if isinstance(request, Refusal):
                message = f"a command was ignored, {path.name}: {request.message}"
                context.emit(ev.Anomaly(at=time.time(), message=message))
            else:
                events = apply_command(context.state, request, time.time())
                context.emit_all(events)
                if events and request.verb in self._own:  # a command carried out before is only archived
                    self._own[request.verb]()
            crash_point("command.journalled")
            if not context.log.sync():  # before it is archived: otherwise a crash would lose it
                return
            crash_point("command.synced")
            inbox.remove_command(path)
            crash_point("command.put_away")
