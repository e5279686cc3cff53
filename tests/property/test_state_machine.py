"""Random studies in a random world: whatever happens, and whenever a driver dies, what has to hold holds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mtui.core.plan.arrays import Kinds
from mtui.core.plan.model import Plan
from mtui.core.plan.packing import Packing
from mtui.core.plan.part import Part
from mtui.core.spec.model import Rule
from mtui.core.study import events as ev
from mtui.core.study.again import Tries, try_again
from mtui.core.study.binding import Start
from mtui.core.study.causes import text_cause
from mtui.core.study.checkpoint import from_lines, to_lines
from mtui.core.study.commands import TARGETED, Request, carry_out
from mtui.core.study.event_records import from_record, to_line
from mtui.core.study.expectation import LOST_WAIT, REPORT_WAIT, UNCLEAR_WAIT, VERDICT_WAIT
from mtui.core.study.job_reports import DuplicateReport
from mtui.core.study.observer import Observer
from mtui.core.study.policy import Capacity, Limits, next_local, next_submissions
from mtui.core.study.slurm_answers import Seen
from mtui.core.study.state import Impossible, StudyState
from mtui.core.study.status import BAD, DONE, IN_SLURM, LIVE, OVER, UNSUCCESSFUL, Status
from tests.plans import plan, step
from tests.property.world import HOST, PURGED_AFTER, Job, World
from tests.property.world import Request as Sbatch
from tests.unit.study.script import everything, words

ENDS = (
    Status.FAILED,
    Status.TIMED_OUT,
    Status.OUT_OF_MEMORY,
    Status.NODE_FAILED,
    Status.PREEMPTED,
    Status.DEADLINE,
    Status.CANCELLED,
)
DEPENDENCIES = ("", "", "", "direct", "funnel", "both", "after", "after all", "group")
RETRIES = ({}, {}, {"FAILED": Rule(1)}, {"TIMEOUT": Rule(2, changes=(("walltime", "x2"),)), "3": Rule(1)})
PASSES = (0.0, 1.0, REPORT_WAIT, VERDICT_WAIT, UNCLEAR_WAIT, LOST_WAIT, PURGED_AFTER)
CHANGES = ((), (("nodes", "2"),), (("nodes", ""),), (("nodes", "3"), ("walltime", "10")), (("nodes", "none"),))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A few steps on Slurm or here, with rows, funnels and whatever edges may be between them."""
    rows = draw(st.sampled_from([0, 1, 1, 2, 3]))
    values = {key: draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows)) for key in "XY"}
    steps = []
    for number in range(draw(st.sampled_from([1, 1, 2, 2, 3, 4, 5]))):
        depends, after, group = list[str](), list[str](), list[str]()
        for other in range(number):
            kind = draw(st.sampled_from(DEPENDENCIES))
            depends += [f"s{other}"] if kind in ("direct", "both") else []
            depends += [f"s{other}_*"] if kind in ("funnel", "both", "group") else []
            after += {"after": [f"s{other}"], "after all": [f"s{other}_*"]}.get(kind, [])
            group += [f"s{other}"] if kind == "group" else []
        steps.append(
            step(
                f"s{number}",
                *depends,
                uses=draw(st.sampled_from(["", "", "X", "Y", "XY"])),
                local=draw(st.integers(0, 3)) == 0,
                after=after,
                group=group,
                retry=draw(st.sampled_from(RETRIES)),
                restart=draw(st.sampled_from(["", "true"])),
            )
        )
    until = draw(st.sampled_from([(), (), (), ("s0",)]))
    return plan(*steps, rows=values, part=Part(until=until))


