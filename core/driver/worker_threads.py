"""Threads for blocking calls. A call is made even if its thread can be started only later."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Work = Callable[[], None]


class WorkerThreads:
    """At most `most` threads that make calls in the order of `submit`. For the loop thread only."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0  # calls that are queued or under way
        self._lock = threading.Lock()
        self.is_short = False  # a thread is missing: the user's limit of processes is reached

    def submit(self, call: Work) -> None:
        """Queue a call for a thread. The call handles its own errors."""
        with self._lock:
            self._unfinished += 1
        self._queue.put(call)
        self.start_missing()

    def start_missing(self) -> None:
        """Start another thread if all are busy."""
        with self._lock:
            is_needed = len(self._threads) < min(self._most, self._unfinished)
        self.is_short = False
        if is_needed:
            thread = threading.Thread(target=self._run, name=self._name)
            try:
                thread.start()
            except RuntimeError:
                self.is_short = not self._threads  # one thread is enough to make all calls eventually
            else:
                self._threads.append(thread)

    def shutdown(self) -> None:
        """Wait for the calls that were submitted, and end the threads. Calls without any thread are dropped."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            try:
                call()
            finally:
                with self._lock:
                    self._unfinished -= 1
