"""The debug log: with `MTUI_LOG=debug` in its environment, a driver writes its reasons to `.mtui/debug.log`.

Loggers are those of the standard library, named after their modules. Every module gets its own from `get_logger`, so
that Python's handler of last resort never prints to the terminal.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

VARIABLE = "MTUI_LOG"
_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"

_all = logging.getLogger("mtui")
_all.addHandler(logging.NullHandler())


def get_logger(module: str) -> logging.Logger:
    """The logger of a module, by its `__name__`."""
    return logging.getLogger(module)


class ChangeLogger:
    """Logs the reasons for something at level debug, and only when they change: an idle driver logs nothing."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._last: dict[str, str] = {}

    @property
    def is_on(self) -> bool:
        """Whether the reasons are worth working out."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def report(self, subject: str, reason: str) -> None:
        """Log why `subject` is the case; an empty reason: it is not, or there is nothing to say of it."""
        if self.is_on and self._last.get(subject, "") != reason:
            self._last[subject] = reason
            self._logger.debug("%s: %s", subject, reason or "no longer")


class _DebugFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk loses lines of this log; nothing is printed."""


@contextmanager
def open_debug_log(path: Path) -> Generator[None]:
    """Write the log to `path` while this is open, if the environment asks for it."""
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
        handler = _DebugFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
    handler.setFormatter(logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S"))
    return handler
