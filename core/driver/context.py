"""What the parts of one driver share: the study, its state, the journal, the backends, and names for new jobs."""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from mtui import __version__

from ..backends.backend import AttemptFiles, JobIdentity
from ..backends.batch import BatchSystem
from ..backends.local import Local
from ..backends.slurm_text import identity_of, job_tag, study_tag
from ..claims import attempt_name
from ..engine import events as ev
from ..engine.attempt import Attempt
from ..engine.job_observer import JobObserver
from ..engine.retry_policy import RetryLimits
from ..engine.submission_policy import Limits
from ..plan.job_request import author_job_name
from ..plan.resource_changes import UNCHANGED
from ..plan.shared_allocations import PackingPlan
from ..spec.study_spec import PackingOptions
from ..store.lease import Lease
from ..store.study_directory import StudyDirectory
from ..store.study_file import Settings, StudyFile
from .crash_points import crash_point
from .effects import Effects
from .event_log import EventLog
from .io_errors import DelayedInstances, IoErrors, no_thread
from .worker_threads import WorkerThreads

Call = Callable[[], None]

WRITE_JOURNAL = "write the journal"
APPLY_ANSWERS = "apply answers"
START_THREAD = "start a thread"
_JOURNAL_DELAY = 10.0  # the longest pause in seconds between two tries to write the journal: everything waits for it


def _pack(settings: Settings) -> PackingOptions | None:
    """Return what is packed: as the study defines, or inside an allocation everything that can run there."""
    if not settings.inside:
        return settings.pack
    return PackingOptions(nodes=int(os.environ.get("SLURM_JOB_NUM_NODES", "1")))


