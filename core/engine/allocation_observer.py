"""Turns what Slurm shows of allocations into events, as job_observer.py does for individual jobs.

Only Slurm decides whether an allocation is over: only then nothing in it runs any more, and its unfinished instances
can run again elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from . import events as ev
from .allocation import Allocation
from .causes import Cause, CauseCode
from .expectation import LOST_WAIT, STUCK_WAIT, UNCLEAR_WAIT, PolledTime
from .slurm_answers import Accounting, JobAnswer, SeenJob, answer_of
from .state import StudyState
from .status import IN_SLURM, Status

_CODES = {
    Status.FINISHED: CauseCode.ALLOCATION_ENDED,
    Status.TIMED_OUT: CauseCode.ALLOCATION_WALLTIME,
    Status.NODE_FAILED: CauseCode.ALLOCATION_NODE_FAILED,
    Status.PREEMPTED: CauseCode.ALLOCATION_PREEMPTED,
    Status.OUT_OF_MEMORY: CauseCode.ALLOCATION_OUT_OF_MEMORY,
    Status.CANCELLED: CauseCode.ALLOCATION_CANCELLED,
}
# The answers of polls that cannot last, the seconds until the allocation counts as lost, and why it does.
_LOSSES = {
    JobAnswer.MISSING: (LOST_WAIT, CauseCode.ALLOCATION_UNKNOWN),
    JobAnswer.UNANSWERED: (STUCK_WAIT, CauseCode.ALLOCATION_UNKNOWN),
    JobAnswer.UNLISTED: (STUCK_WAIT, CauseCode.ALLOCATION_RUNAWAY),
    JobAnswer.COMPLETING: (STUCK_WAIT, CauseCode.ALLOCATION_COMPLETING),
}
MOST_RETURNS = 3  # attempts of an instance in a row that may start and be lost with their allocations


@dataclass(frozen=True, slots=True)
class AllocationEnd:
    """The end of an allocation."""

    allocation: Allocation
    status: Status
    cause: Cause


@dataclass(slots=True)
class AllocationExpectation:
    """What is awaited and doubted about one open allocation. Times are the driver's monotonic clock."""

    last_heard: float = 0.0
    unclear_since: float | None = None  # since when it is unknown whether Slurm accepted the request
    looked_for: PolledTime = field(default_factory=PolledTime)  # while it is unclear
    doubt: JobAnswer | None = None  # what polls show that cannot last
    polled: PolledTime = field(default_factory=PolledTime)  # for how long they show it
    leader_ended: bool = False  # Slurm's verdict is awaited


