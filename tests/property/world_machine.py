"""The random world around the driver: what Slurm and jobs do, and how a driver dies."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import precondition, rule

from mtui.core.backends.slurm_text import job_tag
from mtui.core.driver.cluster import require_cluster
from mtui.core.engine import events as ev
from mtui.core.engine.commands import CommandRequest, apply_command
from mtui.core.engine.event_codec import from_record
from mtui.core.engine.expectation import LOST_WAIT
from mtui.core.engine.slurm_answers import SeenJob
from mtui.core.engine.state import StudyState
from mtui.core.engine.state_codec import from_lines, to_lines
from mtui.core.engine.status import Status
from mtui.core.errors import WrongCluster
from mtui.core.plan.study_plan import Plan
from tests.property.driver_machine import CLUSTER, STUDY, DriverMachine
from tests.property.world import Job
from tests.property.world import Request as Sbatch
from tests.unit.engine.script import everything

ENDS = (
    Status.FAILED,
    Status.TIMED_OUT,
    Status.OUT_OF_MEMORY,
    Status.NODE_FAILED,
    Status.PREEMPTED,
    Status.DEADLINE,
    Status.CANCELLED,
)


class WorldMachine(DriverMachine):
    """The driver in a world that is moved at random."""

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
                self.observer.note_unclear(name, self.now)
                if not arrays:
                    self.may_arrive.append(request)

    def accepted(self, request: Sbatch, job: str) -> None:
        self.emit(ev.Submitted(at=self.at(), submission=request.submission, job=job))
        for index, _ in request.members:
            self.observer.note_heard(index, self.now)

    @precondition(lambda self: bool([name for name in self.answers if not self.world.named(name)]))
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
            self.check_parents_of(job.index, job.attempt)
            beside = [each for each in self.world.of_state("running") if each.index == job.index and each is not job]
            assert not beside, "two attempts run in one workspace"

    def check_parents_of(self, index: int, attempt: int) -> None:
        """The payload of an instance has begun: by now its parents were done, or over where that is enough."""
        skipped = {i for i, instance in enumerate(self.plan.instances) if self.plan.step_of(instance).skipped}
        done = {index for index, _ in self.world.succeeded} | self.counted_as_done | skipped
        self.saw[index, attempt] = done
        if index in self.state.missed_rows:
            return  # it will run again
        skipped |= set(range(self.state.size, len(self.plan.instances)))
        done |= skipped
        after = self.after[index]
        assert self.parents[index] - after <= done, "a payload began before its parents were done"
        stuck = {job.index for job in self.world.jobs.values() if self.world.is_stuck(job)}
        over = self.been_over | self.world.over() | skipped | stuck
        assert after <= over, "a payload began before what it comes after was over"

    @precondition(lambda self: any(map(self.world.never_begins, self.world.jobs.values())))
    @rule(data=st.data())
    def slurm_cancels_what_never_begins(self, data: st.DataObject) -> None:
        jobs = [*filter(self.world.never_begins, self.world.jobs.values())]
        self.world.cancel_dependent(data.draw(st.sampled_from(jobs)))

    @precondition(lambda self: bool([job for job in self.world.of_state("queued") if not job.local]))
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

    @precondition(lambda self: bool([job for job in self.world.of_state("running") if not job.local]))
    @rule(data=st.data(), record=st.booleans())
    def job_is_requeued(self, data: st.DataObject, record: bool) -> None:
        jobs = [job for job in self.world.of_state("running") if not job.local]
        self.world.requeue(data.draw(st.sampled_from(jobs)), record=record)

    @precondition(lambda self: self.world.of_state("over"))
    @rule(data=st.data())
    def slurm_forgets(self, data: st.DataObject) -> None:
        self.draw_job(data, "over").forgotten = True

    @precondition(lambda self: bool([job for job in self.world.of_state("queued") if not job.local]))
    @rule(data=st.data())
    def slurm_hides_a_queued_job(self, data: st.DataObject) -> None:
        """It neither shows the job nor forgets it: it may still begin."""
        data.draw(st.sampled_from([job for job in self.world.of_state("queued") if not job.local])).hidden = True

    @rule(data=st.data(), begins=st.sampled_from(["first", "last", "never"]), ends=st.booleans())
    def slurm_loses_sight_of_a_job(self, data: st.DataObject, begins: str, ends: bool) -> None:
        """A job is not shown for minutes, and its records are late: it begins before or after it counts as lost."""
        self.start_all()
        self.all_submissions_are_accepted()
        queued = [job for job in self.world.of_state("queued") if not job.local]
        if not queued:
            return
        job = data.draw(st.sampled_from(queued))
        job.hidden = self.world.delays_records = True
        for when in ("first", "last"):
            if begins == when and self.world.may_begin(job):
                self.begin_job(job)
            if ends and job.state == "running":
                self.world.end(job, Status.FINISHED, 0, record=True)
            for _ in range(7 if when == "first" else 0):
                self.pass_time(LOST_WAIT, look=True)

    @rule()
    def slurm_shows_all_its_jobs(self) -> None:
        for job in self.world.jobs.values():
            job.hidden = False

    @rule(delays=st.booleans())
    def file_system_delays_records(self, delays: bool) -> None:
        self.world.delays_records = delays
        if not delays:
            self.world.late.clear()

    @precondition(lambda self: any(not job.local for job in self.world.jobs.values()))
    @rule(data=st.data(), ended=st.booleans(), verdict=st.sampled_from([Status.FINISHED, *ENDS]))
    def ids_are_given_again(self, data: st.DataObject, ended: bool, verdict: Status) -> None:
        """slurmctld restarts its ids: it shows another user's job under one of ours, accounting shows both."""
        job = data.draw(st.sampled_from([job for job in self.world.jobs.values() if not job.local]))
        name = data.draw(st.sampled_from(["mine", job_tag("other", job.submission), job_tag(STUDY[:-1], "1-1")]))
        self.world.strangers[job.id] = (name, SeenJob(verdict if ended else Status.RUNNING, ended, exit_code=0))

    @rule()
    def driver_starts_on_another_cluster(self) -> None:
        """It must not change the study while anything of it is in Slurm."""
        if self.state.live_slurm or self.state.allocations.open():
            with pytest.raises(WrongCluster):
                require_cluster(self.state, "beta")
        else:
            require_cluster(self.state, "beta")
        require_cluster(self.state, CLUSTER)

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

    # --- in the end

    def all_submissions_are_accepted(self) -> None:
        for name, request in list(self.answers.items()):
            del self.answers[name]
            self.accepted(request, (self.world.named(name) or self.world.submit(request))[-1].array)

    def calm_round(self) -> None:
        self.look = None
        self.slurm_shows_all_its_jobs()
        self.file_system_delays_records(delays=False)
        self.all_submissions_are_accepted()
        self.commands += 1
        self.emit_all(apply_command(self.state, CommandRequest(f"c{self.commands}", "release", ("*",)), self.at()))
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
    return resume_study(StudyState(plan), lines)


def replay_kept(plan: Plan, lines: list[str], at: int) -> StudyState:
    """The same by way of a checkpoint that was made after `at` of the lines."""
    kept = [line.encode() for line in to_lines(replay(plan, lines[:at]))]
    return resume_study(from_lines(plan, kept), lines[at:])


def resume_study(state: StudyState, lines: list[str]) -> StudyState:
    for line in lines:
        state.apply(from_record(json.loads(line)))
    return state
