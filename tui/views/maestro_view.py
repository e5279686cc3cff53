"""A study of Maestro in the app: reads its status, and replaces the driver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...core.driver.location import DriverLocation, NotKnown
from ...core.engine.events import Event
from ...core.engine.state import StudyState
from ...core.errors import MtuiError
from ...core.maestro import MaestroDirectory, read_maestro_study
from ...core.store.study_file import StudyFile
from .thread_start import start_thread

_LOOK_EVERY = 1.0  # seconds between two checks of status.csv


class MaestroFeed:
    """Reads status.csv when it has changed, like JournalFeed a journal; each time it delivers a new state."""

    def __init__(self, directory: MaestroDirectory, study: StudyFile, deliver: Callable[[], None]) -> None:
        self._directory = directory
        self._study = study
        self._deliver = deliver
        self._lock = threading.Lock()
        self._state: StudyState | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mtui-feed", daemon=True)
        self.read_at = 0.0
        self.problem = ""

    def start(self) -> bool:
        """Start to read; return whether there is a thread for it. If not, `problem` is set, and it can be repeated."""
        self.problem = start_thread(self._thread)
        return not self.problem

    def stop(self) -> None:
        self._ended.set()
        if self._thread.ident:
            self._thread.join(_LOOK_EVERY)

    def wake(self) -> None:
        """Do nothing: status.csv is checked at fixed intervals."""

    def take_events(self) -> tuple[StudyState | None, list[Event]]:
        with self._lock:
            state, self._state = self._state, None
            return state, []

    def _run(self) -> None:
        seen: tuple[int, int] | None = None
        while True:
            try:
                facts = self._directory.status_csv.stat()
                now = facts.st_mtime_ns, facts.st_size
                if now != seen:
                    _, state = read_maestro_study(self._directory, self._study)
                    with self._lock:
                        self._state = state
                    seen, self.problem = now, ""
                    self._deliver()
                self.read_at = time.monotonic()
            except (OSError, MtuiError) as error:
                if str(error) != self.problem:
                    self.problem = str(error)
                    self._deliver()
            if self._ended.wait(_LOOK_EVERY):
                return


class MaestroConductor:
    """Replaces DriverThread (driver_thread.py) for a study of Maestro, which mtui never drives."""

    def __init__(self, directory: MaestroDirectory) -> None:
        self._directory = directory
        self.location: DriverLocation = NotKnown()

    @property
    def words(self) -> str:
        try:
            ago = time.time() - self._directory.status_csv.stat().st_mtime
        except OSError:
            ago = 0.0
        return f"Maestro's study, read-only; it last wrote {_ago(ago)}"

    def start(self) -> bool:
        """Do nothing: only Maestro drives the study."""
        return True

    def drive(self) -> None:
        """Do nothing, as `start`."""

    detach = stay = drive

    def let_go(self, reason: str) -> None:
        del reason

    def join(self, seconds: float) -> bool:
        del seconds
        return True


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return "less than a minute ago"
