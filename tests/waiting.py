"""Waiting for a condition: the only place where the tests let time pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.03


def wait_until(condition: Callable[[], T], seconds: float, what: str, *, interval: float = INTERVAL) -> T:
    """Check `condition` every `interval` seconds until it is true, and return its value.

    Raises TimeoutError, which names `what` is missing, after `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s still not so: {what}")
        pause.wait(interval)
    return answer
