"""Takes commands from the inbox and carries them out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ..errors import Refusal
from ..store import inbox
from ..study import events as ev
from ..study.commands import carry_out
from .drive import Drive
from .faults import point


class Orders:
    """The part of a driver that obeys. `own` is called for commands to the driver itself: detach, stop, extend."""

    def __init__(self, drive: Drive, own: Mapping[str, Callable[[], None]]) -> None:
        self._drive = drive
        self._own = own

    def turn(self) -> None:
        """Carry out every command that waits, in the order in which they were sent."""
        drive = self._drive
        for path in inbox.waiting(drive.directory.inbox):
            request = inbox.read(path)
            if request is None:
                continue
            if isinstance(request, Refusal):
                message = f"a command was passed over, {path.name}: {request.message}"
                drive.emit(ev.Anomaly(at=time.time(), message=message))
            else:
                events = carry_out(drive.state, request, time.time())
                drive.emit_all(events)
                if events and request.verb in self._own:  # one that was obeyed before is only put away
                    self._own[request.verb]()
            point("command.journalled")
            drive.sync()  # before it is put away: else a crash would lose it
            point("command.synced")
            inbox.put_away(path)
            point("command.put_away")
