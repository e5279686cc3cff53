"""The state of a study: what its events add up to.

Every change goes through `apply`, so a driver that runs and one that replays the journal see the same. The
cost of an event depends on what it changes, not on the size of the study: see Tally in graph.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..plan.model import Plan
from . import events as ev
from .allocations import Allocations
from .attempt import Attempt
from .graph import Graph, Tally
from .status import BAD, IN_SLURM, LIVE, OVER, TABLE, UNSUCCESSFUL, Status, Verb, allowed
from .status import Impossible as Impossible


@dataclass(slots=True)
class Command:
    """A command as it went: taken, and then done or refused."""

    verb: str
    targets: tuple[str, ...]
    taken_at: float
    outcome: str = ""  # "done" or "refused"; empty while it is being carried out
    message: str = ""


@dataclass(slots=True)
class Driver:
    """Who drove last, by the journal's account."""

    epoch: int = 0
    host: str = ""
    pid: int = 0
    since: float = 0.0
    stopped: str = ""  # the reason it gave when it let go; empty while it drives


class StudyState:
    """All that is known of a running study. Views read it; only `apply` changes it."""

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
        self.submissions: dict[str, tuple[tuple[int, int], ...]] = {}  # those without an answer yet
        self.held: set[int] = set()
        self.withdrawn: set[int] = set()  # cancelled by command before they were submitted
        self.to_cancel: dict[int, None] = {}  # live ones whose jobs are still to be told to end
        self.to_unbind: dict[int, None] = {}  # bound to what will not come, or held: to be taken out of Slurm
        self.changes: dict[int, dict[str, str]] = {}  # resources as retries have changed them, for all later attempts
        self.commands: dict[str, Command] = {}
        self.throttle: int | None = None  # set by command; else what the study was started with
        self.local_jobs: int | None = None
        self.driver = Driver()
        self.slurm_silent_since = 0.0
        self.slurm_message = ""
        self.deferred = ""  # what Slurm said when it last put a submission off
        self.result = ""
        self.last_event_at = 0.0

        self.ran: list[tuple[int, float]] = [(0, 0.0) for _ in plan.steps]  # how many finished, and in what time
        self.in_vain: set[int] = set()  # bound once to what never came: not ahead again until it is submitted
        self._now = 0.0  # of the event that is being taken in
        self._graph = Graph(plan)
        self.deepest_first = self._graph.deepest_first()
        self._unfinished = Tally(self._graph, at_first=True)
        self._bad = Tally(self._graph, at_first=False)
        self._loose = Tally(self._graph, at_first=True)  # neither finished nor in Slurm: nothing to be bound to
        for index, count in enumerate(self._unfinished.above):
            if count == 0:
                self._change(index, Verb.UNLOCK, Status.READY)

    def recount(self) -> None:
        """Work out from the statuses what is otherwise kept up to date event by event."""
        self.counts = Counter(self.status)
        self.step_counts = [Counter(self.status[index] for index in step.instances) for step in self.plan.steps]
        self._unfinished.recount([status is not Status.FINISHED for status in self.status])
        self._bad.recount([status in BAD for status in self.status])
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
        last = self.last_attempt(index)
        return last.cause if last and self.status[index] in UNSUCCESSFUL else ""

    def waits_for(self, index: int) -> int:
        """How many direct parents are not finished; a funnel counts as one."""
        return self._unfinished.above[index]

    def failed_above(self, index: int) -> int:
        """How many of its direct parents failed or are blocked; a funnel counts as one."""
        return self._bad.above[index]

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

    # --- events

    def apply(self, event: ev.Event) -> None:
        """Take an event in. Raises Impossible, and changes nothing, if it cannot follow from this state."""
        self._now = event.at
        match event:
            case ev.DriverStarted():
                self.driver = Driver(event.epoch, event.host, event.pid, event.at)
                self.result = ""
            case ev.DriverStopped():
                self.driver.stopped = event.reason
            case ev.SubmitIntended():
                self._submit_intended(event)
            case ev.Submitted():
                self._submitted(event)
            case ev.SubmitDeferred():
                self._submit_deferred(event)
            case ev.SubmitUnclear():
                self._submit_unclear(event)
            case ev.SubmitMissed():
                self._submit_missed(event)
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
            case ev.Unbound():
                self._unbound(event)
            case ev.Returned():
                self._returned(event)
            case ev.AllocationEvent():
                self.allocations.apply(event)
            case ev.SlurmSilent():
                self.slurm_silent_since = self.slurm_silent_since or event.at
                self.slurm_message = event.message
            case ev.SlurmAnswers():
                self.slurm_silent_since, self.slurm_message = 0.0, ""
            case ev.StudyEnded():
                self.result = event.result
            case ev.Held():
                self._hold(event.instance)
            case ev.Released():
                self._release(event.instance)
            case ev.Retried():
                self._retry(event)
            case ev.CancelRequested():
                self._cancel(event)
            case ev.CancelSent():
                for index in event.instances:
                    self.to_cancel.pop(index, None)
            case ev.CommandTaken():
                self.commands[event.command] = Command(event.verb, event.targets, event.at)
            case ev.CommandDone():
                command = self.commands.setdefault(event.command, Command("", (), event.at))
                command.outcome, command.message = event.outcome, event.message
            case ev.SettingsChanged():
                self.throttle = self.throttle if event.throttle is None else event.throttle
                self.local_jobs = event.local_jobs or self.local_jobs
            case _:
                pass  # an anomaly is for people to read; it changes nothing
        self.last_event_at = event.at

    def _at(self, index: int) -> Status:
        if not 0 <= index < len(self.status):
            raise Impossible(f"there is no instance {index}")
        return self.status[index]

    def _current(self, index: int, number: int) -> Attempt:
        last = self.last_attempt(index)
        if last is None or last.number != number:
            have = last.number if last else 0
            raise Impossible(f"instance {index}: attempt {number} is not the current one ({have})")
        if last.ended_at:
            raise Impossible(f"instance {index}: attempt {number} has ended")
        return last

    def _open(self, submission: str) -> list[tuple[int, Attempt]]:
        """The members of a submission without an answer whose attempts are not over, with these attempts."""
        if submission not in self.submissions:
            raise Impossible(f"submission {submission} is not open")
        members = ((index, self.attempts[index][-1]) for index, _ in self.submissions[submission])
        return [(index, last) for index, last in members if last.submission == submission and not last.ended_at]

    def _require(self, indices: Iterable[int], verb: Verb, target: Status) -> None:
        """Raise Impossible unless all of these instances can make the change: one event, all or nothing."""
        for index in indices:
            if not allowed(verb, self._at(index), target):
                source = self.status[index].value
                raise Impossible(f"instance {index} is {source}: '{verb.value}' cannot make it {target.value}")

    def _submit_intended(self, event: ev.SubmitIntended) -> None:
        self._require([index for index, _ in event.members], Verb.INTEND, Status.SUBMITTING)
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
            if attempts and attempts[-1].number == number:
                attempts.pop()  # put off or never arrived: this is the same attempt
            changes = tuple(self.changes.get(index, {}).items())
            attempt = Attempt(number, event.submission, event.backend, changes=changes, task=task, after=event.after)
            attempt.allocation = event.allocation
            attempts.append(attempt)
            self.in_vain.discard(index)
            self._change(index, Verb.INTEND, Status.SUBMITTING)

    def _submitted(self, event: ev.Submitted) -> None:
        members = self._open(event.submission)
        del self.submissions[event.submission]
        self.deferred = ""
        for index, attempt in members:
            attempt.job = attempt.job or (event.job if attempt.task < 0 else f"{event.job}_{attempt.task}")
            attempt.node = attempt.node or event.node
            attempt.submitted_at = event.at
            if self.status[index] in (Status.SUBMITTING, Status.UNCLEAR):
                attempt.reason = ""
                if attempt.backend == "local":
                    attempt.started_at = event.at
                    self._change(index, Verb.ACCEPT, Status.RUNNING)
                elif self.waits_for(index):
                    attempt.reason = "Dependency"
                    self._change(index, Verb.ACCEPT, Status.BOUND)
                    if self._loose.above[index]:  # a parent failed meanwhile
                        self.to_unbind[index] = None
                else:
                    attempt.freed_at = event.at if attempt.after else 0.0
                    self._change(index, Verb.ACCEPT, Status.PENDING)

    def _submit_deferred(self, event: ev.SubmitDeferred) -> None:
        self._put_off(event.submission, Verb.DEFER, event.at)
        self.deferred = event.message

    def _submit_unclear(self, event: ev.SubmitUnclear) -> None:
        for index, attempt in self._open(event.submission):
            attempt.submitted_at = attempt.submitted_at or event.at
            if self.status[index] is Status.SUBMITTING:  # else the job itself has spoken
                attempt.reason = event.message
                self._change(index, Verb.DOUBT, Status.UNCLEAR)

    def _submit_missed(self, event: ev.SubmitMissed) -> None:
        self._put_off(event.submission, Verb.MISS, event.at)

    def _put_off(self, submission: str, verb: Verb, at: float) -> None:
        # Of an array some tasks may have spoken already: those are there.
        silent = (Status.SUBMITTING, Status.UNCLEAR)
        members = [(index, attempt) for index, attempt in self._open(submission) if self.status[index] in silent]
        self._require([index for index, _ in members], verb, Status.READY)
        del self.submissions[submission]
        for index, attempt in members:
            self._change(index, verb, self._unsubmitted(index))
            if attempt.cancelled and self.status[index] is not Status.BLOCKED:  # somebody asked for its end meanwhile
                self._cancel_unsubmitted(index, at)

    def _unsubmitted(self, index: int) -> Status:
        """How an instance stands that is not submitted: as its parents are."""
        if self._bad.above[index]:
            return Status.BLOCKED
        return Status.WAITING if self.waits_for(index) else Status.READY

    def _submit_refused(self, event: ev.SubmitRefused) -> None:
        members = self._open(event.submission)
        self._require([index for index, _ in members], Verb.REFUSE, Status.FAILED)
        del self.submissions[event.submission]
        for index, attempt in members:
            attempt.ended_at, attempt.cause = event.at, event.message
            self._change(index, Verb.REFUSE, Status.FAILED)

    def _started(self, event: ev.Started) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._change(event.instance, Verb.OBSERVE, Status.RUNNING)
        if attempt.job not in ("", event.job):
            self._unbind_from(event.instance)
        # The job that holds the claim is the one to follow, whatever sbatch answered.
        attempt.job, attempt.started_at, attempt.reason = event.job, event.at, ""
        attempt.node = event.node or attempt.node
        attempt.exit_code, attempt.cause = None, ""  # if Slurm started the job again, the first end did not count

    def _exited(self, event: ev.Exited) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._change(event.instance, Verb.OBSERVE, Status.COMPLETING)
        attempt.exit_code = event.code
        attempt.node = event.node or attempt.node
        attempt.cause = event.error

    def _observed(self, event: ev.Observed) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._change(event.instance, Verb.OBSERVE, event.status)
        attempt.reason = event.reason
        if event.status in (Status.PENDING, Status.CONFIGURING, Status.REQUEUED):
            attempt.exit_code, attempt.cause = None, ""  # an end that it told of before was none: it will run again

    def _ended(self, event: ev.Ended) -> None:
        attempt = self._current(event.instance, event.attempt)
        self._change(event.instance, Verb.END, event.status)
        attempt.ended_at, attempt.exit_code, attempt.cause = event.at, event.exit_code, event.cause
        attempt.node = attempt.node or event.node
        if event.status is Status.FINISHED and attempt.started_at:
            step = self.plan.instances[event.instance].step
            number, seconds = self.ran[step]
            self.ran[step] = (number + 1, seconds + max(0.0, event.at - attempt.started_at))
        if attempt.submission in self.submissions and not self._open(attempt.submission):
            del self.submissions[attempt.submission]  # nobody waits for its answer any more

    def _unbound(self, event: ev.Unbound) -> None:
        attempts = [(index, self._current(index, number)) for index, number in event.members]
        self._require([index for index, _ in attempts], Verb.UNBIND, Status.WAITING)
        for index, attempt in attempts:
            attempt.ended_at, attempt.cause, attempt.reason = event.at, event.cause, ""
            target = Status.CANCELLED if attempt.cancelled else self._unsubmitted(index)
            if index in self.held and target in (Status.WAITING, Status.READY):
                target = Status.HELD
            if index not in self.to_unbind:  # it was Slurm that would not begin it
                self.in_vain.add(index)
            self._change(index, Verb.UNBIND, target)

    def _returned(self, event: ev.Returned) -> None:
        attempts = [(index, self._current(index, number)) for index, number in event.members]
        self._require([index for index, _ in attempts], Verb.RETURN, Status.WAITING)
        for index, attempt in attempts:
            attempt.ended_at, attempt.cause, attempt.reason = event.at, event.cause, ""
            attempt.returned = attempt.started_at > 0
            target = Status.CANCELLED if attempt.cancelled else self._unsubmitted(index)
            if index in self.held and target in (Status.WAITING, Status.READY):
                target = Status.HELD
            self._change(index, Verb.RETURN, target)
            if attempt.submission in self.submissions and not self._open(attempt.submission):
                del self.submissions[attempt.submission]

    # --- commands

    def _hold(self, index: int) -> None:
        if self._at(index) is Status.BOUND:  # it is held once it is out of Slurm
            self.to_unbind[index] = None
        elif self._at(index) is not Status.BLOCKED:  # a blocked one is held once it is no longer blocked
            self._change(index, Verb.HOLD, Status.HELD)
        self.held.add(index)

    def _release(self, index: int) -> None:
        if index not in self.held:
            raise Impossible(f"instance {index} is not held")
        self.held.discard(index)  # a blocked one is just no longer held once it is unblocked
        if self.status[index] is Status.BOUND and not self._loose.above[index]:
            self.to_unbind.pop(index, None)
            if self.waits_for(index) == 0:
                self._free(index)
        if self.status[index] is Status.HELD:
            self._change(index, Verb.RELEASE, Status.WAITING)
            self._unlock_if_free(index)

    def _retry(self, event: ev.Retried) -> None:
        index = event.instance
        self._change(index, Verb.RETRY, Status.WAITING)
        self.withdrawn.discard(index)
        changes = {**self.changes.pop(index, {}), **dict(event.changes)}
        if changes := {key: value for key, value in changes.items() if value}:
            self.changes[index] = changes
        if self._bad.above[index]:  # it was cancelled before its parent failed
            self._change(index, Verb.BLOCK, Status.BLOCKED)
        else:
            self._unlock_if_free(index)
        self.result = ""

    def _cancel(self, event: ev.CancelRequested) -> None:
        index = event.instance
        if self._at(index) in LIVE:
            self.attempts[index][-1].cancelled = True
            self.to_cancel[index] = None
            self.to_unbind.pop(index, None)
        else:
            self._cancel_unsubmitted(index, event.at)

    def _cancel_unsubmitted(self, index: int, at: float) -> None:
        self._change(index, Verb.CANCEL, Status.CANCELLED)
        self.withdrawn.add(index)
        last = self.last_attempt(index)
        if last and not last.ended_at:  # put off, or it never arrived: should it turn up, its claim is void
            last.ended_at, last.cancelled, last.cause = at, True, "by command"

    def _unlock_if_free(self, index: int) -> None:
        if self.waits_for(index) == 0:
            self._change(index, Verb.UNLOCK, Status.READY)

    # --- changes and what follows from them

    def _change(self, index: int, verb: Verb, target: Status) -> None:
        """Move an instance, and whatever follows from that further down the graph."""
        self._require([index], verb, target)
        todo = [(index, verb, target)]
        while todo:
            index, verb, target = todo.pop()
            source = self.status[index]
            if source is target:
                continue  # nothing new, or it was reached over two ways
            assert allowed(verb, source, target)
            self._put(index, source, target)
            if target is Status.FINISHED:
                todo += self._after_finish(index)
            elif (source in BAD) != (target in BAD):
                todo += self._after_failure(index, target in BAD)
            if self._is_carried(index, source) != self._is_carried(index, target):
                self._after_carrying(index, self._is_carried(index, target))

    def _put(self, index: int, source: Status, target: Status) -> None:
        step = self.plan.instances[index].step
        self.status[index] = target
        for counts in (self.counts, self.step_counts[step]):
            counts[source] -= 1
            counts[target] += 1
        live = self._live(index)
        if (source is Status.HELD or target in OVER) and target is not Status.BLOCKED:
            self.held.discard(index)
        if source is Status.READY:
            self.ready[step].pop(index, None)
        elif target is Status.READY:
            self.ready[step][index] = None
        if source is Status.BOUND:
            self.to_unbind.pop(index, None)
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

    def _after_finish(self, index: int) -> list[tuple[int, Verb, Status]]:
        follow: list[tuple[int, Verb, Status]] = []
        for child in self._unfinished.change(index, False):
            if self._unfinished.above[child] == 0:
                if self.status[child] is Status.WAITING:
                    follow.append((child, Verb.UNLOCK, Status.READY))
                elif self.status[child] is Status.BOUND and child not in self.to_unbind:
                    self._note_freed(child)
                    follow.append((child, Verb.FREE, Status.PENDING))
        return follow

    def _after_failure(self, index: int, failed: bool) -> list[tuple[int, Verb, Status]]:
        """What hangs on an instance that became bad, or gets another chance."""
        follow: list[tuple[int, Verb, Status]] = []
        for child in self._bad.change(index, failed):
            bad = self._bad.above[child]
            if bad and self.status[child] in TABLE[Verb.BLOCK].sources:
                follow.append((child, Verb.BLOCK, Status.BLOCKED))
            elif not bad and self.status[child] is Status.BLOCKED:
                follow.append((child, Verb.UNBLOCK, Status.HELD if child in self.held else Status.WAITING))
        return follow

    # --- what Slurm may hold ahead

    def _is_carried(self, index: int, status: Status) -> bool:
        """Whether Slurm has or had a job of this instance that others can be bound to, or need not be any more."""
        if status is Status.FINISHED:
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
        if waits and not self._loose.above[index]:
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

    def _free(self, index: int) -> None:
        self._note_freed(index)
        self._change(index, Verb.FREE, Status.PENDING)

    def _note_freed(self, index: int) -> None:
        attempt = self.attempts[index][-1]
        attempt.reason, attempt.freed_at = "", self._now
