"""Keeps a study driven: drives it, watches its present driver, takes over, hands over.

One state machine for the app, headless mode and commands; each phase is a method that returns the next one.

    LOOK   --- another drives -------------------------> WATCH; StudyOver if the study has ended
           --- nobody drives --------------------------> DRIVE, or StudyOver if it is over and no command is pending
    WATCH  --- a newer driver -------------------------> WATCH, that one
           --- the plan was extended ------------------> WATCH, after reading the study again
           --- handed over, or restarts ---------------> AWAIT; DRIVE if this process is the successor
           --- dead -----------------------------------> DRIVE, or StudyOver as above
           --- released -------------------------------> StudyOver, DriverReleased
           --- request to end -------------------------> WatchEnded
    DRIVE  --- another took the lease first -----------> LOOK
           --- handed over ----------------------------> AWAIT
           --- ended ----------------------------------> StudyOver, DriverReleased
    AWAIT  --- the successor drives -------------------> WATCH; HandedOver if this process handed over
           --- nobody took over in time ---------------> DRIVE, or StudyOver as above
    IDLE   --- request to drive, a pending command, or another drives ---> as from LOOK

The purposes differ only in this:

    RUN       Outcomes end it. Events of other drivers are reported too. Errors are raised.
    ATTEND    StudyOver and DriverReleased lead to IDLE, and HandedOver to WATCH unless it was requested to end.
              Errors are reported, and lead to IDLE.
    COMMANDS  Begins in DRIVE, carries out the commands in the inbox and starts nothing. Does not watch.

A study directory that cannot be read or written now (StorageError) ends only a process that has not driven or watched
yet. Others report it and look again, with increasing delays.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from ..engine.events import Event, PlanExtended
from ..engine.state import Impossible, StudyState
from ..errors import MtuiError, StorageError, StudyBusyError, StudyDirectoryError, may_pass
from ..store import inbox
from ..store.checkpoint import load_state
from ..store.journal import end_of_journal
from ..store.journal_follower import JournalFollower
from ..store.lease import LeaseState, Liveness
from ..store.lease_owner import Owner, read_current_owner
from ..store.study_directory import StudyDirectory
from ..store.study_file import StudyFile, file_stamp, read_study_file
from ..store.study_reader import read_study
from .driver import HANDED_OVER, RESTARTS_FOR_ROWS, Driver
from .event_log import Listener
from .io_errors import Backoff
from .location import (
    CannotDrive,
    DrivenByAnother,
    DrivenElsewhere,
    DrivenHere,
    DriverLocation,
    DriverReleased,
    HandedOver,
    NotKnown,
    Outcome,
    StudyOver,
    WatchEnded,
)
from .owner_job import owners_job_has_ended
from .successor import report_ready, successor_command

LOOK_EVERY = 0.5  # seconds between two checks of who drives
HAND_OVER_LOOK = 0.05  # the same during a hand-over, to keep the gap without a driver short
SUCCESSOR_WAIT = 20.0  # seconds for a successor to take the lease
_QUIET_STEP = 5.0  # seconds by which the silence of a driver has to grow to be reported again


class Purpose(Enum):
    """What a study is supervised for."""

    RUN = "run"  # headless mode: drive or watch the study to its end
    ATTEND = "attend"  # the app: drive or watch it for as long as the app shows it
    COMMANDS = "commands"  # carry out commands while no driver runs


class SupervisorListener:
    """Called on the supervisor's thread: itself with each event, `moved` when the driver's location changes."""

    def __call__(self, event: Event, state: StudyState) -> None:
        """`state` is the state after the event."""

    def moved(self, location: DriverLocation, state: StudyState | None) -> None:
        """`state` is the state of a watched driver's study, in RUN; else None."""


