"""Waiting for a condition: the only place where the tests let time pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.03


def wait_until(condition: Callable[[], T], seconds: float, what: str) -> T:
    """Ask `condition` until it is true and return its answer; after `seconds`, say `what` lacks."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s still not so: {what}")
        pause.wait(INTERVAL)
    return answer
