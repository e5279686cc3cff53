"""Keeps a study driven while this process lives: drives it on a thread, or watches the driver that it has.

The thread shares nothing with the screen: what it does stands in the journal, what it is asked comes through the
inbox. `helm` says who drives now.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ...core.backends.slurm import job_has_ended
from ...core.driver import BEGINS_ANEW, HANDED_OVER, Driver, Listener
from ...core.errors import MtuiError, StudyBusyError
from ...core.store import inbox
from ...core.store.journal import end_of_journal
from ...core.store.layout import StudyDirectory
from ...core.store.lease import Liveness, Owner, Standing, current_owner
from ...core.store.reader import read_study
from ...core.store.study_file import StudyFile, read_study_file
from ...core.study.events import Event
from ...core.study.state import StudyState
from .event_text import EventLines

_LOOK_EVERY = 0.5  # seconds between two looks at who drives
_ENDED = ("finished", "failed", "cancelled")


class At(Enum):
    """Where the driver is."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    NOWHERE = "nowhere"  # nobody drives, and this process is not to
    BROKEN = "broken"  # this process cannot drive


@dataclass(frozen=True, slots=True)
class Helm:
    """Who drives. `words` say who and since when, or why nobody does."""

    at: At
    words: str = ""
    quiet_for: float = 0.0  # seconds since the driver elsewhere gave a sign of life, as far as can be seen from here


class Driving:
    """The thread. `changed` is called on it whenever `helm` changes, `listener` with each event that it makes."""

    def __init__(
        self, directory: StudyDirectory, study: StudyFile, changed: Callable[[], None], listener: Callable[[], None]
    ) -> None:
        self._directory = directory
        self.study = study
        self._changed = changed
        self._listener = listener
        self._driver: Driver | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()  # let go and do not drive again
        self._asked = threading.Event()  # somebody wants this process to drive
        self._thread = threading.Thread(target=self._run, name="mtui-driver")
        self.helm = Helm(At.NOWHERE, "not known yet")
        self.outcome = ""  # how the last drive of this process ended
        self._gone: Owner | None = None  # a driver that was watched until it was dead

    # --- from any thread

    def start(self) -> None:
        self._asked.set()
        self._thread.start()

    def drive(self) -> None:
        """Drive if nobody does."""
        self._asked.set()

    def detach(self) -> None:
        """Hand over to a headless driver if this process drives, and end."""
        with self._lock:
            self._ended.set()
            if self._driver:
                self._driver.detach()

    def stay(self) -> None:
        """The hand-over came to nothing: go on."""
        self._ended.clear()

    def let_go(self, reason: str) -> None:
        """Let go of the study if this process drives, and end."""
        with self._lock:
            self._ended.set()
            if self._driver:
                self._driver.stop(reason)

    def join(self, seconds: float) -> bool:
        """Wait for the thread; whether it has ended."""
        if self._thread.ident:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    # --- the thread

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._turn()
            except MtuiError as error:
                self._tell(Helm(At.BROKEN, str(error)))
                self._asked.clear()
            except Exception as error:  # a bug of ours: the screen stays, and says so
                self._tell(Helm(At.BROKEN, f"a bug in mtui: {type(error).__name__}: {error}"))
                self._asked.clear()
            self._ended.wait(_LOOK_EVERY)

    def _turn(self) -> None:
        """Watch the driver that there is, then drive if somebody wants it and there is something to do."""
        owner = current_owner(self._directory.owner)
        if owner and self._watch(owner):
            return
        waiting = bool(inbox.waiting(self._directory.inbox))
        if self._ended.is_set() or not (self._asked.is_set() or waiting):
            return
        self._asked.clear()
        result, _ = end_of_journal(self._directory.journal)
        if result in _ENDED and not waiting:
            self._tell(Helm(At.NOWHERE, f"the study is over: {result}"))
            return
        self._drive()

    def _drive(self) -> None:
        gone, self._gone = self._gone, None
        words = successor_command(self._directory, self.study)
        driver = Driver(self._directory, self.study, _Told(self._directory.driver_log, self._listener), words)
        with self._lock:
            if self._ended.is_set():
                return
            self._driver = driver
        self._tell(Helm(At.HERE, "this process"))
        try:
            self.outcome = driver.run(gone=gone)
        except StudyBusyError:  # another was quicker: watch that one
            return
        finally:
            with self._lock:
                self._driver = None
        over = self.outcome in _ENDED
        self._tell(Helm(At.NOWHERE, f"the study is over: {self.outcome}" if over else driver.state.driver.stopped))

    def _watch(self, owner: Owner) -> bool:
        """Follow a driver until it is gone; false if it was not there to be followed."""
        liveness = Liveness(self._directory.owner, owner, job_ended=job_has_ended)
        watched = False
        while not self._ended.is_set():
            standing = liveness.standing()
            if standing is Standing.RELEASED:
                if watched:
                    self._after_release()
                return False
            if standing is Standing.DEAD:
                if watched:
                    self._asked.set()  # its work is left undone
                    self._gone = owner
                    self._read_again()
                return False
            watched = True
            self._asked.clear()  # it is driven
            quiet_for = liveness.last_sign_ago if standing is Standing.SILENT else liveness.quiet_for
            self._tell(Helm(At.ELSEWHERE, liveness.words, quiet_for))
            self._ended.wait(_LOOK_EVERY)
            newer = current_owner(self._directory.owner)
            if newer and newer.epoch != owner.epoch:
                return True
        return watched

    def _after_release(self) -> None:
        """A driver let go in order. If it handed over and nobody came, its study is to be driven on."""
        self._read_again()
        _, state = read_study(self._directory)
        if state.driver.stopped in (HANDED_OVER, BEGINS_ANEW):
            self._asked.set()
        else:
            over = f"the study is over: {state.result}" if state.result else f"it let go ({state.driver.stopped})"
            self._tell(Helm(At.NOWHERE, over))

    def _read_again(self) -> None:
        """Another drove it: it may have more rows by now."""
        self.study = replace(read_study_file(self._directory.study_file), settings=self.study.settings)

    def _tell(self, helm: Helm) -> None:
        if (helm.at, helm.words) != (self.helm.at, self.helm.words) or abs(helm.quiet_for - self.helm.quiet_for) > 5:
            self.helm = helm
            self._changed()


def successor_command(directory: StudyDirectory, study: StudyFile) -> tuple[str, ...]:
    """The command line of a headless driver that takes the study over."""
    inside = ("--in-allocation",) if study.settings.inside else ()
    return (sys.executable, "-m", "mtui.tui", "--no-ui", *inside, str(directory.root))


class _Told(Listener):
    """Writes the driver's log, and tells that something happened: what it was the screen reads in the journal."""

    def __init__(self, log: Path, tell: Callable[[], None]) -> None:
        self._log = log
        self._lines = EventLines(quiet=False, write=self._write)
        self._tell = tell

    def __call__(self, event: Event, state: StudyState) -> None:
        self._lines(event, state)
        self._tell()

    def _write(self, line: str) -> None:
        with suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
