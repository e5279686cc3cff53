"""Turns reports of jobs, polls of Slurm and ended local processes into events.

`now` is the driver's monotonic clock, `at` its wall clock. An exit report with code 0 is final; for any
other end Slurm's verdict is awaited first, because only Slurm knows about time limits and memory; limits are in
expectation.py. An end that follows from missing answers alone is presumed, until driver/presumed_ends.py makes it true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..claims import REVOKED
from . import events as ev
from .attempt import Attempt
from .attempt_ends import AttemptEnds
from .causes import Cause, CauseCode, exit_cause, job_cause, text_cause
from .expectation import LOST_WAIT, REPORT_WAIT, Expectations
from .job_reports import DuplicateReport, ExitReport, JobReport, LostReport, StartReport
from .late_reports import duplicate_report, late_report, reopens
from .memory_verdicts import MemoryVerdicts
from .observation_pace import ObservationPace
from .orphan_jobs import OrphanJobs
from .slurm_answers import ACTIONS, NEVER, NOTES, Accounting, Awaited, JobAction, JobAnswer, SeenJob, answer_of
from .state import StudyState
from .status import LIVE, Status
from .unclear_submissions import UnclearSubmissions

_NO_ACCOUNTING = "no accounting"  # reason of a job that squeue does not show, if accounting did not answer
_WAITING = (Status.PENDING, Status.BOUND)
_BEGUN = (Status.RUNNING, Status.SUSPENDED, Status.COMPLETING, Status.REQUEUED)
_VERDICTS = {status.value: status for status in (Status.TIMED_OUT, Status.OUT_OF_MEMORY)}


class JobObserver:
    """Watches the live attempts of a study. Methods that return events return them in order."""

    def __init__(self, state: StudyState, claimed: Callable[[int, int], bool] | None = None) -> None:
        """`claimed` returns whether an attempt's claim is taken, by instance and number; None: all are."""
        self._state = state
        self._claimed_by_file = claimed
        self._last_heard: dict[int, float] = {}  # when an instance was last heard of from another source than polls
        self._expected = Expectations()
        self._unclear = UnclearSubmissions(state, self._expected)
        self._presumed: dict[int, ev.Ended] = {}
        self._pace = ObservationPace()
        self._ends = AttemptEnds(state)
        self.orphans = OrphanJobs(state)
        self.memory = MemoryVerdicts(state, self._ends)

    # --- what the driver needs to know

    @property
    def wants_poll(self) -> bool:
        """Whether a poll of Slurm would decide something now."""
        return bool(self._unclear) or self._expected.wants_poll()

    def deadline(self) -> float | None:
        """Return when `tick` has something to do next."""
        return self._expected.deadline()

    def take_presumed_ends(self) -> list[ev.Ended]:
        """Return and clear the ends that follow from missing answers: the job may still begin, unless it is prevented.

        An end that the driver cannot make true now is presumed again by the next polls.
        """
        presumed, self._presumed = list(self._presumed.values()), {}
        return presumed

    def doubtful(self) -> set[int]:
        """Return instances whose jobs may be over: a job bound to them now might start in error."""
        return self._expected.doubtful()

    def never(self) -> set[int]:
        """Return bound instances whose jobs Slurm will never start: they have to be bound again, or are blocked."""
        return {index for index in self._expected.never_satisfied() if self._state.status[index] in _WAITING}

    def note_began(self, instance: int) -> None:
        """Record that the job of a bound instance has taken the claim: it did start."""
        with self._expected.change(instance) as expected:
            expected.never_satisfied, expected.has_begun = False, True

    def note_heard(self, instance: int, now: float) -> None:
        """Record news of an instance: polls of Slurm that began earlier are outdated for it."""
        self._last_heard[instance] = now
        self._presumed.pop(instance, None)
        if instance in self._expected:
            with self._expected.change(instance) as expected:
                expected.doubt, expected.polled = None, None
        self.note_observed(instance)

    def note_observed(self, instance: int) -> None:
        """Record that a poll showed an instance: a cancel request for one that has begun is answered by its report."""
        if instance in self._expected and self._state.status[instance] not in _WAITING:
            with self._expected.change(instance) as expected:
                expected.cancel_sent_at = None

    def note_cancel_sent(self, instances: Iterable[int], now: float) -> None:
        """Record that Slurm accepted cancel requests; jobs that have not begun leave no report, so polls decide."""
        for index in instances:
            if index in self._state.live_slurm and self._state.status[index] in _WAITING:
                with self._expected.change(index) as expected:
                    expected.cancel_sent_at = now

    def note_unclear(self, submission: str, now: float) -> None:
        """Record that a submission became unclear at `now`."""
        self._unclear.add(submission, now)

    def resume(self, now: float) -> None:
        """Keep waiting for what the previous driver waited for."""
        for index in self._state.live_slurm:
            attempt = self._state.attempts[index][-1]
            if attempt.exit_code is not None:
                self._expected.await_end(index, Awaited.VERDICT)
            if attempt.cancelled and index not in self._state.to_cancel:
                self.note_cancel_sent([index], now)

    def forget(self, instances: Iterable[int]) -> None:
        """Drop what was remembered about instances that are over."""
        for index in instances:
            self._last_heard.pop(index, None)
            self._presumed.pop(index, None)
            self._pace.forget(index)
            self._expected.drop(index)
            self.memory.awaited.discard(index)

    # --- reports of jobs and processes

    def is_early(self, report: JobReport) -> bool:
        """Whether a report belongs to an attempt that is not in the journal (yet).

        This happens if the end of the journal was lost in a crash of its machine. The report is kept: the attempt will
        be submitted again and will find its claim taken; then the report shows how it ended.
        """
        if not 0 <= report.instance < len(self._state.status):
            return False
        last = self._state.last_attempt(report.instance)
        return report.attempt > (last.number if last else 0)

    def apply_report(self, report: JobReport, at: float, now: float) -> list[ev.Event]:
        """Return the events of a report from the spool, or from the leader of an allocation."""
        index = report.instance
        attempt = self._state.last_attempt(index) if index < len(self._state.status) else None
        reopened: list[ev.Event] = []
        if attempt is None or attempt.number != report.attempt or attempt.ended_at:
            if attempt is None or not reopens(self._state, report, attempt):
                if isinstance(report, StartReport):
                    self.orphans.note_start(report)
                # The attempt is over: a report read before, or a late one.
                return late_report(self._state, report, at)
            reopened = [ev.Reopened(at=at, instance=index, attempt=report.attempt, job=report.job)]
        self.note_heard(index, now)
        at = min(at, report.at or at)  # the writer's clock may be ahead of ours
        return [*reopened, *self._current_report(report, attempt, at, now)]

    def _current_report(self, report: JobReport, attempt: Attempt, at: float, now: float) -> list[ev.Event]:
        """Return the events of a report of the current attempt of an instance."""
        index = report.instance
        match report:
            case StartReport():
                self.orphans.note_owner(attempt, report.job)
                self._expected.stop_awaiting(index, Awaited.VERDICT)
                return [_started(report, at)]
            case ExitReport():
                return self._exit(report, attempt, at, now)
            case DuplicateReport():
                return self._duplicate(report, attempt, at)
            case LostReport():
                return [ev.Returned(at=at, members=((index, report.attempt),), cause=text_cause(report.cause))]
            case _:
                return []

    def _exit(self, report: ExitReport, attempt: Attempt, at: float, now: float) -> list[ev.Event]:
        """Handle the end of a script: final, or Slurm's verdict is awaited."""
        index = report.instance
        shown = self._expected.get(index).end  # as Slurm showed it before the report
        self.orphans.note_owner(attempt, report.job)
        self._expected.stop_awaiting(index, Awaited.REPORT)
        # If it was not known to run: its submission counted as missed, or its start report was lost.
        found: list[ev.Event] = [] if attempt.job == report.job else [_started(report, at)]
        if status := _VERDICTS.get(report.verdict):
            cause = job_cause(status, report.code, "", report.node)
            return [*found, self._ends.ended(at, index, report.attempt, status, report.code, cause, report.node)]
        if attempt.in_queue and report.code == 0 and not report.signal:
            if isinstance(event := self.memory.finish(report, shown, at, now), ev.Exited):
                self._expected.await_end(index, Awaited.VERDICT)
            return [*found, event]
        if not attempt.in_queue:
            cause = text_cause(report.error) or exit_cause(report.code, report.node)
            if report.signal == "TERM":  # e.g. the job in which the driver ran has ended
                cause = Cause(CauseCode.TERMINATED, report.error, report.code, report.node)
            return [*found, self._ends.by_code(index, report.code, cause, report.node, at)]
        self._expected.await_end(index, Awaited.VERDICT)
        exited = ev.Exited(
            at=at, instance=index, attempt=report.attempt, code=report.code, node=report.node, error=report.error
        )
        return [*found, exited]

    def _duplicate(self, report: DuplicateReport, attempt: Attempt, at: float) -> list[ev.Event]:
        """Handle a duplicate job, which ran nothing: follow the job that has the claim."""
        index = report.instance
        if report.owner == REVOKED:
            self._expected.doubt(index)  # a driver that is gone was withdrawing it, or had presumed its end
            return []
        if report.owner not in ("", attempt.job):
            self._expected.stop_awaiting(index, Awaited.REPORT)
            self.orphans.note_owner(attempt, report.owner)
        return duplicate_report(report, attempt, at)

    def process_ended(self, instance: int, number: int, job: str, code: int | None, at: float) -> list[ev.Event]:
        """Return the events of a local step whose process `job` has ended; its exit report, if any, was read before.

        Without a report (disk full) the exit code decides, if the process was a child of this driver.
        """
        attempt = self._state.last_attempt(instance)
        is_current = attempt is not None and (attempt.number, attempt.job) == (number, job)
        if not is_current or self._state.status[instance] not in LIVE:
            return []  # the attempt is over, or now belongs to another process
        return [self._ends.of_process(instance, number, code, at)]

    # --- polls of Slurm

    def apply_poll(
        self,
        seen: Callable[[Attempt], SeenJob | None],
        find: Callable[[str], str],
        asked: float,
        at: float,
        now: float,
        accounting: Accounting,
        has_array: Callable[[int], bool] = lambda _: False,
    ) -> list[ev.Event]:
        """Return the events of a poll of Slurm that was started at `asked`.

        `seen` maps an attempt to its job's state, None if Slurm no longer knows it; `find` maps a submission to its
        job id, empty if there is none. `accounting`: whether it answered for the jobs that `seen` does not know.
        `has_array`: whether Slurm knows other tasks of an instance's array.
        """
        self._expected.forget_cancels(now - LOST_WAIT)  # older requests will not end jobs that Slurm still shows
        has_accounting = accounting is Accounting.ANSWERED
        not_shown = SeenJob(Status.LOST, ended=True, reason="" if has_accounting else _NO_ACCOUNTING)
        found = self._unclear.apply_poll(find, asked, at, accounting) + self.memory.apply_poll(seen, asked, at)
        for index in list(self._state.live_slurm):
            attempt = self._state.attempts[index][-1]
            is_elsewhere = self._state.is_elsewhere(attempt.cluster)
            if not attempt.job or is_elsewhere or self._last_heard.get(index, 0.0) >= asked:
                continue
            view = seen(attempt)
            answer = self._shown(index, view) if view else self._missing(index, asked, accounting, has_array)
            found += self._act_on(index, answer, view or not_shown, asked, at, now)
        return found

    def tick(self, at: float, read_at: float) -> list[ev.Event]:
        """Return the ends whose report did not arrive in time; all reports before `read_at` (monotonic) were read."""
        found: list[ev.Event] = []
        for index in self._expected.expired(read_at):
            end = self._expected.get(index).end
            assert end is not None
            ended = end(at)
            self._expected.await_end(index, Awaited.NOTHING)
            if ended.status is not Status.LOST:
                found.append(ended)
                continue
            self._presumed[index] = ended
        return found

    def _shown(self, index: int, view: SeenJob) -> JobAnswer:
        """Return the answer of a poll that shows the job of an instance."""
        if index in self._expected:
            with self._expected.change(index) as expected:
                expected.unconfirmed = False
        return JobAnswer.UNSATISFIABLE if self._is_unsatisfiable(index, view) else answer_of(view)

    def _missing(self, index: int, asked: float, accounting: Accounting, has_array: Callable[[int], bool]) -> JobAnswer:
        """Return the answer of a poll that does not show the job of an instance."""
        sent_at = self._expected.get(index).cancel_sent_at
        if sent_at is not None and sent_at < asked:
            return JobAnswer.CANCELLED
        if accounting is Accounting.ANSWERED and self._state.status[index] is Status.PENDING and has_array(index):
            return JobAnswer.LEFT_OUT
        return JobAnswer.UNANSWERED if accounting is Accounting.UNANSWERED else JobAnswer.MISSING

    def _is_unsatisfiable(self, index: int, view: SeenJob) -> bool:
        """Whether Slurm will never start a job because of its dependency: it reports so, or cancelled it unrequested.

        This may also affect a job whose parents all finished here: Slurm can judge their ends differently.
        """
        attempt, known = self._state.attempts[index][-1], self._state.status[index]
        if not attempt.after or known not in _WAITING or not self._may_never_begin(index):
            return False
        unasked = view.ended and view.status is Status.CANCELLED and not view.reason
        return view.reason == NEVER or (known is Status.BOUND and unasked)

    def _may_never_begin(self, index: int) -> bool:
        """Whether no cancel was requested for an instance, and its claim is not known to be taken."""
        return not self._state.attempts[index][-1].cancelled and not self._expected.get(index).has_begun

    def _act_on(
        self, index: int, answer: JobAnswer, view: SeenJob, asked: float, at: float, now: float
    ) -> list[ev.Event]:
        """Return what follows from the answer of a poll about the job of an instance."""
        late = self._expected.count(index, answer, asked)
        if late and view.accounted:  # it completes for too long: accounting knows how it ended
            return self._act_on(index, answer_of(view.accounted), view.accounted, asked, at, now)
        match late or ACTIONS[self._expected.get(index).awaited, answer]:
            case JobAction.WAIT:
                return []
            case JobAction.OBSERVE:
                return self._observe(index, view, at)
            case JobAction.RUN_AGAIN:
                self._expected.await_end(index, Awaited.NOTHING)
                return self._observe(index, view, at)
            case JobAction.NOTE:
                return self._note(index, answer, at)
            case JobAction.END_BY_CODE:
                return [self._ends.without_verdict(index, at)]
            case JobAction.END if index in self.memory.awaited and view.status is not Status.OUT_OF_MEMORY:
                return [self._ends.without_verdict(index, at)]  # of a success only its memory is in question
            case JobAction.END:
                self._expected.await_end(index, Awaited.NOTHING)
                return [self._ends.as_shown(index, view, reported=True)(at)]
            case JobAction.AWAIT_REPORT:
                end = self._ends.as_shown(index, view, reported=False, claimed=self._is_claimed(index))
                self._expected.await_end(index, Awaited.REPORT, now + REPORT_WAIT, end)
                return []
            case JobAction.FINISH:
                return self._finish_unreported(index, view, at, now)
            case JobAction.REBIND:
                return self._rebind(index)
            case JobAction.CANCEL:
                number = self._state.attempts[index][-1].number
                self._presumed[index] = self._ends.ended(at, index, number, Status.CANCELLED, None, None, "")
                return []
            case JobAction.LOSE:
                return self._lose(index, answer, view.reason != _NO_ACCOUNTING, at)

    def _observe(self, index: int, view: SeenJob, at: float) -> list[ev.Event]:
        """Return how Slurm shows a live job, if that is new."""
        attempt, known, status = self._state.attempts[index][-1], self._state.status[index], view.status
        if status is Status.PENDING and known in _BEGUN:
            status = Status.REQUEUED
        if status is Status.PENDING and known is Status.BOUND:
            status = Status.BOUND
        if status is known and view.reason == attempt.reason:
            return []
        leads_nowhere = status is known or {status, known} == {Status.RUNNING, Status.SUSPENDED}
        if leads_nowhere and not self._pace.allows(index, at):
            return []
        return [ev.Observed(at=at, instance=index, attempt=attempt.number, status=status, reason=view.reason)]

    def _note(self, index: int, answer: JobAnswer, at: float) -> list[ev.Event]:
        """Record what is waited for, once a second poll has shown the same.

        Jobs bound to it have to be withdrawn: Slurm starts them if it has forgotten the job.
        """
        attempt, polled = self._state.attempts[index][-1], self._expected.get(index).polled
        if polled is None or not polled.seconds:
            return []
        self._rebind_dependents(index)
        if attempt.reason == NOTES[answer]:
            return []
        status = self._state.status[index]
        return [ev.Observed(at=at, instance=index, attempt=attempt.number, status=status, reason=NOTES[answer])]

    def _finish_unreported(self, index: int, view: SeenJob, at: float, now: float) -> list[ev.Event]:
        """Handle a job that succeeded without a report (e.g. disk full). If its claim is free as well, it ran nothing.

        That happens if only the beginning of a job script arrived. A missing claim may still be on its way (NFS).
        """
        attempt = self._state.attempts[index][-1]
        if attempt.started_at or self._is_claimed(index):
            return [self._ends.ended(at, index, attempt.number, Status.FINISHED, 0, None, view.node)]
        if self._expected.get(index).awaited is Awaited.NOTHING:
            self._expected.await_end(index, Awaited.REPORT, now + LOST_WAIT, self._ends.never_began(index))
        return []

    def _is_claimed(self, index: int) -> bool:
        return not self._claimed_by_file or self._claimed_by_file(index, self._state.attempts[index][-1].number)

    def _rebind(self, index: int) -> list[ev.Event]:
        with self._expected.change(index) as expected:
            expected.never_satisfied = True
        return []  # the driver emits the event, once it has the claim

    def _rebind_dependents(self, index: int) -> None:
        for dependent in self._state.all_children(index):
            if self._state.status[dependent] is Status.BOUND and self._may_never_begin(dependent):
                self._rebind(dependent)

    def _lose(self, index: int, answer: JobAnswer, accounting: bool, at: float) -> list[ev.Event]:
        """Handle a job without a report of its end that polls do not show as it should be for too long."""
        if self._state.status[index] is Status.BOUND and self._may_never_begin(index):
            return self._rebind(index)  # cancelled with the job that it was bound to, and forgotten by Slurm
        self._presumed[index] = self._ends.lost(index, answer, accounting, at)
        return []


def _started(report: JobReport, at: float) -> ev.Started:
    return ev.Started(at=at, instance=report.instance, attempt=report.attempt, job=report.job, node=report.node)
