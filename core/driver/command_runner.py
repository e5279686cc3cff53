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


class CommandRunner(DriverPart):
    """The part of a driver that carries out commands.

    `own` has the calls for commands to the driver itself: detach, stop, extend.
    """

    def __init__(self, context: DriverContext, own: Mapping[str, Callable[[], None]]) -> None:
        self._context = context
        self._own = own

    def step(self) -> None:
        """Carry out every pending command, in the order in which they were sent."""
        context = self._context
        for path in inbox.pending_commands(context.directory.inbox):
            request = inbox.read_command(path)
            if request is None:
                continue
            if isinstance(request, Refusal):
                message = f"a command was passed over, {path.name}: {request.message}"
                context.emit(ev.Anomaly(at=time.time(), message=message))
            else:
                events = apply_command(context.state, request, time.time())
                context.emit_all(events)
                if events and request.verb in self._own:  # a command carried out before is only archived
                    self._own[request.verb]()
            crash_point("command.journalled")
            context.log.sync()  # before it is archived: otherwise a crash would lose it
            crash_point("command.synced")
            inbox.remove_command(path)
            crash_point("command.put_away")
