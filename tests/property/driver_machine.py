"""The driver of the random worlds, in small."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from mtui.core.backends.slurm_text import identity_of, job_tag
from mtui.core.engine import events as ev
from mtui.core.engine.attempt import Attempt
from mtui.core.engine.causes import text_cause
from mtui.core.engine.commands import TARGETED, CommandRequest, apply_command
from mtui.core.engine.event_codec import to_line
from mtui.core.engine.expectation import LOST_WAIT, REPORT_WAIT, STUCK_WAIT, UNCLEAR_WAIT, VERDICT_WAIT
from mtui.core.engine.job_observer import JobObserver
from mtui.core.engine.job_reports import DuplicateReport
from mtui.core.engine.retry_policy import RetryLimits, decide_retry
from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.slurm_dependencies import PlannedSubmission
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.status import OVER, UNSUCCESSFUL, Status
from mtui.core.engine.submission_policy import Capacity, Limits, next_local, next_submissions
from mtui.core.plan.job_arrays import JobShapes
from mtui.core.plan.shared_allocations import PackingPlan
from mtui.core.plan.study_plan import Plan
from tests.property.studies import plans
from tests.property.world import HOST, PURGED_AFTER, World
from tests.property.world import Request as Sbatch

STUDY, CLUSTER = "0a1b2c3d", "alpha"
PASSES = (0.0, 1.0, REPORT_WAIT, VERDICT_WAIT, UNCLEAR_WAIT, LOST_WAIT, STUCK_WAIT, PURGED_AFTER)
CHANGES = ((), (("nodes", "2"),), (("nodes", ""),), (("nodes", "3"), ("walltime", "10")), (("nodes", "none"),))


class DriverMachine(RuleBasedStateMachine):
    """A driver in small: it does with state and observer what the real one does, in a world that is moved at random."""

    @initialize(plan=plans())
    def begin(self, plan: Plan) -> None:
        self.plan = plan
        self.parents = [frozenset(plan.parents(instance)) for instance in plan.instances]
        enough = [frozenset(plan.step_of(instance).after) for instance in plan.instances]  # steps that only have to end
        step_of = [instance.step for instance in plan.instances]
        self.after = [
            frozenset(parent for parent in parents if step_of[parent] in ends)
            for parents, ends in zip(self.parents, enough, strict=True)
        ]
        self.counted_as_done: set[int] = set()  # without having run, at some time
        self.been_over: set[int] = set()
        self.saw: dict[tuple[int, int], set[int]] = {}  # by attempt: what was done when its payload began
        self.world = World()
        self.lines: list[str] = []
        self.durable = 0  # lines that a crash cannot take
        self.clock = 0.0
        self.now = self.world.now = 1000.0
        self.submissions = 0
        self.commands = 0
        self.epoch = 0
        self.may_arrive: list[Sbatch] = []  # submissions that Slurm may still take late
        self.used: dict[tuple[int, int], str] = {}  # the attempts that ended, with how
        self.drive(StudyState(plan))

    def drive(self, state: StudyState) -> None:
        """A new driver begins with this state."""
        self.state = state
        self.kinds = JobShapes(self.plan)
        self.packing = self.pack()
        self.observer = JobObserver(state)
        self.answers: dict[str, Sbatch] = {}  # calls under way
        self.looked_at = 0.0 if state.live_slurm else self.now  # begin of the last look that was answered
        self.taken: set[str] = set()
        self.orphans: list[str] = []
        self.adopted: dict[int, tuple[int, str]] = {}
        self.look: tuple[float, dict[str, SeenJob]] | None = None
        self.world.child_exits.clear()
        self.epoch += 1
        self.emit(
            ev.DriverStarted(at=self.at(), epoch=self.epoch, host=HOST, pid=self.epoch, version="0", cluster=CLUSTER)
        )

    def pack(self) -> PackingPlan:
        return PackingPlan(self.plan, None)

    def at(self) -> float:
        self.clock += 1
        return self.clock

    # --- the driver

    def emit(self, event: ev.Event) -> None:
        try:
            self.state.apply(event)
        except Impossible as error:
            # An answer of sbatch may come after all is over; nothing else may ever be out of place.
            assert isinstance(event, ev.Submitted | ev.SubmitDeferred | ev.SubmitRefused | ev.SubmitUnclear), error
            event = ev.Anomaly(at=event.at, message=str(error))
            self.state.apply(event)
        self.lines.append(to_line(event))
        if isinstance(event, ev.Marked):
            self.counted_as_done.add(event.instance)
        self.been_over.update(index for index, status in enumerate(self.state.status) if status in OVER)
        match event:
            case ev.Started():
                self.observer.note_heard(event.instance, self.now)
            case ev.Reopened():
                self.observer.note_heard(event.instance, self.now)
                self.used.pop((event.instance, event.attempt), None)
                self.orphans = [orphan for orphan in self.orphans if orphan != event.job]
            case ev.Observed():
                self.observer.note_observed(event.instance)
            case ev.CancelSent():
                self.observer.note_cancel_sent(event.instances, self.now)
            case ev.Ended():
                self.observer.forget([event.instance])
                key = (event.instance, event.attempt)
                assert key not in self.used, "an attempt number ended twice"
                self.used[key] = event.status.value
            case ev.Unbound():
                self.observer.forget(index for index, _ in event.members)
                self.used.update((key, "unbound") for key in event.members)
            case ev.Returned():
                self.observer.forget(index for index, _ in event.members)
                self.used.update((key, "returned") for key in event.members)
            case ev.SubmitIntended():
                self.observer.forget(index for index, _ in event.members)
            case _:
                pass

    def emit_all(self, events: list[ev.Event]) -> None:
        for event in events:
            self.emit(event)
        self.cancel_orphans(self.observer.orphans.take())

    def cancel_orphans(self, orphan_jobs: list[str]) -> None:
        self.orphans += orphan_jobs
        self.end_orphans()

    def end_orphans(self) -> None:
        """Cancel orphan jobs once nothing is left to withdraw: what is bound to their ends would begin."""
        orphans, self.orphans = ([], self.orphans) if self.state.to_unbind else (self.orphans, [])
        for orphan_job in orphans:
            job = self.world.jobs[orphan_job]
            last = self.state.last_attempt(job.index)
            current = last is not None and last.number == job.attempt and not last.ended_at
            assert not (current and self.world.owns_claim(job)), "the job that does the work was taken for an orphan"
            assert not job.local
            self.world.cancel(job, record=False)

    def read_spool(self) -> None:
        for name in sorted(self.world.spool, key=lambda name: (".exit." in name, name)):
            report = self.world.spool[name]
            if name in self.taken or name in self.world.late or self.observer.is_early(report):
                continue
            self.taken.add(name)
            self.emit_all(self.observer.apply_report(report, self.at(), self.now))
            if isinstance(report, DuplicateReport) and report.instance in self.state.live_local:
                self.adopted[report.instance] = (report.attempt, report.owner)

    def process_ended(self, index: int, attempt: int, job: str, code: int | None) -> None:
        self.read_spool()
        self.emit_all(self.observer.process_ended(index, attempt, job, code, self.at()))

    def find(self, submission: str) -> str:
        """The job of an unclear submission; of several, the one that holds the claim, if it began already."""
        jobs = [job for job in self.world.named(submission) if not job.forgotten and not job.hidden]
        if submission not in self.state.submissions or not jobs:
            return ""
        return min(jobs, key=lambda job: ("_" in job.id or not self.world.owns_claim(job), job.id)).array

    def looked(self, asked: float, shown: dict[str, SeenJob], accounting: Accounting = Accounting.ANSWERED) -> None:
        self.looked_at = asked
        self.read_spool()
        self.emit_all(
            self.observer.apply_poll(
                lambda own: self.seen(own, shown), self.find, asked, self.at(), self.now, accounting
            )
        )
        self.end_presumed()

    def end_presumed(self) -> None:
        """Make presumed ends true, as driver/presumed_ends.py does."""
        for end in self.observer.take_presumed_ends():
            last = self.state.attempts[end.instance][-1]
            if self.world.void(end.instance, end.attempt) or last.started_at:
                self.orphans.append(last.job)
                self.emit(end)
                continue
            owner = self.world.claims[end.instance, end.attempt]
            self.emit(ev.Started(at=self.at(), instance=end.instance, attempt=end.attempt, job=owner, node=""))
            if last.cancelled:
                self.emit(ev.CancelRequested(at=self.at(), instance=end.instance))
        self.end_orphans()

    def may_submit(self, index: int) -> bool:
        """Bar an earlier attempt that never started, as driver/earlier_attempts.py does."""
        last = self.state.last_attempt(index)
        if last is None or not last.ended_at or last.started_at or not last.in_queue:
            return True
        if self.world.void(index, last.number):
            return True
        owner = self.world.claims[index, last.number]
        if owner == last.job and last.ended_as not in (None, Status.LOST):
            return True
        self.emit(ev.Reopened(at=self.at(), instance=index, attempt=last.number, job=owner))
        return False

    def seen(self, own: Attempt, shown: dict[str, SeenJob]) -> SeenJob | None:
        """The job of an attempt, by id and name: another job may have its id."""
        records = [self.world.strangers[own.job]] if own.job in self.world.strangers else []
        if own.job in shown:
            records.append((f"{job_tag(STUDY, self.world.jobs[own.job].submission)}x", shown[own.job]))
        wanted = identity_of(STUDY, own)
        return next((seen for name, seen in records if name.startswith(wanted.name)), None)

    def judge(self) -> None:
        """What failed is retried automatically, as the study says, before anything else begins."""
        for index in sorted(self.state.missed_rows, reverse=True):
            if self.state.status[index] is Status.FINISHED:
                self.emit(ev.Retried(at=self.at(), instance=index))
        for index, status in enumerate(self.state.status):
            if status in UNSUCCESSFUL and (again := decide_retry(self.state, index, RetryLimits(), self.at())):
                self.emit(again)
                assert decide_retry(self.state, index, RetryLimits(), self.at()) is None

    def start(self, limits: Limits, capacity: Capacity) -> None:
        self.judge()
        for index in next_local(self.state, limits):
            submission = self.intend(PlannedSubmission((index,)), "local")
            job = self.world.submit(submission, local=True)[0]
            self.emit(ev.Submitted(at=self.at(), submission=submission.submission, job=job.id, node=HOST))
        # What Slurm forgets counts as done for what is bound to it.
        fresh = self.now - self.looked_at < PURGED_AFTER / 2
        capacity = replace(capacity, ahead=capacity.ahead and fresh, doubtful=self.observer.doubtful())
        starts = next_submissions(self.state, self.kinds, self.packing, limits, capacity)
        again = next_submissions(self.state, self.kinds, self.packing, limits, capacity)
        assert again == starts, "asking changes something"
        for start in starts:
            if not all([self.may_submit(index) for index in start.members]):
                continue
            submission = self.intend(start, "slurm")
            self.answers[submission.submission] = submission

    def intend(self, start: PlannedSubmission, backend: str) -> Sbatch:
        members = tuple((index, self.state.next_attempt(index)) for index in start.members)
        assert not self.used.keys() & set(members), "an attempt number is used for a second attempt"
        self.submissions += 1
        name = f"{self.epoch}-{self.submissions}"
        tasks = start.tasks if len(members) > 1 else ()
        self.emit(
            ev.SubmitIntended(
                at=self.at(), submission=name, backend=backend, members=members, tasks=tasks, after=start.after
            )
        )
        self.durable = len(self.lines)
        return Sbatch(name, members, tasks, start.after, self.now)

    def take_over(self) -> None:
        self.read_spool()
        for name, members in list(self.state.submissions.items()):
            index, number = members[0]
            if any(self.state.status[member] is Status.SUBMITTING for member, _ in members):
                self.emit(ev.SubmitUnclear(at=self.at(), submission=name, message="the driver ended"))
            if self.state.attempts[index][-1].allocation:
                continue
            if self.state.attempts[index][-1].backend == "slurm":
                self.observer.note_unclear(name, self.now)
            elif owner := self.world.claims.get((index, number)):
                self.emit(ev.Submitted(at=self.at(), submission=name, job=owner, node=HOST))
            else:
                self.emit(ev.SubmitMissed(at=self.at(), submission=name))
        for index in self.state.live_local:
            attempt = self.state.attempts[index][-1]
            assert attempt.node == HOST, "the next driver would not find its process"
            self.adopted[index] = (attempt.number, attempt.job)
        self.observer.resume(self.now)

    # --- what the driver does

    @rule(
        throttle=st.integers(0, 3),
        local=st.integers(1, 3),
        calls=st.integers(0, 4),
        is_open=st.booleans(),
        array=st.integers(1, 3),
        ahead=st.booleans(),
    )
    def start_some(self, throttle: int, local: int, calls: int, is_open: bool, array: int, ahead: bool) -> None:
        room = {"slurm": throttle or 999, "local": local}
        before = {"slurm": len(self.state.live_slurm), "local": len(self.state.live_local)}
        self.start(Limits(throttle, local), Capacity(calls, is_open, array, ahead))
        assert len(self.state.live_slurm) <= max(before["slurm"], room["slurm"] if is_open else 0)
        assert len(self.state.live_local) <= max(before["local"], room["local"])

    @rule()
    def start_all(self) -> None:
        self.start(Limits(0, 99), Capacity(99, True, 99, ahead=True))

    @precondition(lambda self: self.state.to_unbind or self.observer.never())
    @rule(data=st.data())
    def unbind(self, data: st.DataObject) -> None:
        wanted = sorted(self.state.to_unbind.keys() | self.observer.never())
        self.unbind_these(data.draw(st.lists(st.sampled_from(wanted), min_size=1, unique=True)))

    def unbind_these(self, wanted: list[int]) -> None:
        for index in wanted:
            if self.state.status[index] not in (Status.BOUND, Status.PENDING):
                continue
            last = self.state.attempts[index][-1]
            if self.world.void(index, last.number):
                if not last.allocation:
                    self.orphans.append(last.job)
                self.emit(ev.Unbound(at=self.at(), members=((index, last.number),), cause=text_cause("a test")))
                continue
            self.observer.note_began(index)
            if index in self.state.held:
                self.emit(ev.Released(at=self.at(), instance=index))
            if index in self.state.missed_rows and not self.state.failed_above(index):
                self.emit(ev.Observed(at=self.at(), instance=index, attempt=last.number, status=Status.RUNNING))
            elif index in self.state.to_unbind:
                self.emit(ev.CancelRequested(at=self.at(), instance=index))
        self.end_orphans()

    @precondition(lambda self: self.state.size < len(self.plan.instances))
    @rule()
    def extend(self) -> None:
        size = min(size for size in self.plan.sizes if size > self.state.size)
        self.emit(ev.PlanExtended(at=self.at(), size=size))
        self.durable = len(self.lines)

    @precondition(lambda self: self.world.spool)
    @rule()
    def deliver(self) -> None:
        self.read_spool()

    @precondition(lambda self: self.taken)
    @rule()
    def settle(self) -> None:
        self.durable = len(self.lines)
        for name in self.taken:
            self.world.spool.pop(name, None)
        self.taken.clear()

    def snapshot(self) -> dict[str, SeenJob]:
        return self.world.snapshot()

    @precondition(lambda self: self.look is None)
    @rule()
    def begin_look(self) -> None:
        self.look = (self.now, self.snapshot())

    @precondition(lambda self: self.look is not None)
    @rule(unobserved=st.booleans(), accounting=st.sampled_from(Accounting))
    def end_look(self, unobserved: bool, accounting: Accounting) -> None:
        """A poll is answered, perhaps long after it began: by what it showed then, or not at all."""
        assert self.look is not None
        (asked, shown), self.look = self.look, None
        if not unobserved:
            self.looked(asked, shown, accounting)

    @rule(seconds=st.sampled_from(PASSES), look=st.booleans())
    def pass_time(self, seconds: float, look: bool) -> None:
        self.now += seconds
        self.world.now = self.now
        self.emit_all(self.observer.tick(self.at(), self.now))
        self.end_presumed()
        if look:
            self.looked(self.now, self.snapshot())

    @rule()
    def hear_of_processes(self) -> None:
        while self.world.child_exits:
            self.process_ended(*self.world.child_exits.pop(0))
        for index, (number, pid) in list(self.adopted.items()):
            if index not in self.state.live_local:
                del self.adopted[index]
            elif self.world.jobs[pid].state == "over":
                del self.adopted[index]
                self.process_ended(index, number, pid, None)

    @rule(verb=st.sampled_from(TARGETED), data=st.data())
    def command(self, verb: str, data: st.DataObject) -> None:
        names = [*(instance.name for instance in self.plan.instances), *(item.name for item in self.plan.steps), "*"]
        self.commands += 1
        changes = data.draw(st.sampled_from(CHANGES)) if verb in ("retry", "rerun") else ()
        request = CommandRequest(f"c{self.commands}", verb, (data.draw(st.sampled_from(names)),), changes)
        self.emit_all(apply_command(self.state, request, self.at()))
        assert self.state.commands[request.command].outcome

    def cancellable(self) -> list[int]:
        attempts = {index: self.state.attempts[index][-1] for index in self.state.to_cancel}
        return [index for index, attempt in attempts.items() if attempt.job and not attempt.allocation]

    @precondition(lambda self: self.cancellable())
    @rule(record=st.booleans())
    def send_cancels(self, record: bool) -> None:
        reported = self.cancellable()
        for index in reported:
            self.world.cancel(self.world.jobs[self.state.attempts[index][-1].job], record=record)
        self.emit(ev.CancelSent(at=self.at(), instances=tuple(reported)))
