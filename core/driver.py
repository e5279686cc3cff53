"""Drives one study: ties its directory, its state and the backends together.

One loop on one thread. Everything that happens elsewhere (a record in the spool, an answer of sbatch, a look at
Slurm, the end of a local process) is posted to the loop as a call, so state and journal have a single writer.
What to start is decided in study/policy.py, what the world means in study/observer.py.
"""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

from . import __version__
from .backends.base import Accepted, Answer, Backend, Deferred, Job, Refused, Unclear
from .backends.local import Local
from .backends.slurm import Slurm
from .backends.slurm_text import ALIVE, ENDED, SlurmJob, SlurmView, Unobserved, job_tag
from .errors import DriverError, StudyDirectoryError
from .plan.model import Instance
from .store.journal import Journal, read_events
from .store.layout import StudyDirectory, prepare
from .store.lease import Lease, this_host
from .store.spool import list_records, read_record, remove_records
from .store.status_csv import write_status
from .store.study_file import StudyFile
from .store.watch import Watch
from .study import events as ev
from .study.observer import Observer, Seen
from .study.policy import Capacity, Limits, next_starts
from .study.state import Impossible, StudyState
from .study.status import Status

_SUBMITTERS = 4  # sbatch calls at a time: more gain little and press a busy controller
_LONGEST_WAIT = 5.0  # seconds; the heartbeat and the check of the lease hang on it
_SETTLE_EVERY = 1.0  # seconds between two removals of records that the journal has taken over
_ADOPTED_EVERY = 0.5  # seconds between two looks at local processes that are not our children
_STATUS_EVERY = 2.0  # seconds between two status.csv; more for a study that takes long to write
_LIMIT_WAIT = 30.0  # seconds until a submission limit is tried again if no job ended meanwhile
_LOOK_SOON = 1.0  # seconds to the first extra look at Slurm when one is wanted; doubles up to the next
_LOOK_SOON_MOST = 10.0
_LONGEST_BACK_OFF = 180.0  # seconds between looks at a Slurm that does not answer


class Listener(Protocol):
    """Is told of every event after it was taken in, on the driver's thread."""

    def __call__(self, event: ev.Event, state: StudyState) -> None: ...


