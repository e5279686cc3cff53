"""Polls Slurm: one call for all jobs, seldom, and sooner when something depends on the answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Collection
from dataclasses import replace

from ..backends.backend import JobIdentity
from ..backends.batch import BatchSystem
from ..backends.slurm_ids import whole_job
from ..backends.slurm_text import ALIVE, ENDED, SlurmJob, SlurmView, Unobserved, study_tag
from ..claims import attempt_name
from ..debug_log import ChangeLogger, get_logger
from ..engine import events as ev
from ..engine.allocation import Allocation
from ..engine.attempt import Attempt
from ..engine.slurm_answers import Accounting, SeenJob
from ..engine.status import Status
from ..plan.shared_allocations import ANY
from .allocations.tracker import AllocationTracker
from .cancel import Canceller
from .cluster import UNNAMED, require_cluster
from .collect import Collector
from .context import DriverContext
from .part import DriverPart

_SOON = 1.0  # seconds to the first extra poll when one is wanted; doubled for each further one
_SOON_MOST = 10.0
_BACK_OFF = 1.5  # factor by which each unanswered poll lengthens the pause to the next one
_BACK_OFF_MOST = 180.0  # the longest pause in seconds while Slurm does not answer

Answer = SlurmView | Unobserved

_log = get_logger(__name__)


class PollSchedule:
    """When to poll. All times are monotonic seconds."""

    def __init__(self, interval: float) -> None:
        self._every = interval
        self._interval = interval
        self._last = 0.0
        self._soon = _SOON
        self._failures = 0  # polls in a row without an answer
        self.is_under_way = False

    def set_interval(self, interval: float) -> None:
        """Poll every `interval` seconds from now on."""
        if interval != self._every:
            self._every = self._interval = interval

    def due(self, wanted: bool, silent: bool) -> float | None:
        """Return when the next poll is due; None while one is under way. `wanted`: something waits for its answer."""
        if self.is_under_way:
            return None
        if not wanted:
            return self._last + self._interval
        return self._last + min(self._interval, _SOON_MOST if silent else self._soon)

    def begin(self, now: float, wanted: bool) -> None:
        """Record that a poll was started."""
        self.is_under_way = True
        self._last = now
        self._soon = min(self._soon * 2, _SOON_MOST) if wanted else _SOON

    def end(self, is_answered: bool) -> None:
        """Record that the poll under way has ended."""
        self.is_under_way = False
        if is_answered:
            self._failures = 0
            self._interval = self._every * random.uniform(0.9, 1.1)  # so that many drivers do not poll in step
        else:
            self._interval = min(min(_SOON_MOST, self._every) * _BACK_OFF**self._failures, _BACK_OFF_MOST)
            self._failures += 1


class SlurmPoller(DriverPart):
    """The part of a driver that polls Slurm, and applies the answers."""

    def __init__(
        self, context: DriverContext, canceller: Canceller, collector: Collector, tracker: AllocationTracker
    ) -> None:
        self._context = context
        self._canceller = canceller
        self._collector = collector
        self._tracker = tracker
        self._schedule = PollSchedule(context.poll)
        self._reasons = ChangeLogger(_log)
        # Monotonic start of the last answered poll, or the last moment without a job to poll.
        self.polled_at = 0.0 if context.state.live_slurm else time.monotonic()
        self.other_jobs: dict[tuple[str, str], int] = {}  # the user's other jobs in the queue, by QOS and account
        self.is_room_awaited = False

    def due(self) -> float | None:
        state = self._context.state
        is_needed = state.live_slurm or state.allocations.open() or state.slurm_silent_since or self.is_room_awaited
        is_needed = is_needed or self.is_verdict_awaited
        if not self._context.slurm or not is_needed:
            return None
        self._schedule.set_interval(self._context.poll)
        due = self._schedule.due(self._is_wanted, bool(state.slurm_silent_since))
        if self.is_verdict_awaited and (until := self._context.observer.memory.deadline()):
            return until if due is None else min(due, until)
        return due

    def step(self) -> None:
        """Start a poll if one is due."""
        if not self._context.state.live_slurm:
            self.polled_at = time.monotonic()
        due = self.due() if not self._schedule.is_under_way else None
        if due is not None and time.monotonic() >= due and self._context.slurm:
            self._start(self._context.slurm)

    @property
    def _is_wanted(self) -> bool:
        return self._context.observer.wants_poll or self._tracker.watch.wants_poll or self.is_verdict_awaited

    @property
    def is_verdict_awaited(self) -> bool:
        """Whether the study has ended, and Slurm has not shown the ends of its last jobs for a moment only."""
        state, deadline = self._context.state, self._context.observer.memory.deadline()
        if deadline is None or not state.is_over or state.slurm_silent_since:
            return False
        return time.monotonic() < deadline

    def _start(self, slurm: BatchSystem) -> None:
        state = self._context.state
        attempts = (state.attempts[index][-1] for index in state.live_slurm)
        jobs = [
            self._context.job_of_attempt(attempt)
            for attempt in attempts
            if attempt.job and not state.is_elsewhere(attempt.cluster)
        ]
        jobs += [self._context.job_of_attempt(attempt) for attempt in self._context.observer.memory.attempts()]
        names = [self._job_name(submission) for submission in state.submissions]
        for allocation in state.allocations.open():
            if not allocation.job:
                names.append(self._context.allocation_name(allocation.name))
            elif not state.is_elsewhere(allocation.cluster):
                jobs.append(self._job_of_allocation(allocation))
        asked = time.monotonic()
        self._schedule.begin(asked, self._is_wanted)
        # A daemon: a driver that ends does not wait for a silent Slurm.
        thread = threading.Thread(target=self._poll, args=(slurm, jobs, names, asked), name="mtui-squeue", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._apply(Unobserved(f"no thread can be started for squeue: {error}"), asked)

    def _poll(self, slurm: BatchSystem, jobs: Collection[JobIdentity], names: Collection[str], asked: float) -> None:
        """Query Slurm, on a separate thread."""
        try:
            cluster = self._context.cluster or slurm.cluster()
            answer = slurm.look(jobs, names)
        except Exception as error:  # a bug in mtui must not end all polls
            _log.warning("the poll of Slurm failed", exc_info=True)
            answer = Unobserved(f"{type(error).__name__}: {error}")
            cluster = ""
        self._context.post(lambda: self._apply(answer, asked, cluster))

    def _apply(self, answer: Answer, asked: float, cluster: str = "") -> None:
        context, at = self._context, time.time()
        if not context.cluster and cluster:
            require_cluster(context.state, cluster)
            context.cluster = cluster
        if not context.cluster and context.state.clusters:
            answer = Unobserved(UNNAMED)
        self._schedule.end(isinstance(answer, SlurmView))
        self._reasons.report("Slurm answered", _summary(answer))
        if isinstance(answer, Unobserved):
            if not context.state.slurm_silent_since:
                context.emit(ev.SlurmSilent(at=at, message=answer.message))
            return
        if context.state.slurm_silent_since:
            context.emit(ev.SlurmAnswers(at=at))
        if not self._collector.read_spool():  # reports written before this poll are applied before it
            return
        self.polled_at = asked
        self.other_jobs = self._count_others(answer)
        jobs_of_name: dict[str, set[str]] = {}
        for job in (*answer.jobs.values(), *answer.accounted.values()):
            jobs_of_name.setdefault(job.name, set()).add(whole_job(job.job))

        def seen(attempt: Attempt) -> SeenJob | None:
            return _shown(answer, context.job_of_attempt(attempt))

        def seen_allocation(allocation: Allocation) -> SeenJob | None:
            return _shown(answer, self._job_of_allocation(allocation))

        if context.cluster and self._is_unnamed_job_shown(answer):
            context.emit(ev.ClusterFound(at=at, cluster=context.cluster))

        def find_job(submission: str) -> str:
            if submission not in context.state.submissions:
                return ""
            jobs = sorted(jobs_of_name.get(self._job_name(submission), {""}), key=_number)
            owner = self._claim_owner(submission) if len(jobs) > 1 else ""
            if owner not in jobs:
                return jobs[0]  # if it is a duplicate job, it or its tasks find the claim taken and report that
            self._canceller.cancel_orphans(context.job_of(job, submission) for job in jobs if job != owner)
            return owner

        def has_array(index: int) -> bool:
            job, tag = context.job_of_attempt(context.state.attempts[index][-1])
            array = whole_job(job)
            return array != job and any(array in jobs and name.startswith(tag) for name, jobs in jobs_of_name.items())

        def find_allocation(name: str) -> str:
            return min(jobs_of_name.get(context.allocation_name(name), {""}), key=_number)

        accounting = _accounting(answer)
        now = time.monotonic()
        context.emit_all(context.observer.apply_poll(seen, find_job, asked, at, now, accounting, has_array))
        self._tracker.apply_poll(seen_allocation, find_allocation, asked, at, accounting)

    def _job_of_allocation(self, allocation: Allocation) -> JobIdentity:
        """Return the job of an allocation, by id and name; a job that a driver runs in has any name."""
        if allocation.pool == ANY:
            return JobIdentity(allocation.job, "")
        return self._context.job_of(allocation.job, allocation.name)

    def _is_unnamed_job_shown(self, view: SlurmView) -> bool:
        """Whether Slurm shows a job of which the journal, of an earlier version, does not name the cluster."""
        state = self._context.state
        attempts = (state.attempts[index][-1] for index in state.live_slurm)
        jobs = [self._context.job_of_attempt(last) for last in attempts if last.job and not last.cluster]
        unnamed = [own for own in state.allocations.open() if own.job and not own.cluster and own.pool != ANY]
        return any(map(view.find, (*jobs, *map(self._job_of_allocation, unnamed))))

    def _job_name(self, submission: str) -> str:
        members = [index for index, _ in self._context.state.submissions[submission]]
        return self._context.job_name(submission, members)

    def _count_others(self, view: SlurmView) -> dict[tuple[str, str], int]:
        tag = study_tag(self._context.study.study_id)
        counts: dict[tuple[str, str], int] = {}
        for job in view.jobs.values():
            if job.state not in ENDED and not job.name.startswith(tag):
                counts[job.qos, job.account] = counts.get((job.qos, job.account), 0) + 1
        return counts

    def _claim_owner(self, submission: str) -> str:
        """Return the job that holds the claim of a submission's first attempt; empty if none does."""
        index, number = self._context.state.submissions[submission][0]
        return self._context.directory.claims.owner(attempt_name(index, number))


