"""The supervisor of the study that the app shows: it runs on a thread and writes its events to the driver's log.

The thread shares no state with the screen: the screen reads the driver's events in the journal and sends commands
through the inbox. `location` is where the driver runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from ...core.driver import Purpose, Supervisor, SupervisorListener
from ...core.driver.location import CannotDrive, DriverLocation, DriverReleased, NotKnown, StudyOver
from ...core.engine.events import DriverStarted, Event, IoErrorBegan, IoErrorEnded
from ...core.engine.state import StudyState
from ...core.file_reading import open_to_append
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_file import StudyFile
from .event_text import EventLines
from .io_error_text import io_error_lines
from .thread_start import start_thread


class DriverThread(SupervisorListener):
    """Runs the supervisor. On the thread, it calls `changed` when `location` changes and `listener` on each event."""

    def __init__(
        self, directory: StudyDirectory, study: StudyFile, changed: Callable[[], None], listener: Callable[[], None]
    ) -> None:
        self._log = directory.driver_log
        self._changed = changed
        self._listener = listener
        self._lines = EventLines(quiet=False, write=self._write)
        supervisor = Supervisor(directory, study, Purpose.ATTEND, self)
        self.drive, self.let_go = supervisor.drive, supervisor.stop
        self.detach, self.stay = supervisor.detach, supervisor.stay
        self._thread = threading.Thread(target=supervisor.run, name="mtui-driver")
        self.location: DriverLocation = NotKnown()
        self.io_errors: list[str] = []  # what the driver here cannot do, in words

    def start(self) -> bool:
        """Start to supervise; return whether there is a thread for it. If not, it can be repeated."""
        problem = start_thread(self._thread)
        if problem:
            self.location = CannotDrive(problem)
        return not problem

    def join(self, seconds: float) -> bool:
        """Wait for the thread; return whether it has ended."""
        if self._thread.ident:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    # --- on the thread

    def moved(self, location: DriverLocation, state: StudyState | None) -> None:
        del state
        self.location = location
        self._changed()

    def __call__(self, event: Event, state: StudyState) -> None:
        """Write the event to the driver's log; the screen reads it in the journal."""
        self._lines(event, state)
        if isinstance(event, (IoErrorBegan, IoErrorEnded, DriverStarted)):
            self.io_errors = io_error_lines(state)
            self._changed()  # the journal may be what cannot be written
        self._listener()

    def _write(self, line: str) -> None:
        with suppress(OSError), open_to_append(self._log) as log:
            log.write(f"{line}\n".encode("utf-8", "backslashreplace"))


def why_not_driven(location: NotKnown | StudyOver | DriverReleased | CannotDrive) -> str:
    """Return why there is no driver, as the app shows it."""
    match location:
        case NotKnown():
            return "not known yet"
        case StudyOver(result):
            return f"study {result}"
        case DriverReleased(reason, by_this_process):
            return reason if by_this_process else f"it stopped ({reason})"
        case CannotDrive(message, is_bug):
            return f"a bug in mtui: {message}" if is_bug else message
