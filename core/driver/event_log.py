"""The single writer of a study: applies events to the state, appends them to the journal, writes the checkpoint."""

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
    ) -> None:
        """Read the study and open the journal's segment of `epoch`. Raises StudyDirectoryError.

        `loaded` is what `load_state` returned before this driver took the lease, if anything.
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
        self.count += 1
        self._unsaved += 1
        if self.count % _RENEW_EVERY == 0:
            self.renew()
        for subscriber in self._subscribers:
            subscriber(event, refused)
        self._listener(event, self.state)

    def emit_all(self, events: Iterable[ev.Event]) -> None:
        for event in events:
            self.emit(event)

    def sync(self) -> None:
        """Write the journal to disk, before any effect that it announces is carried out. Raises StudyDirectoryError."""
        self._journal.sync()

    def flush(self) -> None:
        """Make the journal readable for other processes of this host. Raises StudyDirectoryError."""
        self._journal.flush()

    def save_checkpoint(self, at_least: int, *, spaced: bool = False) -> None:
        """Write a checkpoint if there are `at_least` events since the last one.

        `spaced`: and if these take as many bytes as the last checkpoint, so that all checkpoints together cost no more
        than the journal.
        """
        if self._unsaved < at_least or (spaced and self._journal.size < self._checkpoint_due):
            return
        self._unsaved = 0
        self.sync()
        read = {**self._read, self._journal.path.name: self._journal.size}
        try:
            write_checkpoint(self._directory, self._study, self.state, read)
            self._checkpoint_due = self._journal.size + self._directory.checkpoint.stat().st_size
        except OSError as error:  # a checkpoint only saves time
            _log.warning("no checkpoint: %s", error)

    def drop(self) -> None:
        """Drop events that are not flushed: another driver has continued from what the journal contains."""
        self._journal.discard()

    def close(self) -> None:
        """Sync and close the journal. Raises StudyDirectoryError."""
        self._journal.close()
