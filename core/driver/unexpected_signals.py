"""Signals without a meaning for a driver do not end it: a warning of Slurm (--signal), a timer, a mistaken kill."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

# All that would end a process and neither report a fault of it nor request its end.
_UNEXPECTED = (
    *("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGPIPE", "SIGIO", "SIGPWR", "SIGSTKFLT", "SIGXCPU"),
    "SIGXFSZ",
)


@contextmanager
def surviving_signals(note: Callable[[str], None]) -> Generator[None]:
    """Survive unexpected signals inside the `with` block, and `note` the first of each kind. For the main thread.

    Handlers of Python are not inherited by programs that the driver starts, unlike ignored signals.
    """
    noted: set[int] = set()

    def survive(number: int, frame: FrameType | None) -> None:
        del frame
        if number not in noted:
            noted.add(number)
            note(f"signal {_name(number)} was received and ignored")

    numbers = [getattr(signal, name) for name in _UNEXPECTED if hasattr(signal, name)]
    numbers += range(signal.SIGRTMIN, signal.SIGRTMAX + 1)
    previous = {
        number: signal.signal(number, survive) for number in numbers if signal.getsignal(number) == signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)
