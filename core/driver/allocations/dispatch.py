"""Dispatches instances to allocations: writes their files, then adds them to the list of the leader."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from ...backends.backend import Accepted, Answer, Deferred, Refused, Unclear
from ...claims import attempt_name
from ...debug_log import get_logger
from ...engine import events as ev
from ...engine.allocation_policy import AllocationPolicy, Assignment
from ...engine.status import OVER, Status
from ...errors import may_pass
from ...packing.protocol import WorkItem, dispatch_text
from ...plan.resource_changes import UNCHANGED
from ...plan.shared_allocations import PoolShare
from ...store.allocation_files import append
from ...store.study_directory import prepare_attempt
from ..context import DriverContext
from ..crash_points import crash_point
from ..effects import Effect
from .members import last_attempt_name

_log = get_logger(__name__)

_AHEAD_EVERY = 0.2  # seconds between two tries to dispatch ahead of parents
_TRY_AGAIN = 5.0  # seconds until what could not be written is tried again; for a workspace doubled each time
_TRY_AGAIN_MOST = 300.0


class Dispatcher:
    """Dispatches to the allocations of one study, on a separate thread."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._thread = ThreadPoolExecutor(1, "mtui-dispatch")  # one thread: the lines of a list stay in order
        self._ahead_due = 0.0
        self._closed_until = 0.0
        self._resting: dict[int, tuple[float, float]] = {}  # instances whose files cannot be written: until when, pause

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
        if self._resting:
            resting = {index for index, (until, _) in self._resting.items() if until > now}
            gifts = [replace(gift, members=tuple(i for i in gift.members if i not in resting)) for gift in gifts]
        self._context.effects.perform([self._dispatch_effect(gift) for gift in gifts if gift.members])

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    def _dispatch_effect(self, gift: Assignment) -> Effect[Answer]:
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

        unwritten: dict[int, OSError] = {}

        def act() -> Answer:
            for index, number in members:
                instance = context.plan.instances[index]
                try:
                    prepare_attempt(context.directory, context.plan, instance, number, changes[index])
                except OSError as error:  # it concerns this instance alone: the others are dispatched next
                    unwritten[index] = error
            if unwritten:
                return Deferred(f"the files of {len(unwritten)} instances cannot be written")
            crash_point("give.prepared")
            try:
                append(
                    context.directory.allocation_file(gift.allocation, "list"),
                    dispatch_text(submission, items, barriers),
                )
            except OSError as error:
                return Deferred(f"{error.filename or 'the list of the allocation'}: {error.strerror}")
            return Accepted(job)

        return Effect("give", [intent], act, partial(self._given, submission, unwritten), self._thread)

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

    def _given(self, submission: str, unwritten: Mapping[int, OSError], answer: Answer) -> None:
        context, at = self._context, time.time()
        if submission not in context.state.submissions:
            return  # its allocation ended meanwhile, and all of it was returned
        match answer:
            case Accepted():
                self._rested(submission)
                context.emit(ev.Submitted(at=at, submission=submission, job=answer.job))
                self._ahead_due = 0.0
            case Deferred() if unwritten:
                context.emit(ev.SubmitDeferred(at=at, submission=submission, message=answer.message))
                for index, error in unwritten.items():
                    self._handle_unwritten(index, error)
            case Deferred() | Unclear() | Refused():  # disk full
                self._closed_until = time.monotonic() + _TRY_AGAIN
                context.emit(ev.SubmitDeferred(at=at, submission=submission, message=answer.message))

    def _rested(self, submission: str) -> None:
        """Forget the pauses of instances whose files are written now."""
        if self._resting:
            for index, _ in self._context.state.submissions[submission]:
                self._resting.pop(index, None)

    def _handle_unwritten(self, index: int, error: OSError) -> None:
        """Let an instance rest whose files could not be written, or fail it if they never can be."""
        context = self._context
        if may_pass(error):
            _, pause = self._resting.get(index, (0.0, _TRY_AGAIN / 2))
            pause = min(2 * pause, _TRY_AGAIN_MOST)
            self._resting[index] = (time.monotonic() + pause, pause)
            _log.warning("the files of instance %d cannot be written; tried again in %g s: %s", index, pause, error)
        elif context.state.status[index] is Status.READY:  # not: cancelled or held meanwhile
            name, at = context.new_submission(), time.time()
            members = ((index, context.state.next_attempt(index)),)
            context.emit(ev.SubmitIntended(at=at, submission=name, backend="pack", members=members))
            message = f"{error.filename or 'its files'}: {error.strerror}"
            context.emit(ev.SubmitRefused(at=at, submission=name, message=message))
