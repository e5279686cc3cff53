"""Starts the threads of the app; a user's limit of processes delays them."""

from __future__ import annotations

import threading


def start_thread(thread: threading.Thread) -> str:
    """Start a thread; return why that is not possible now, empty if it was started."""
    try:
        thread.start()
    except RuntimeError:
        return "no thread can be started (ulimit -u shows the limit); mtui tries again"
    return ""
