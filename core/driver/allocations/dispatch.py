"""Dispatches instances to allocations: writes their files, then adds them to the list of the leader."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from ...backends.backend import Accepted, Answer, Deferred, Refused, Unclear
from ...claims import attempt_name
from ...engine import events as ev
from ...engine.allocation_policy import AllocationPolicy, Assignment
from ...engine.status import OVER
from ...packing.protocol import WorkItem, dispatch_text
from ...plan.resource_changes import UNCHANGED
from ...plan.shared_allocations import PoolShare
from ...store.allocation_files import append
from ..context import DriverContext
from ..crash_points import crash_point
from ..effects import Effect
from ..io_errors import Backoff
from ..preparation import Unprepared, note_prepared, prepare_members, put_off_unprepared
from .members import last_attempt_name

_AHEAD_EVERY = 0.2  # seconds between two tries to dispatch ahead of parents
_TRY_AGAIN = 5.0  # seconds until a list that could not be written is tried again


class Dispatcher:
    """Dispatches to the allocations of one study, on a separate thread."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._thread = context.threads(1, "mtui-dispatch")  # one thread: the lines of a list stay in order
        self._ahead_due = 0.0
        self._closed_until = 0.0
        self._unprepared = Backoff(_AHEAD_EVERY)

    def due(self) -> float | None:
        """Return when to try again to dispatch ahead of parents."""
        state = self._context.state
        return self._ahead_due if any(state.ahead[step] for step in self._context.packing.steps) else None

    def dispatch(self, packer: AllocationPolicy) -> None:
        """Dispatch what can be dispatched now."""
        now = time.monotonic()
        if now < self._closed_until:
            return
        gifts = packer.assignments(self._context.limits.throttle, ahead=now >= self._ahead_due)
        if now >= self._ahead_due:
            self._ahead_due = now + _AHEAD_EVERY
        delayed = self._context.delayed.now()
        if delayed:
            gifts = [replace(gift, members=tuple(i for i in gift.members if i not in delayed)) for gift in gifts]
        self._context.effects.perform([self._dispatch_effect(gift) for gift in gifts if gift.members])

    def close(self) -> None:
        self._thread.shutdown()

    def _dispatch_effect(self, gift: Assignment) -> Effect[Answer | Unprepared]:
        context, state = self._context, self._context.state
        submission = context.new_submission()
        members = tuple((index, state.next_attempt(index)) for index in gift.members)
        changes = {index: state.changes.get(index, UNCHANGED) for index in gift.members}
        barriers: dict[str, list[str]] = {}
        items = [self._item(submission, index, number, barriers) for index, number in members]
        job = state.allocations.by_name[gift.allocation].job
        intent = ev.SubmitIntended(
            at=time.time(), submission=submission, backend="pack", members=members, allocation=gift.allocation
        )

        def act() -> Answer | Unprepared:
            unprepared = prepare_members(context, members, changes)
            crash_point("give.prepared")
            if unprepared:
                return unprepared
            try:
                append(
                    context.directory.allocation_file(gift.allocation, "list"),
                    dispatch_text(submission, items, barriers),
                )
            except OSError as error:
                return Deferred(f"{error.filename or 'the list of the allocation'}: {error.strerror}")
            return Accepted(job)

        return Effect("give", [intent], act, partial(self._given, submission, gift.members), self._thread)

    def _item(self, submission: str, index: int, number: int, barriers: dict[str, list[str]]) -> WorkItem:
        """Return one attempt as the leader needs it, with what it waits for there."""
        plan, state = self._context.plan, self._context.state
        instance = plan.instances[index]
        share = self._context.packing.of(index, state.changes.get(index, UNCHANGED))
        assert isinstance(share, PoolShare)
        waits = self._unfinished(instance.parents)
        named = {f"{submission}.{funnel}": plan.steps[funnel].instances for funnel in plan.steps[instance.step].funnels}
        named |= {f"{submission}.g{barrier}": plan.barriers[barrier] for barrier in instance.barriers}
        for name, members in named.items():
            if name not in barriers:
                barriers[name] = self._unfinished(members)
            waits += [f"={name}"] if barriers[name] else []
        script = plan.script_of(instance, state.changes.get(index, UNCHANGED))
        return WorkItem(attempt_name(index, number), share.ask, instance.workspace, script, instance.stem, tuple(waits))

    def _unfinished(self, indices: Iterable[int]) -> list[str]:
        state = self._context.state
        return [last_attempt_name(state, index) for index in indices if state.status[index] not in OVER]

    def _given(self, submission: str, members: Sequence[int], answer: Answer | Unprepared) -> None:
        context, at = self._context, time.time()
        if submission not in context.state.submissions:
            return  # its allocation ended meanwhile, and all of it was returned
        match answer:
            case Unprepared():
                if answer.is_general:
                    self._closed_until = time.monotonic() + self._unprepared.next()
                put_off_unprepared(context, submission, "pack", answer)
            case Accepted():
                self._unprepared.reset()
                note_prepared(context, members)
                context.emit(ev.Submitted(at=at, submission=submission, job=answer.job))
                self._ahead_due = 0.0
            case Deferred() | Unclear() | Refused():  # disk full
                self._closed_until = time.monotonic() + _TRY_AGAIN
                context.emit(ev.SubmitDeferred(at=at, submission=submission, message=answer.message))
