"""Status changes of instances, and their consequences for dependents and queues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..plan.extend import widened_funnels
from ..plan.study_plan import Plan
from .attempt import Attempt
from .causes import Cause, CauseCode
from .durable_state import DurableState
from .status import BAD, DONE, LIVE, OVER, TABLE, Impossible, Status, Verb, allowed
from .status_index import Binding, StatusIndex

_TOO_LATE_TO_HOLD = OVER | {Status.RUNNING, Status.SUSPENDED, Status.COMPLETING}

# A change still to be made: instance, verb, new status.
_Change = tuple[int, Verb, Status]


class InstanceTable:
    """Writes the statuses and queues of a durable state, and keeps the status index up to date."""

    def __init__(self, plan: Plan, state: DurableState, index: StatusIndex) -> None:
        self._plan = plan
        self._state = state
        self._index = index
        self.now = 0.0  # wall clock seconds of the event that is being applied

    def at(self, index: int) -> Status:
        """Return the status of an instance; raises Impossible if the index is out of range."""
        if not 0 <= index < len(self._state.status):
            raise Impossible(f"there is no instance {index}")
        return self._state.status[index]

    def require(self, indices: Iterable[int], verb: Verb, target: Status) -> None:
        """Raise Impossible unless all of these instances allow the change: an event applies fully or not at all."""
        for index in indices:
            if not allowed(verb, self.at(index), target):
                source = self._state.status[index].value
                raise Impossible(f"instance {index} is {source}: '{verb.value}' cannot make it {target.value}")

    def unlock_ready(self) -> None:
        """Make instances without unfinished parents ready, at the start of a study."""
        for index, status in enumerate(self._state.status):
            if status is Status.WAITING and self._index.waits_for(index) == 0:
                self.change(index, Verb.UNLOCK, Status.READY)

    def unlock_if_free(self, index: int) -> None:
        """Make a waiting instance ready if no parent holds it back."""
        if self._index.waits_for(index) == 0:
            self.change(index, Verb.UNLOCK, Status.READY)

    def unsubmitted_status(self, index: int) -> Status:
        """Return the status that an unsubmitted instance should have, given its parents."""
        if self._index.failed_above.above[index]:
            return Status.BLOCKED
        return Status.WAITING if self._index.waits_for(index) else Status.READY

    def change(self, index: int, verb: Verb, target: Status) -> None:
        """Change the status of an instance, and apply the consequences for its dependents.

        Raises Impossible, and changes nothing, if the table of transitions does not allow it.
        """
        self.require([index], verb, target)
        state_of, counters = self._state.status, self._index
        todo: list[_Change] = [(index, verb, target)]  # a stack; consequences pushed in reverse keep the order of rows
        while todo:
            index, verb, target = todo.pop()
            source = state_of[index]
            if source is target:
                continue  # no change, or already reached over another path
            assert allowed(verb, source, target)
            self._put(index, source, target)
            if (source in DONE) != (target in DONE):
                touched = counters.unfinished_above.change(index, target not in DONE)
                todo += reversed(self._follow(touched, more=target not in DONE))
            after = counters.unfinished_after_parents
            if after and (source in OVER) != (target in OVER):
                touched = after.change(index, target not in OVER)
                todo += reversed(self._follow(touched, more=target not in OVER))
            if (source in BAD) != (target in BAD):
                todo += reversed(self._follow_failure(index, target in BAD))
            if verb is Verb.UNBLOCK and target is Status.WAITING and counters.waits_for(index) == 0:
                todo.append((index, Verb.UNLOCK, Status.READY))  # the parent that had failed counts as done
            self._follow_binding(index, counters.binding(index, source))

    def _put(self, index: int, source: Status, target: Status) -> None:
        """Write the status of one instance, and update its queues."""
        state = self._state
        step = self._plan.instances[index].step
        state.status[index] = target
        self._index.count(index, source, target)
        live = self._live_queue(index)
        if (source is Status.HELD or target in _TOO_LATE_TO_HOLD) and target is not Status.BLOCKED:
            state.held.discard(index)
        if source is Status.READY:
            state.ready[step].pop(index, None)
        elif target is Status.READY:
            state.ready[step][index] = None
        if source in (Status.BOUND, Status.PENDING):
            state.to_unbind.pop(index, None)
            state.lost_dependency.discard(index)
        if Status.WAITING in (source, target):
            self._queue_ahead(index)
        allocation = state.attempts[index][-1].allocation if live is state.live_packed else ""
        if target in LIVE:
            live[index] = None
            if allocation:
                state.allocations.has(allocation, index)
        elif source in LIVE:
            live.pop(index, None)
            state.to_cancel.pop(index, None)
            if allocation:
                state.allocations.leaves(allocation, index, finished=target is Status.FINISHED)

    def _live_queue(self, index: int) -> dict[int, None]:
        """Return the queue of live instances that an instance belongs to while it is live."""
        state = self._state
        if not self._plan.steps[self._plan.instances[index].step].scheduled:
            return state.live_local
        attempts = state.attempts.get(index)
        return state.live_packed if attempts and attempts[-1].allocation else state.live_slurm

    def _queue_ahead(self, index: int) -> None:
        """Update `ahead` for an instance whose status or parents have changed."""
        state = self._state
        step = self._plan.steps[self._plan.instances[index].step]
        waits = step.scheduled and state.status[index] is Status.WAITING
        if waits and index not in state.dependency_never_satisfied and self._index.can_go_ahead(index):
            state.ahead[step.index][index] = None
        else:
            state.ahead[step.index].pop(index, None)

    # --- what follows for dependents

    def _follow(self, children: Sequence[int], *, more: bool) -> list[_Change]:
        """Return the changes of dependents that now wait for one parent more (or one fewer)."""
        follow: list[_Change] = []
        for child in children:
            status = self._state.status[child]
            if status is Status.WAITING and self._index.unfinished_after_parents:
                self._queue_ahead(child)
            if more and status is Status.READY:
                self.revoke_last(child, Cause(CauseCode.PARENT_RERUN))
                follow.append((child, Verb.RELOCK, Status.WAITING))
            elif more and status is Status.BOUND:
                self.lose_dependency(child)
            elif not more and self._index.waits_for(child) == 0:
                if status is Status.WAITING:
                    follow.append((child, Verb.UNLOCK, Status.READY))
                elif status is Status.BOUND and child not in self._state.to_unbind:
                    self._note_freed(child)
                    follow.append((child, Verb.FREE, Status.PENDING))
        return follow

    def _follow_failure(self, index: int, failed: bool) -> list[_Change]:
        """Return the changes of dependents after an instance failed, or no longer counts as failed."""
        follow: list[_Change] = []
        failed_above, status = self._index.failed_above, self._state.status
        for child in dict.fromkeys(failed_above.change(index, failed)):  # one may be reached over two paths
            bad = failed_above.above[child]
            if bad and status[child] in TABLE[Verb.BLOCK].sources:
                follow.append((child, Verb.BLOCK, Status.BLOCKED))
            elif not bad and status[child] is Status.BLOCKED:
                target = Status.HELD if child in self._state.held else Status.WAITING
                follow.append((child, Verb.UNBLOCK, target))
        return follow

    def _follow_binding(self, index: int, before: Binding) -> None:
        """Update the dependents of an instance that jobs can now be bound to, or no longer."""
        now = self._index.binding(index, self._state.status[index])
        for tally, was, bindable in zip(self._index.unbindable, before, now, strict=False):
            for child in tally.change(index, not bindable) if was != bindable else ():
                if self._state.status[child] is Status.WAITING:
                    self._queue_ahead(child)
                elif not bindable:
                    self.lose_dependency(child)

    # --- bound instances and attempts

    def note_rows_added(self, size: int) -> None:
        """Record which of the first `size` instances miss the rows added after them: funnels and their dependents.

        What may have run without them runs again, once its attempt is over; what has not begun is withdrawn.
        """
        for index in self.missing_rows(size):
            self._note_missed_rows(index)

    def missing_rows(self, size: int) -> list[int]:
        """Return those of the first `size` instances with attempts that ran, or may run, without later rows."""
        wider = set(widened_funnels(self._plan, size))
        below = sorted(wider | self._index.graph.below(wider))
        return [index for index in below if index < size and self._may_have_begun(index)]

    def _may_have_begun(self, index: int) -> bool:
        last, status = self._state.last_attempt(index), self._state.status[index]
        may_begin = last is not None and not last.ended_at and last.submitted_at > 0  # even if it counts as missed
        return may_begin or status in LIVE or status is Status.FINISHED

    def _note_missed_rows(self, index: int) -> None:
        state = self._state
        before = self._index.binding(index, state.status[index])
        state.missed_rows.add(index)
        self._follow_binding(index, before)
        self.lose_dependency(index)

    def forget_missed_rows(self, index: int) -> None:
        """Record that an instance has no attempt any more that misses rows."""
        state = self._state
        if index in state.missed_rows:
            before = self._index.binding(index, state.status[index])
            state.missed_rows.discard(index)
            self._follow_binding(index, before)

    def lose_dependency(self, index: int) -> None:
        """Queue an instance for withdrawal that must not begin: a job that it is bound to is not what it waits for."""
        state = self._state
        status, missed = state.status[index], index in state.missed_rows
        unbegun = status is Status.BOUND or (missed and status is Status.PENDING)
        if unbegun and not state.attempts[index][-1].cancelled:
            state.to_unbind[index] = None
            state.lost_dependency.add(index)

    def unbind_children(self, index: int) -> None:
        """Queue bound direct dependents for withdrawal: this instance's job is not the one they are bound to."""
        graph = self._index.graph
        for child in (*graph.dependents(index), *graph.users(self._plan.instances[index].step)):
            self.lose_dependency(child)

    def free(self, index: int) -> None:
        """Make a bound instance pending: the jobs it was bound to succeeded, so it only waits for resources."""
        self._note_freed(index)
        self.change(index, Verb.FREE, Status.PENDING)

    def _note_freed(self, index: int) -> None:
        attempt = self._state.attempts[index][-1]
        attempt.reason, attempt.freed_at = "", self.now

    def revoke_last(self, index: int, cause: Cause | None) -> None:
        """End an attempt that was deferred or never arrived; if its job appears later, it is an orphan job."""
        last: Attempt | None = self._state.last_attempt(index)
        if last and not last.ended_at:
            last.ended_at, last.cancelled, last.cause = self.now, True, cause
