"""The single writer of a study: applies events to the state, appends them to the journal, writes the checkpoint.

The state may be ahead of the journal's file, but nothing is done because of that: what an event announces is done by
`when_durable`, which waits while the journal cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ..debug_log import get_logger
from ..engine import events as ev
from ..engine.state import Impossible, StudyState
from ..store.checkpoint import load_state, read_further, write_checkpoint
from ..store.journal import Journal
from ..store.study_directory import StudyDirectory
from ..store.study_file import StudyFile

_log = get_logger(__name__)

_RENEW_EVERY = 500  # events between two checks of the lease, while a part emits very many


class Listener(Protocol):
    """Is called with every event after it was applied, on the loop thread."""

    def __call__(self, event: ev.Event, state: StudyState) -> None: ...


class Subscriber(Protocol):
    """A part of the driver that follows events. `refused` are the instances of a refused submission, else empty."""

    def __call__(self, event: ev.Event, refused: Sequence[int], /) -> None: ...


class EventLog:
    """State and journal of one study, for the driver of one epoch. For the loop thread only."""

    def __init__(
        self,
        directory: StudyDirectory,
        study: StudyFile,
        epoch: int,
        listener: Listener,
        loaded: tuple[StudyState, dict[str, int]] | None = None,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        """Read the study and open the journal's segment of `epoch`. Raises StudyDirectoryError.

        `loaded` is what `load_state` returned before this driver took the lease, if anything. `may_act` returns
        whether the lease certainly holds.
        """
        self.state, self._read = loaded or load_state(directory, study)
        read_further(directory, self.state, self._read)
        self.count = 0  # events so far
        self._directory = directory
        self._study = study
        self._listener = listener
        self._subscribers: list[Subscriber] = []
        self.renew: Callable[[], object] = lambda: None  # renews the lease if that is due; called during long work
        self._journal = Journal(directory.journal, epoch)
        self._checkpoint_due = 0  # bytes of the journal's segment
        self._may_act = may_act
        self._waiting: list[Callable[[], None]] = []  # what may be done once the journal is on the disk
        self.error: OSError | None = None  # why the journal cannot be written
        self.checkpoint_error: OSError | None = None  # why the last checkpoint could not be written
        # Events since the last checkpoint; without one, at least one for each attempt.
        self._unsaved = 0 if directory.checkpoint.exists() else len(self.state.attempts)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with each event, in the order of subscription and before the listener."""
        self._subscribers.append(subscriber)

    def emit(self, event: ev.Event) -> None:
        """Apply an event and append it to the journal; one that is impossible is written as an anomaly."""
        refused: list[int] = []
        if isinstance(event, ev.SubmitRefused):  # the state drops a submission when it is refused
            refused = [index for index, _ in self.state.submissions.get(event.submission, ())]
        try:
            self.state.apply(event)
        except Impossible as error:
            event = ev.Anomaly(at=event.at, message=f"{event.kind}: {error}")
            self.state.apply(event)
        self._journal.append(event)
        if self._journal.is_long and self.error is None:
            self.flush()
        self.count += 1
        self._unsaved += 1
        for subscriber in self._subscribers:
            subscriber(event, refused)
        try:
            self._listener(event, self.state)
        except OSError as error:  # its output cannot be written
            _log.warning("an event cannot be shown: %s", error)
        if self.count % _RENEW_EVERY == 0:
            self.renew()

    def emit_all(self, events: Iterable[ev.Event]) -> None:
        for event in events:
            self.emit(event)

    def when_durable(self, call: Callable[[], None]) -> None:
        """Make a call once all events so far are on the disk: at once, or later if the journal cannot be written now.

        Calls are made in the order of the requests. If this driver ends before, they are not made.
        """
        if not self._waiting and self._may_act() and self.sync():
            call()
        else:
            self._waiting.append(call)

    @property
    def is_waiting(self) -> bool:
        """Whether a call of `when_durable` waits."""
        return bool(self._waiting)

    def catch_up(self) -> bool:
        """Try again to write the journal, and make the calls that wait for it. Return whether all were made."""
        has_failed, self.error = self.error is not None, None
        if (self._waiting or has_failed) and not self.sync():
            return False
        while self._waiting and self._may_act() and self.sync():  # a call may emit what others wait for
            self._waiting.pop(0)()
        return not self._waiting and self.flush()

    def sync(self) -> bool:
        """Write the journal to the disk; return whether that succeeded. After an error only `catch_up` tries again."""
        return self._write(self._journal.sync)

    def flush(self) -> bool:
        """Make the journal readable for other processes of this host; return as `sync` does."""
        return self._write(self._journal.flush)

    def _write(self, write: Callable[[], None]) -> bool:
        if self.error is None:
            try:
                write()
            except OSError as error:
                self.error = error
        return self.error is None

    def save_checkpoint(self, at_least: int, *, spaced: bool = False) -> bool:
        """Write a checkpoint if there are `at_least` events since the last one; return whether it was written.

        `spaced`: only if these also take as many bytes as the last checkpoint, so that all checkpoints together cost no
        more than the journal.
        """
        if self._unsaved < at_least or (spaced and self._journal.size < self._checkpoint_due) or not self.sync():
            return False
        read = {**self._read, self._journal.path.name: self._journal.size}
        try:
            write_checkpoint(self._directory, self._study, self.state, read)
            self._checkpoint_due = self._journal.size + self._directory.checkpoint.stat().st_size
        except OSError as error:  # a checkpoint only saves time
            _log.warning("no checkpoint: %s", error)
            self.checkpoint_error = error
            return False
        self._unsaved, self.checkpoint_error = 0, None
        return True

    def drop(self) -> None:
        """Drop events that are not flushed: another driver has continued from what the journal contains."""
        self._waiting.clear()
        self._journal.discard()

    def close(self) -> None:
        """Sync and close the journal. Raises OSError."""
        self._waiting.clear()
        self._journal.close()