def _shown(view: SlurmView, wanted: JobIdentity) -> SeenJob | None:
    """Return how Slurm shows a job, and whether squeue does."""
    shown, ended = view.find(wanted), view.accounted_end(wanted)
    if shown is None:
        return None
    is_listed = view.listed(wanted) is not None
    return replace(_seen(shown), listed=is_listed, accounted=_seen(ended) if ended and is_listed else None)


def _accounting(view: SlurmView) -> Accounting:
    if view.accounting:
        return Accounting.ANSWERED
    return Accounting.UNANSWERED if view.has_accounting else Accounting.ABSENT


def _summary(answer: Answer) -> str:
    if isinstance(answer, Unobserved):
        return f"nothing: {answer.message}"
    counts: dict[str, int] = {}
    for job in answer.jobs.values():
        counts[job.state] = counts.get(job.state, 0) + 1
    listed = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"
    accounted = f"{len(answer.accounted)} in accounting" if answer.accounting else "accounting does not answer"
    return f"jobs in the queue: {listed}; {accounted}"


def _seen(job: SlurmJob) -> SeenJob:
    if job.state in ENDED:
        return SeenJob(ENDED[job.state], True, job.reason, job.node, job.exit_code)
    # An unknown state counts as alive: the next poll may show more.
    return SeenJob(ALIVE.get(job.state, Status.RUNNING), False, job.reason, job.node)


def _number(job: str) -> int:
    digits = whole_job(job)
    return int(digits) if digits.isdigit() else 0