class DriverContext:
    """Shared by the parts of one driver. For the loop thread only, except `post`, which any thread may call."""

    def __init__(
        self,
        directory: StudyDirectory,
        study: StudyFile,
        lease: Lease,
        log: EventLog,
        slurm: BatchSystem | None,
        local: Local,
        calls: queue.SimpleQueue[Call],
        cluster: str = "",
    ) -> None:
        """`slurm` is None for a study whose steps all run on this machine; `calls` is the queue of the loop.

        `cluster` is the name of the Slurm cluster of this machine; empty if it is not known yet.
        """
        self.directory = directory
        self.study = study
        self.plan = study.plan
        self.lease = lease
        self.host = lease.owner.host
        self.log = log
        self.state = log.state
        self.slurm = slurm
        self.cluster = cluster
        self.local = local
        self.observer = JobObserver(self.state, self._is_claimed)
        self.errors = IoErrors(log.emit)
        self.delayed = DelayedInstances()
        self.effects = Effects(log.emit, log.when_durable, self.post, lambda: lease.is_fresh)
        self.packing = PackingPlan(self.plan, _pack(study.settings))
        self._calls = calls
        self._workers: list[WorkerThreads] = []
        self._held: list[Call] | None = None  # calls that wait until this driver may decide; None: it may
        self._closed = False
        self._submissions = 0
        log.subscribe(self._update_observer)

    def _is_claimed(self, index: int, number: int) -> bool:
        self.log.renew()  # a poll may ask this for every job
        return self.directory.claims.is_taken(attempt_name(index, number))

    # --- settings

    @property
    def tries(self) -> RetryLimits:
        """How often failures are retried where the study has no rule."""
        settings = self.study.settings
        return RetryLimits(settings.rlimit if self.state.rlimit is None else self.state.rlimit, settings.attempts)

    @property
    def limits(self) -> Limits:
        """What may run at once: as the study was started, or as commands changed it."""
        settings = self.study.settings
        throttle = settings.throttle if self.state.throttle is None else self.state.throttle
        return Limits(throttle, self.state.local_jobs or settings.local_jobs)

    @property
    def poll(self) -> float:
        """Seconds between two polls of Slurm, if nothing requires one sooner."""
        return self.state.poll or self.study.settings.poll

    # --- names

    def job_name(self, submission: str, members: Sequence[int]) -> str:
        """Return the name of a submission's job in Slurm: the tag by which it is found, then a readable part.

        That part is the author's own job name, if there is one: instances with different ones do not share an array.
        """
        first = self.plan.instances[members[0]]
        words = author_job_name(self.plan, first, self.state.changes.get(members[0], UNCHANGED))
        words = words or (first.stem if len(members) == 1 else self.plan.step_of(first).name)
        words = re.sub(r"[,\s]+", "_", words[:120])  # sacct separates names by commas, and squeue cuts blanks
        return f"{job_tag(self.study.study_id, submission)}{words}"

    def allocation_name(self, allocation: str) -> str:
        """The name of an allocation's job in Slurm."""
        return f"{job_tag(self.study.study_id, allocation)}allocation"

    def job_of(self, job: str, submission: str) -> JobIdentity:
        """Return a job of a submission or allocation, by id and name."""
        return JobIdentity(job, job_tag(self.study.study_id, submission))

    def job_of_attempt(self, attempt: Attempt) -> JobIdentity:
        """Return the job of an attempt, by id and name."""
        return identity_of(self.study.study_id, attempt)

    def job_of_study(self, job: str) -> JobIdentity:
        """Return a job of any submission of the study, by id and name."""
        return JobIdentity(job, study_tag(self.study.study_id))

    def new_submission(self) -> str:
        """Return a name that no other submission or allocation of the study has."""
        self._submissions += 1
        return f"{self.lease.owner.epoch}-{self._submissions}"

    def attempt_files(self, index: int, number: int, changes: Mapping[str, str]) -> AttemptFiles:
        """The files of an attempt with these changes of resources."""
        instance = self.plan.instances[index]
        workspace = f"{self.directory.root}/{instance.workspace}"
        return AttemptFiles(
            name=attempt_name(index, number),
            workspace=workspace,
            script=f"{workspace}/{self.plan.script_of(instance, changes)}",
            stdout=f"{workspace}/{instance.stem}.out",
            stderr=f"{workspace}/{instance.stem}.err",
        )

    # --- events

    def begin(self) -> None:
        """Record in the journal that this driver has started, and which rows were added to the plan."""
        owner = self.lease.owner
        self.emit(
            ev.DriverStarted(
                at=time.time(),
                epoch=owner.epoch,
                host=owner.host,
                pid=owner.pid,
                version=__version__,
                cluster=self.cluster,
            )
        )
        self._extend()
        self.log.when_durable(lambda: crash_point("driver.started"))

    def _extend(self) -> None:
        """Add rows that only the plan has. Finished funnels over them run again, with their dependents (retry.py)."""
        for size in self.plan.sizes:
            if size > self.state.size:
                self.emit(ev.PlanExtended(at=time.time(), size=size))

    def emit(self, event: ev.Event) -> None:
        """Apply an event, and append it to the journal."""
        self.log.emit(event)

    def emit_all(self, events: Iterable[ev.Event]) -> None:
        self.log.emit_all(events)

    def _update_observer(self, event: ev.Event, _refused: Sequence[int]) -> None:
        match event:
            case ev.Started() | ev.Reopened():
                self.observer.note_heard(event.instance, time.monotonic())
            case ev.Observed():
                self.observer.note_observed(event.instance)
            case ev.Ended():
                self.observer.forget([event.instance])
            case ev.CancelSent():
                self.observer.note_cancel_sent(event.instances, time.monotonic())
            case ev.SubmitIntended() | ev.Unbound() | ev.Returned():
                self.observer.forget(index for index, _ in event.members)
            case _:
                pass

    # --- threads

    def threads(self, most: int, name: str) -> WorkerThreads:
        """Return threads for a part; `start_threads` starts those that cannot be started at once."""
        self._workers.append(WorkerThreads(most, name))
        return self._workers[-1]

    def start_threads(self) -> None:
        """Start the threads that are missing, if it is time for another try."""
        if time.monotonic() < self.errors.until(START_THREAD):
            return
        for worker in self._workers:
            worker.start_missing()
        if any(worker.is_short for worker in self._workers):
            self.errors.failed(START_THREAD, no_thread())
        else:
            self.errors.worked(START_THREAD)

    @property
    def threads_due(self) -> float | None:
        """When to call `start_threads` again, in monotonic seconds; None if no thread is missing."""
        if not any(worker.is_short for worker in self._workers):
            return None
        return self.errors.until(START_THREAD)

    def post(self, call: Call) -> None:
        """Have the loop thread call something; from any thread. After `close` the call is dropped."""
        self._calls.put(lambda: self._receive(call))

    def _receive(self, call: Call) -> None:
        if self._closed:
            return
        if self._held is None:
            self._apply(call)
        else:
            self._held.append(call)

    def _apply(self, call: Call) -> None:
        try:
            call()
        except OSError as error:
            self.errors.failed(APPLY_ANSWERS, error)
        else:
            self.errors.worked(APPLY_ANSWERS)

    # --- decisions

    def hold_calls(self) -> None:
        """Keep posted calls until `release_calls`: without journal and lease nothing is decided."""
        if self._held is None:
            self._held = []

    def release_calls(self) -> None:
        held, self._held = self._held or [], None
        for call in held:
            self._apply(call)

    def catch_up(self) -> bool:
        """Write what is missing in the journal; return whether it is complete, so that decisions can be based on it."""
        log, errors = self.log, self.errors
        if log.error and time.monotonic() < errors.until(WRITE_JOURNAL):
            return False
        if log.catch_up():
            errors.worked(WRITE_JOURNAL)
            return True
        if log.error:
            errors.failed(WRITE_JOURNAL, log.error, most=_JOURNAL_DELAY)
        return False

    def close(self) -> None:
        """Accept no more calls, and close the journal. Raises OSError."""
        self._closed = True
        self.log.close()