class StudyMachine(RuleBasedStateMachine):
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
        self.kinds = Kinds(self.plan)
        self.packing = self.pack()
        self.observer = Observer(state)
        self.answers: dict[str, Sbatch] = {}  # calls under way
        self.looked_at = 0.0 if state.live_slurm else self.now  # begin of the last look that was answered
        self.taken: set[str] = set()
        self.adopted: dict[int, tuple[int, str]] = {}
        self.look: tuple[float, dict[str, Seen]] | None = None
        self.world.child_exits.clear()
        self.epoch += 1
        self.emit(ev.DriverStarted(at=self.at(), epoch=self.epoch, host=HOST, pid=self.epoch, version="0"))

    def pack(self) -> Packing:
        return Packing(self.plan, None)

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
            case ev.Started() | ev.Observed():
                self.observer.touch(event.instance, self.now)
            case ev.CancelSent():
                self.observer.told_to_end(event.instances, self.now)
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
        self.end_strays(self.observer.take_strays())

    def end_strays(self, strays: list[str]) -> None:
        for stray in strays:
            job = self.world.jobs[stray]
            last = self.state.last_attempt(job.index)
            current = last is not None and last.number == job.attempt and not last.ended_at
            assert not (current and self.world.owns_claim(job)), "the job that does the work was taken for a stray"
            assert not job.local
            self.world.cancel(job, record=False)

    def read_spool(self) -> None:
        for name in sorted(self.world.spool, key=lambda name: (".exit." in name, name)):
            report = self.world.spool[name]
            if name in self.taken or self.observer.is_early(report):
                continue
            self.taken.add(name)
            self.emit_all(self.observer.report(report, self.at(), self.now))
            if isinstance(report, DuplicateReport) and report.instance in self.state.live_local:
                self.adopted[report.instance] = (report.attempt, report.owner)

    def process_ended(self, index: int, attempt: int, job: str, code: int | None) -> None:
        self.read_spool()
        self.emit_all(self.observer.process_ended(index, attempt, job, code, self.at()))

    def find(self, submission: str) -> str:
        """The job of an unclear submission; of several, the one that holds the claim, if it began already."""
        jobs = [job for job in self.world.named(submission) if not job.forgotten]
        if submission not in self.state.submissions or not jobs:
            return ""
        return min(jobs, key=lambda job: ("_" in job.id or not self.world.owns_claim(job), job.id)).array

    def looked(self, asked: float, shown: dict[str, Seen]) -> None:
        self.looked_at = asked
        self.read_spool()
        self.emit_all(self.observer.look(shown.get, self.find, asked, self.at(), self.now, accounting=True))

    def judge(self) -> None:
        """What failed is tried again by itself, as the study says, before anything else begins."""
        for index, status in enumerate(self.state.status):
            if status in UNSUCCESSFUL and (again := try_again(self.state, index, Tries(), self.at())):
                self.emit(again)
                assert try_again(self.state, index, Tries(), self.at()) is None

    def start(self, limits: Limits, capacity: Capacity) -> None:
        self.judge()
        for index in next_local(self.state, limits):
            submission = self.intend(Start((index,)), "local")
            job = self.world.submit(submission, local=True)[0]
            self.emit(ev.Submitted(at=self.at(), submission=submission.submission, job=job.id, node=HOST))
        # What Slurm forgets counts as done for what is bound to it.
        fresh = self.now - self.looked_at < PURGED_AFTER / 2
        capacity = replace(capacity, ahead=capacity.ahead and fresh, doubtful=self.observer.doubtful())
        starts = next_submissions(self.state, self.kinds, self.packing, limits, capacity)
        again = next_submissions(self.state, self.kinds, self.packing, limits, capacity)
        assert again == starts, "asking changes something"
        for start in starts:
            submission = self.intend(start, "slurm")
            self.answers[submission.submission] = submission

    def intend(self, start: Start, backend: str) -> Sbatch:
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
                self.observer.doubt(name, self.now)
            elif owner := self.world.claims.get((index, number)):
                self.emit(ev.Submitted(at=self.at(), submission=name, job=owner, node=HOST))
            else:
                self.emit(ev.SubmitMissed(at=self.at(), submission=name))
        for index in self.state.live_local:
            attempt = self.state.attempts[index][-1]
            assert attempt.node == HOST, "the next driver would not find its process"
            self.adopted[index] = (attempt.number, attempt.job)
        self.observer.take_up(self.now)

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
                    self.world.cancel(self.world.jobs[last.job], record=False)
                self.emit(ev.Unbound(at=self.at(), members=((index, last.number),), cause=text_cause("a test")))
                continue
            self.observer.began(index)
            if index in self.state.held:
                self.emit(ev.Released(at=self.at(), instance=index))
            if index in self.state.to_unbind:
                self.emit(ev.CancelRequested(at=self.at(), instance=index))

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

    def snapshot(self) -> dict[str, Seen]:
        return self.world.snapshot()

    @precondition(lambda self: self.look is None)
    @rule()
    def begin_look(self) -> None:
        self.look = (self.now, self.snapshot())

    @precondition(lambda self: self.look is not None)
    @rule(unobserved=st.booleans())
    def end_look(self, unobserved: bool) -> None:
        assert self.look is not None
        (asked, shown), self.look = self.look, None
        if not unobserved:
            self.looked(asked, shown)

    @rule(seconds=st.sampled_from(PASSES), look=st.booleans())
    def pass_time(self, seconds: float, look: bool) -> None:
        self.now += seconds
        self.world.now = self.now
        self.emit_all(self.observer.tick(self.at(), self.now))
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
        request = Request(f"c{self.commands}", verb, (data.draw(st.sampled_from(names)),), changes)
        self.emit_all(carry_out(self.state, request, self.at()))
        assert self.state.commands[request.command].outcome

    def cancellable(self) -> list[int]:
        attempts = {index: self.state.attempts[index][-1] for index in self.state.to_cancel}
        return [index for index, attempt in attempts.items() if attempt.job and not attempt.allocation]

    @precondition(lambda self: self.cancellable())
    @rule(record=st.booleans())
    def send_cancels(self, record: bool) -> None:
        told = self.cancellable()
        for index in told:
            self.world.cancel(self.world.jobs[self.state.attempts[index][-1].job], record=record)
        self.emit(ev.CancelSent(at=self.at(), instances=tuple(told)))

    # --- what the world does

    @precondition(lambda self: self.answers)
    @rule(
        data=st.data(),
        kind=st.sampled_from(["accepted", "accepted", "deferred", "unclear", "unclear, lost", "twice", "refused"]),
    )
    def sbatch_answers(self, data: st.DataObject, kind: str) -> None:
        request = self.answers.pop(data.draw(st.sampled_from(sorted(self.answers))))
        name = request.submission
        arrays = list(dict.fromkeys(job.array for job in self.world.named(name)))  # taken before the answer came
        if arrays and kind in ("deferred", "refused", "unclear, lost"):
            kind = "unclear"
        for _ in range({"accepted": 1, "unclear": 1, "twice": 2}.get(kind, 0) - len(arrays)):
            arrays.append(self.world.submit(request)[0].array)
        match kind:
            case "accepted":
                self.accepted(request, arrays[-1])
            case "deferred":
                self.emit(ev.SubmitDeferred(at=self.at(), submission=name, message="a limit"))
            case "refused":
                self.emit(ev.SubmitRefused(at=self.at(), submission=name, message="no such partition"))
                self.used.update((key, "refused") for key in request.members)
            case _:
                self.emit(ev.SubmitUnclear(at=self.at(), submission=name, message=kind))
                self.observer.doubt(name, self.now)
                if not arrays:
                    self.may_arrive.append(request)

    def accepted(self, request: Sbatch, job: str) -> None:
        self.emit(ev.Submitted(at=self.at(), submission=request.submission, job=job))
        for index, _ in request.members:
            self.observer.touch(index, self.now)

    @precondition(lambda self: [name for name in self.answers if not self.world.named(name)])
    @rule(data=st.data())
    def slurm_takes_it_before_sbatch_answers(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(name for name in self.answers if not self.world.named(name))))
        self.world.submit(self.answers[name])

    @precondition(lambda self: self.may_arrive)
    @rule(data=st.data())
    def slurm_takes_it_late(self, data: st.DataObject) -> None:
        self.world.submit(self.may_arrive.pop(data.draw(st.integers(0, len(self.may_arrive) - 1))))

    def draw_job(self, data: st.DataObject, state: str) -> Job:
        return data.draw(st.sampled_from(self.world.of_state(state)))

    @precondition(lambda self: any(map(self.world.may_begin, self.world.jobs.values())))
    @rule(data=st.data())
    def job_begins(self, data: st.DataObject) -> None:
        self.begin_job(data.draw(st.sampled_from([*filter(self.world.may_begin, self.world.jobs.values())])))

    def begin_job(self, job: Job) -> None:
        self.world.begin(job)
        if job.state == "running":
            self.check_parents_of(job.index)

    def check_parents_of(self, index: int) -> None:
        """The payload of an instance has begun: by now its parents were done, or over where that is enough."""
        skipped = {i for i, instance in enumerate(self.plan.instances) if self.plan.step_of(instance).skipped}
        done = {index for index, _ in self.world.succeeded} | self.counted_as_done | skipped
        after = self.after[index]
        assert self.parents[index] - after <= done, "a payload began before its parents were done"
        assert after <= self.been_over | skipped, "a payload began before what it comes after was over"

    @precondition(lambda self: any(map(self.world.never_begins, self.world.jobs.values())))
    @rule(data=st.data())
    def slurm_cancels_what_never_begins(self, data: st.DataObject) -> None:
        jobs = [*filter(self.world.never_begins, self.world.jobs.values())]
        self.world.cancel_dependent(data.draw(st.sampled_from(jobs)))

    @precondition(lambda self: [job for job in self.world.of_state("queued") if not job.local])
    @rule(data=st.data())
    def somebody_cancels_a_queued_job(self, data: st.DataObject) -> None:
        jobs = [job for job in self.world.of_state("queued") if not job.local]
        self.world.cancel(data.draw(st.sampled_from(jobs)), record=False)

    @precondition(lambda self: self.world.of_state("running"))
    @rule(data=st.data(), record=st.booleans())
    def job_finishes(self, data: st.DataObject, record: bool) -> None:
        self.world.end(self.draw_job(data, "running"), Status.FINISHED, 0, record=record)

    @precondition(lambda self: self.world.of_state("running"))
    @rule(data=st.data(), record=st.booleans(), verdict=st.sampled_from(ENDS), signal=st.sampled_from(["", "TERM"]))
    def job_fails(self, data: st.DataObject, record: bool, verdict: Status, signal: str) -> None:
        self.world.end(self.draw_job(data, "running"), verdict, 143 if signal else 3, record=record, signal=signal)

    @precondition(lambda self: [job for job in self.world.of_state("running") if not job.local])
    @rule(data=st.data(), record=st.booleans())
    def job_is_requeued(self, data: st.DataObject, record: bool) -> None:
        jobs = [job for job in self.world.of_state("running") if not job.local]
        self.world.requeue(data.draw(st.sampled_from(jobs)), record=record)

    @precondition(lambda self: self.world.of_state("over"))
    @rule(data=st.data())
    def slurm_forgets(self, data: st.DataObject) -> None:
        self.draw_job(data, "over").forgotten = True

    # --- the driver dies

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        assert everything(replay(self.plan, self.lines)) == everything(self.state), "a replay gives another state"
        at = data.draw(st.integers(0, len(self.lines)))
        assert everything(replay_kept(self.plan, self.lines, at)) == everything(self.state), "a checkpoint does"
        kept = data.draw(st.integers(self.durable, len(self.lines)))
        del self.lines[kept:]
        self.durable = kept
        for name, request in self.answers.items():
            if not self.world.named(name):
                self.may_arrive.append(request)
        state = replay(self.plan, self.lines)
        self.used = {
            (index, item.number): "ended" for index, items in state.attempts.items() for item in items if item.ended_at
        }
        self.drive(state)
        self.take_over()

    # --- what has to hold

    @invariant()
    def statuses_follow_from_those_of_the_parents(self) -> None:
        status = self.state.status
        for index, parents in enumerate(self.parents):
            above = {status[parent] for parent in parents - self.after[index]}
            over = all(status[parent] in OVER for parent in self.after[index])
            match status[index]:
                case Status.WAITING | Status.READY | Status.HELD | Status.BLOCKED as idle:
                    if above & BAD:
                        expected = Status.BLOCKED
                    elif index in self.state.held:
                        expected = Status.HELD
                    else:
                        expected = Status.READY if above <= DONE and over else Status.WAITING
                    assert idle is expected, words(self.state)
                case alive if alive is Status.BOUND:
                    leaves = index in self.state.to_unbind or self.state.attempts[index][-1].cancelled
                    assert leaves or above - DONE or not over, words(self.state)
                    sound = self.could_be_bound(index) and index not in self.state.held
                    assert sound or leaves, words(self.state)
                case alive if alive in LIVE:
                    last = self.state.attempts[index][-1]
                    assert last.after or last.allocation or above <= DONE, words(self.state)
                case _:
                    pass

    def has_a_job(self, index: int) -> bool:
        """Whether others can be bound to an instance, or need not be."""
        status = self.state.status[index]
        scheduled = self.plan.step_of(self.plan.instances[index]).scheduled
        return status in DONE or (status in IN_SLURM and scheduled)

    def could_be_bound(self, index: int) -> bool:
        """Whether Slurm has or had all that an instance waits for."""
        after = self.after[index]
        return all(
            self.state.status[parent] in OVER if parent in after else self.has_a_job(parent)
            for parent in self.parents[index]
        )

    @invariant()
    def counters_and_queues_are_what_a_recount_gives(self) -> None:
        state = self.state
        assert +state.counts == Counter(state.status)
        for item, counts in zip(self.plan.steps, state.step_counts, strict=True):
            assert +counts == Counter(state.status[index] for index in item.instances)
        for item, ready, ahead in zip(self.plan.steps, state.ready, state.ahead, strict=True):
            assert sorted(ready) == [index for index in item.instances if state.status[index] is Status.READY]
            waiting = [i for i in item.instances if state.status[i] is Status.WAITING and item.scheduled]
            waiting = [i for i in waiting if i not in state.dependency_never_satisfied]
            assert sorted(ahead) == [index for index in waiting if self.could_be_bound(index)]
        assert not state.live_slurm.keys() & state.live_packed.keys()
        for scheduled, live in ((True, {**state.live_slurm, **state.live_packed}), (False, state.live_local)):
            members = [i.index for i in self.plan.instances if self.plan.step_of(i).scheduled is scheduled]
            assert sorted(live) == [index for index in members if state.status[index] in LIVE]
        holdable = (Status.HELD, Status.BLOCKED, Status.BOUND)
        assert state.held == {i for i in state.held if state.status[i] in holdable or state.waits_in_allocation(i)}
        assert all(state.status[i] is Status.BOUND or state.waits_in_allocation(i) for i in state.to_unbind)
        assert {i for i, status in enumerate(state.status) if status is Status.HELD} <= state.held
        assert all(state.status[index] in LIVE for index in state.to_cancel)
        assert state.is_over is all(status in OVER for status in state.status)

    @invariant()
    def attempts_are_numbered_in_order_and_only_the_last_may_be_open(self) -> None:
        for index, attempts in self.state.attempts.items():
            assert [item.number for item in attempts] == list(range(1, len(attempts) + 1))
            assert all(item.ended_at for item in attempts[:-1])
            if self.state.status[index] in LIVE:
                assert not attempts[-1].ended_at
                assert index not in self.state.marked
            elif self.state.status[index] in OVER - {Status.BLOCKED}:
                assert attempts[-1].ended_at
        for members in self.state.submissions.values():
            assert any(self.state.status[index] in LIVE for index, _ in members)

    @invariant()
    def no_payload_runs_twice_and_what_finished_did_run(self) -> None:
        assert all(count <= 1 for count in self.world.runs.values())
        for index, status in enumerate(self.state.status):
            if status is Status.FINISHED and index not in self.state.marked:
                assert (index, self.state.attempts[index][-1].number) in self.world.succeeded

    # --- in the end

    def teardown(self) -> None:
        """Once the world does nothing but end well, every study gets over."""
        if not hasattr(self, "state"):
            return
        for _ in range(60):
            if self.state.is_over:
                break
            self.calm_round()
        assert self.state.is_over, words(self.state)
        self.statuses_follow_from_those_of_the_parents()
        self.counters_and_queues_are_what_a_recount_gives()
        self.no_payload_runs_twice_and_what_finished_did_run()
        assert everything(replay(self.plan, self.lines)) == everything(self.state)

    def calm_round(self) -> None:
        self.look = None
        for name, request in list(self.answers.items()):
            del self.answers[name]
            self.accepted(request, (self.world.named(name) or self.world.submit(request))[-1].array)
        self.commands += 1
        self.emit_all(carry_out(self.state, Request(f"c{self.commands}", "release", ("*",)), self.at()))
        if self.cancellable():
            self.send_cancels(record=True)
        self.unbind_these(sorted(self.state.to_unbind.keys() | self.observer.never()))
        for job in [*filter(self.world.never_begins, self.world.jobs.values())]:
            self.world.cancel_dependent(job)
        for job in [*filter(self.world.may_begin, self.world.jobs.values())]:
            self.begin_job(job)
        for job in self.world.of_state("running"):
            self.world.end(job, Status.FINISHED, 0, record=True)
        self.hear_of_processes()
        self.pass_time(20.0, look=True)
        self.start_all()


def replay(plan: Plan, lines: list[str]) -> StudyState:
    return go_on(StudyState(plan), lines)


def replay_kept(plan: Plan, lines: list[str], at: int) -> StudyState:
    """The same by way of a checkpoint that was made after `at` of the lines."""
    kept = [line.encode() for line in to_lines(replay(plan, lines[:at]))]
    return go_on(from_lines(plan, kept), lines[at:])


def go_on(state: StudyState, lines: list[str]) -> StudyState:
    for line in lines:
        state.apply(from_record(json.loads(line)))
    return state


StudyMachine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestStudyMachine = StudyMachine.TestCase
