"""Drives one study: connects its directory, its state and the backends.

One loop on one thread. Everything that happens elsewhere (a report in the spool, an answer of sbatch, a poll of Slurm,
the end of a local process) is posted to the loop as a call, so state and journal have a single writer.
loop.py has the parts and their order; engine/submission_policy.py decides what to start, engine/job_observer.py what
reports and polls mean.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ..backends.batch import BatchSystem, batch_system
from ..backends.local import Local
from ..debug_log import get_logger, open_debug_log
from ..engine import events as ev
from ..engine.state import StudyState
from ..errors import DriverError
from ..store.checkpoint import load_state
from ..store.lease import Lease
from ..store.lease_owner import Owner
from ..store.study_directory import StudyDirectory, require_own, require_place
from ..store.study_file import StudyFile, read_study_file
from .cluster import require_cluster
from .context import Call, DriverContext
from .crash_points import crash_point
from .event_log import EventLog, Listener
from .io_errors import no_thread
from .loop import Loop
from .owner_job import owners_job_has_ended
from .successor import start_successor

_EXTENDED = "extended"
RESTARTS_FOR_ROWS = "the study has more rows; its driver restarts"  # reason to stop; a driver follows immediately
HAND_OVER_FAILED = "no driver could be started in the background"  # how the note of an anomaly begins
HANDED_OVER = "handed over"  # the reason to stop by which a successor recognizes its turn
_CALLS_FOR = 1.0  # seconds of posted calls between two turns: they may come as fast as they are made
_NAMED = 3  # errors in a message
_STATUS_WAIT = 10.0  # seconds for which status.csv is tried again when the study has ended: nobody writes it later
_CHECKPOINT_AT_END = 1_000  # events that make a checkpoint worth writing when a driver ends

_IN_ANOTHER = "no data was lost: resume in a longer allocation, or on a login node without --in-allocation"
Loaded = tuple[StudyState, dict[str, int]]

_log = get_logger(__name__)


class Driver:
    """One driver of one study. `run` drives until the study has ended or `stop` is called."""

    def __init__(
        self, directory: StudyDirectory, study: StudyFile, listener: Listener, successor: Sequence[str] = ()
    ) -> None:
        """`successor` is the command line of a driver that takes over after a detach."""
        self._directory = directory
        self._successor = successor
        self._study = study
        self._listener = listener
        self.state: StudyState  # set when `run` has read it
        self._context: DriverContext  # set when it drives
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._stopping = ""
        self._draining = False  # stopping, but not before all local steps have ended
        self._handing_over = False  # a successor is being started
        self._detaching = False
        self._extended = False

    # --- for other threads

    def stop(self, reason: str) -> None:
        """Release the study cleanly; jobs and local steps keep running. From any thread or a signal handler."""
        self._calls.put(lambda: self._stop(reason))

    def drain(self, reason: str) -> None:
        """Start nothing more, and stop when no local step runs: they would end with this process's Slurm job."""
        self._calls.put(lambda: self._drain(reason))

    def note(self, text: str) -> None:
        """Record something that happened to this process. From any thread or a signal handler."""
        self._calls.put(lambda: self._context.emit(ev.Anomaly(at=time.time(), message=text)))

    def detach(self) -> None:
        """Hand the study over to a headless driver in a separate session; then `run` returns `detached`.

        This driver keeps driving until the other is ready. From any thread or a signal handler.
        """
        self._calls.put(self._start_hand_over)

    # --- driving

    def run(self, *, only_commands: bool = False, gone: Owner | None = None) -> str:
        """Drive. Returns `finished`, `failed` or `cancelled` when the study has ended, else `stopped` or `detached`.

        With `only_commands` it carries out the pending commands, starts nothing, and stops. `gone` is a holder of the
        lease that was watched and found dead. Raises StudyBusyError if another driver holds the study,
        StudyDirectoryError if the study was moved or copied, DriverError if this driver cannot continue, WrongCluster
        if the study has jobs on another cluster: then not even the lease is taken, which its driver there may hold.
        """
        require_own(self._directory)
        require_place(self._directory, self._study.plan, moved=only_commands)
        with open_debug_log(self._directory.debug_log):
            while True:
                slurm = batch_system(self._study.plan, self._directory.home, self._directory.slurm_log)
                cluster = slurm.cluster() if slurm else ""
                loaded = load_state(self._directory, self._study)
                require_cluster(loaded[0], cluster)
                lease = Lease.acquire(self._directory.owner, gone=gone, job_ended=owners_job_has_ended)
                outcome = self._hold(lease, only_commands, slurm, cluster, loaded)
                if outcome != _EXTENDED:
                    return outcome
                self._extended = False
                extended = read_study_file(self._directory.study_file)
                self._study = replace(extended, settings=self._study.settings)

    def _hold(self, lease: Lease, only_commands: bool, slurm: BatchSystem | None, cluster: str, loaded: Loaded) -> str:
        """Drive with a lease, and release it."""
        crash_point("lease.taken")
        try:
            return self._run(lease, only_commands, slurm, cluster, loaded)
        finally:
            lease.release()

    def _run(self, lease: Lease, only_commands: bool, slurm: BatchSystem | None, cluster: str, loaded: Loaded) -> str:
        directory, study = self._directory, self._study
        log = EventLog(directory, study, lease.owner.epoch, self._listener, loaded, lambda: lease.is_fresh)
        self.state = log.state
        local = Local(directory.home, lease.owner.host, self._local_exit)
        self._context = context = DriverContext(directory, study, lease, log, slurm, local, self._calls, cluster)
        loop = Loop(context, self._own_commands(), only_commands)
        self._collector = loop.collector
        _log.debug("epoch %d drives%s", lease.owner.epoch, ", for commands alone" if only_commands else "")
        try:
            context.begin()
            exhausted = ""  # why nothing can run any more in the allocation that this driver uses
            while True:
                if not loop.may_decide():
                    self._wait_to_decide(context, loop)
                    continue
                loop.step_always()
                if not (only_commands or self._stopping) and (reason := loop.own_allocation.why_exhausted()):
                    exhausted = reason
                    self._stop(reason)
                outcome = self._outcome(only_commands, is_behind=loop.is_behind)
                if loop.poller.is_verdict_awaited and not (only_commands or self._stopping or self._detaching):
                    outcome = ""
                if outcome and not context.effects.under_way and not log.is_waiting:
                    if exhausted or (self.state.is_over and outcome != _EXTENDED):
                        loop.scheduler.release_all()
                    outcome = self._finish(context, loop, outcome)
                    if exhausted and outcome == "stopped":
                        raise DriverError(exhausted, _IN_ANOTHER)
                    return outcome
                may_start = not (outcome or only_commands or self._stopping)
                if may_start:
                    loop.step_starting()
                loop.report_start(may_start, self._stopping or outcome)
                loop.conclude_turn()
                self._wait(loop.due(may_start))
        finally:
            loop.close()

    def _wait_to_decide(self, context: DriverContext, loop: Loop) -> None:
        """Wait until lease and journal can be tried again. Raises DriverError if this driver is stopped meanwhile."""
        self._wait(loop.decision_due())
        if self._stopping or self._detaching:
            errors = [
                f"cannot {what}: {error.path}: {error.message}" for what, error in context.state.io_errors.items()
            ]
            why = "; ".join(errors[:_NAMED]) or "its heartbeat is late"
            raise DriverError(
                f"stopped while its study directory could not be written or read: {why}",
                "no data was lost: run 'mtui DIR' when it is available again",
            )

    def _outcome(self, only_commands: bool, *, is_behind: bool) -> str:
        """Return why to end now; empty if there is no reason. `is_behind`: commands or reports are left to be read."""
        state = self.state
        if is_behind and not (self._stopping or self._detaching):
            return ""
        if state.is_over and not self._extended:
            return state.outcome
        if self._extended and not only_commands:
            return _EXTENDED
        if self._detaching:
            return "detached"
        if self._stopping and not (self._draining and state.live_local):
            return "stopped"
        if only_commands and not (state.to_cancel or state.to_unbind):
            return "stopped"
        return ""

    def _finish(self, context: DriverContext, loop: Loop, outcome: str) -> str:
        at = time.time()
        reason = HANDED_OVER if self._detaching else self._stopping or "all commands are done"
        if outcome == _EXTENDED:
            reason = RESTARTS_FOR_ROWS
        elif context.state.is_over:
            context.emit(ev.StudyEnded(at=at, result=outcome))
            reason = f"study {outcome}"
            crash_point("study.ended")
            loop.hooks.ended(outcome)
            self._until_durable(context, loop)
            loop.hooks.wait()
        context.emit(ev.DriverStopped(at=at, reason=reason))
        until = time.monotonic() + _STATUS_WAIT
        while (again := loop.conclude()) and context.state.is_over and again < until:
            self._wait(again)
        self._until_durable(context, loop)
        context.log.save_checkpoint(_CHECKPOINT_AT_END)
        crash_point("driver.stopped")
        return outcome

    def _until_durable(self, context: DriverContext, loop: Loop) -> None:
        """Return once the journal is on the disk. Raises DriverError as `_wait_to_decide`."""
        while not (loop.may_decide() and context.log.sync()):
            self._wait_to_decide(context, loop)

    def _wait(self, due: float) -> None:
        """Sleep until something is posted or until `due` (monotonic); then make the posted calls, for a while."""
        with suppress(queue.Empty):
            self._calls.get(timeout=max(0.0, due - time.monotonic()))()
            until = time.monotonic() + _CALLS_FOR
            while time.monotonic() < until:
                self._calls.get_nowait()()

    # --- posted calls

    def _own_commands(self) -> dict[str, Call]:
        return {
            "detach": self._start_hand_over,
            "stop": lambda: self._stop("command to stop"),
            "extend": self._note_extension,
        }

    def _stop(self, reason: str) -> None:
        self._stopping = self._stopping or reason
        self._draining = False

    def _note_extension(self) -> None:
        """Note that the plan has more rows: `run` reads it again, and continues."""
        self._extended = True

    def _drain(self, reason: str) -> None:
        if not self._stopping:
            self._stopping, self._draining = reason, True

    def _start_hand_over(self) -> None:
        """Prepare the successor on a separate thread; the study is driven meanwhile."""
        if not self._handing_over:
            try:
                threading.Thread(target=self._hand_over, name="mtui-hand-over", daemon=True).start()
            except RuntimeError:  # this driver keeps the study
                self._report_no_successor(str(no_thread().strerror))
            else:
                self._handing_over = True

    def _hand_over(self) -> None:
        problem = start_successor(self._successor, self._directory.driver_log)

        def conclude() -> None:
            self._handing_over = False
            self._detaching = not problem
            if problem:
                self._report_no_successor(problem)

        self._calls.put(conclude)

    def _report_no_successor(self, problem: str) -> None:
        self._context.emit(ev.Anomaly(at=time.time(), message=f"{HAND_OVER_FAILED}: {problem}"))

    def _local_exit(self, attempt: str, pid: str, code: int) -> None:
        self._calls.put(lambda: self._collector.process_ended(attempt, pid, code))
