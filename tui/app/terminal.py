"""Ends the app on a signal, or when its terminal is gone.

Textual does not handle signals. If its terminal is gone while SIGHUP is ignored, it hangs forever: its writer thread
is dead, and the event loop waits for room in that thread's queue. The last resort is `os._exit`, on a thread that
does not depend on others.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
from collections.abc import Callable

_LOOK_EVERY = 2000  # milliseconds
_START_AGAIN = 1.0  # seconds between two tries to start a thread
_GRACE = 3.0  # seconds that the app has to exit
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)  # from others: Ctrl-C is a key in the app
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Guard:
    """Ends the app when it gets one of _SIGNALS, or when its terminal is gone.

    `leave` is called on the app's event loop with the signal number. `let_go` is called on a thread and returns when
    the study is handed over or released; the process is ended by force only after that and a grace period.
    """

    def __init__(self, leave: Callable[[int], None], let_go: Callable[[], None]) -> None:
        self._leave = leave
        self._let_go = let_go
        self._leaving = threading.Event()

    def install(self) -> None:
        """Install the signal handlers and the watch; must be called on the app's event loop.

        This also replaces an inherited SIG_IGN.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._end, number, loop)
        self._start(loop, "mtui-terminal", self._watch, loop)

    def end_as_lost(self) -> None:
        """End the app as if its terminal were gone; must be called on the app's event loop."""
        self._end(signal.SIGHUP, asyncio.get_running_loop())

    def _start(self, loop: asyncio.AbstractEventLoop, name: str, target: Callable[..., None], *words: object) -> None:
        """Start a thread; retry until one can be started."""
        try:
            threading.Thread(target=target, args=words, name=name, daemon=True).start()
        except RuntimeError:
            loop.call_soon_threadsafe(loop.call_later, _START_AGAIN, self._start, loop, name, target, *words)

    def _end(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        if self._leaving.is_set():
            return
        self._leaving.set()
        self._start(loop, "mtui-exit", self._force, number)
        loop.call_soon_threadsafe(self._leave, number)

    def _force(self, number: int) -> None:
        self._let_go()
        threading.Event().wait(_GRACE)
        os._exit(128 + number)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Notice that the terminal is gone without a signal (nohup, or a shell that ignores SIGHUP)."""
        poll = select.poll()
        poll.register(0, 0)
        while not self._leaving.is_set():
            if any(events & _GONE for _, events in poll.poll(_LOOK_EVERY)):
                self._end(signal.SIGHUP, loop)
                return
