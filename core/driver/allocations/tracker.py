"""Tracks allocations: reads the records of their leaders, and ends those that are over."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from math import inf

from ...claims import attempt_name
from ...engine import events as ev
from ...engine.allocation import Allocation
from ...engine.allocation_observer import AllocationEnd, AllocationObserver
from ...engine.causes import Cause, CauseCode, text_cause
from ...engine.job_reports import JobReport, StartReport
from ...engine.slurm_answers import Accounting, SeenJob
from ...engine.status import Status
from ...packing.protocol import ABORT_TEXT, cancel_text, time_question_text
from ...plan.shared_allocations import ANY
from ...store.allocation_files import LeaderEnding, LeaderStarted, LeaderTimeLeft, RecordReader, Word, has_dispatch
from ...store.spool import UnreadableRecord
from ..cancel import Canceller
from ..context import DriverContext
from ..part import DriverPart
from .members import NOT_BEGUN, append_to_list, return_instances

_FENCE = 2.0  # seconds for a leader to kill what it runs, after Slurm ended its allocation
_ANSWER_WITHIN = 10.0  # seconds for a leader to say how much time is left
_CLOCK_TOLERANCE = 5.0  # seconds by which that may differ from the journal
_READ_EVERY = 1.0  # seconds between two reads of the records, if no file change is reported


@dataclass(slots=True)
class LeaderClock:
    """When an allocation ends, on our monotonic clock: its leader reports the seconds left on request."""

    question: str
    asked: float
    end: float | None = None


class AllocationTracker(DriverPart):
    """The part of a driver that tracks allocations."""

    def __init__(self, context: DriverContext, canceller: Canceller) -> None:
        self._context = context
        self._canceller = canceller
        self.watch = AllocationObserver(context.state)
        self._records: dict[str, RecordReader] = {}
        self._early: list[JobReport] = []  # of attempts that are not in the journal yet
        self._fenced: dict[
            str, tuple[AllocationEnd, float]
        ] = {}  # over for Slurm; their leaders have until that time to end
        self._clocks: dict[str, LeaderClock] = {}  # of running allocations
        self._has_changed = False
        self._read_due = 0.0

    @property
    def is_used(self) -> bool:
        """Whether any step shares allocations, or an allocation exists."""
        return bool(self._context.packing.steps or self._context.state.allocations.by_name)

    def due(self) -> float | None:
        if not self.is_used or not self._context.state.allocations.open():
            return None
        return min([self._read_due, *(due for _, due in self._fenced.values())])

    def step(self) -> None:
        """Read the records, and end allocations whose leaders have had time to end."""
        if self.is_used:
            self._read_due = time.monotonic() + _READ_EVERY
            self.read_records()
            self._end_fenced()

    def pop_change(self) -> bool:
        """Whether an allocation has started or ended since the last call."""
        changed, self._has_changed = self._has_changed, False
        return changed

    # --- records

    def read_records(self) -> None:
        """Read what the leaders have written since the last time."""
        context = self._context
        for report in [early for early in self._early if not context.observer.is_early(early)]:
            self._early.remove(report)
            self._apply_report(report)
        over: set[str] = set()  # attempts that start and end in this read: most of them after a change of driver
        for allocation in context.state.allocations.open():
            records = self._records.get(allocation.name)
            if records is None:
                path = context.directory.allocation_file(allocation.name, "records")
                records = self._records[allocation.name] = RecordReader(path)
            for word in records.read():
                self._apply(allocation, word)
                if isinstance(word, JobReport) and not isinstance(word, StartReport):
                    over.add(attempt_name(word.instance, word.attempt))
            if allocation.ends_at and allocation.name not in self._clocks and not allocation.is_over:
                self._ask_for_time(allocation)
        self._cancel_orphans_within(over)

    def _apply(self, allocation: Allocation, word: Word) -> None:
        context = self._context
        self.watch.note_heard(allocation.name, time.monotonic())
        match word:
            case LeaderStarted():
                if not allocation.began_at:
                    self._begin(allocation, word)
            case LeaderTimeLeft():
                self._apply_time(allocation, word)
            case LeaderEnding():
                self.watch.note_ending(allocation.name)
                if not allocation.ending:
                    context.emit(
                        ev.AllocationEnding(at=time.time(), allocation=allocation.name, cause=text_cause(word.why))
                    )
            case JobReport():
                self._apply_report(word)
            case UnreadableRecord():
                message = f"a record of allocation {allocation.name} cannot be read"
                context.emit(ev.Anomaly(at=time.time(), message=message))

    def _begin(self, allocation: Allocation, word: LeaderStarted) -> None:
        self._context.emit(
            ev.AllocationBegan(
                at=time.time(),
                allocation=allocation.name,
                job=word.job,
                hosts=word.hosts,
                cores=word.cores,
                seconds=word.seconds,
                graph=word.graph,
            )
        )
        self._has_changed = True

    # --- time left

    def time_left(self, allocation: Allocation) -> float | None:
        """Return the seconds that a running allocation has left, inf without a limit; None until its leader answers.

        The clock of the leader's host may differ from ours, and ours from that of the last driver.
        """
        if not allocation.ends_at:
            return inf
        clock = self._clocks.get(allocation.name)
        now = time.monotonic()
        if clock and clock.end is not None:
            return clock.end - now
        if clock is None or now < clock.asked + _ANSWER_WITHIN:
            return None
        return allocation.ends_at - time.time()  # a leader of an older version, or one that hangs

    def _ask_for_time(self, allocation: Allocation) -> None:
        question = f"{self._context.lease.owner.epoch}.{len(self._clocks)}"
        if append_to_list(self._context, allocation.name, time_question_text(question)):
            self._clocks[allocation.name] = LeaderClock(question, time.monotonic())

    def _apply_time(self, allocation: Allocation, word: LeaderTimeLeft) -> None:
        clock = self._clocks.get(allocation.name)
        if clock is None or clock.question != word.question or word.seconds is None:
            return  # the question of an earlier driver
        clock.end = clock.asked + word.seconds
        left, at = clock.end - time.monotonic(), time.time()
        if abs(allocation.ends_at - at - left) > _CLOCK_TOLERANCE:
            self._context.emit(ev.AllocationTimeLeft(at=at, allocation=allocation.name, seconds=left))

    # --- reports

    def _apply_report(self, report: JobReport) -> None:
        context = self._context
        if context.observer.is_early(report):
            self._early.append(report)
            return
        context.emit_all(context.observer.apply_report(report, time.time(), time.monotonic()))
        self._canceller.cancel_orphans(map(context.job_of_study, context.observer.orphans.take()))

    def _cancel_orphans_within(self, over: Container[str]) -> None:
        """Have leaders end orphan attempts, except those that are over by now."""
        for name, attempts in self._context.observer.orphans.take_in_allocations().items():
            if running := [attempt for attempt in attempts if attempt not in over]:
                append_to_list(self._context, name, cancel_text(running))

    # --- ends

    def apply_poll(
        self,
        seen: Callable[[Allocation], SeenJob | None],
        find: Callable[[str], str],
        asked: float,
        at: float,
        accounting: Accounting,
    ) -> None:
        """Apply a poll of Slurm started at `asked` (monotonic); the arguments as for AllocationObserver."""
        self.read_records()  # reports of leaders written before this poll are applied before it
        events, overs = self.watch.apply_poll(seen, find, asked, at, accounting)
        self._context.emit_all(events)
        for over in overs:
            self._fence_or_end(over, at)

    def end_allocation(self, allocation: Allocation, status: Status, cause: Cause) -> None:
        """End an allocation whose leader has ended: its workers have some time to notice that."""
        self._fence_or_end(AllocationEnd(allocation, status, cause), time.time(), is_leader_gone=True)

    def _fence_or_end(self, over: AllocationEnd, at: float, *, is_leader_gone: bool = False) -> None:
        """End an allocation once nothing in it runs any more.

        Where Slurm has lost a node, the leader may still run: it has to kill everything, and gets time for that.
        """
        name = over.allocation.name
        if name in self._fenced:
            return
        if over.status is Status.LOST and not over.allocation.began_at:
            # It may still begin: its leader then ends at once, and its job is cancelled before it counts as over.
            if append_to_list(self._context, name, ABORT_TEXT):
                self._cancel_lost(over)
                self._end(over, at)
        elif over.status is Status.FINISHED or not over.allocation.began_at:
            self._end(over, at)
        elif append_to_list(self._context, name, ABORT_TEXT) or is_leader_gone:
            self._fenced[name] = (over, time.monotonic() + _FENCE)
            self._cancel_lost(over)
            if not over.allocation.ending:
                self._context.emit(ev.AllocationEnding(at=at, allocation=name, cause=over.cause))

    def _cancel_lost(self, over: AllocationEnd) -> None:
        """Cancel the job of an allocation that counts as lost; not one that mtui did not request."""
        own = over.allocation
        if over.status is Status.LOST and own.job and own.pool != ANY:
            self._canceller.cancel_orphans([self._context.job_of(own.job, own.name)])

    def _end_fenced(self) -> None:
        for name, (over, due) in list(self._fenced.items()):
            if time.monotonic() >= due:
                del self._fenced[name]
                self._end(over, time.time())

    def _end(self, over: AllocationEnd, at: float) -> None:
        """Return what has not started, and end the rest as the allocation ended."""
        self.read_records()
        state, name = self._context.state, over.allocation.name
        waiting = [index for index in over.allocation.members if state.status[index] in NOT_BEGUN]
        return_instances(self._context, sorted(waiting, reverse=True), over.cause)
        self._context.emit_all(self.watch.end(over, at))
        self._records.pop(name, None)
        self._has_changed = True

    # --- after a change of driver

    def recover(self) -> None:
        """Recover unfinished work of an earlier driver."""
        context, at, now = self._context, time.time(), time.monotonic()
        for allocation in context.state.allocations.open():
            if allocation.status is Status.SUBMITTING:
                message = "the driver ended before the answer came"
                observed = ev.AllocationObserved(
                    at=at, allocation=allocation.name, status=Status.UNCLEAR, reason=message
                )
                context.emit(observed)
            if allocation.status is Status.UNCLEAR:
                self.watch.note_unclear(allocation.name, now)
        for submission, members in list(context.state.submissions.items()):
            last = context.state.attempts[members[0][0]][-1]
            if last.submission == submission and last.allocation:
                self._recover_dispatch(submission, last.allocation, at)
        self._recover_returns(at)
        self.read_records()

    def _recover_dispatch(self, submission: str, name: str, at: float) -> None:
        allocation = self._context.state.allocations.by_name[name]
        self._context.emit(
            ev.Submitted(at=at, submission=submission, job=allocation.job)
            if has_dispatch(self._context.directory.allocation_file(name, "list"), submission)
            else ev.SubmitDeferred(at=at, submission=submission, message="the driver ended before it was assigned")
        )

    def _recover_returns(self, at: float) -> None:
        """Return what a driver revoked without journalling it: its leader will never start it."""
        state, claims = self._context.state, self._context.directory.claims
        waiting = [index for index in state.live_packed if state.status[index] in NOT_BEGUN]
        returned: list[tuple[int, int]] = []
        for index in sorted(waiting, reverse=True):
            self._context.log.renew()
            number = state.attempts[index][-1].number
            if claims.is_revoked(attempt_name(index, number)):
                returned.append((index, number))
        if returned:
            self._context.emit(ev.Returned(at=at, members=tuple(returned), cause=Cause(CauseCode.REVOKED)))
