"""Where every instance of a study stands, and what follows when one of them moves.

The cost of a move depends on what it changes, not on the size of the study: see Tally in graph.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..plan.model import Plan
from .allocations import Allocations
from .attempt import Attempt
from .graph import Edges, Graph, Kind, Tally
from .status import BAD, DONE, IN_SLURM, LIVE, OVER, TABLE, UNSUCCESSFUL, Impossible, Status, Verb, allowed

_TOO_LATE_TO_HOLD = OVER | {Status.RUNNING, Status.SUSPENDED, Status.COMPLETING}


class Standing:
    """The statuses of all instances, with the queues and counters that follow from them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        size = len(plan.instances)
        self.status: list[Status] = [Status.WAITING] * size
        self.attempts: dict[int, list[Attempt]] = {}
        self.counts: Counter[Status] = Counter({Status.WAITING: size})
        self.step_counts: list[Counter[Status]] = [
            Counter({Status.WAITING: len(step.instances)}) for step in plan.steps
        ]
        # By step, in the order in which they became so: what waits for nothing but a slot, and what could be
        # submitted ahead, since Slurm has all that it waits for.
        self.ready: list[dict[int, None]] = [{} for _ in plan.steps]
        self.ahead: list[dict[int, None]] = [{} for _ in plan.steps]
        self.live_slurm: dict[int, None] = {}  # Slurm holds them or may hold them
        self.live_local: dict[int, None] = {}
        self.live_packed: dict[int, None] = {}  # given to allocations
        self.allocations = Allocations()
        self.held: set[int] = set()
        self.withdrawn: set[int] = set()  # cancelled by command before they were submitted
        self.marked: dict[int, str] = {}  # as done or skipped by a person, and why
        self.automatic: set[int] = set()  # whose next attempts are made by itself, after a failure
        self.to_cancel: dict[int, None] = {}  # live ones whose jobs are still to be told to end
        self.to_unbind: dict[int, None] = {}  # bound to what will not come, or held: to be taken out of Slurm
        self.adrift: set[int] = set()  # of these: bound to a job that has gone, even if its instance gets another one
        self.in_vain: set[int] = set()  # bound once to what never came: not ahead again until it is submitted
        self._now = 0.0  # of the event that is being taken in
        self._graph = Graph(plan)
        self.deepest_first = self._graph.deepest_first()
        has_after = any(step.after for step in plan.steps)
        edges = Edges(plan, Kind.SUCCESS) if has_after else self._graph
        self._undone = Tally(edges, at_first=True)
        self._bad = Tally(edges, at_first=False)
        self._loose = Tally(edges, at_first=True)  # neither done nor in Slurm: nothing to be bound to
        self._going_on = Tally(Edges(plan, Kind.AFTER), at_first=True) if has_after else None
        self.size = plan.sizes[0] if plan.sizes else size  # further instances are not there yet: see PlanExtended
        if any(step.skipped for step in plan.steps) or self.size < size:
            self._skip()
        for index, status in enumerate(self.status):
            if status is Status.WAITING and self.waits_for(index) == 0:
                self._change(index, Verb.UNLOCK, Status.READY)

    def _skip(self) -> None:
        """What is not to be run, from the beginning."""
        for step in self.plan.steps:
            for index in step.instances:
                if step.skipped or index >= self.size:
                    self.status[index] = Status.SKIPPED
        self.recount()

    def recount(self) -> None:
        """Work out from the statuses what is otherwise kept up to date event by event."""
        self.counts = Counter(self.status)
        self.step_counts = [Counter(self.status[index] for index in step.instances) for step in self.plan.steps]
        self._undone.recount([status not in DONE for status in self.status])
        self._bad.recount([status in BAD for status in self.status])
        if self._going_on:
            self._going_on.recount([status not in OVER for status in self.status])
        self._loose.recount([not self._is_carried(index, status) for index, status in enumerate(self.status)])

    # --- reading

    @property
    def is_over(self) -> bool:
        """Whether no instance can change any more unless somebody asks for it."""
        return all(status in OVER for status, count in self.counts.items() if count)

    @property
    def outcome(self) -> str:
        """`finished`, `failed` or `cancelled`, once it is over; cancelled wins, as in Maestro."""
        if self.counts[Status.CANCELLED]:
            return "cancelled"
        return "failed" if any(self.counts[status] for status in BAD) else "finished"

    def last_attempt(self, index: int) -> Attempt | None:
        attempts = self.attempts.get(index)
        return attempts[-1] if attempts else None

    def cause(self, index: int) -> str:
        """Why an instance ended as it did, in words; empty if it did not end, or ended well."""
        if index in self.withdrawn:
            return "by command, before it was submitted"
        if index in self.marked:
            return self.marked[index]
        if self.status[index] is Status.SKIPPED:
            return self.plan.step_of(self.plan.instances[index]).skipped
        last = self.last_attempt(index)
        return last.cause if last and self.status[index] in UNSUCCESSFUL else ""

    def waits_for(self, index: int) -> int:
        """How many direct parents are not done, or not over where that is enough; a funnel counts as one."""
        return self._undone.above[index] + (self._going_on.above[index] if self._going_on else 0)

    def open_parents(self, index: int) -> list[int]:
        """The parents that keep an instance waiting, those by funnel one by one."""
        plan = self.plan
        instance = plan.instances[index]
        after = plan.step_of(instance).after
        parents = ((parent, plan.instances[parent].step) for parent in plan.parents(instance))
        return [parent for parent, step in parents if self.status[parent] not in (OVER if step in after else DONE)]

    def failed_above(self, index: int) -> int:
        """How many of its direct parents failed or are blocked; a funnel counts as one."""
        return self._bad.above[index]

    def waits_in_allocation(self, index: int) -> bool:
        """Whether an allocation has it, has not begun it, and could."""
        return self.status[index] is Status.PENDING and index in self.live_packed

    def below(self, indices: Iterable[int]) -> set[int]:
        """Everything that hangs on these instances, directly or further down."""
        return self._graph.below(indices)

    def children(self, index: int) -> tuple[list[int], list[int]]:
        """The instances that wait for this one itself, and the steps that wait for all of its step."""
        return self._graph.children[index], self._graph.funnel_users[self.plan.instances[index].step]

    def next_attempt(self, index: int) -> int:
        """The number that a new submission of this instance carries.

        It is a new one only if the last attempt ended: a submission that was put off or never arrived is
        the same attempt, and takes the same claim.
        """
        last = self.last_attempt(index)
        if last is None:
            return 1
        return last.number + 1 if last.ended_at else last.number

    # --- moves and what follows from them

    def _at(self, index: int) -> Status:
        if not 0 <= index < len(self.status):
            raise Impossible(f"there is no instance {index}")
        return self.status[index]

    def _require(self, indices: Iterable[int], verb: Verb, target: Status) -> None:
        """Raise Impossible unless all of these instances can make the change: one event, all or nothing."""
        for index in indices:
            if not allowed(verb, self._at(index), target):
                source = self.status[index].value
                raise Impossible(f"instance {index} is {source}: '{verb.value}' cannot make it {target.value}")

    def _unsubmitted(self, index: int) -> Status:
        """How an instance stands that is not submitted: as its parents are."""
        if self._bad.above[index]:
            return Status.BLOCKED
        return Status.WAITING if self.waits_for(index) else Status.READY

    def _unlock_if_free(self, index: int) -> None:
        if self.waits_for(index) == 0:
            self._change(index, Verb.UNLOCK, Status.READY)

    def _change(self, index: int, verb: Verb, target: Status) -> None:
        """Move an instance, and whatever follows from that further down the graph."""
        self._require([index], verb, target)
        todo = [(index, verb, target)]  # from the end; what follows is put there in reverse, so rows keep their order
        while todo:
            index, verb, target = todo.pop()
            source = self.status[index]
            if source is target:
                continue  # nothing new, or it was reached over two ways
            assert allowed(verb, source, target)
            self._put(index, source, target)
            if (source in DONE) != (target in DONE):
                touched = self._undone.change(index, target not in DONE)
                todo += reversed(self._follow(touched, more=target not in DONE))
            if self._going_on and (source in OVER) != (target in OVER):
                touched = self._going_on.change(index, target not in OVER)
                todo += reversed(self._follow(touched, more=target not in OVER))
            if (source in BAD) != (target in BAD):
                todo += reversed(self._after_failure(index, target in BAD))
            if verb is Verb.UNBLOCK and target is Status.WAITING and self.waits_for(index) == 0:
                todo.append((index, Verb.UNLOCK, Status.READY))  # the parent that had failed counts as done
            if self._is_carried(index, source) != self._is_carried(index, target):
                self._after_carrying(index, self._is_carried(index, target))

    def _put(self, index: int, source: Status, target: Status) -> None:
        step = self.plan.instances[index].step
        self.status[index] = target
        for counts in (self.counts, self.step_counts[step]):
            counts[source] -= 1
            counts[target] += 1
        live = self._live(index)
        if (source is Status.HELD or target in _TOO_LATE_TO_HOLD) and target is not Status.BLOCKED:
            self.held.discard(index)
        if source is Status.READY:
            self.ready[step].pop(index, None)
        elif target is Status.READY:
            self.ready[step][index] = None
        if source in (Status.BOUND, Status.PENDING):
            self.to_unbind.pop(index, None)
            self.adrift.discard(index)
        if Status.WAITING in (source, target):
            self._consider(index)
        allocation = self.attempts[index][-1].allocation if live is self.live_packed else ""
        if target in LIVE:
            live[index] = None
            if allocation:
                self.allocations.has(allocation, index)
        elif source in LIVE:
            live.pop(index, None)
            self.to_cancel.pop(index, None)
            if allocation:
                self.allocations.leaves(allocation, index, finished=target is Status.FINISHED)

    def _live(self, index: int) -> dict[int, None]:
        """Among which live ones an instance counts, if it does."""
        if not self.plan.steps[self.plan.instances[index].step].scheduled:
            return self.live_local
        attempts = self.attempts.get(index)
        return self.live_packed if attempts and attempts[-1].allocation else self.live_slurm

    def _follow(self, children: Sequence[int], *, more: bool) -> list[tuple[int, Verb, Status]]:
        """What becomes of those that wait for one more parent than before, or for one fewer."""
        follow: list[tuple[int, Verb, Status]] = []
        for child in children:
            status = self.status[child]
            if status is Status.WAITING and self._going_on:
                self._consider(child)
            if more and status is Status.READY:
                self._void_last(child, "a parent is to run again")
                follow.append((child, Verb.RELOCK, Status.WAITING))
            elif more and status is Status.BOUND:
                self._lose_hold(child)
            elif not more and self.waits_for(child) == 0:
                if status is Status.WAITING:
                    follow.append((child, Verb.UNLOCK, Status.READY))
                elif status is Status.BOUND and child not in self.to_unbind:
                    self._note_freed(child)
                    follow.append((child, Verb.FREE, Status.PENDING))
        return follow

    def _after_failure(self, index: int, failed: bool) -> list[tuple[int, Verb, Status]]:
        """What hangs on an instance that became bad, or gets another chance."""
        follow: list[tuple[int, Verb, Status]] = []
        for child in dict.fromkeys(self._bad.change(index, failed)):  # one may be reached over two ways
            bad = self._bad.above[child]
            if bad and self.status[child] in TABLE[Verb.BLOCK].sources:
                follow.append((child, Verb.BLOCK, Status.BLOCKED))
            elif not bad and self.status[child] is Status.BLOCKED:
                follow.append((child, Verb.UNBLOCK, Status.HELD if child in self.held else Status.WAITING))
        return follow

    def _void_last(self, index: int, cause: str) -> None:
        """An attempt that was put off, or never arrived, is over: should it turn up, its claim is void."""
        last = self.last_attempt(index)
        if last and not last.ended_at:
            last.ended_at, last.cancelled, last.cause = self._now, True, cause

    # --- what Slurm may hold ahead

    def _is_carried(self, index: int, status: Status) -> bool:
        """Whether Slurm has or had a job of this instance that others can be bound to, or need not be any more."""
        if status in DONE:
            return True
        return status in IN_SLURM and self.plan.steps[self.plan.instances[index].step].scheduled

    def _after_carrying(self, index: int, carried: bool) -> None:
        for child in self._loose.change(index, not carried):
            if self.status[child] is Status.WAITING:
                self._consider(child)
            elif not carried:
                self._lose_hold(child)

    def _consider(self, index: int) -> None:
        """Keep `ahead` right for an instance whose status or parents have changed."""
        step = self.plan.steps[self.plan.instances[index].step]
        waits = step.scheduled and self.status[index] is Status.WAITING and index not in self.in_vain
        if waits and not self._loose.above[index] and not (self._going_on and self._going_on.above[index]):
            self.ahead[step.index][index] = None
        else:
            self.ahead[step.index].pop(index, None)

    def _unbind_from(self, index: int) -> None:
        """The job of an instance is another one than it was thought to be: what is bound to that will never begin."""
        users = self._graph.users(self.plan.instances[index].step)
        for child in (*self._graph.children[index], *users):
            self._lose_hold(child)

    def _lose_hold(self, index: int) -> None:
        """What an instance is bound to will not come."""
        if self.status[index] is Status.BOUND and not self.attempts[index][-1].cancelled:
            self.to_unbind[index] = None
            self.adrift.add(index)

    def _free(self, index: int) -> None:
        self._note_freed(index)
        self._change(index, Verb.FREE, Status.PENDING)

    def _note_freed(self, index: int) -> None:
        attempt = self.attempts[index][-1]
        attempt.reason, attempt.freed_at = "", self._now
