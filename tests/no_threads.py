"""A machine on which no thread can be started: the user's limit of processes is reached."""

from __future__ import annotations

import threading

import pytest


class NoThreads:
    """Threads cannot be started, until `allow`. Running ones continue."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self._real = threading.Thread.start
        self.refused = 0  # threads so far
        self.refuse()

    def refuse(self) -> None:
        self.allow_only(0)

    def allow_only(self, count: int) -> None:
        """Let only so many threads be started."""
        left = iter(range(count))

        def start(thread: threading.Thread) -> None:
            if next(left, None) is None:
                self.refused += 1
                raise RuntimeError("can't start new thread")
            self._real(thread)

        self._patch.setattr(threading.Thread, "start", start)

    def allow(self) -> None:
        self._patch.setattr(threading.Thread, "start", self._real)
