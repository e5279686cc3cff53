"""Reads the end of a file on a new thread each time, so that a hanging file system blocks neither screen nor exit."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...views.file_tail import FileTail

_LATE = 3.0  # seconds after which a read without an answer is reported


class LogReader:
    """Reads one file at a time. Everything except `deliver` is called on the app's thread."""

    def __init__(self, deliver: Callable[[FileTail, bool], object]) -> None:
        """`deliver` is called on the reading thread, with the tail and whether it changed."""
        self.tail: FileTail | None = None
        self.has_answer = False  # whether the tail was read at least once
        self.begun_at: float | None = None  # monotonic; the start of the read in progress
        self._deliver = deliver

    @property
    def path(self) -> Path | None:
        return self.tail.path if self.tail else None

    @property
    def is_reading(self) -> bool:
        return self.begun_at is not None

    @property
    def is_late(self) -> bool:
        return self.begun_at is not None and time.monotonic() - self.begun_at > _LATE

    def open(self, path: Path | None) -> None:
        """Switch to another file; a read of the previous one that is in progress is ignored."""
        self.tail = FileTail(path) if path is not None else None
        self.begun_at = None
        self.has_answer = False

    def start(self) -> None:
        """Start a read of the tail."""
        # In a copy of this context the thread knows its app.
        run = contextvars.copy_context().run
        with suppress(RuntimeError):  # no more threads can be started: the next call tries again
            threading.Thread(target=run, args=(self._poll, self.tail), name="log", daemon=True).start()
            self.begun_at = time.monotonic()

    def finish(self, tail: FileTail) -> bool:
        """Note that a tail was delivered; return whether it is the current one."""
        if tail is not self.tail:
            return False
        self.begun_at = None
        return True

    def _poll(self, tail: FileTail) -> None:
        changed = tail.poll()
        with suppress(RuntimeError):  # the app has ended
            self._deliver(tail, changed)
