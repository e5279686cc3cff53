"""Submits ready instances, and instances bound to jobs in Slurm: intent, files, then the backend."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from ..backends.backend import Accepted, Answer, Backend, Deferred, Job, Refused, Unclear
from ..backends.cluster_limits import ClusterLimits, JobLimit
from ..debug_log import ChangeLogger, get_logger
from ..engine import events as ev
from ..engine.slurm_dependencies import PlannedSubmission
from ..engine.status import LIVE
from ..engine.submission_policy import Capacity, next_local, next_submissions
from ..engine.submit_limit import SubmitLimit
from ..plan.job_arrays import JobShapes
from ..plan.job_request import job_request
from ..plan.resource_changes import UNCHANGED
from .context import DriverContext
from .crash_points import crash_point
from .earlier_attempts import may_submit
from .effects import Effect
from .io_errors import Backoff
from .part import DriverPart
from .preparation import Unprepared, forget_settled, note_prepared, prepare_members, put_off_unprepared
from .submit_reasons import why_no_job, why_no_local_step

_log = get_logger(__name__)

_SUBMITTERS = 4  # sbatch calls at a time: more gain little and burden a busy controller
_DEFER_WAIT = 30.0  # seconds until Slurm is tried again, unless a job ends before; doubled for each further deferral
_DEFER_MOST = 300.0
_LOCAL_PAUSE = 5.0  # seconds until a local step is tried again after this machine had no room for it
_UNCLEAR_PAUSE = 1.0  # seconds without new submissions after an unclear answer
_UNASKED = 4  # jobs that any site accepts, before its limits are known
_REFUSED_PAUSE = 5.0  # seconds without new submissions after a refusal that may be retried
_UNPREPARED_PAUSE = 0.1  # seconds to the first try after files of an instance could not be written
_GATHER = 0.5  # seconds for which a step's next instances are gathered after a submission of it
_GATHERED = 100  # instances that are not held back any longer to gather more
_AHEAD_EVERY = 0.5  # seconds between two tries to bind what could not be bound


class PolledQueue(Protocol):
    """What the last poll of Slurm showed."""

    polled_at: float  # monotonic
    other_jobs: dict[tuple[str, str], int]  # of the user, by QOS and account
    is_room_awaited: bool  # set by the submitter: only another poll can show that other jobs have left the queue


class Submitter(DriverPart):
    """The part of a driver that submits."""

    def __init__(self, context: DriverContext, queue: PolledQueue) -> None:
        self._context = context
        self._queue = queue
        self._threads = context.threads(_SUBMITTERS, "mtui-sbatch")
        self._calls = 0  # sbatch calls under way
        self._kinds = JobShapes(context.plan)
        self._site: ClusterLimits | None = None  # set once Slurm was queried
        self._asking = False
        self._windows: dict[str, SubmitLimit] = {}
        self._lives: dict[str, int] = {}  # jobs of each window in Slurm when the last step began
        self._limit_of = [self._limit_name(step) for step in range(len(context.plan.steps))]
        self._rests: dict[int, float] = {}  # until when a step gathers its instances
        self._ahead_due = 0.0
        self._defer_wait = _DEFER_WAIT
        self._slurm_closed_until = 0.0  # monotonic: no submission to Slurm before
        self._pause = ""  # why submissions are paused
        self._local_closed_until = 0.0
        self._unprepared = Backoff(_UNPREPARED_PAUSE)
        self._ended_steps: list[int] = []  # steps of Slurm jobs that ended, until their windows are updated
        self._reasons = ChangeLogger(_log)
        context.log.subscribe(self._note)
        if context.slurm and self._wants_slurm():
            self._ask_for_site()

    def due(self) -> float | None:
        """Return when something that waits may be submitted."""
        context, now = self._context, time.monotonic()
        times: list[float] = []
        if any(context.state.ready[step.index] for step in context.plan.steps if step.scheduled):
            times.append(self._slurm_closed_until)
        if any(context.state.ready[step.index] for step in context.plan.steps if not step.scheduled):
            times.append(self._local_closed_until)
        times += [due for window in self._windows.values() if (due := window.due(now)) is not None]
        times += [
            until for step, until in self._rests.items() if context.state.ready[step] or context.state.ahead[step]
        ]
        if any(context.state.ahead):
            times.append(self._ahead_due)
        if (delayed := context.delayed.due()) is not None:
            times.append(delayed)
        return min((due for due in times if due > now), default=None)

    def step(self) -> None:
        """Start as much as policy and limits allow."""
        context, state = self._context, self._context.state
        forget_settled(context)
        is_open = time.monotonic() >= self._local_closed_until
        starts = (
            [PlannedSubmission((index,)) for index in next_local(state, context.limits, context.delayed.now())]
            if is_open
            else []
        )
        context.effects.perform([self._effect(start, scheduled=False) for start in starts])
        if self._reasons.is_on:  # after the starts: the others wait until the next turn, which may be seconds away
            self._reasons.report("no further local step started", why_no_local_step(state, context.limits, is_open))
        if not context.slurm:
            return
        self._ask_for_site()
        capacity = self._capacity()
        chosen = next_submissions(state, self._kinds, context.packing, context.limits, capacity)
        now = time.monotonic()
        if self._reasons.is_on and not chosen:
            why = why_no_job(state, context.packing, context.limits, capacity, self._pause)
            self._reasons.report("nothing submitted to Slurm", why)
        self._await_room({} if chosen else capacity.room)
        chosen = [start for start in chosen if may_submit(context, start.members)]
        for start in chosen:
            self._rests[context.plan.instances[start.members[0]].step] = now + _GATHER
        if capacity.ahead and any(state.ahead) and not any(start.after for start in chosen):
            self._ahead_due = now + _AHEAD_EVERY  # only after a try: else a busy driver would never bind anything
        context.effects.perform([self._effect(start, scheduled=True) for start in chosen])

    def close(self) -> None:
        self._threads.shutdown()

    def _note(self, event: ev.Event, _refused: Sequence[int]) -> None:
        """An end may have made room in Slurm, and so may an answer after silence."""
        match event:
            case ev.Ended():
                self._slurm_closed_until = 0.0
                step = self._context.plan.step_of(self._context.plan.instances[event.instance])
                if step.scheduled:
                    self._ended_steps.append(step.index)
            case ev.SlurmAnswers():
                self._slurm_closed_until = 0.0
            case _:
                pass

    def _pause_slurm(self, seconds: float, why: str) -> None:
        self._slurm_closed_until, self._pause = time.monotonic() + seconds, why

    # --- room in Slurm

    def _ask_for_site(self) -> None:
        """Query the cluster's limits once, on a separate thread; a few jobs need not wait for the answer."""
        if not self._asking and self._wants_slurm():
            self._asking = True
            self._threads.submit(self._ask)

    def _wants_slurm(self) -> bool:
        return any(self._context.state.ready[step.index] for step in self._context.plan.steps if step.scheduled) or any(
            self._context.state.ahead
        )

    def _ask(self) -> None:
        assert self._context.slurm is not None
        try:
            site = self._context.slurm.site()
        except Exception:  # a bug in mtui: the limits are then learned from refusals
            _log.warning("the limits of the cluster cannot be read", exc_info=True)
            site = ClusterLimits()

        def take() -> None:
            self._site = site
            names = {name: index for index, name in enumerate(self._limit_of)}
            for name, step in names.items():
                qos, account = self._qos_and_account(step)
                self._windows[name] = SubmitLimit(site.submit_limit(qos, account))
            self._ahead_due = 0.0  # there may be room

        self._context.post(take)

    def _capacity(self) -> Capacity:
        context, state, now = self._context, self._context.state, time.monotonic()
        site = self._site or ClusterLimits()
        arrays, binds = (context.slurm.arrays, context.slurm.binds) if context.slurm else (False, False)
        is_open = now >= self._slurm_closed_until and not state.slurm_silent_since
        settings = context.study.settings
        resting = [
            step
            for step, until in self._rests.items()
            if now < until and len(state.ready[step]) + len(state.ahead[step]) < _GATHERED
        ]
        if self._site is None:  # without the array limit, arrays would be cut too small
            resting += [step.index for step in context.plan.steps if len(step.instances) > 1]
        # Slurm treats jobs that it has forgotten as done: jobs are bound to others only after a recent poll.
        fresh = now - self._queue.polled_at < site.min_job_age / 2
        return Capacity(
            calls=max(0, (1 if state.deferred else _SUBMITTERS) - self._calls),
            slurm_open=is_open,
            doubtful=context.observer.doubtful(),
            delayed=context.delayed.now(),
            array=min(settings.array, site.max_array) if arrays else 1,
            ahead=settings.submit_ahead and binds and fresh and now >= self._ahead_due,
            room=self._room(now),
            limit_of=self._limit_of,
            resting=resting,
        )

    def _room(self, now: float) -> dict[str, int]:
        if self._site is None:
            return dict.fromkeys(self._limit_of, max(0, _UNASKED - len(self._context.state.live_slurm)))
        for step in self._ended_steps:
            self._windows[self._limit_of[step]].ended(now)
        self._ended_steps.clear()
        self._lives = {name: self._live(name) for name in self._windows}
        return {name: window.room(self._lives[name], self._others(name), now) for name, window in self._windows.items()}

    def _await_room(self, room: Mapping[str, int]) -> None:
        """Say so if other jobs of the user fill a limit, and nothing of the study is in Slurm."""
        context, state = self._context, self._context.state
        self._queue.is_room_awaited = False
        if self._site is None or state.live_slurm or state.allocations.open():
            return
        waiting = [name for step, name in enumerate(self._limit_of) if state.ready[step] and room.get(name, 1) <= 0]
        if full := next((name for name in waiting if self._others(name)), ""):
            self._queue.is_room_awaited = True
            message = f"{self._tightest(full).words}, and your other jobs use all of it"
            if state.deferred != message:
                context.emit(ev.LimitReached(at=time.time(), message=message))

    def _others(self, name: str) -> int:
        """Return how many other jobs of the user count against the limit of a window, by the last poll of Slurm.

        Of several limits the one that leaves the least room decides.
        """
        assert self._site is not None
        tightest = self._tightest(name)
        return self._site.submit_limit(*_split(name)) - tightest.jobs + self._counted(tightest, name)

    def _tightest(self, name: str) -> JobLimit:
        """Return the limit that leaves the least room for the steps of a window."""
        assert self._site is not None
        limits = self._site.job_limits(*_split(name))
        return min(limits, key=lambda limit: limit.jobs - self._counted(limit, name))

    def _counted(self, limit: JobLimit, name: str) -> int:
        """Return how many jobs of the user that are not of a window's steps count against a limit."""
        assert self._site is not None
        others = sum(count for kind, count in self._queue.other_jobs.items() if limit.covers(*kind))
        for window, live in self._lives.items():
            qos, account = _split(window)
            if window != name and limit.covers(self._site.qos_of(qos, account), account):
                others += live
        return others

    def _live(self, limit: str) -> int:
        """Return how many jobs of the steps under a limit are in Slurm or being submitted.

        Instances in allocations are no jobs; the allocations are.
        """
        context, state = self._context, self._context.state
        steps = {
            step for step, name in enumerate(self._limit_of) if name == limit and context.plan.steps[step].scheduled
        }
        packed = steps & context.packing.steps
        jobs = sum(state.step_counts[step][status] for step in steps - packed for status in LIVE)
        if packed:
            jobs += sum(context.plan.instances[index].step in packed for index in state.live_slurm)
            jobs += len(state.allocations.open())
        return jobs

    def _limit_name(self, step: int) -> str:
        return "|".join(self._qos_and_account(step))

    def _qos_and_account(self, step: int) -> tuple[str, str]:
        plan = self._context.plan
        if not plan.steps[step].scheduled or not plan.steps[step].instances:
            return "", ""
        values = job_request(plan, plan.instances[plan.steps[step].instances[0]]).values
        return values.get("qos", ""), values.get("bank", "")

    # --- one submission

    def _effect(self, start: PlannedSubmission, *, scheduled: bool) -> Effect[Answer | Unprepared]:
        context = self._context
        numbers = [context.state.next_attempt(index) for index in start.members]
        members = tuple(zip(start.members, numbers, strict=True))
        submission = context.new_submission()
        tasks = (start.tasks or tuple(range(len(members)))) if len(members) > 1 else ()
        changes = {index: context.state.changes.get(index, UNCHANGED) for index in start.members}
        job = Job(
            submission=submission,
            name=context.job_name(submission, start.members),
            attempts=tuple(context.attempt_files(index, number, changes[index]) for index, number in members),
            tasks=tasks,
            options=self._kinds.of(start.members[0], changes[start.members[0]]).options if tasks else (),
            after=start.after,
        )
        intent = ev.SubmitIntended(
            at=time.time(),
            submission=submission,
            backend=self._backend_name(scheduled),
            members=members,
            tasks=start.tasks if tasks else (),
            after=start.after,
        )
        backend: Backend | None = context.slurm if scheduled else context.local
        assert backend is not None
        self._calls += 1 if scheduled else 0

        def act() -> Answer | Unprepared:
            unprepared = prepare_members(context, members, changes)
            crash_point("submit.prepared")
            return unprepared or _submit(backend, job)

        return Effect(
            "submit",
            [intent],
            act=act,
            apply_answer=lambda answer: self._answered(job, start.members, answer, scheduled),
            executor=self._threads if scheduled else None,
        )

    def _backend_name(self, scheduled: bool) -> str:
        return self._context.plan.batch.type if scheduled else "local"

    def _pause_unprepared(self, scheduled: bool) -> None:
        """Start nothing else for a moment, which is longer while nothing can be prepared at all: the disk is full."""
        delay = self._unprepared.next()
        if scheduled:
            self._pause_slurm(delay, "cannot write files of instances")
        else:
            self._local_closed_until = time.monotonic() + delay

    def _answered(self, job: Job, members: Sequence[int], answer: Answer | Unprepared, scheduled: bool) -> None:
        context, at, now = self._context, time.time(), time.monotonic()
        if isinstance(answer, Unprepared):
            self._calls -= 1 if scheduled else 0
            if answer.is_general:
                self._pause_unprepared(scheduled)
            put_off_unprepared(context, job.submission, self._backend_name(scheduled), answer)
            return
        self._unprepared.reset()
        note_prepared(context, members)
        limit = self._limit_of[context.plan.instances[members[0]].step]
        live = self._live(limit)
        self._calls -= 1 if scheduled else 0
        match answer:
            case Accepted():
                cluster = (answer.cluster or context.cluster) if scheduled else ""
                self._emit_answer(
                    ev.Submitted(at=at, submission=job.submission, job=answer.job, node=answer.node, cluster=cluster),
                    members,
                )
                for index in members:
                    context.observer.note_heard(index, now)
                if scheduled:
                    self._defer_wait = _DEFER_WAIT
                    self._ahead_due = 0.0  # its children may follow
                    if limit in self._windows:
                        self._windows[limit].accepted(live)
            case Deferred():
                context.emit(ev.SubmitDeferred(at=at, submission=job.submission, message=answer.message))
                if not scheduled:
                    self._local_closed_until = now + _LOCAL_PAUSE
                elif answer.limit and limit in self._windows:
                    self._windows[limit].refused(live, self._others(limit), now)
                elif now >= self._slurm_closed_until:  # the first of the calls that were under way together
                    self._pause_slurm(self._defer_wait, f"deferred: {answer.message}")
                    self._defer_wait = min(2 * self._defer_wait, _DEFER_MOST)
            case Unclear():
                self._pause_slurm(_UNCLEAR_PAUSE, f"the answer to a submission was unclear: {answer.message}")
                unclear = ev.SubmitUnclear(at=at, submission=job.submission, message=answer.message)
                if self._emit_answer(unclear, members):
                    context.observer.note_unclear(job.submission, now)
            case Refused():
                if context.tries.attempts > 1:  # it may be retried automatically, but not at once
                    self._pause_slurm(_REFUSED_PAUSE, f"refused: {answer.message}")
                context.emit(ev.SubmitRefused(at=at, submission=job.submission, message=answer.message))

    def _emit_answer(self, answer: ev.Submitted | ev.SubmitUnclear, members: Sequence[int]) -> bool:
        """Record an answer, unless all attempts have ended: a short job may report its end before sbatch answers."""
        attempts = (attempt for index in members for attempt in self._context.state.attempts[index])
        is_awaited = any(not own.ended_at for own in attempts if own.submission == answer.submission)
        if is_awaited:
            self._context.emit(answer)
        return is_awaited


def _split(name: str) -> tuple[str, str]:
    """Return the QOS and the account of a window."""
    qos, _, account = name.partition("|")
    return qos, account


def _submit(backend: Backend, job: Job) -> Answer:
    try:
        return backend.submit(job)
    except Exception as error:  # a bug in mtui must not leave the submission without an answer
        return Unclear(f"{type(error).__name__}: {error}")