class Driver:
    """One driver of one study. `run` drives until the study is over or `stop` is called."""

    def __init__(self, directory: StudyDirectory, study: StudyFile, listener: Listener) -> None:
        self._directory = directory
        self._study = study
        self._plan = study.plan
        self._listener = listener
        self.state = StudyState(study.plan)
        self._observer = Observer(self.state)
        self._lease: Lease
        self._journal: Journal
        self._limits = Limits(study.settings.throttle, study.settings.local_jobs)
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._host = this_host()
        self._local = Local(directory.home, self._host, self._local_exit)
        self._slurm = Slurm(directory.home) if study.plan.uses_slurm else None
        self._submitters = ThreadPoolExecutor(_SUBMITTERS, "mtui-sbatch")
        self._looker = ThreadPoolExecutor(1, "mtui-squeue")
        self._submitting = 0  # sbatch calls under way
        self._submissions = 0  # made by this driver
        self._stopping = ""
        self._slurm_closed_until = 0.0
        self._looking = False
        self._last_look = 0.0
        self._look_interval = study.settings.poll
        self._look_soon = _LOOK_SOON
        self._records_taken: dict[str, None] = {}
        self._last_settle = 0.0
        self._adopted: dict[int, tuple[int, str]] = {}  # instance -> attempt, process id
        self._status_due = 0.0
        self._status_dirty = True

    # --- the outside of it

    def stop(self, reason: str) -> None:
        """Let go of the study in order; jobs and local steps go on. From any thread or a signal handler."""
        self._calls.put(lambda: self._set_stopping(reason))

    def run(self) -> str:
        """Drive. Returns `finished`, `failed` or `cancelled` when the study is over, `stopped` after `stop`.

        Raises StudyBusyError if another driver holds the study, DriverError if this one cannot go on.
        """
        self._lease = Lease.take(self._directory.owner)
        watch = Watch(self._directory.spool, lambda: self._calls.put(_nothing))
        try:
            for event in read_events(self._directory.journal):
                with suppress(Impossible):  # it was an anomaly when it was written, too
                    self.state.apply(event)
            owner = self._lease.owner
            self._journal = Journal(self._directory.journal, owner.epoch)
            self._emit(ev.DriverStarted(at=time.time(), epoch=owner.epoch, host=owner.host, pid=owner.pid,
                                        version=__version__))  # fmt: skip
            self._read_spool()
            self._adopt()
            watch.start()
            return self._drive()
        except OSError as error:
            raise DriverError(
                f"cannot go on in {self._directory.root}: {error.strerror or error}",
                "nothing is lost: put it right, then start mtui on the directory again",
            ) from error
        except StudyDirectoryError as error:
            raise DriverError(error.message, error.hint) from error
        finally:
            watch.stop()
            if self._journal:
                with suppress(StudyDirectoryError):  # what broke it is told already
                    self._journal.close()
            self._submitters.shutdown(wait=True)
            self._looker.shutdown(wait=False, cancel_futures=True)
            self._lease.release()

    def _set_stopping(self, reason: str) -> None:
        self._stopping = self._stopping or reason

    # --- the loop

    def _drive(self) -> str:
        while True:
            self._lease.beat(time.monotonic())
            if self._lease.is_lost():
                raise DriverError("another driver has taken this study over", "this one let go; jobs are not affected")
            self._read_spool()
            self._emit_all(self._observer.tick(time.time(), time.monotonic()))
            self._look_at_adopted()
            if self._stopping:
                if not self._submitting:
                    return self._finish(self._stopping, "stopped")
            elif self.state.is_over:
                outcome = self.state.outcome
                self._emit(ev.StudyEnded(at=time.time(), result=outcome))
                return self._finish(f"the study is {outcome}", outcome)
            else:
                self._start_what_is_ready()
                self._look_if_due()
            self._settle()
            self._write_status()
            self._journal.flush()
            self._wait()

    def _wait(self) -> None:
        """Sleep until something is posted or something is due; then take in all that was posted."""
        now = time.monotonic()
        due = [now + _LONGEST_WAIT, self._look_due(), self._observer.deadline()]
        if self._records_taken:
            due.append(self._last_settle + _SETTLE_EVERY)
        if self._adopted:
            due.append(now + _ADOPTED_EVERY)
        if self._status_dirty:
            due.append(self._status_due)
        if self._slurm_closed_until > now and self.state.ready_slurm:
            due.append(self._slurm_closed_until)
        until = min(time for time in due if time is not None)
        with suppress(queue.Empty):
            self._calls.get(timeout=max(0.0, until - now))()
            while True:
                self._calls.get_nowait()()

    def _finish(self, reason: str, outcome: str) -> str:
        self._emit(ev.DriverStopped(at=time.time(), reason=reason))
        self._settle(always=True)
        self._write_status(always=True)
        return outcome

    # --- events

    def _emit(self, event: ev.Event) -> None:
        """Take an event into state and journal; one that cannot be is written as an anomaly."""
        try:
            self.state.apply(event)
        except Impossible as error:
            event = ev.Anomaly(at=event.at, message=f"{event.kind}: {error}")
        self._journal.append(event)
        self._note(event)
        self._listener(event, self.state)

    def _emit_all(self, events: Sequence[ev.Event]) -> None:
        for event in events:
            self._emit(event)

    def _note(self, event: ev.Event) -> None:
        """What the driver itself remembers of an event."""
        now = time.monotonic()
        self._status_dirty = True
        match event:
            case ev.Started() | ev.Observed():
                self._observer.touch(event.instance, now)
            case ev.Ended():
                self._observer.forget([event.instance])
                self._adopted.pop(event.instance, None)
                self._slurm_closed_until = 0.0  # a job ended, so there may be room again
            case ev.SubmitIntended():
                self._observer.forget(index for index, _ in event.members)
            case _:
                pass

    # --- starting

    def _start_what_is_ready(self) -> None:
        now = time.monotonic()
        is_open = now >= self._slurm_closed_until and not self.state.slurm_silent_since
        free = (1 if self.state.deferred else _SUBMITTERS) - self._submitting
        starts = next_starts(self.state, self._limits, Capacity(max(0, free), is_open))
        jobs = [self._intend(self._plan.instances[index]) for index in starts]
        if not jobs:
            return
        self._journal.sync()
        for job, backend in jobs:
            if backend is self._local:
                self._answered(job, backend.submit(job))
            else:
                self._submitting += 1
                self._submitters.submit(self._submit, job, backend)

    def _intend(self, instance: Instance) -> tuple[Job, Backend]:
        """Write an instance's files and the intent to submit it."""
        number = self.state.next_attempt(instance.index)
        prepare(self._directory, self._plan, instance, number)
        self._submissions += 1
        submission = f"{self._lease.owner.epoch}-{self._submissions}"
        scheduled = self._plan.step_of(instance).scheduled
        self._emit(
            ev.SubmitIntended(
                at=time.time(),
                submission=submission,
                backend="slurm" if scheduled else "local",
                members=((instance.index, number),),
            )
        )
        workspace = self._directory.workspace(instance)
        job = Job(
            submission=submission,
            attempt=f"{instance.index}.{number}",
            name=f"{job_tag(self._study.study_id, submission)}:{instance.stem[:120]}",
            workspace=str(workspace),
            script=str(workspace / self._plan.script_name(instance)),
            stdout=str(self._directory.stdout(instance)),
            stderr=str(self._directory.stderr(instance)),
        )
        if not scheduled:
            return job, self._local
        assert self._slurm is not None
        return job, self._slurm

    def _submit(self, job: Job, backend: Backend) -> None:
        """On a thread of its own: sbatch may block."""
        try:
            answer = backend.submit(job)
        except Exception as error:  # a bug of ours must not leave the submission without an answer
            answer = Unclear(f"{type(error).__name__}: {error}")

        def take() -> None:
            self._submitting -= 1
            self._answered(job, answer)

        self._calls.put(take)

    def _answered(self, job: Job, answer: Answer) -> None:
        at, now = time.time(), time.monotonic()
        match answer:
            case Accepted():
                self._emit(ev.Submitted(at=at, submission=job.submission, job=answer.job, node=answer.node))
                self._observer.touch(int(job.attempt.partition(".")[0]), now)
            case Deferred():
                self._slurm_closed_until = now + _LIMIT_WAIT
                self._emit(ev.SubmitDeferred(at=at, submission=job.submission, message=answer.message))
            case Unclear():
                self._slurm_closed_until = now + _LOOK_SOON
                self._emit(ev.SubmitUnclear(at=at, submission=job.submission, message=answer.message))
                self._observer.doubt(job.submission, now)
            case Refused():
                self._emit(ev.SubmitRefused(at=at, submission=job.submission, message=answer.message))

    # --- what the world shows

    def _read_spool(self) -> None:
        for name in list_records(self._directory.spool):
            if name in self._records_taken:
                continue
            self._records_taken[name] = None
            report = read_record(self._directory.spool / name)
            if report is None:
                self._emit(ev.Anomaly(at=time.time(), message=f"a record that cannot be read: {name}"))
            else:
                self._emit_all(self._observer.report(report, time.time(), time.monotonic()))

    def _settle(self, *, always: bool = False) -> None:
        """Remove the records that the journal has, once it has them on the disk."""
        now = time.monotonic()
        if self._records_taken and (always or now - self._last_settle >= _SETTLE_EVERY):
            self._last_settle = now
            self._journal.sync()
            remove_records(self._directory.spool, self._records_taken)
            self._records_taken.clear()

    def _local_exit(self, attempt: str, pid: str, code: int) -> None:
        index, _, number = attempt.partition(".")
        self._calls.put(lambda: self._process_ended(int(index), int(number), pid, code))

    def _process_ended(self, index: int, number: int, pid: str, code: int | None) -> None:
        self._read_spool()
        self._emit_all(self._observer.process_ended(index, number, pid, code, time.time()))

    def _look_at_adopted(self) -> None:
        for index, (number, pid) in list(self._adopted.items()):
            if not self._local.is_running(f"{index}.{number}", pid):
                self._process_ended(index, number, pid, None)
                self._adopted.pop(index, None)

    # --- looking at Slurm

    def _look_due(self) -> float | None:
        """When Slurm is to be asked next, on the monotonic clock; None if there is nothing to ask."""
        if self._slurm is None or self._looking or not (self.state.live_slurm or self.state.slurm_silent_since):
            return None
        interval = self._look_interval
        if self._observer.wants_look and not self.state.slurm_silent_since:
            interval = min(interval, self._look_soon)
        return self._last_look + interval

    def _look_if_due(self) -> None:
        due = self._look_due()
        now = time.monotonic()
        if due is None or now < due or self._slurm is None:
            return
        self._looking = True
        self._last_look = now
        self._look_soon = min(self._look_soon * 2, _LOOK_SOON_MOST) if self._observer.wants_look else _LOOK_SOON
        expected = [self.state.attempts[index][-1].job for index in self.state.live_slurm]
        names = [self._job_name(submission) for submission in self.state.submissions]
        self._looker.submit(self._look, self._slurm, [job for job in expected if job], names, now)

    def _job_name(self, submission: str) -> str:
        index = self.state.submissions[submission][0][0]
        return f"{job_tag(self._study.study_id, submission)}:{self._plan.instances[index].stem[:120]}"

    def _look(self, slurm: Slurm, expected: list[str], names: list[str], asked: float) -> None:
        """On a thread of its own: squeue and sacct may block."""
        view = slurm.look(expected, names)
        self._calls.put(lambda: self._looked(view, asked))

    def _looked(self, view: SlurmView | Unobserved, asked: float) -> None:
        self._looking = False
        at, now = time.time(), time.monotonic()
        if isinstance(view, Unobserved):
            self._look_interval = min(self._look_interval * 1.5, _LONGEST_BACK_OFF)
            if not self.state.slurm_silent_since:
                self._look_interval = _LOOK_SOON_MOST
                self._emit(ev.SlurmSilent(at=at, message=view.message))
            return
        self._look_interval = self._study.settings.poll * random.uniform(0.9, 1.1)  # many drivers, not in step
        if self.state.slurm_silent_since:
            self._slurm_closed_until = 0.0
            self._emit(ev.SlurmAnswers(at=at))
        self._read_spool()  # what jobs said before this look counts before it
        by_name = {**{job.name: job.job for job in view.accounted.values()},
                   **{job.name: job.job for job in view.jobs.values()}}  # fmt: skip

        def seen(job: str) -> Seen | None:
            shown = view.jobs.get(job) or view.accounted.get(job)
            return _seen(shown) if shown else None

        def find(submission: str) -> str:
            return by_name.get(self._job_name(submission), "") if submission in self.state.submissions else ""

        self._emit_all(self._observer.look(seen, find, asked, at, now, view.accounting))

    # --- taking over

    def _adopt(self) -> None:
        """Take up what an earlier driver left under way."""
        at, now = time.time(), time.monotonic()
        for submission, members in list(self.state.submissions.items()):
            index, number = members[0]
            attempt = self.state.attempts[index][-1]
            if self.state.status[index] is Status.SUBMITTING:
                message = "the driver ended before the answer came"
                self._emit(ev.SubmitUnclear(at=at, submission=submission, message=message))
            if attempt.backend == "slurm":
                self._observer.doubt(submission, now)
            else:
                self._adopt_local_submission(submission, f"{index}.{number}", at)
        for index in list(self.state.live_local):
            attempt = self.state.attempts[index][-1]
            if attempt.node == self._host:
                self._adopted[index] = (attempt.number, attempt.job)
        if self.state.slurm_silent_since:
            self._emit(ev.SlurmAnswers(at=at))  # the silence was another driver's; the first look will tell

    def _adopt_local_submission(self, submission: str, attempt: str, at: float) -> None:
        """A local step that was being started: its claim tells whether it was."""
        try:
            pid = (self._directory.claims / attempt).read_text(encoding="utf-8").strip()
        except OSError:
            self._emit(ev.SubmitMissed(at=at, submission=submission))
            return
        self._emit(ev.Submitted(at=at, submission=submission, job=pid, node=self._host))

    # --- status.csv

    def _write_status(self, *, always: bool = False) -> None:
        now = time.monotonic()
        if not self._status_dirty or (now < self._status_due and not always):
            return
        write_status(self._directory.status_csv, self.state, time.time())
        took = time.monotonic() - now
        self._status_due = now + max(_STATUS_EVERY, 50 * took)
        self._status_dirty = False


def _nothing() -> None:
    """Posted to wake the loop: it looks into the spool at every turn."""


def _seen(job: SlurmJob) -> Seen:
    if job.state in ENDED:
        return Seen(ENDED[job.state], True, job.reason, job.node, job.exit_code)
    # A state that nobody knows yet is a job that lives: the next look may tell more.
    return Seen(ALIVE.get(job.state, Status.RUNNING), False, job.reason, job.node)
