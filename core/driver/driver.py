"""Drives one study: ties its directory, its state and the backends together.

One loop on one thread. Everything that happens elsewhere (a record in the spool, an answer of sbatch, a look at
Slurm, the end of a local process) is posted to the loop as a call, so state and journal have a single writer.
What to start is decided in study/policy.py, what the world means in study/observer.py.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ..backends.slurm import job_has_ended
from ..errors import DriverError, StudyDirectoryError
from ..store.layout import StudyDirectory, require_own, require_place
from ..store.lease import Lease, Owner
from ..store.status_csv import write_status
from ..store.study_file import StudyFile, read_study_file
from ..store.watch import Watch
from ..study import events as ev
from ..study.state import StudyState
from .allocations.in_job import OwnAllocation
from .allocations.tracker import AllocationTracker
from .cancel import Canceller
from .collect import Collector
from .commands import CommandRunner
from .context import Call, DriverContext, Listener
from .crash_points import crash_point
from .hooks import HookRunner
from .retry import Retrier
from .submit import Submitter
from .successor import start_successor
from .withdraw import Withdrawer

_EXTENDED = "extended"
BEGINS_ANEW = "the study has more rows; its driver begins anew"  # as a reason to stop: it is back at once
HANDED_OVER = "handed over"  # the reason to stop by which a waiting successor knows its turn
_LONGEST_WAIT = 5.0  # seconds; the heartbeat and the check of the lease hang on it
_STATUS_EVERY = 2.0  # seconds between two status.csv; more for a study that takes long to write
_KEEP_EVERY = 20_000  # events between two checkpoints: another reader has no more than these to go through
_KEEP_AT_END = 1_000  # events from which a checkpoint is worth its writing when a driver lets go


class Driver:
    """One driver of one study. `run` drives until the study is over or `stop` is called."""

    def __init__(
        self, directory: StudyDirectory, study: StudyFile, listener: Listener, successor: Sequence[str] = ()
    ) -> None:
        """`successor` is the command line of a driver that takes over after a detach."""
        self._directory = directory
        self._successor = successor
        self._study = study
        self._listener = listener
        self.state: StudyState  # from the time when `run` has read it
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._stopping = ""
        self._draining = False  # stopping, but only once no local step runs
        self._handing_over = False  # a successor is being started
        self._detaching = False
        self._extended = False
        self._status_due = 0.0

    # --- the outside of it

    def stop(self, reason: str) -> None:
        """Let go of the study in order; jobs and local steps go on. From any thread or a signal handler."""
        self._calls.put(lambda: self._stop(reason))

    def drain(self, reason: str) -> None:
        """Start nothing more, and let go when no local step runs any more: they would end with this process's job."""
        self._calls.put(lambda: self._drain(reason))

    def detach(self) -> None:
        """Hand the study over to a headless driver in a session of its own; then `run` returns `detached`.

        This one goes on driving until the other stands ready. From any thread or a signal handler.
        """
        self._calls.put(self._start_hand_over)

    def run(self, *, only_commands: bool = False, gone: Owner | None = None) -> str:
        """Drive. Returns `finished`, `failed` or `cancelled` when the study is over, else `stopped` or `detached`.

        With `only_commands` it carries out what waits in the inbox, starts nothing, and lets go. `gone` is a
        holder of the lease that was watched and found dead.
        Raises StudyBusyError if another driver holds the study, StudyDirectoryError if the study was moved or copied,
        DriverError if this one cannot go on.
        """
        require_own(self._directory)
        require_place(self._directory, self._study.plan, moved=only_commands)
        while True:
            outcome = self._hold(Lease.take(self._directory.owner, gone=gone, job_ended=job_has_ended), only_commands)
            if outcome != _EXTENDED:
                return outcome
            self._extended = False
            extended = read_study_file(self._directory.study_file)
            self._study = replace(extended, settings=self._study.settings)

    def _hold(self, lease: Lease, only_commands: bool) -> str:
        """Drive with a lease, and give it back."""
        crash_point("lease.taken")
        try:
            return self._run(lease, only_commands)
        except OSError as error:
            raise DriverError(
                f"cannot go on in {self._directory.root}: {error.strerror or error}",
                "nothing is lost: put it right, then start mtui on the directory again",
            ) from error
        except StudyDirectoryError as error:
            raise DriverError(error.message, error.hint) from error
        finally:
            lease.release()

    def _run(self, lease: Lease, only_commands: bool) -> str:
        context = DriverContext(self._directory, self._study, lease, self._calls, self._listener, self._local_exit)
        self.state = context.state
        canceller = Canceller(context)
        withdrawer = Withdrawer(context, canceller)
        tracker = AllocationTracker(context, canceller)
        own_allocation = OwnAllocation(context, tracker)
        self._collector = collector = Collector(context, canceller, tracker)
        submitter = Submitter(context, collector)
        self._hooks = hooks = HookRunner(context)
        retrier = Retrier(context, hooks)
        own = {
            "detach": self._start_hand_over,
            "stop": lambda: self._stop("command to stop"),
            "extend": self._start_anew,
        }
        commands = CommandRunner(context, own)
        watch = Watch(self._directory.watched, lambda: context.post(_nothing))
        try:
            context.begin()
            collector.take_over()
            if not only_commands:
                own_allocation.begin()
            watch.start()
            while True:
                lease.beat(time.monotonic())
                if lease.is_lost():
                    context.give_up()
                    raise DriverError(
                        "another driver has taken this study over, or its directory is gone",
                        "this one has let go of it",
                    )
                commands.turn()
                collector.turn()
                tracker.turn()
                own_allocation.turn()
                withdrawer.turn()
                canceller.turn()
                if not only_commands:
                    retrier.turn()
                outcome = self._outcome(context, only_commands)
                if outcome and not context.effects.under_way:
                    if context.state.is_over and outcome != _EXTENDED:
                        tracker.finish()
                    return self._finish(context, collector, outcome)
                if not outcome and not only_commands and not self._stopping:
                    tracker.start()
                    submitter.turn()
                collector.settle()
                self._write_status(context)
                context.flush()
                context.keep(_KEEP_EVERY)
                due = [part.due() for part in (submitter, tracker, own_allocation, canceller, withdrawer, collector)]
                self._wait(due, context.changed)
        finally:
            watch.stop()
            for part in (submitter, tracker, canceller):
                part.stop()
            with suppress(StudyDirectoryError):  # what broke the journal is told already
                context.close()

    def _outcome(self, context: DriverContext, only_commands: bool) -> str:
        """Why to end now, if there is a reason."""
        if context.state.is_over and not self._extended:
            return context.state.outcome
        if self._extended and not only_commands:
            return _EXTENDED
        if self._detaching:
            return "detached"
        if self._stopping and not (self._draining and context.state.live_local):
            return "stopped"
        if only_commands and not (context.state.to_cancel or context.state.to_unbind):
            return "stopped"
        return ""

    def _finish(self, context: DriverContext, collector: Collector, outcome: str) -> str:
        at = time.time()
        reason = HANDED_OVER if self._detaching else self._stopping or "the commands are carried out"
        if outcome == _EXTENDED:
            reason = BEGINS_ANEW
        elif context.state.is_over:
            context.emit(ev.StudyEnded(at=at, result=outcome))
            reason = f"the study is {outcome}"
            crash_point("study.ended")
            self._hooks.ended(outcome)
        context.emit(ev.DriverStopped(at=at, reason=reason))
        collector.settle(always=True)
        self._write_status(context, always=True)
        context.sync()
        context.keep(_KEEP_AT_END)
        crash_point("driver.stopped")
        return outcome

    def _wait(self, times: list[float | None], changed: bool) -> None:
        """Sleep until something is posted or something is due; then take in all that was posted."""
        now = time.monotonic()
        due = [now + _LONGEST_WAIT, *(time for time in times if time is not None)]
        if changed:
            due.append(self._status_due)
        with suppress(queue.Empty):
            self._calls.get(timeout=max(0.0, min(due) - now))()
            while True:
                self._calls.get_nowait()()

    # --- what is posted

    def _stop(self, reason: str) -> None:
        self._stopping = self._stopping or reason
        self._draining = False

    def _start_anew(self) -> None:
        """The plan has more rows by now: read it, and go on."""
        self._extended = True

    def _drain(self, reason: str) -> None:
        if not self._stopping:
            self._stopping, self._draining = reason, True

    def _start_hand_over(self) -> None:
        """Prepare the successor on a thread of its own; the study goes on meanwhile."""
        if not self._handing_over:
            self._handing_over = True
            threading.Thread(target=self._hand_over, name="mtui-hand-over", daemon=True).start()

    def _hand_over(self) -> None:
        ready = start_successor(self._successor, self._directory.driver_log)

        def let_go() -> None:
            self._handing_over = False
            self._detaching = ready

        self._calls.put(let_go)

    def _local_exit(self, attempt: str, pid: str, code: int) -> None:
        self._calls.put(lambda: self._collector.process_ended(attempt, pid, code))

    # --- status.csv

    def _write_status(self, context: DriverContext, *, always: bool = False) -> None:
        now = time.monotonic()
        if not context.changed or (now < self._status_due and not always):
            return
        write_status(self._directory.status_csv, self.state, time.time())
        crash_point("status.written")
        took = time.monotonic() - now
        self._status_due = now + max(_STATUS_EVERY, 50 * took)
        context.changed = False


def _nothing() -> None:
    """Posted to wake the loop: it looks into spool and inbox at every turn."""
