"""Follows the journal of a study on a separate thread, so that a slow file system never blocks the screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ...core.engine.events import Event
from ...core.engine.state import Impossible, StudyState
from ...core.errors import MtuiError, NewerVersion
from ...core.store.checkpoint import load_state
from ...core.store.journal_follower import JournalFollower
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_file import StudyFile
from .thread_start import start_thread

_LOOK_EVERY = 0.5  # seconds between two reads without a call of `wake`
_LOOK_LONGEST = 3.0  # the same if a read itself is slow
_GATHER = 0.1  # seconds over which events are collected: fewer updates save bandwidth, and no one would see more


class JournalFeed:
    """Reads the journal, then follows it. `deliver` is called on this thread when there is something to take.

    The state belongs to the caller that gets it from `take`; after that, this thread only passes on events.
    """

    def __init__(self, directory: StudyDirectory, study: StudyFile, deliver: Callable[[], None]) -> None:
        self._directory = directory
        self._study = study
        self._deliver = deliver
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._first: StudyState | None = None
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mtui-feed", daemon=True)
        self.read_at = 0.0  # monotonic; time of the last successful read
        self.problem = ""  # why the journal cannot be read
        self.failure: MtuiError | None = None  # that a newer mtui wrote it, which this one can never read

    def start(self) -> bool:
        """Start to read; return whether there is a thread for it. If not, `problem` is set, and it can be repeated."""
        self.problem = start_thread(self._thread)
        return not self.problem

    def stop(self) -> None:
        """Read once more, and end the thread."""
        self._ended.set()
        self._woken.set()
        if self._thread.ident:
            self._thread.join(_LOOK_LONGEST)

    def wake(self) -> None:
        """Read now, because something is new. May be called from any thread."""
        self._woken.set()

    def take_events(self) -> tuple[StudyState | None, list[Event]]:
        """Return the state that was read first, once, and the events since the last call."""
        with self._lock:
            first, events = self._first, self._events
            self._first, self._events = None, []
            return first, events

    def _run(self) -> None:
        follower: JournalFollower | None = None
        last = False
        while not last:
            last = self._ended.is_set()
            begun = time.monotonic()
            events: list[Event] = []
            problem = ""
            try:
                if follower is None:
                    first, read = load_state(self._directory, self._study)
                    follower = JournalFollower(self._directory.journal, read)
                    with self._lock:
                        self._first = first
                    self._deliver()
                else:
                    events = follower.new_events()
            except MtuiError as error:
                problem = error.message
                if isinstance(error, NewerVersion):
                    self.failure = error
            except Exception as error:  # a bug: the screen shows that updates stopped, and why
                problem = f"{type(error).__name__}: {error}"
            now = time.monotonic()
            if not problem:
                self.read_at = now
            if events or problem != self.problem:
                self.problem = problem
                with self._lock:
                    waiting = bool(self._events)
                    self._events += events
                if not waiting:
                    self._deliver()
            pause = min(_LOOK_LONGEST, max(_LOOK_EVERY, 10 * (now - begun)))
            if not last and self._woken.wait(pause):
                self._ended.wait(_GATHER)
                self._woken.clear()


def apply(state: StudyState, event: Event) -> None:
    """Apply an event; ignore one that does not fit, because the driver recorded that as an anomaly."""
    with suppress(Impossible):
        state.apply(event)
