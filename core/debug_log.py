"""The debug log: with `MTUI_LOG=debug` in the environment, a driver logs why it decides what to `.mtui/debug.log`.

Loggers are those of the standard library, named after their modules, all below `mtui`. The `mtui` logger has a null
handler, so that Python's handler of last resort never prints to the terminal.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .file_reading import open_to_append

VARIABLE = "MTUI_LOG"
_LONGEST = 50_000_000  # bytes; a longer log is renamed to debug.log.1, replacing an older one
_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"

_all = logging.getLogger("mtui")
_all.addHandler(logging.NullHandler())


def get_logger(module: str) -> logging.Logger:
    """Return the logger of a module, by its `__name__`."""
    return logging.getLogger(module)


class ChangeLogger:
    """Logs reasons at level DEBUG, and only when they change: an idle driver logs nothing."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._last: dict[str, str] = {}

    @property
    def is_on(self) -> bool:
        """Whether level DEBUG is enabled; if not, callers need not compute reasons."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def report(self, subject: str, reason: str) -> None:
        """Log the reason for `subject` if it changed; an empty reason means that there is none any more."""
        if self.is_on and self._last.get(subject, "") != reason:
            self._last[subject] = reason
            self._logger.debug("%s: %s", subject, reason or "no longer")


class _DebugFile(logging.FileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; a file that has become too long is first renamed to debug.log.1."""
        super().emit(record)
        with suppress(OSError, ValueError):
            if self.stream is not None and self.stream.tell() > _LONGEST:
                self.stream.close()
                Path(self.baseFilename).replace(f"{self.baseFilename}.1")
                self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore errors: on a full disk, lines are lost and nothing is printed."""


@contextmanager
def open_debug_log(path: Path) -> Generator[None]:
    """Log to `path` inside the `with` block, if `MTUI_LOG` is `debug`. A file that cannot be opened is ignored."""
    handler = _open(path) if os.environ.get(VARIABLE, "").lower() == "debug" else None
    if handler is None:
        yield
        return
    before = _all.level
    _all.addHandler(handler)
    _all.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        _all.setLevel(before)
        _all.removeHandler(handler)
        with suppress(OSError):  # a full disk
            handler.close()


def _open(path: Path) -> logging.Handler | None:
    try:
        open_to_append(path).close()  # a FIFO would block
        handler = _DebugFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
    handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S"))
    return handler
