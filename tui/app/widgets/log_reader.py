"""Reads the end of a file on a new thread each time: a file system that hangs blocks neither screen nor exit."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...views.file_tail import FileTail

_LATE = 3.0  # seconds without an answer until that is shown


class LogReader:
    """Reads one file at a time. Everything but `deliver` is called on the app's thread."""

    def __init__(self, deliver: Callable[[FileTail, bool], object]) -> None:
        """`deliver` is called on the thread that has read, with the tail, and whether it changed."""
        self.tail: FileTail | None = None
        self.has_answer = False  # whether the tail was read at least once
        self.begun_at: float | None = None  # monotonic, of the read under way
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
        """Read another file from now on; what is still read of the earlier one counts no longer."""
        self.tail = FileTail(path) if path is not None else None
        self.begun_at = None
        self.has_answer = False

    def start(self) -> None:
        """Begin to read the tail."""
        # In a copy of this context the thread knows which app it belongs to.
        run = contextvars.copy_context().run
        with suppress(RuntimeError):  # if no more threads can be started now, the next attempt may be luckier
            threading.Thread(target=run, args=(self._poll, self.tail), name="log", daemon=True).start()
            self.begun_at = time.monotonic()

    def finish(self, tail: FileTail) -> bool:
        """A tail was delivered; whether it is the current one."""
        if tail is not self.tail:
            return False
        self.begun_at = None
        return True

    def _poll(self, tail: FileTail) -> None:
        changed = tail.poll()
        with suppress(RuntimeError):  # the app has ended meanwhile
            self._deliver(tail, changed)
