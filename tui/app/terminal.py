"""The terminal as the app needs it: it may go away, or stall.

Textual leaves signals alone, and hangs for good once its terminal is gone while SIGHUP is ignored: its writer
thread has died, and the event loop waits for room in that thread's queue. So the last way out is `os._exit`, from
a thread that needs nobody's help.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
from collections.abc import Callable

_LOOK_EVERY = 2000  # milliseconds
_GRACE = 3.0  # seconds that the screen has to close by itself
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Guard:
    """Ends the app when it is told to or when its terminal is gone.

    `leave` is called on the app's loop, with the signal's number; `let_go` on a thread: it returns when the study
    is in other hands, and only then is the process ended by force if the app has not ended itself.
    """

    def __init__(self, leave: Callable[[int], None], let_go: Callable[[], None]) -> None:
        self._leave = leave
        self._let_go = let_go
        self._leaving = threading.Event()

    def install(self) -> None:
        """To be called on the app's loop, which takes over the signals; that also undoes an inherited SIG_IGN."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number, loop)
        threading.Thread(target=self._watch, args=(loop,), name="mtui-terminal", daemon=True).start()

    def _end(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        if self._leaving.is_set():
            return
        self._leaving.set()
        threading.Thread(target=self._force, args=(number,), name="mtui-exit", daemon=True).start()
        loop.call_soon_threadsafe(self._leave, number)

    def _force(self, number: int) -> None:
        self._let_go()
        threading.Event().wait(_GRACE)
        os._exit(128 + number)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Notice a terminal that went away without a signal (nohup, or a shell that ignores SIGHUP)."""
        poll = select.poll()
        poll.register(0, 0)
        while not self._leaving.is_set():
            if any(events & _GONE for _, events in poll.poll(_LOOK_EVERY)):
                self._end(signal.SIGHUP, loop)
                return
