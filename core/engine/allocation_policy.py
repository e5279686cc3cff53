"""Decides about allocations: which to request, what to assign and withdraw, and when to release them.

An instance is assigned to an allocation of its pool when it is ready, or earlier to the one that has all parents it
still waits for: the leader then starts it without the driver. No method changes the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf

from ..plan.shared_allocations import ANY, PackingPlan, Pool, PoolShare
from .allocation import Allocation
from .causes import Cause, CauseCode
from .state import StudyState
from .status import OVER, Status
from .vain_allocations import MOST_IN_VAIN, vain_streak

MOST_AT_ONCE = 1000  # instances assigned or withdrawn in one turn, so the driver's loop stays responsive
START_MARGIN = 10  # seconds that must remain beyond an instance's walltime to assign it
_LEAST_LEFT = 30  # seconds that must remain to assign an instance without a walltime
_GUESS = 60.0  # seconds assumed for an instance without a known run time
_STEAL_MARGIN = 60  # seconds that must remain beyond that to move an instance to an idle allocation
_MOST_STEALS = 3  # times in a row that an instance moves to an idle allocation without being started
_WAITING = (Status.WAITING, Status.READY, Status.HELD, Status.BOUND, Status.PENDING, Status.SUBMITTING)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Instances to assign to an allocation."""

    allocation: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Instances to withdraw from an allocation, which has not started them."""

    allocation: str
    members: tuple[int, ...]
    cause: Cause


class AllocationPolicy:
    """Decides for one study at one moment; `now` is the wall clock, as are the end times of allocations."""

    def __init__(
        self,
        state: StudyState,
        packing: PackingPlan,
        now: float,
        left: Callable[[Allocation], float | None] | None = None,
    ) -> None:
        """`left` returns the seconds that a running allocation has left, None if unknown; else its end time counts."""
        self._now = now
        self._left_of = left or self._left_by_end_time
        self._state = state
        self._packing = packing
        self._open = state.allocations.open()

    # --- assigning

    def assignments(self, throttle: int, *, ahead: bool) -> list[Assignment]:
        """Return what to assign now; `ahead`: also instances whose parents are in the same allocation."""
        state = self._state
        if not self._open:
            return []
        free = MOST_AT_ONCE
        if throttle:
            free = min(free, throttle - len(state.live_slurm) - len(state.live_packed))
        load = {allocation.name: len(allocation.members) for allocation in self._open}
        found: dict[str, list[int]] = {}
        for index, share in self.ready():
            if free <= 0:
                break
            candidates = [allocation for allocation in self._open if self._fits(allocation, share)]
            if candidates:
                best = min(candidates, key=lambda own: (not own.began_at, load[own.name] / max(1, own.cores)))
                load[best.name] += 1
                found.setdefault(best.name, []).append(index)
                free -= 1
        for index, allocation in self._ahead() if ahead else ():
            if free <= 0:
                break
            found.setdefault(allocation, []).append(index)
            free -= 1
        return [Assignment(name, tuple(members)) for name, members in found.items()]

    def ready(self) -> Iterator[tuple[int, PoolShare]]:
        """Yield the ready instances that share allocations, the deepest steps of the graph first."""
        state = self._state
        for step in state.deepest_first:
            if step in self._packing.steps:
                for index in islice(state.ready[step], MOST_AT_ONCE):
                    share = self._packing.of(index, state.changes.get(index, {}))
                    if isinstance(share, PoolShare):
                        yield index, share

    def _fits(self, allocation: Allocation, share: PoolShare, spare: float = 0.0) -> bool:
        """Whether an instance can be assigned to an allocation and will fit for `spare` seconds more."""
        if allocation.pool not in (share.pool, ANY) or not allocation.takes:
            return False
        left = self._left(allocation)
        return _is_able(allocation, share) and left is not None and needed_seconds(share) + spare <= left

    def _left(self, allocation: Allocation) -> float | None:
        """Return the seconds that an allocation has left for an instance assigned now; None if unknown."""
        return self._left_of(allocation) if allocation.began_at else allocation.seconds

    def _left_by_end_time(self, allocation: Allocation) -> float:
        """Return the seconds until the end time of a running allocation."""
        return allocation.ends_at - self._now if allocation.ends_at else inf

    def _ahead(self) -> Iterator[tuple[int, str]]:
        """Yield instances whose unfinished parents are all in one allocation, with its name.

        A leader starts what waits for successes. What waits for an end alone (`after`) is assigned once that has come.
        """
        state, funnels, barriers = self._state, dict[int, str | None](), dict[int, str | None]()
        for step in reversed(state.deepest_first):
            if step not in self._packing.steps or not state.ahead[step]:
                continue
            for funnel in state.plan.steps[step].funnels:
                if funnel not in funnels:
                    funnels[funnel] = self._holder(state.plan.steps[funnel].instances)
            after = state.plan.steps[step].after
            held = [_sure(funnels[funnel], funnel in after) for funnel in state.plan.steps[step].funnels]
            for index in islice(state.ahead[step], MOST_AT_ONCE):
                instance = state.plan.instances[index]
                for barrier in instance.barriers:
                    if barrier not in barriers:
                        barriers[barrier] = self._holder(state.plan.barriers[barrier])
                grouped = [
                    _sure(barriers[barrier], self._step_of(state.plan.barriers[barrier][0]) in after)
                    for barrier in instance.barriers
                ]
                ends = [parent for parent in instance.parents if self._step_of(parent) in after] if after else []
                holders = {self._holder(instance.parents), _sure(self._holder(ends), True), *grouped, *held} - {""}
                share = self._packing.of(index, state.changes.get(index, {}))
                if len(holders) == 1 and isinstance(share, PoolShare):
                    allocation = state.allocations.by_name.get(holders.pop() or "")
                    if allocation and allocation.graph and self._fits(allocation, share):
                        yield index, allocation.name

    def _step_of(self, index: int) -> int:
        return self._state.plan.instances[index].step

    def _holder(self, instances: Iterable[int]) -> str | None:
        """Return the allocation that has all unfinished ones of these; empty if all are over, None if there is none."""
        state, found = self._state, ""
        for index in instances:
            if state.status[index] in OVER:
                continue
            leaves = index in state.to_unbind or index in state.to_cancel
            name = state.attempts[index][-1].allocation if index in state.live_packed and not leaves else ""
            if not name or found not in ("", name):
                return None
            found = name
        return found

    # --- requesting

    def wanted(self, cores_of_a_node: int) -> list[Pool]:
        """Return the pools to request an allocation for. `cores_of_a_node` is assumed where the size is unknown."""
        pack, pools = self._packing.pack, dict[Pool, None]()
        for _, share in self.ready():
            if share.pool in pools:
                continue
            alive = [
                own for own in self._open if own.pool in (share.pool, ANY) and not own.ending and self._may(own, share)
            ]
            if not alive:
                pools[share.pool] = None
        for pool in {own.pool for own in self._open}:
            alive = [own for own in self._open if own.pool == pool and not own.ending]
            if pool in pools or not alive or len(alive) >= pack.allocations:
                continue
            if all(own.status is not Status.SUBMITTING for own in alive) and self._wait(alive, cores_of_a_node):
                pools[pool] = None
        return [pool for pool in pools if not self.never_began(pool)]

    def _may(self, allocation: Allocation, share: PoolShare) -> bool:
        return not allocation.job or self._left(allocation) is None or self._fits(allocation, share)

    def _wait(self, alive: list[Allocation], cores_of_a_node: int) -> bool:
        """Whether the remaining work of these allocations would take longer than `more_after` seconds."""
        state, work = self._state, 0.0
        for step in self._packing.steps:
            counts = state.step_counts[step]
            waiting = sum(counts[status] for status in _WAITING)
            instances = state.plan.steps[step].instances
            share = self._packing.of(instances[0]) if waiting else None
            if isinstance(share, PoolShare) and share.pool == alive[0].pool:
                number, seconds = state.ran[step]
                each = seconds / number if number else share.ask.seconds or _GUESS
                work += waiting * share.ask.tasks * share.ask.cpus * each
        known = max((own.cores / own.nodes for own in alive), default=0) or cores_of_a_node
        cores = sum(own.cores or own.nodes * known for own in alive)
        return work / max(1, cores) > self._packing.pack.more_after

    def never_began(self, pool: Pool) -> str:
        """Return a pool's last allocation if its last three ran nothing; else empty. A user's retry resets it."""
        if any(own.pool == pool and not own.ending and (own.ran or own.members) for own in self._open):
            return ""  # its instances may run there yet
        streak = self.in_vain(pool)
        return streak[0].name if len(streak) >= MOST_IN_VAIN else ""

    def in_vain(self, pool: Pool) -> list[Allocation]:
        """Return the last allocations of a pool that ran nothing, the latest first."""
        return vain_streak(self._state.allocations, pool, self._is_useless)

    def _is_useless(self, allocation: Allocation) -> bool:
        """Whether an allocation could not run anything of what is ready, not even when it began."""
        left = allocation.usable or inf
        shares = (share for _, share in self.ready() if share.pool == allocation.pool)
        able = [_is_able(allocation, share) and needed_seconds(share) <= left for share in shares]
        return bool(able) and not any(able)

    def needed(self, pool: Pool) -> float:
        """Return the seconds that an allocation must have left to run each ready instance of a pool."""
        return max((needed_seconds(share) for _, share in self.ready() if share.pool == pool), default=0.0)

    def stuck(self, pool: Pool) -> list[int]:
        """Return the ready instances that wait for a pool."""
        return [index for index, share in self.ready() if share.pool == pool]

    # --- withdrawing, releasing

    def withdrawals(self) -> list[Withdrawal]:
        """Return what to withdraw: instances that do not fit the time left, or that an idle allocation could run."""
        found: list[Withdrawal] = []
        for allocation in self._open:
            if not allocation.began_at:
                continue
            if not allocation.graph:
                found.append(Withdrawal(allocation.name, self._bound_in(allocation), Cause(CauseCode.NO_WAITING)))
                wide = tuple(index for index in self._of(allocation, Status.PENDING) if self._is_wide(index))
                found.append(Withdrawal(allocation.name, wide, Cause(CauseCode.NO_PYTHON, job=allocation.job)))
            left = self._left(allocation)
            if left is None:
                continue
            if left >= self._packing.longest + 1 and not self._state.changes:  # a retry may need longer than planned
                continue
            late = [index for index in self._of(allocation, Status.PENDING) if self._is_late(index, left)]
            cause = Cause(CauseCode.NO_TIME_LEFT, job=allocation.job)
            found.append(Withdrawal(allocation.name, tuple(late), cause))
        return [back for back in (*found, *self._steal()) if back.members]

    def _bound_in(self, allocation: Allocation) -> tuple[int, ...]:
        """Return what was assigned ahead of its parents: even if those are done now, it is in the leader's list."""
        freed = (index for index in self._of(allocation, Status.PENDING) if self._state.attempts[index][-1].freed_at)
        return (*self._of(allocation, Status.BOUND), *freed)

    def _is_wide(self, index: int) -> bool:
        share = self._packing.of(index, self._state.changes.get(index, {}))
        return isinstance(share, PoolShare) and share.ask.nodes > 1

    def _is_late(self, index: int, left: float) -> bool:
        share = self._packing.of(index, self._state.changes.get(index, {}))
        return isinstance(share, PoolShare) and left < max(share.ask.seconds, 1)

    def _steal(self) -> Iterator[Withdrawal]:
        for idle in self._open:
            if not idle.began_at or not idle.takes or idle.members:
                continue
            others = [own for own in self._open if own.pool == idle.pool and own is not idle and own.members]
            for other in sorted(others, key=lambda own: -len(own.members)):
                waiting = self._of(other, Status.PENDING)
                # An allocation that has not started loses all that fits: its instances could run at once.
                keep = max(1, len(waiting) // 2) if other.began_at else 0
                most = min(max(0, len(waiting) - keep), MOST_AT_ONCE)
                movable = islice((index for index in reversed(waiting) if self._may_move(index, idle)), most)
                if members := tuple(sorted(movable)):
                    yield Withdrawal(other.name, members, Cause(CauseCode.IDLE_ALLOCATION, job=idle.job))
                    break

    def _may_move(self, index: int, idle: Allocation) -> bool:
        """Whether an idle allocation can run an instance, which has not been moved too often."""
        share = self._packing.of(index, self._state.changes.get(index, {}))
        if not isinstance(share, PoolShare) or not self._fits(idle, share, _STEAL_MARGIN):
            return False
        before = self._state.attempts[index][-_MOST_STEALS - 1 : -1]
        moved = [item for item in before if item.cause and item.cause.code is CauseCode.IDLE_ALLOCATION]
        return len(moved) < _MOST_STEALS

    def _of(self, allocation: Allocation, status: Status) -> tuple[int, ...]:
        return tuple(index for index in allocation.members if self._state.status[index] is status)

    def releasable(self) -> list[Allocation]:
        """Return the open allocations without members, once no instance of a packed step is left to run."""
        state = self._state
        for step in self._packing.steps:
            counts = state.step_counts[step]
            if any(count and status not in OVER for status, count in counts.items()):
                return []
        return [allocation for allocation in self._open if not allocation.ending and not allocation.members]


def needed_seconds(share: PoolShare) -> float:
    """Return the seconds that an allocation must have left to assign an instance to it."""
    return share.ask.seconds + (START_MARGIN if share.ask.seconds else _LEAST_LEFT)


def _is_able(allocation: Allocation, share: PoolShare) -> bool:
    """Whether an allocation can run such an instance at all: without Python it runs those of one node only."""
    return share.ask.nodes == 1 or allocation.graph or not allocation.began_at


def _sure(holder: str | None, ends: bool) -> str | None:
    """Return the allocation that has the unfinished of some parents; None if only their `ends` are awaited."""
    return None if ends and holder else holder
