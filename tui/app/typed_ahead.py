"""Queues keys that arrive faster than the app handles them, as over a slow connection.

Textual sends a key to the widget that has the focus when the key arrives. So the letters of a filter that is typed
right after `/` would be commands, and a `y` would answer a dialog that is not visible yet. Here a key waits until
everything that the previous key triggered is done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from textual.app import App
from textual.dom import DOMNode
from textual.events import Key

_DEADLINE = 0.3  # seconds for one widget to process its queue; a widget that hangs must not block the keys
_TURNS = 5  # passes of the event loop, in which a worker that a key has started begins


class TypedAhead:
    """Passes keys to an app one at a time. `give` is the app's handler of a key."""

    def __init__(self, app: App[None], give: Callable[[Key], Awaitable[None]]) -> None:
        self._app = app
        self._give = give
        self._waiting: deque[Key] = deque()
        self._task: asyncio.Task[None] | None = None

    async def handle_key(self, key: Key) -> None:
        """Handle a key now, or after the keys that are pending."""
        if self._task is not None and not self._task.done():
            self._waiting.append(key)
            return
        chain = self._chain()
        await self._give(key)
        self._task = asyncio.create_task(self._next_key(chain))

    async def _next_key(self, chain: list[DOMNode]) -> None:
        await self._settle(chain)
        while self._waiting:
            chain = self._chain()
            await self._give(self._waiting.popleft())
            await self._settle(chain)

    def _chain(self) -> list[DOMNode]:
        """Return the widgets that a key passes, from the focused one to the screen."""
        screen = self._app.screen
        return [node for node in (screen.focused or screen).ancestors_with_self if node is not self._app]

    async def _settle(self, chain: list[DOMNode]) -> None:
        for node in chain:
            await _done(node.call_later)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await _done(self._app.call_later)
        await _done(self._app.screen.call_after_refresh)


async def _done(schedule: Callable[[Callable[[], None]], bool]) -> None:
    """Wait until a widget has processed a call that is appended to its queue now."""
    reached = asyncio.Event()
    with suppress(asyncio.TimeoutError):
        if schedule(reached.set):
            await asyncio.wait_for(reached.wait(), _DEADLINE)