class Clock:
    """Time as a supervisor sees it."""

    def __init__(self) -> None:
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()  # unlike an Event, usable in a signal handler

    def now(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Return after that time, or immediately after `wake`."""
        with suppress(queue.Empty):
            self._wakes.get(timeout=seconds)

    def wake(self) -> None:
        self._wakes.put(None)


def _may_pass(error: Exception) -> bool:
    """Return whether the study directory, or this machine, may work again later."""
    return isinstance(error, (StorageError, MemoryError)) or (isinstance(error, OSError) and may_pass(error))


def _words(error: Exception) -> str:
    return str(error) or ("there is not enough memory" if isinstance(error, MemoryError) else type(error).__name__)


def _judge(owners: Path, owner: Owner) -> Liveness:
    return Liveness(owners, owner, job_ended=owners_job_has_ended)


_Phase: TypeAlias = "Callable[[], _Phase] | Outcome"


class Supervisor:
    """Supervises one study. `run` is called once; requests come from any thread or signal handler."""

    def __init__(
        self,
        directory: StudyDirectory,
        study: StudyFile,
        purpose: Purpose,
        listener: SupervisorListener,
        *,
        make_driver: Callable[[StudyDirectory, StudyFile, Listener, Sequence[str]], Driver] = Driver,
        judge: Callable[[Path, Owner], Liveness] = _judge,
        clock: Clock | None = None,
    ) -> None:
        """`study` is read again whenever another process may have changed it; its settings are kept."""
        self._directory = directory
        self._study = study
        self._purpose = purpose
        self._listener = listener
        self._make_driver = make_driver
        self._judge = judge
        self._clock = clock or Clock()
        self._location: DriverLocation = NotKnown()
        self._driver: Driver | None = None
        self._judged: tuple[Owner, Liveness] | None = None  # kept: it measures how long the driver was silent
        self._is_outdated = False  # the study file may have more rows
        self._succeeds: int | None = None  # the epoch whose driver started this process as its successor
        self._is_on_duty = False  # it has driven or watched
        self._delay = Backoff()
        self._failed_on: list[Path] = []  # the pending commands when driving failed: no reason to try again
        # Requests. Each is set before it is forwarded to a driver, and checked after a driver is created: none is lost.
        self._is_asked = True  # to drive
        self._is_leaving = False
        self._is_stopping = False

    # --- requests

    def drive(self) -> None:
        """Drive if nobody does."""
        self._is_asked = True
        self._clock.wake()

    def stop(self, reason: str) -> None:
        """Release the study if this process drives, and end."""
        self._is_stopping = True
        self._forward(lambda driver: driver.stop(reason))

    def drain(self, reason: str) -> None:
        """Stop, but only once no local step runs any more."""
        self._is_stopping = True
        self._forward(lambda driver: driver.drain(reason))

    def detach(self) -> None:
        """Hand over to a headless driver if this process drives, and end. If the hand-over fails, it keeps driving."""
        self._is_leaving = True
        self._forward(lambda driver: driver.detach())

    def note(self, text: str) -> None:
        """Have the driver of this process record something that happened to it."""
        if driver := self._driver:
            driver.note(text)

    def stay(self) -> None:
        """Withdraw a `detach` that did not complete in time."""
        self._is_leaving = False

    def _forward(self, request: Callable[[Driver], None]) -> None:
        if driver := self._driver:
            request(driver)
        self._clock.wake()

    @property
    def _is_ending(self) -> bool:
        return self._is_stopping or self._is_leaving

    # --- the machine

    def run(self) -> Outcome:
        """Supervise until an outcome. Raises what `Driver.run` raises, except with ATTEND."""
        phase: _Phase = self._drive if self._purpose is Purpose.COMMANDS else self._look
        while True:
            try:
                while callable(phase):
                    phase = phase()
            except Exception as error:
                if _may_pass(error) and self._is_on_duty and not self._is_ending:
                    self._report(CannotDrive(_words(error)))
                    phase = self._retry
                    continue
                if self._purpose is not Purpose.ATTEND:
                    raise
                self._keep_failure(error)
                phase = self._idle
                continue
            if self._purpose is not Purpose.ATTEND or not isinstance(phase, (StudyOver, DriverReleased)):
                return phase
            self._report(replace(phase, state=None))
            phase = self._idle

    def _look(self) -> _Phase:
        """Find out who drives."""
        if self._is_ending:
            return WatchEnded()
        commands = inbox.pending_commands(
            self._directory.inbox
        )  # before the journal, which then includes any command that left the inbox
        owner = read_current_owner(self._directory.owner)
        gone: Owner | None = None
        if owner:
            standing = self._liveness_of(owner).judge()
            if not standing.is_over:
                result = self._result(commands)
                return StudyOver(result) if result else lambda: self._watch(owner)
            gone = owner if standing is LeaseState.DEAD else None
        if self._purpose is Purpose.ATTEND and not self._is_asked and commands in ([], self._failed_on):
            return self._idle
        return self._drive_unless_over(gone)

    def _retry(self) -> _Phase:
        """Look again after a delay: the study directory could not be read or written."""
        until = self._clock.now() + self._delay.next()
        while self._clock.now() < until and not self._is_ending:
            self._clock.wait(min(LOOK_EVERY, until - self._clock.now()))
        self._is_asked = self._is_outdated = True
        return self._look

    def _idle(self) -> _Phase:
        self._is_outdated = True
        self._clock.wait(LOOK_EVERY)
        return self._look

    def _drive_unless_over(self, gone: Owner | None = None) -> _Phase:
        self._is_asked = False
        result = self._result(inbox.pending_commands(self._directory.inbox))
        return StudyOver(result) if result else lambda: self._drive(gone)

    def _drive(self, gone: Owner | None = None) -> _Phase:
        """Drive; `gone` is the last driver if it is known to be dead."""
        self._refresh_study()
        only_commands = self._purpose is Purpose.COMMANDS
        successor = () if only_commands else successor_command(self._directory, self._study)
        self._driver = driver = self._make_driver(self._directory, self._study, self._listener, successor)
        try:
            if self._is_ending:
                return WatchEnded()
            self._report(DrivenHere(gone))
            self._is_on_duty = True
            outcome = driver.run(only_commands=only_commands, gone=gone)
        except StudyBusyError:
            self._is_asked = True  # in case the other driver has ended before the next check
            return DrivenByAnother() if only_commands else self._look
        finally:
            self._driver = None
            self._is_outdated = True
        self._delay.reset()
        state = driver.state
        if outcome == "detached":
            return lambda: self._await_successor(state.driver.epoch, state)
        if outcome == "stopped":
            return DriverReleased(state.driver.stopped, True, state)
        return StudyOver(outcome, state)

    def _watch(self, owner: Owner) -> _Phase:
        """Follow another driver until it is gone, a newer one drives, or the plan was extended."""
        followed: _Followed | None = None
        if self._purpose is Purpose.RUN:
            self._refresh_study()
            followed = _Followed(self._directory, self._study)
            if report_ready():
                self._succeeds = owner.epoch
        self._is_outdated = self._is_on_duty = True
        is_successor = self._succeeds == owner.epoch
        liveness = self._liveness_of(owner)
        standing = liveness.judge()
        while True:
            self._report(_elsewhere(owner, liveness, standing), followed.state if followed else None)
            self._clock.wait(HAND_OVER_LOOK if is_successor else LOOK_EVERY)
            self._is_asked = False  # it is driven
            if self._is_ending:
                return WatchEnded(owner)
            self._delay.reset()
            standing = liveness.judge()  # before reading the journal, so that the driver's last events are read
            if followed and not followed.report_new(self._listener):
                return lambda: self._watch(owner)
            if newer := self._newer_owner(owner.epoch):
                return lambda: self._watch(newer)
            if standing is LeaseState.DEAD:
                return self._drive_unless_over(owner)
            if standing is LeaseState.RELEASED:
                break
        state = followed.state if followed else read_study(self._directory)[1]
        if state.driver.stopped in (HANDED_OVER, RESTARTS_FOR_ROWS) or state.driver.epoch > owner.epoch:
            return self._drive if is_successor else lambda: self._await_successor(owner.epoch, None)
        if state.result:
            return StudyOver(state.result, state)
        return DriverReleased(state.driver.stopped, False, state)

    def _await_successor(self, epoch: int, own: StudyState | None) -> _Phase:
        """Wait for a driver after `epoch`; `own` is the state if this process held `epoch` and handed over."""
        until = self._clock.now() + SUCCESSOR_WAIT
        while self._clock.now() < until:
            if successor := self._newer_owner(epoch):
                is_end = own and (self._is_leaving or self._purpose is Purpose.RUN)
                return HandedOver(successor) if is_end else lambda: self._watch(successor)
            if self._is_stopping or (self._is_leaving and not own):
                return DriverReleased(own.driver.stopped, True, own) if own else WatchEnded()
            self._clock.wait(HAND_OVER_LOOK)
        self._is_leaving = False
        return self._drive_unless_over()

    # --- parts of the phases

    def _result(self, commands: Sequence[Path]) -> str:
        """Return the result of the study if it is over and no command is pending; else empty."""
        return "" if commands else end_of_journal(self._directory.journal)[0]

    def _liveness_of(self, owner: Owner) -> Liveness:
        if not self._judged or self._judged[0] != owner:
            self._judged = (owner, self._judge(self._directory.owner, owner))
        return self._judged[1]

    def _newer_owner(self, epoch: int) -> Owner | None:
        with suppress(StudyDirectoryError):  # a network file system may be unavailable for a moment
            owner = read_current_owner(self._directory.owner)
            return owner if owner and owner.epoch > epoch else None
        return None

    def _refresh_study(self) -> None:
        path, stamp = self._directory.study_file, self._study.stamp
        if self._is_outdated or (stamp and stamp != file_stamp(path)):
            self._study = replace(read_study_file(path), settings=self._study.settings)

    def _keep_failure(self, error: Exception) -> None:
        """Report an error; this process drives again on request or for a new command."""
        self._is_asked = False
        self._failed_on = inbox.pending_commands(self._directory.inbox)
        is_bug = not isinstance(error, MtuiError)
        self._report(CannotDrive(f"{type(error).__name__}: {error}" if is_bug else str(error), is_bug))

    def _report(self, location: DriverLocation, state: StudyState | None = None) -> None:
        if location != self._location:
            self._location = location
            self._listener.moved(location, state)


class _Followed:
    """The state of a study, updated from the journal while another driver writes it."""

    def __init__(self, directory: StudyDirectory, study: StudyFile) -> None:
        self.state, read = load_state(directory, study)
        self._follower = JournalFollower(directory.journal, read)

    def report_new(self, listener: Listener) -> bool:
        """Apply and report new events; False if the plan was extended, so that the study must be read again."""
        for event in self._follower.new_events():
            if isinstance(event, PlanExtended) and event.size > len(self.state.plan.instances):
                return False
            with suppress(Impossible):  # its driver recorded it as an anomaly as well
                self.state.apply(event)
                listener(event, self.state)
        return True


def _elsewhere(owner: Owner, liveness: Liveness, standing: LeaseState) -> DrivenElsewhere:
    is_silent = standing is LeaseState.SILENT
    quiet_for = liveness.last_sign_ago if is_silent else liveness.quiet_for
    return DrivenElsewhere(owner, liveness.words, quiet_for // _QUIET_STEP * _QUIET_STEP, is_silent)
