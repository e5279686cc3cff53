"""Starts what is ready: writes an instance's files and the intent, then hands it to its backend."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from ..backends.base import Accepted, Answer, Backend, Deferred, Job, Refused, Unclear
from ..backends.slurm_text import job_tag
from ..plan.changes import UNCHANGED
from ..plan.model import Instance, Plan
from ..store.layout import prepare
from ..study import events as ev
from ..study.policy import Capacity, next_starts
from .drive import Drive
from .effects import Effect
from .faults import point

_SUBMITTERS = 4  # sbatch calls at a time: more gain little and press a busy controller
_LIMIT_WAIT = 30.0  # seconds until a submit limit is tried again if no job ended meanwhile
_UNCLEAR_PAUSE = 1.0  # seconds without new submissions after one had no clear answer


def job_name(study_id: str, submission: str, plan: Plan, index: int) -> str:
    """The name of a submission's job in Slurm: the tag by which it is found again, then words for people."""
    return f"{job_tag(study_id, submission)}:{plan.instances[index].stem[:120]}"


class Starting:
    """The part of a driver that submits."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._threads = ThreadPoolExecutor(_SUBMITTERS, "mtui-sbatch")
        self._submissions = 0
        self._calls = 0  # sbatch calls under way

    def due(self) -> float | None:
        closed = self._drive.slurm_closed_until
        return closed if self._drive.state.ready_slurm and closed > time.monotonic() else None

    def turn(self) -> None:
        """Start as much as policy and limits allow."""
        drive = self._drive
        is_open = time.monotonic() >= drive.slurm_closed_until and not drive.state.slurm_silent_since
        free = (1 if drive.state.deferred else _SUBMITTERS) - self._calls
        starts = next_starts(drive.state, drive.limits, Capacity(max(0, free), is_open))
        effects = [self._effect(drive.plan.instances[index]) for index in starts]
        if effects:
            point("submit.prepared")
            drive.effects.perform(effects)

    def stop(self) -> None:
        self._threads.shutdown(wait=True)

    def _effect(self, instance: Instance) -> Effect[Answer]:
        drive = self._drive
        number = drive.state.next_attempt(instance.index)
        changes = drive.state.changes.get(instance.index, UNCHANGED)
        prepare(drive.directory, drive.plan, instance, number, changes)
        self._submissions += 1
        submission = f"{drive.lease.owner.epoch}-{self._submissions}"
        scheduled = drive.plan.step_of(instance).scheduled
        workspace = drive.directory.workspace(instance)
        job = Job(
            submission=submission,
            attempt=f"{instance.index}.{number}",
            name=job_name(drive.study.study_id, submission, drive.plan, instance.index),
            workspace=str(workspace),
            script=str(workspace / drive.plan.script_name(instance)),
            stdout=str(drive.directory.stdout(instance)),
            stderr=str(drive.directory.stderr(instance)),
        )
        intent = ev.SubmitIntended(
            at=time.time(),
            submission=submission,
            backend="slurm" if scheduled else "local",
            members=((instance.index, number),),
        )
        backend: Backend | None = drive.slurm if scheduled else drive.local
        assert backend is not None
        self._calls += 1 if scheduled else 0
        return Effect(
            "submit",
            [intent],
            act=lambda: _submit(backend, job),
            take=lambda answer: self._answered(job, answer, scheduled),
            executor=self._threads if scheduled else None,
        )

    def _answered(self, job: Job, answer: Answer, scheduled: bool) -> None:
        drive, at, now = self._drive, time.time(), time.monotonic()
        self._calls -= 1 if scheduled else 0
        match answer:
            case Accepted():
                drive.emit(ev.Submitted(at=at, submission=job.submission, job=answer.job, node=answer.node))
                drive.observer.touch(int(job.attempt.partition(".")[0]), now)
            case Deferred():
                drive.slurm_closed_until = now + _LIMIT_WAIT
                drive.emit(ev.SubmitDeferred(at=at, submission=job.submission, message=answer.message))
            case Unclear():
                drive.slurm_closed_until = now + _UNCLEAR_PAUSE
                drive.emit(ev.SubmitUnclear(at=at, submission=job.submission, message=answer.message))
                drive.observer.doubt(job.submission, now)
            case Refused():
                drive.emit(ev.SubmitRefused(at=at, submission=job.submission, message=answer.message))


def _submit(backend: Backend, job: Job) -> Answer:
    try:
        return backend.submit(job)
    except Exception as error:  # a bug of ours must not leave the submission without an answer
        return Unclear(f"{type(error).__name__}: {error}")