class AllocationObserver:
    """Watches the open allocations of a study. Times are the driver's monotonic clock, `at` its wall clock."""

    def __init__(self, state: StudyState) -> None:
        self._state = state
        self._expected: dict[str, AllocationExpectation] = {}

    def _expect(self, name: str) -> AllocationExpectation:
        return self._expected.setdefault(name, AllocationExpectation())

    @property
    def wants_poll(self) -> bool:
        """Whether a poll of Slurm would decide something now."""
        return any(each.unclear_since is not None or each.leader_ended for each in self._expected.values())

    def note_heard(self, name: str, now: float) -> None:
        """Record news of an allocation: polls of Slurm that started earlier are outdated for it."""
        expected = self._expect(name)
        expected.last_heard, expected.doubt = now, None

    def note_unclear(self, name: str, now: float) -> None:
        """Record that it is unknown whether Slurm accepted the request."""
        expected = self._expect(name)
        expected.unclear_since = now if expected.unclear_since is None else expected.unclear_since

    def note_ending(self, name: str) -> None:
        """Record that the leader of an allocation has ended."""
        self._expect(name).leader_ended = True

    def apply_poll(
        self,
        seen: Callable[[Allocation], SeenJob | None],
        find: Callable[[str], str],
        asked: float,
        at: float,
        accounting: Accounting,
    ) -> tuple[list[ev.Event], list[AllocationEnd]]:
        """Return the events of a poll of Slurm that was started at `asked`, and the allocations that are over.

        `seen` maps an allocation to its job's state; `find` maps an allocation to its job id, empty if there is none.
        `accounting`: whether it answered.
        """
        events: list[ev.Event] = []
        overs: list[AllocationEnd] = []
        for allocation in self._state.allocations.open():
            expected = self._expect(allocation.name)
            if expected.last_heard >= asked or self._state.is_elsewhere(allocation.cluster):
                continue
            if expected.unclear_since is not None:
                found = self._look_for(allocation, find(allocation.name), asked, at, accounting)
                if isinstance(found, AllocationEnd):
                    overs.append(found)
                elif found:
                    events.append(found)
            elif allocation.job:
                view = seen(allocation)
                if lost := self._lost(allocation, view, asked, accounting):
                    overs.append(lost)
                elif view is None or not (view.listed or view.ended):
                    continue
                elif view.ended:
                    overs.append(AllocationEnd(allocation, view.status, _job_cause(allocation, view)))
                elif (view.status, view.reason) != (allocation.status, allocation.reason):
                    status = view.status if view.status in IN_SLURM else Status.RUNNING
                    observed = ev.AllocationObserved(
                        at=at, allocation=allocation.name, status=status, reason=view.reason
                    )
                    events.append(observed)
        return events, overs

    def end(self, over: AllocationEnd, at: float) -> list[ev.Event]:
        """Return the events with which an allocation ends: its instances run again, or end as it did."""
        allocation, state = over.allocation, self._state
        self._expected.pop(allocation.name, None)
        events: list[ev.Event] = []
        again: list[tuple[int, int]] = []
        # Children first: those that the return of a parent would unbind are returned already.
        for index in sorted(allocation.members, reverse=True):
            attempt = state.attempts[index][-1]
            if attempt.started_at and not attempt.cancelled and self._returns(index) >= MOST_RETURNS - 1:
                status = Status.FAILED if over.status is Status.FINISHED else over.status
                cause = replace(over.cause, times=MOST_RETURNS)
                ended = ev.Ended(at=at, instance=index, attempt=attempt.number, status=status, cause=cause)
                events.append(ended)
            else:
                again.append((index, attempt.number))
        if again:
            events.append(ev.Returned(at=at, members=tuple(again), cause=over.cause))
        cause = None if over.status is Status.FINISHED else over.cause
        events.append(ev.AllocationOver(at=at, allocation=allocation.name, status=over.status, cause=cause))
        return events

    def _returns(self, index: int) -> int:
        """Count the attempts before the last, in a row, that started and were returned."""
        number = 0
        for attempt in reversed(self._state.attempts[index][:-1]):
            if attempt.started_at and not attempt.returned:
                break
            number += attempt.returned
        return number

    def _look_for(
        self, allocation: Allocation, job: str, asked: float, at: float, accounting: Accounting
    ) -> ev.Event | AllocationEnd | None:
        expected = self._expect(allocation.name)
        wait = STUCK_WAIT if accounting is Accounting.UNANSWERED else UNCLEAR_WAIT
        is_found = bool(job or allocation.job)
        is_old = expected.unclear_since is not None and asked < expected.unclear_since
        if not is_found and (is_old or not expected.looked_for.covers(wait, asked)):
            return None
        expected.unclear_since = None
        if is_found:
            return ev.AllocationQueued(at=at, allocation=allocation.name, job=allocation.job or job)
        return AllocationEnd(allocation, Status.LOST, Cause(CauseCode.ALLOCATION_NOT_REQUESTED))

    def _lost(
        self, allocation: Allocation, view: SeenJob | None, asked: float, accounting: Accounting
    ) -> AllocationEnd | None:
        """Return the end of an allocation that polls do not show as it should be for too long."""
        expected = self._expect(allocation.name)
        if view is None:
            is_silent = accounting is Accounting.UNANSWERED
            answer = JobAnswer.UNANSWERED if is_silent else JobAnswer.MISSING
        else:
            answer = answer_of(view)
        if answer not in _LOSSES:
            expected.doubt = None
            return None
        if answer is not expected.doubt:
            expected.doubt, expected.polled = answer, PolledTime()
        wait, code = _LOSSES[answer]
        if not expected.polled.covers(wait, asked):
            return None
        if view and view.accounted:  # it completes for too long: accounting knows how it ended
            return AllocationEnd(allocation, view.accounted.status, _job_cause(allocation, view.accounted))
        return AllocationEnd(allocation, Status.LOST, Cause(code, job=allocation.job))


def _job_cause(allocation: Allocation, view: SeenJob) -> Cause:
    """Why the job of an allocation ended."""
    unneeded = view.status is Status.CANCELLED and allocation.ending and not allocation.began_at
    code = CauseCode.ALLOCATION_UNNEEDED if unneeded else _CODES.get(view.status, CauseCode.ALLOCATION_FAILED)
    return Cause(code, node=view.node, job=allocation.job)
