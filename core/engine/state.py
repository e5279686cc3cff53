"""The state of a study: its durable state, changed only by events.

Every change goes through `apply`, so a running driver and a replay of the journal reach the same state.
command_effects.py applies what users request, instance_table.py the consequences for other instances.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from ..plan.study_plan import Plan
from . import events as ev
from .attempt import Attempt
from .causes import Cause, CauseCode, text_cause
from .command_effects import CommandEffects
from .durable_state import DriverInfo, DurableState, IoError
from .instance_table import InstanceTable
from .status import BAD, DONE, OVER, TABLE, UNSUCCESSFUL, Status, Verb
from .status import Impossible as Impossible
from .status_index import StatusIndex


class StudyState(DurableState):
    """The state of a running study. Views read it; only `apply` changes it."""

    def __init__(self, plan: Plan, durable: DurableState | None = None) -> None:
        """`durable` is the state from a checkpoint; None for the state before the first event."""
        stored = durable or DurableState.initial(plan)
        super().__init__(**{field.name: getattr(stored, field.name) for field in fields(DurableState)})
        self.plan = plan
        self._index = StatusIndex(plan, self.status, self.missed_rows)
        self._table = InstanceTable(plan, self, self._index)
        self._command_effects = CommandEffects(plan, self, self._index, self._table)
        self.counts = self._index.counts
        self.step_counts = self._index.step_counts
        self.deepest_first = self._index.graph.deepest_first()
        if durable is None:
            self._table.unlock_ready()

    # --- reading

    @property
    def is_over(self) -> bool:
        """Whether every instance is finished, skipped, failed, cancelled or blocked, and none is to run again."""
        are_over = all(status in OVER for status, count in self.counts.items() if count)
        return are_over and not any(self.status[index] is Status.FINISHED for index in self.missed_rows)

    @property
    def outcome(self) -> str:
        """`finished`, `failed` or `cancelled`, once the study has ended; cancelled takes precedence, as in Maestro."""
        if self.counts[Status.CANCELLED]:
            return "cancelled"
        return "failed" if any(self.counts[status] for status in BAD) else "finished"

    def cause(self, index: int) -> Cause | None:
        """Return why an instance failed, or was cancelled, marked or skipped, or the warning of one that finished."""
        if index in self.cancelled_before_submit:
            return Cause(CauseCode.COMMAND_BEFORE_SUBMIT)
        if index in self.marked:
            return self.marked[index]
        if self.status[index] is Status.SKIPPED:
            return text_cause(self.plan.step_of(self.plan.instances[index]).skipped)
        last = self.last_attempt(index)
        return last.cause if last and self.status[index] in (*UNSUCCESSFUL, Status.FINISHED) else None

    def warned(self) -> list[int]:
        """Return the instances that finished with a warning, in plan order."""
        return [
            index
            for index, attempts in sorted(self.attempts.items())
            if self.status[index] is Status.FINISHED and attempts and attempts[-1].cause and index not in self.marked
        ]

    def waits_for(self, index: int) -> int:
        """Return the number of direct parents not done yet (not over, where that suffices); a funnel counts as one."""
        return self._index.waits_for(index)

    def failed_above(self, index: int) -> int:
        """Return the number of direct parents that failed or are blocked; a funnel counts as one."""
        return self._index.failed_above.above[index]

    def can_reopen(self, index: int) -> bool:
        """Whether an instance's last attempt counts as lost, and nothing happened that its late end would disturb."""
        last = self.last_attempt(index)
        is_lost = last is not None and last.ended_as is Status.LOST and not last.allocation
        return is_lost and self.status[index] in TABLE[Verb.REOPEN].sources and not self.waits_for(index)

    def open_parents(self, index: int) -> list[int]:
        """Return the parents that an instance waits for, listing the instances of funnels individually."""
        plan = self.plan
        instance = plan.instances[index]
        after = plan.step_of(instance).after
        parents = ((parent, plan.instances[parent].step) for parent in plan.parents(instance))
        return [parent for parent, step in parents if self.status[parent] not in (OVER if step in after else DONE)]

    def without_rows(self) -> set[int]:
        """Return the instances that run again because their attempts miss rows, also rows that no driver has added."""
        is_extended = self.size < len(self.plan.instances)
        return self.missed_rows.union(self._table.missing_rows(self.size) if is_extended else ())

    def below(self, indices: Iterable[int]) -> set[int]:
        """Return all dependents of these instances, direct and indirect."""
        return self._index.graph.below(indices)

    def children(self, index: int) -> tuple[list[int], list[int]]:
        """Return the direct dependents of an instance, and the steps that depend on its whole step (funnels)."""
        graph = self._index.graph
        return graph.dependents(index), graph.funnel_users[self.plan.instances[index].step]

    def all_children(self, index: int) -> Iterator[int]:
        """Yield the direct dependents of an instance, those by funnel as well."""
        dependents, funnels = self.children(index)
        yield from dependents
        for step in funnels:
            yield from self.plan.steps[step].instances

    # --- events

    def apply(self, event: ev.Event) -> None:
        """Apply an event. Raises Impossible, and changes nothing, if the state does not allow it."""
        self._table.now = event.at
        match event:
            case ev.DriverStarted():
                self.driver = DriverInfo(event.epoch, event.host, event.pid, event.at, event.cluster)
                self.result = ""
                self.io_errors.clear()
            case ev.DriverStopped():
                self.driver.stopped = event.reason
                self.io_errors.clear()
            case ev.SubmitIntended():
                self._submit_intended(event)
            case ev.Submitted():
                self._submitted(event)
            case ev.SubmitDeferred():
                self._submit_deferred(event)
            case ev.LimitReached():
                self.deferred = event.message
            case ev.SubmitUnclear():
                self._submit_unclear(event)
            case ev.SubmitMissed():
                self._put_off(event.submission, Verb.MISS)
            case ev.SubmitRefused():
                self._submit_refused(event)
            case ev.Started():
                self._started(event)
            case ev.Exited():
                self._exited(event)
            case ev.Observed():
                self._observed(event)
            case ev.Ended():
                self._ended(event)
            case ev.Warned():
                self._warned(event)
            case ev.Reopened():
                self._reopened(event)
            case ev.Unbound():
                self._withdraw(event, Verb.UNBIND)
            case ev.Returned():
                self._withdraw(event, Verb.RETURN)
            case ev.AllocationEvent():
                self.allocations.apply(event, self.driver.cluster)
            case ev.ClusterFound():
                self.found_on(event.cluster)
            case ev.SlurmSilent():
                self.slurm_silent_since = self.slurm_silent_since or event.at
                self.slurm_message = event.message
            case ev.SlurmAnswers():
                self.slurm_silent_since, self.slurm_message = 0.0, ""
            case ev.IoErrorBegan():
                self.io_errors[event.what] = IoError(event.at, event.path, event.message, event.code)
            case ev.IoErrorEnded():
                self.io_errors.pop(event.what, None)
            case ev.StudyEnded():
                self.result = event.result
            case ev.HookRun():
                self.failure_hook_ran = self.failure_hook_ran or event.hook == "on_failure"
                self.end_hook_ran = self.end_hook_ran or event.hook == "on_end"
            case _:  # anomalies are recorded for people and change nothing
                self._command_effects.apply(event)
        self.last_event_at = event.at

    def _current(self, index: int, number: int) -> Attempt:
        last = self.last_attempt(index)
        if last is None or last.number != number:
            have = last.number if last else 0
            raise Impossible(f"instance {index}: attempt {number} is not the current one ({have})")
        if last.ended_at:
            raise Impossible(f"instance {index}: attempt {number} has ended")
        return last

    def _open(self, submission: str) -> list[tuple[int, Attempt]]:
        """Return the members of an unanswered submission whose attempts are not over, with these attempts."""
        if submission not in self.submissions:
            raise Impossible(f"submission {submission} is not open")
        members = ((index, self.attempts[index][-1]) for index, _ in self.submissions[submission])
        return [(index, last) for index, last in members if last.submission == submission and not last.ended_at]

    def _submit_intended(self, event: ev.SubmitIntended) -> None:
        self._table.require([index for index, _ in event.members], Verb.INTEND, Status.SUBMITTING)
        if event.submission in self.submissions or len(dict(event.members)) != len(event.members):
            raise Impossible(f"submission {event.submission} is made twice")
        if event.tasks and len(event.tasks) != len(event.members):
            raise Impossible(
                f"submission {event.submission}: {len(event.tasks)} tasks for {len(event.members)} members"
            )
        if event.allocation and not self.allocations.takes(event.allocation):
            raise Impossible(f"allocation {event.allocation} takes no instances")
        for index, number in event.members:
            if self.status[index] is Status.WAITING and index not in self.ahead[self.plan.instances[index].step]:
                raise Impossible(f"instance {index} waits for what is not in Slurm")
            if number != self.next_attempt(index):
                raise Impossible(f"instance {index} cannot be submitted as attempt {number} now")
        self.submissions[event.submission] = event.members
        is_array = len(event.members) > 1 and not event.allocation
        tasks = event.tasks or range(len(event.members)) if is_array else [-1] * len(event.members)
        for (index, number), task in zip(event.members, tasks, strict=True):
            attempts = self.attempts.setdefault(index, [])
            before = attempts.pop() if attempts and attempts[-1].number == number else None  # deferred or never arrived
            attempt = Attempt(number, event.submission, event.backend, task=task, after=event.after)
            attempt.changes, attempt.cluster = tuple(self.changes.get(index, {}).items()), self.driver.cluster
            attempt.allocation, attempt.automatic = event.allocation, index in self.retried_automatically
            attempt.unclear = before is not None and before.unclear
            attempts.append(attempt)
            self.dependency_never_satisfied.discard(index)
            self._table.change(index, Verb.INTEND, Status.SUBMITTING)

    def _submitted(self, event: ev.Submitted) -> None:
        members = self._open(event.submission)
        del self.submissions[event.submission]
        self.deferred = ""
        for index, attempt in members:
            job = event.job if attempt.task < 0 else f"{event.job}_{attempt.task}"
            attempt.job, attempt.reported = attempt.job or job, attempt.job not in ("", job)
            attempt.node, attempt.cluster = attempt.node or event.node, event.cluster or attempt.cluster
            attempt.submitted_at = event.at
            if self.status[index] in (Status.SUBMITTING, Status.UNCLEAR):
                attempt.reason = ""
                if attempt.backend == "local":
                    attempt.started_at = event.at
                    self._table.change(index, Verb.ACCEPT, Status.RUNNING)
                elif self.waits_for(index) and (attempt.after or attempt.allocation):
                    attempt.reason = "Dependency"
                    self._table.change(index, Verb.ACCEPT, Status.BOUND)
                    if not self._index.can_go_ahead(index):  # a parent failed meanwhile
                        self._table.lose_dependency(index)
                else:
                    attempt.freed_at = event.at if attempt.after else 0.0
                    self._table.change(index, Verb.ACCEPT, Status.PENDING)
                if index in self.missed_rows:
                    self._table.lose_dependency(index)

    def _submit_deferred(self, event: ev.SubmitDeferred) -> None:
        members = self.submissions.get(event.submission, ())
        by_slurm = all(self.attempts[index][-1].in_queue for index, _ in members)  # not if assigned to an allocation
        self._put_off(event.submission, Verb.DEFER)
        self.deferred = event.message if by_slurm and not event.here else self.deferred

    def _submit_unclear(self, event: ev.SubmitUnclear) -> None:
        for index, attempt in self._open(event.submission):
            attempt.submitted_at, attempt.unclear = attempt.submitted_at or event.at, True
            if self.status[index] is Status.SUBMITTING:  # otherwise the job itself has reported
                attempt.reason = event.message
                self._table.change(index, Verb.DOUBT, Status.UNCLEAR)

    def _put_off(self, submission: str, verb: Verb) -> None:
        # Some tasks of an array may have reported already: their submission did arrive.
        silent = (Status.SUBMITTING, Status.UNCLEAR)
        members = [(index, attempt) for index, attempt in self._open(submission) if self.status[index] in silent]
        self._table.require([index for index, _ in members], verb, Status.READY)
        del self.submissions[submission]
        for index, attempt in members:
            self._table.change(index, verb, self._table.unsubmitted_status(index))
            if verb is Verb.DEFER:  # an unclear job that was missed may still begin
                self._table.forget_missed_rows(index)
            if attempt.cancelled and self.status[index] is not Status.BLOCKED:  # cancelled by command meanwhile
                self._command_effects.cancel_unsubmitted(index)

    def _submit_refused(self, event: ev.SubmitRefused) -> None:
        members = self._open(event.submission)
        self._table.require([index for index, _ in members], Verb.REFUSE, Status.FAILED)
        del self.submissions[event.submission]
        for index, attempt in members:
            attempt.ended_at, attempt.ended_as = event.at, Status.FAILED
            attempt.cause = text_cause(event.message)
            self._table.forget_missed_rows(index)
            self._table.change(index, Verb.REFUSE, Status.FAILED)

    def _started(self, event: ev.Started) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._table.change(event.instance, Verb.OBSERVE, Status.RUNNING)
        if attempt.allocation:
            self.allocations.note_started(attempt.allocation)
        if attempt.job not in ("", event.job):
            self._table.unbind_children(event.instance)
        attempt.reported = attempt.reported or attempt.job != event.job
        # Follow the job that holds the claim, whatever sbatch answered.
        if attempt.backend != "local" or attempt.job != event.job:  # else its process is found under another host name
            attempt.started_at = event.at
        attempt.job, attempt.reason = event.job, ""
        attempt.node = event.node or attempt.node
        attempt.exit_code, attempt.cause = None, None  # if Slurm requeued the job, its first end does not count

    def _exited(self, event: ev.Exited) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._table.change(event.instance, Verb.OBSERVE, Status.COMPLETING)
        attempt.exit_code = event.code
        attempt.node = event.node or attempt.node
        attempt.cause = text_cause(event.error)

    def _observed(self, event: ev.Observed) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._table.change(event.instance, Verb.OBSERVE, event.status)
        attempt.reason = event.reason
        if event.status in (Status.PENDING, Status.CONFIGURING, Status.REQUEUED):
            attempt.exit_code, attempt.cause = None, None  # an end reported before was not final: it will run again

    def _ended(self, event: ev.Ended) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._table.change(event.instance, Verb.END, event.status)
        attempt.ended_at, attempt.exit_code, attempt.cause = event.at, event.exit_code, event.cause
        attempt.ended_as = None if event.status is Status.FINISHED else event.status
        if event.status is not Status.FINISHED:
            self._table.forget_missed_rows(event.instance)
        attempt.node = attempt.node or event.node
        if event.status is Status.FINISHED and attempt.started_at:
            step = self.plan.instances[event.instance].step
            number, seconds = self.ran[step]
            self.ran[step] = (number + 1, seconds + max(0.0, event.at - attempt.started_at))
        self._close_submission(attempt.submission)

    def _warned(self, event: ev.Warned) -> None:
        last = self.last_attempt(event.instance)
        if not last or last.number != event.attempt or last.outcome is not Status.FINISHED:
            raise Impossible(f"attempt {event.instance}.{event.attempt} has not finished")
        last.cause = event.cause

    def _reopened(self, event: ev.Reopened) -> None:
        index, last = event.instance, self.last_attempt(event.instance)
        if last is None or last.number != event.attempt or not last.ended_at or last.allocation:
            raise Impossible(f"instance {index}: attempt {event.attempt} cannot be reopened")
        if self.waits_for(index):
            raise Impossible(f"instance {index} waits for its parents")
        self._table.change(index, Verb.REOPEN, Status.RUNNING)
        last.job, last.started_at, last.ended_at = event.job, last.started_at or event.at, 0.0
        last.ended_as = last.cause = last.exit_code = None
        last.cancelled, last.reason = False, ""
        self.continue_study()

    def _withdraw(self, event: ev.Unbound | ev.Returned, verb: Verb) -> None:
        """Withdraw attempts before they end: their instances are submitted again, held or cancelled."""
        attempts = [(index, self._current(index, number)) for index, number in event.members]
        self._table.require([index for index, _ in attempts], verb, Status.WAITING)
        for index, attempt in attempts:
            attempt.ended_at, attempt.cause, attempt.reason = event.at, event.cause, ""
            if verb is Verb.RETURN:
                attempt.returned = attempt.started_at > 0
                if attempt.allocation and not attempt.returned:
                    self.allocations.note_not_begun(attempt.allocation, event.cause)
            elif index not in self.to_unbind:  # Slurm would not start it
                self.dependency_never_satisfied.add(index)
            target = Status.CANCELLED if attempt.cancelled else self._table.unsubmitted_status(index)
            if index in self.held and target in (Status.WAITING, Status.READY):
                target = Status.HELD
            self._table.forget_missed_rows(index)
            self._table.change(index, verb, target)
            self._close_submission(attempt.submission)

    def _close_submission(self, submission: str) -> None:
        """Drop an unanswered submission once all its attempts are over."""
        if submission in self.submissions and not self._open(submission):
            del self.submissions[submission]
