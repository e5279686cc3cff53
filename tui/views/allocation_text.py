"""Texts about allocations: their state, time left, and use."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ...core.backends.pending_reasons import reason_text
from ...core.engine.allocation import Allocation
from ...core.engine.attempt import Attempt
from ...core.engine.state import StudyState
from ...core.engine.status import Status
from ...core.plan.shared_allocations import PackingPlan, PoolShare
from ...core.plan.study_plan import Plan
from ...core.spec.study_spec import PackingOptions
from ...core.spec.walltime import walltime_text
from .appearance import StatusGroup, group_of
from .text import plural, safe

# Instances in an allocation have been accepted already: this limit refuses none.
_ANYTHING = PackingOptions(nodes=1_000_000, walltime="3650-00:00:00")
_AT_WORK = frozenset({Status.RUNNING, Status.SUSPENDED, Status.COMPLETING})


@dataclass(frozen=True, slots=True)
class Use:
    """How much of an allocation is in use."""

    running: int
    waiting: int  # instances in the allocation that have not started
    busy: int  # cores that the running instances request


class Occupancy:
    """Computes the use of a study's open allocations. The cost of `look` grows with the instances in these."""

    def __init__(self, plan: Plan) -> None:
        self._packing = PackingPlan(plan, _ANYTHING)
        self._cores: dict[tuple[int, int], int] = {}  # by instance and attempt, of those running at the last call

    def look(self, state: StudyState) -> dict[str, Use]:
        """Return the use of each open allocation, by name."""
        known, self._cores = self._cores, {}
        found: dict[str, Use] = {}
        for allocation in open_ones(state):
            running = [index for index in allocation.members if state.status[index] in _AT_WORK]
            busy = 0
            for index in running:
                last = state.attempts[index][-1]
                key = (index, last.number)
                self._cores[key] = known[key] if key in known else self._asks(index, last, allocation)
                busy += self._cores[key]
            waiting = len(allocation.members) - len(running)
            found[allocation.name] = Use(len(running), waiting, min(busy, allocation.cores))
        return found

    def _asks(self, index: int, attempt: Attempt, allocation: Allocation) -> int:
        share = self._packing.of(index, dict(attempt.changes))
        if not isinstance(share, PoolShare):
            return 1
        ask = share.ask
        if ask.exclusive:
            return ask.nodes * allocation.cores // max(1, allocation.nodes)
        return ask.tasks * ask.cpus


def open_ones(state: StudyState) -> list[Allocation]:
    """Return the allocations that are not over; none if the study has ended, because they are released then."""
    return [] if state.result else state.allocations.open()


def clock(seconds: float) -> str:
    """Return a duration in the format of Slurm: `1:05:00`."""
    return walltime_text(max(0, int(seconds))).removeprefix("0")


def title(allocation: Allocation) -> str:
    """Return the name of an allocation in texts: by its job ID, as in Slurm."""
    return f"allocation {allocation.job}" if allocation.job else "the allocation"


def kind_of(attempt: Attempt) -> str:
    """Return the kind of ID that the `job` of an attempt is: process, allocation or job."""
    return "process" if attempt.backend == "local" else "allocation" if attempt.allocation else "job"


def allocation_status_text(allocation: Allocation) -> str:
    """Return the state of an allocation in a word."""
    if not allocation.is_over and allocation.ending:
        return "ending"
    if allocation.status is Status.RUNNING and not allocation.began_at:
        return "starting"
    return allocation.status.value


def group(allocation: Allocation) -> StatusGroup:
    return group_of(allocation.status)


def time_left(allocation: Allocation, now: float) -> float:
    """Return the seconds left of an open allocation; all of them if it has not started, inf without a limit."""
    if not allocation.began_at:
        return allocation.seconds
    return min(allocation.ends_at - now, allocation.usable or inf) if allocation.ends_at else inf


def left(allocation: Allocation, now: float) -> str:
    """Return the time left as text."""
    seconds = time_left(allocation, now)
    return clock(seconds) if seconds < inf else "no limit"


def hosts(allocation: Allocation, most: int = 4) -> str:
    """Return the names of the nodes; of many, only the first."""
    more = len(allocation.hosts) - most
    return ", ".join(map(safe, allocation.hosts[:most])) + (f" and {more:,} more" if more > 0 else "")


def not_begun(allocation: Allocation) -> str:
    """Return why an open allocation has not started, as text that follows its name; empty if it has."""
    if allocation.began_at:
        return ""
    match allocation.status:
        case Status.SUBMITTING:
            return "is being requested"
        case Status.UNCLEAR:
            return "was requested; the answer was lost, so mtui looks for the job"
        case Status.RUNNING:
            return "is starting"
        case Status.CONFIGURING:
            return "waits for its nodes to boot"
        case _:
            why = f": {safe(reason_text(allocation.reason))}" if allocation.reason else ""
            return f"waits in Slurm's queue{why}"


def waits_for(allocation: Allocation, parents: int) -> str:
    """Return what a pending instance in an allocation waits for: its parents, the allocation, or a free slot."""
    if parents:
        return f"behind {plural(parents, 'parent')} there"
    return f"its allocation {waits}" if (waits := not_begun(allocation)) else "for a free slot there"


def open_words(state: StudyState, uses: dict[str, Use]) -> str:
    """Return the open allocations in one line: `2 allocations, 12/256 cores busy, 1 queued`; empty if there is none."""
    own = [allocation for allocation in open_ones(state) if allocation.name in uses]
    if not own:
        return ""
    begun = [allocation for allocation in own if allocation.began_at]
    words = [plural(len(own), "allocation")]
    if begun:
        busy, cores = sum(uses[one.name].busy for one in begun), sum(one.cores for one in begun)
        words.append(f"{busy:,}/{cores:,} cores busy")
    if queued := len(own) - len(begun):
        words.append(f"{queued:,} queued" if begun or queued > 1 else "queued")
    return ", ".join(words)
