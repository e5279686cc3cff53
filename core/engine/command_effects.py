"""What users request of a study, applied to its state: commands, their effects on instances, settings, added rows."""

from __future__ import annotations

from ..plan.study_plan import Plan
from . import events as ev
from .causes import BY_COMMAND
from .durable_state import Command, DurableState
from .instance_table import InstanceTable
from .status import LIVE, Impossible, Status, Verb
from .status_index import StatusIndex

KEPT_COMMANDS = 1000  # that a state remembers; the journal has all of them


class CommandEffects:
    """Applies the events that follow from commands to the state of a study."""

    def __init__(self, plan: Plan, state: DurableState, index: StatusIndex, table: InstanceTable) -> None:
        self._plan = plan
        self._state = state
        self._index = index
        self._table = table

    def apply(self, event: ev.Event) -> None:
        """Apply an event; those of other kinds change nothing. Raises Impossible if the state does not allow it."""
        state = self._state
        match event:
            case ev.Held():
                self._hold(event.instance)
            case ev.Released():
                self._release(event.instance)
            case ev.Retried():
                self._retry(event)
            case ev.Marked():
                self._mark(event)
            case ev.CancelRequested():
                self._cancel(event)
            case ev.CancelSent():
                for index in event.instances:
                    state.to_cancel.pop(index, None)
            case ev.CommandTaken():
                state.commands[event.command] = Command(event.verb, event.targets, event.at)
            case ev.CommandDone():
                command = state.commands.setdefault(event.command, Command("", (), event.at))
                command.outcome, command.message = event.outcome, event.message
                self._forget_old_commands()
            case ev.SettingsChanged():
                state.throttle = state.throttle if event.throttle is None else event.throttle
                state.local_jobs = event.local_jobs or state.local_jobs
                state.rlimit = state.rlimit if event.rlimit is None else event.rlimit
                state.poll = event.poll or state.poll
            case ev.PlanExtended():
                self._extend(event.size)
            case _:
                pass

    def cancel_unsubmitted(self, index: int) -> None:
        """Cancel an instance that is not submitted."""
        self._table.change(index, Verb.CANCEL, Status.CANCELLED)
        self._state.cancelled_before_submit.add(index)
        self._table.revoke_last(index, BY_COMMAND)

    def _hold(self, index: int) -> None:
        if self._table.at(index) is Status.BOUND or self._state.waits_in_allocation(index):  # held once it is withdrawn
            self._state.to_unbind[index] = None
        elif self._table.at(index) is not Status.BLOCKED:  # a blocked instance is held once it is unblocked
            self._table.change(index, Verb.HOLD, Status.HELD)
        self._state.held.add(index)

    def _release(self, index: int) -> None:
        if index not in self._state.held:
            raise Impossible(f"instance {index} is not held")
        self._state.held.discard(index)  # a blocked instance is only no longer held once it is unblocked
        if self._state.status[index] is Status.BOUND and index not in self._state.lost_dependency:
            self._state.to_unbind.pop(index, None)
            if self._index.waits_for(index) == 0:
                self._table.free(index)
        if self._state.waits_in_allocation(index) and index not in self._state.lost_dependency:
            self._state.to_unbind.pop(index, None)
        if self._state.status[index] is Status.HELD:
            self._table.change(index, Verb.RELEASE, Status.WAITING)
            self._table.unlock_if_free(index)

    def _retry(self, event: ev.Retried) -> None:
        index = event.instance
        self._table.change(index, Verb.RETRY, Status.WAITING)
        self._table.forget_missed_rows(index)
        self._state.cancelled_before_submit.discard(index)
        self._state.marked.pop(index, None)
        if event.why:
            self._state.retried_automatically.add(index)
        else:
            self._state.retried_automatically.discard(index)
            if event.at != self._state.retried_at:  # once for a command
                self._state.allocations.forgive()
            self._state.failure_hook_ran, self._state.retried_at = False, event.at
        changes = {**self._state.changes.pop(index, {}), **dict(event.changes)}
        if changes := {key: value for key, value in changes.items() if value}:
            self._state.changes[index] = changes
        if self._index.failed_above.above[index]:  # it was cancelled before its parent failed
            self._table.change(index, Verb.BLOCK, Status.BLOCKED)
        else:
            self._table.unlock_if_free(index)
        self._state.continue_study()

    def _extend(self, size: int) -> None:
        if not self._state.size < size <= len(self._plan.instances):
            raise Impossible(f"the plan has {len(self._plan.instances)} instances, not {size}")
        added = [
            index
            for index in range(self._state.size, size)
            if not self._plan.step_of(self._plan.instances[index]).skipped
        ]
        before, self._state.size = self._state.size, size
        for index in added:
            if self._state.status[index] is Status.SKIPPED:
                self._table.change(index, Verb.ADD, Status.WAITING)
        for index in added:
            if self._state.status[index] is Status.WAITING and self._index.failed_above.above[index]:
                self._table.change(index, Verb.BLOCK, Status.BLOCKED)
            elif self._state.status[index] is Status.WAITING:
                self._table.unlock_if_free(index)
        self._table.note_rows_added(before)
        self._state.continue_study()

    def _mark(self, event: ev.Marked) -> None:
        index = event.instance
        self._table.change(index, Verb.MARK, event.status)
        self._table.forget_missed_rows(index)
        self._state.cancelled_before_submit.discard(index)
        self._state.marked[index] = event.cause
        self._table.revoke_last(index, event.cause)
        self._state.continue_study()

    def _cancel(self, event: ev.CancelRequested) -> None:
        index = event.instance
        if self._table.at(index) in LIVE:
            self._state.attempts[index][-1].cancelled = True
            self._state.to_cancel[index] = None
            self._state.to_unbind.pop(index, None)
        else:
            self.cancel_unsubmitted(index)

    def _forget_old_commands(self) -> None:
        """Forget the oldest commands: their files are gone, so they cannot be carried out a second time."""
        while len(self._state.commands) > KEPT_COMMANDS:
            oldest = next(iter(self._state.commands))
            if not self._state.commands[oldest].outcome:
                return  # it is being carried out
            del self._state.commands[oldest]
