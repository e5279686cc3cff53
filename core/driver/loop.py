"""The parts of one driver, and the order in which they are called.

Each turn: commands and reports, then what has to end, then what can start, then writes to disk. So each decision
is based on everything known at that time, and nothing starts that is about to end.

A part that meets an error of the file system pauses; the others continue. While the journal cannot be written or the
lease may be lost, no part is stepped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from ..debug_log import ChangeLogger, get_logger
from ..store.file_watch import FileWatch
from .allocations.in_job import OwnAllocation
from .allocations.packed_cancel import PackedCanceller
from .allocations.scheduler import AllocationScheduler
from .allocations.tracker import AllocationTracker
from .cancel import Canceller
from .collect import Collector
from .command_runner import CommandRunner
from .context import WRITE_JOURNAL, Call, DriverContext
from .hooks import HookRunner
from .host_loss import HostLoss
from .lease_keeper import LeaseKeeper
from .part import DriverPart
from .presumed_ends import PresumedEnds
from .recovery import recover_study
from .retry import Retrier
from .slurm_poller import SlurmPoller
from .status_writer import StatusWriter
from .submit import Submitter
from .withdraw import Withdrawer

_CHECKPOINT_EVERY = 20_000  # events: the least between two checkpoints while a driver drives
_RECOVER = "read what happened before"
_WATCH = "watch for reports"
_WRITE_STATUS = "write status.csv"
_WRITE_CHECKPOINT = "write the checkpoint"

_log = get_logger(__name__)


class Loop:
    """The parts of one driver. `Driver` calls it turn by turn."""

    def __init__(self, context: DriverContext, own_commands: dict[str, Call], only_commands: bool) -> None:
        self._context = context
        self._only_commands = only_commands
        self._is_recovered = False
        self._reasons = ChangeLogger(_log)
        canceller = Canceller(context)
        self.collector = collector = Collector(context, canceller)
        self._tracker = tracker = AllocationTracker(context, canceller)
        self.poller = poller = SlurmPoller(context, canceller, collector, tracker)
        self.own_allocation = own_allocation = OwnAllocation(context, tracker)
        self.scheduler = AllocationScheduler(context, canceller, tracker)
        self.hooks = HookRunner(context)
        self._status = StatusWriter(context)
        self._watch = FileWatch(context.directory.watched, lambda: context.post(_wake))
        self._host_loss = host_loss = HostLoss(context, collector)
        # First: without the lease nothing may be done.
        self._keeper = LeaseKeeper(context.lease, context.log, context.errors, context.directory.root)
        context.log.renew = self._keeper.renew
        self._commands = CommandRunner(context, own_commands)
        self._always: list[tuple[str, DriverPart]] = [
            ("read commands", self._commands),  # before decisions: what is cancelled never starts
            ("read reports", collector),
            ("poll Slurm", poller),  # after the collector: a job whose end was collected is not polled
            ("track allocations", tracker),
            # After the tracker: what has ended in an allocation is not cancelled there.
            ("cancel in allocations", PackedCanceller(context)),
            ("use this allocation", own_allocation),  # after the tracker: the leader's records show how it ended
            ("find lost hosts", host_loss),
            # After poller and collector, whose answers they follow from.
            ("end what is lost", PresumedEnds(context, canceller)),
            # Before the canceller: what began too early to be withdrawn is cancelled.
            ("withdraw jobs", Withdrawer(context, canceller)),
            ("cancel jobs", canceller),  # after all parts that request cancellations: they are sent in the same turn
        ]
        self._starting: list[tuple[str, DriverPart]] = []
        if not only_commands:
            # Last: all failures of this turn are known. Before the outcome: a retry keeps the study from being over.
            self._always.append(("retry", Retrier(context, self.hooks)))
            # Allocations first: they count as jobs under the submit limits, and their instances need no jobs.
            self._starting = [("use allocations", self.scheduler), ("submit", Submitter(context, poller))]

    def _recover(self) -> bool:
        """Update the state with what happened before this driver; return whether that could be read.

        Recover first: the recovered state shows whether a leader runs in our own allocation.
        """

        def recover() -> None:
            recover_study(self._context, self._tracker, self.collector, self._host_loss)

        if not self._try(_RECOVER, recover):
            return False
        if not self._only_commands:
            self._try("use this allocation", self.own_allocation.begin)
        self._is_recovered = True
        return True

    def may_decide(self) -> bool:
        """Return whether lease and journal are in order; then recover once, and apply the answers that waited."""
        context = self._context
        context.hold_calls()
        self._keeper.step()
        if not (self._keeper.is_held and context.catch_up()):
            return False
        context.release_calls()
        self._start_watch()
        context.start_threads()
        return self._is_recovered or self._recover()

    def decision_due(self) -> float:
        """Return when to call `may_decide` again, in monotonic seconds."""
        errors = self._context.errors
        times = [errors.until(what) for what in (WRITE_JOURNAL, _RECOVER) if errors.is_failing(what)]
        return min([*times, self._keeper.due() or 0.0])

    @property
    def is_behind(self) -> bool:
        """Whether commands or reports were left for the next turn."""
        return self._commands.is_behind or self.collector.is_behind

    def step_always(self) -> None:
        """Apply what happened, and carry out what must be ended."""
        self._step(self._always)

    def step_starting(self) -> None:
        """Start what can be started. Not called while the driver ends."""
        self._step(self._starting)

    def _step(self, parts: Sequence[tuple[str, DriverPart]]) -> None:
        for what, part in parts:
            if self._keeper.renew() and time.monotonic() >= self._context.errors.until(what):
                self._try(what, part.step)

    def _try(self, what: str, call: Call) -> bool:
        """Make a call; return whether it succeeded. An error of the file system is recorded: it is tried again."""
        try:
            call()
        except OSError as error:
            self._context.errors.failed(what, error)
            return False
        self._context.errors.worked(what)
        return True

    def _start_watch(self) -> None:
        if not self._watch.is_started and time.monotonic() >= self._context.errors.until(_WATCH):
            self._try(_WATCH, self._watch.start)

    def conclude_turn(self) -> None:
        """Write the turn to disk. Reports are removed once the journal has them; status.csv follows the journal."""
        self.collector.remove_journalled()
        if time.monotonic() >= self._context.errors.until(_WRITE_STATUS):
            self._try(_WRITE_STATUS, self._status.step)
        self._context.log.flush()
        self._save_checkpoint()

    def conclude(self) -> float | None:
        """Write what is left when the driver ends; return when to try again if that failed, in monotonic seconds."""
        self.collector.remove_journalled(always=True)
        return None if self._try(_WRITE_STATUS, self._status.write) else self._context.errors.until(_WRITE_STATUS)

    def _save_checkpoint(self) -> None:
        """Write a checkpoint if it is due; one that could not be written is written later."""
        log, errors = self._context.log, self._context.errors
        if time.monotonic() < errors.until(_WRITE_CHECKPOINT):
            return
        if log.save_checkpoint(_CHECKPOINT_EVERY, spaced=True):
            errors.worked(_WRITE_CHECKPOINT)
        elif log.checkpoint_error:
            errors.failed(_WRITE_CHECKPOINT, log.checkpoint_error, self._context.directory.checkpoint)

    def due(self, may_start: bool) -> float:
        """Return when the next turn is due, in monotonic seconds; the lease keeper always has a time."""
        errors = self._context.errors
        parts = [*self._always, *(self._starting if may_start else ()), (_WRITE_STATUS, self._status)]
        times = [errors.until(what) if errors.is_failing(what) else part.due() for what, part in parts]
        times += [self._keeper.due(), self._context.threads_due]
        times += [errors.until(what) for what in (WRITE_JOURNAL, _WATCH) if errors.is_failing(what)]
        return min(due for due in times if due is not None)

    def report_start(self, may_start: bool, why_not: str) -> None:
        """Log why nothing is started at all."""
        self._reasons.report("nothing is started", "" if may_start else why_not or "for commands alone")

    def close(self) -> None:
        """End the threads of all parts, then close the journal: their late answers are dropped."""
        self._watch.stop()
        for _, part in (*self._starting, *self._always):
            part.close()
        self._keeper.close()
        with suppress(OSError):  # was reported where it was written
            self._context.close()


def _wake() -> None:
    """Posted to wake the loop: the parts read spool and inbox in every turn."""
