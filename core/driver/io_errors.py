"""What a driver cannot read or write at present, and when it tries again.

The one place for delays after errors of the file system, of processes and threads: a part that meets such an error
reports it here, everything else continues. Each failure is recorded once, when it begins, and once when it is over.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..debug_log import get_logger
from ..engine import events as ev
from ..errors import error_path

_log = get_logger(__name__)

FIRST_DELAY = 1.0  # seconds
LONGEST_DELAY = 60.0


def no_thread() -> OSError:
    """Return the error of a thread that cannot be started: Python has none that names the limit."""
    return OSError(errno.EAGAIN, "no thread can be started")


@dataclass(slots=True)
class Backoff:
    """The delays between the tries of one operation, in seconds: each is twice the previous one, up to `most`."""

    first: float = 0.0  # FIRST_DELAY if 0
    most: float = LONGEST_DELAY
    _next: float = 0.0

    def next(self) -> float:
        """Return the delay after a further failure."""
        delay = self._next or self.first or FIRST_DELAY
        self._next = min(2 * delay, self.most)
        return delay

    def reset(self) -> None:
        """Begin with the first delay again, after a success."""
        self._next = 0.0


@dataclass(slots=True)
class _Failure:
    backoff: Backoff
    until: float  # monotonic


class IoErrors:
    """The present errors of one driver, by what cannot be done. For the loop thread only."""

    def __init__(self, emit: Callable[[ev.Event], None]) -> None:
        self._emit = emit
        self._failing: dict[str, _Failure] = {}

    def failed(self, what: str, error: OSError, path: object = "", *, most: float = LONGEST_DELAY) -> None:
        """Record that `what` failed; it is tried again after a delay of at most `most` seconds."""
        failure = self._failing.get(what)
        if failure is None:
            failure = self._failing[what] = _Failure(Backoff(most=most), 0.0)
            code = errno.errorcode.get(error.errno or 0, "")
            message = error.strerror or str(error)
            where = error_path(error) or str(path)
            self._emit(ev.IoErrorBegan(at=time.time(), what=what, path=where, message=message, code=code))
        failure.until = time.monotonic() + failure.backoff.next()
        _log.debug("%s failed: %s", what, error)

    def worked(self, what: str) -> None:
        """Record that `what` succeeded."""
        if self._failing and self._failing.pop(what, None):
            self._emit(ev.IoErrorEnded(at=time.time(), what=what))

    def is_failing(self, what: str) -> bool:
        return what in self._failing

    def until(self, what: str) -> float:
        """Return when to try `what` again, in monotonic seconds; 0 if it does not fail."""
        failure = self._failing.get(what)
        return failure.until if failure else 0.0


class DelayedInstances:
    """Instances whose files could not be written, or whose jobs could not be launched, for a reason that may pass.

    Each has its own delay.
    """

    def __init__(self) -> None:
        self._failures: dict[int, _Failure] = {}

    def delay(self, index: int, at_least: float = 0.0) -> None:
        """Delay the next start of an instance, longer each time; by `at_least` so many seconds."""
        failure = self._failures.setdefault(index, _Failure(Backoff(), 0.0))
        failure.until = time.monotonic() + max(at_least, failure.backoff.next())

    def forget(self, index: int) -> None:
        """Drop the delay of an instance: its files are written."""
        self._failures.pop(index, None)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._failures))

    def now(self) -> set[int]:
        """Return the instances that must not be started yet."""
        now = time.monotonic()
        return {index for index, failure in self._failures.items() if now < failure.until}

    def due(self) -> float | None:
        """Return when the next of them may be started, in monotonic seconds."""
        now = time.monotonic()
        return min((failure.until for failure in self._failures.values() if failure.until > now), default=None)
