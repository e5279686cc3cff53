"""Turns what the world shows (records of jobs, looks at Slurm, ended processes) into events.

Holds what has to be remembered between two looks, and no clock: `now` is the driver's monotonic clock, `at`
its wall clock. An exit record with code 0 is final. For any other end Slurm is asked for its verdict first,
because only Slurm knows of time limits and memory; if it has none in time, the exit code tells.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from . import events as ev
from .attempt import Attempt
from .causes import BY_COMMAND, Cause, CauseCode, exit_cause, job_cause, text_cause
from .state import StudyState
from .status import LIVE, Status

VERDICT_WAIT = 15.0  # seconds for Slurm's verdict on a job that reported its own failure
REPORT_WAIT = 5.0  # seconds for the job's own report after Slurm called it ended
UNCLEAR_WAIT = 30.0  # seconds until an unclear submission that nobody has seen counts as not made
LOST_WAIT = 60.0  # seconds that a job may be unknown to Slurm before it counts as lost
VOID = "void"  # the owner of a claim that the driver took itself, so that the attempt can never begin
NEVER = "DependencyNeverSatisfied"  # Slurm's reason for a bound job that it will not begin, or has cancelled

_WAITING = (Status.PENDING, Status.BOUND)
_QUEUED = (Status.PENDING, Status.CONFIGURING, Status.REQUEUED)
_BEGUN = (Status.RUNNING, Status.SUSPENDED, Status.COMPLETING, Status.REQUEUED)


@dataclass(frozen=True, slots=True)
class Report:
    """A record that a job dropped: `start`, `exit` or `twin` (it found its claim taken)."""

    kind: str
    instance: int
    attempt: int
    job: str
    node: str
    code: int = 0
    signal: str = ""
    error: str = ""
    owner: str = ""
    verdict: str = ""  # of an allocation's leader, if it is not the exit code that tells
    at: float = 0.0  # when it was, by the clock of whoever wrote it; 0 if it does not say


_VERDICTS = {status.value: status for status in (Status.TIMED_OUT, Status.OUT_OF_MEMORY)}


@dataclass(frozen=True, slots=True)
class Seen:
    """How Slurm shows one job: alive or ended as `status`, with its reason and (from accounting) exit code."""

    status: Status
    ended: bool
    reason: str = ""
    node: str = ""
    exit_code: int | None = None


@dataclass(slots=True)
class _End:
    """An end that waits for its other witness until `deadline`."""

    event: Callable[[float], ev.Ended]
    deadline: float


class Observer:
    """Watches the live attempts of a study. Every method returns the events that follow, in order."""

    def __init__(self, state: StudyState, claimed: Callable[[int, int], bool] | None = None) -> None:
        """`claimed` says whether an attempt's claim is taken, by instance and number; without it all are."""
        self._state = state
        self._claimed_by_file = claimed
        self._touched: dict[int, float] = {}  # when something was last heard of an instance itself
        self._exits: dict[int, float] = {}  # reported ends: until when Slurm's verdict is awaited
        self._ends: dict[int, _End] = {}  # Slurm's ends that wait for the job's report
        self._missing_since: dict[int, float] = {}
        self._unclear_since: dict[str, float] = {}
        self._strays: list[str] = []
        self._strays_within: dict[str, list[str]] = {}
        self._never: set[int] = set()
        self._claimed: set[int] = set()  # bound ones whose jobs have begun, whatever Slurm says
        self._told: dict[int, float] = {}  # waiting ones whose jobs were told to end, and when
        self._unseen: set[int] = set()  # found by the names of their jobs: not known yet whether these are alive

    # --- what the driver has to know

    @property
    def wants_look(self) -> bool:
        """Whether a look at Slurm would decide something now."""
        return bool(self._exits or self._unclear_since or self._told)

    def deadline(self) -> float | None:
        """When `tick` has something to do next."""
        times = [*self._exits.values()]
        times += [end.deadline for end in self._ends.values()]
        return min(times, default=None)

    def take_strays(self) -> list[str]:
        """Slurm jobs that showed up and must not run: of an instance that is over, or twins without a claim."""
        strays, self._strays = self._strays, []
        return strays

    def take_strays_within(self) -> dict[str, list[str]]:
        """Attempts that began and must not run, by the allocation that has them."""
        strays, self._strays_within = self._strays_within, {}
        return strays

    def doubtful(self) -> set[int]:
        """Instances whose jobs may be over, as far as is known: a job bound to them now might begin in error."""
        return {*self._exits, *self._ends, *self._missing_since, *self._unseen, *self._never}

    def never(self) -> set[int]:
        """Bound instances whose jobs Slurm will not begin: they have to be bound anew, or are blocked."""
        return {index for index in self._never if self._state.status[index] in _WAITING}

    def began(self, instance: int) -> None:
        """The claim of a bound instance is taken by its job: it began after all."""
        self._never.discard(instance)
        self._claimed.add(instance)

    def touch(self, instance: int, now: float) -> None:
        """Something just happened to the instance: looks at Slurm that began before say nothing of it."""
        self._touched[instance] = now
        self._missing_since.pop(instance, None)
        if self._state.status[instance] not in _WAITING:
            self._told.pop(instance, None)

    def told_to_end(self, instances: Iterable[int], now: float) -> None:
        """Slurm took the request to end their jobs. What has not begun leaves no record: only Slurm can tell."""
        for index in instances:
            if index in self._state.live_slurm and self._state.status[index] in _WAITING:
                self._told[index] = now

    def doubt(self, submission: str, now: float) -> None:
        """A submission became unclear at `now`."""
        self._unclear_since.setdefault(submission, now)

    # --- the witnesses

    def is_early(self, report: Report) -> bool:
        """Whether a record is of an attempt that the journal does not know (yet).

        So it is if the end of the journal was lost with its machine. The record has to wait: the attempt will be
        made anew, finds its claim taken, and then the record tells what became of it.
        """
        if not 0 <= report.instance < len(self._state.status):
            return False
        last = self._state.last_attempt(report.instance)
        return report.attempt > (last.number if last else 0)

    def report(self, report: Report, at: float, now: float) -> list[ev.Event]:
        """A record from the spool."""
        index = report.instance
        attempt = self._state.last_attempt(index) if index < len(self._state.status) else None
        if attempt is None or attempt.number != report.attempt or attempt.ended_at:
            if report.kind == "start":
                self._stray_start(report)
            return []  # of an attempt that is over: a record that was read before, or a late twin's
        self.touch(index, now)
        at = min(at, report.at or at)
        if report.kind == "lost":
            return [ev.Returned(at=at, members=((index, report.attempt),), cause=text_cause(report.error))]
        if report.kind == "twin" and report.owner == VOID:
            return []  # it was being taken out of Slurm when it began
        if report.kind == "twin":
            message = f"job {report.job} found attempt {index}.{report.attempt} taken by job {report.owner}"
            found: list[ev.Event] = [ev.Anomaly(at=at, message=message)]
            if report.owner not in ("", attempt.job):
                self._ends.pop(index, None)
                node = report.node if attempt.backend == "local" else ""
                found.append(ev.Started(at=at, instance=index, attempt=report.attempt, job=report.owner, node=node))
                self._stray(attempt, report.owner)
            return found
        self._stray(attempt, report.job)
        started = ev.Started(at=at, instance=index, attempt=report.attempt, job=report.job, node=report.node)
        if report.kind == "start":
            self._exits.pop(index, None)
            return [started]
        self._ends.pop(index, None)
        # Nobody knew that this job runs: its submission counted as missed, or its word of the start was lost.
        found = [] if attempt.job == report.job else [started]
        clean = report.code == 0 and not report.signal
        if report.verdict in _VERDICTS:
            status = _VERDICTS[report.verdict]
            cause = job_cause(status, report.code, "", report.node)
            return [*found, self._ended(at, index, report.attempt, status, report.code, cause, report.node)]
        if clean or not attempt.in_queue:
            cause = text_cause(report.error) or exit_cause(report.code, report.node)
            if report.signal == "TERM":  # as when the job in which its driver ran is over
                cause = Cause(CauseCode.TERMINATED, report.error, report.code, report.node)
            return [*found, self._end_by_code(index, report.code, cause, report.node, at)]
        self._exits[index] = now + VERDICT_WAIT
        exited = ev.Exited(
            at=at, instance=index, attempt=report.attempt, code=report.code, node=report.node, error=report.error
        )
        return [*found, exited]

    def _stray_start(self, report: Report) -> None:
        """An attempt began that is over. Of an allocation only itself is to end, unless that is over as well."""
        allocation = self._state.allocations.of_job(report.job)
        if allocation and not allocation.is_over:
            self._strays_within.setdefault(allocation.name, []).append(f"{report.instance}.{report.attempt}")
        else:
            self._strays.append(report.job)

    def _stray(self, attempt: Attempt, owner: str) -> None:
        """The claim is taken by `owner`, so the job that was followed until now can only lose it."""
        if attempt.in_queue and attempt.job not in ("", owner):
            self._strays.append(attempt.job)

    def process_ended(self, instance: int, number: int, job: str, code: int | None, at: float) -> list[ev.Event]:
        """Process `job` of a local step is gone; its exit record, if it left one, was read before.

        Without one (no room on the disk) the exit code tells, if the process was the driver's own child.
        """
        attempt = self._state.last_attempt(instance)
        if attempt is None or (attempt.number, attempt.job) != (number, job):
            return []  # its attempt is another process's by now
        if self._state.status[instance] not in LIVE:
            return []
        status = Status.FINISHED if code == 0 else Status.FAILED
        cause = None
        if code is None or code == 128 + signal.SIGKILL:
            cause = Cause(CauseCode.NO_RECORD)
        elif code:
            cause = exit_cause(code)
        return [self._ended(at, instance, number, status, code, cause, "")]

    def look(
        self,
        seen: Callable[[str], Seen | None],
        find: Callable[[str], str],
        asked: float,
        at: float,
        now: float,
        accounting: bool,
    ) -> list[ev.Event]:
        """A look at Slurm that was begun at `asked`.

        `seen` gives a job's state by its id, None if Slurm knows it no more; `find` the id of the job of a
        submission, empty if there is none.
        """
        found: list[ev.Event] = []
        self._told = {index: told for index, told in self._told.items() if now - told < LOST_WAIT}
        for submission in list(self._unclear_since):
            found += self._look_for(submission, find(submission), asked, at)
        for index in list(self._state.live_slurm):
            attempt = self._state.attempts[index][-1]
            if not attempt.job or self._touched.get(index, 0.0) >= asked:
                continue
            view = seen(attempt.job)
            if view is None:
                found += self._missing(index, asked, at, now, accounting)
                continue
            self._missing_since.pop(index, None)
            self._unseen.discard(index)
            found += self._seen(index, view, at, now)
        return found

    def tick(self, at: float, now: float) -> list[ev.Event]:
        """Ends whose other witness did not come in time."""
        found: list[ev.Event] = []
        for index, deadline in list(self._exits.items()):
            if now >= deadline:
                del self._exits[index]
                attempt = self._state.attempts[index][-1]
                code = attempt.exit_code or 0
                cause = attempt.cause or exit_cause(code, attempt.node)
                found.append(self._end_by_code(index, code, cause, attempt.node, at))
        for index, end in list(self._ends.items()):
            if now >= end.deadline:
                del self._ends[index]
                found.append(end.event(at))
        return found

    def take_up(self, now: float) -> None:
        """After a change of driver: go on waiting for what the one before waited for."""
        for index in self._state.live_slurm:
            attempt = self._state.attempts[index][-1]
            if attempt.exit_code is not None:
                self._exits[index] = now + VERDICT_WAIT
            if attempt.cancelled and index not in self._state.to_cancel:
                self.told_to_end([index], now)

    def forget(self, instances: Iterable[int]) -> None:
        """These are over: drop what was kept of them."""
        for index in instances:
            for kept in (self._touched, self._exits, self._ends, self._missing_since, self._told):
                kept.pop(index, None)
            self._unseen.discard(index)
            self._never.discard(index)
            self._claimed.discard(index)

    # --- one job

    def _waits_in_vain(self, index: int, view: Seen) -> bool:
        """Whether Slurm will not begin a job because of what it was bound to: it says so, or cancelled it unasked.

        That may be so of one whose parents are all finished here: Slurm can have another opinion of their ends.
        """
        attempt, known = self._state.attempts[index][-1], self._state.status[index]
        if not attempt.after or attempt.cancelled or index in self._claimed:
            return False
        if known not in _WAITING:
            return False
        unasked = view.ended and view.status is Status.CANCELLED and not view.reason
        return view.reason == NEVER or (known is Status.BOUND and unasked)

    def _seen(self, index: int, view: Seen, at: float, now: float) -> list[ev.Event]:
        attempt = self._state.attempts[index][-1]
        reported = index in self._exits
        if self._waits_in_vain(index, view):
            self._never.add(index)
            return []
        if not view.ended:
            return self._alive(index, view, at, now)
        if view.status is Status.FINISHED and not reported:
            return self._finished_unheard(index, view, at, now)
        number, code = attempt.number, attempt.exit_code if reported else view.exit_code
        status = Status.FAILED if view.status is Status.FINISHED and code else view.status
        cause = None if status is Status.FINISHED else job_cause(status, code, view.reason, view.node)
        if reported and status is Status.FAILED:
            cause = attempt.cause or cause

        def end(at: float) -> ev.Ended:
            return self._ended(at, index, number, status, code, cause, view.node)

        if reported:
            del self._exits[index]
            return [end(at)]
        self._ends.setdefault(index, _End(end, now + REPORT_WAIT))
        return []

    def _finished_unheard(self, index: int, view: Seen, at: float, now: float) -> list[ev.Event]:
        """A job that ended well without a word, as on a full disk. If not even its claim is taken, it ran nothing.

        A job script of which only the beginning arrived is such a job. A claim that is not there yet may be on its way.
        """
        attempt = self._state.attempts[index][-1]
        claimed = self._claimed_by_file is None or self._claimed_by_file(index, attempt.number)
        if attempt.started_at or claimed:
            return [self._ended(at, index, attempt.number, Status.FINISHED, 0, None, view.node)]
        cause = Cause(CauseCode.NEVER_BEGAN, job=attempt.job)

        def lost(at: float) -> ev.Ended:
            return self._ended(at, index, attempt.number, Status.LOST, None, cause, view.node)

        self._ends.setdefault(index, _End(lost, now + LOST_WAIT))
        return []

    def _alive(self, index: int, view: Seen, at: float, now: float) -> list[ev.Event]:
        attempt, known, status = self._state.attempts[index][-1], self._state.status[index], view.status
        self._ends.pop(index, None)
        if status is Status.PENDING and known in _BEGUN:
            status = Status.REQUEUED
        if status is Status.PENDING and known is Status.BOUND:
            status = Status.BOUND
        if index in self._exits:
            if status is Status.RUNNING:
                return []  # it said that it ended; Slurm has not noticed yet
            if status is Status.COMPLETING:
                self._exits[index] = now + VERDICT_WAIT  # Slurm still cleans up; its verdict will come
            if status in _QUEUED:
                del self._exits[index]  # that end was Slurm's doing: it will run again
        if status is known and view.reason == attempt.reason:
            return []
        return [ev.Observed(at=at, instance=index, attempt=attempt.number, status=status, reason=view.reason)]

    def _missing(self, index: int, asked: float, at: float, now: float, accounting: bool) -> list[ev.Event]:
        since = self._missing_since.setdefault(index, now)
        attempt = self._state.attempts[index][-1]
        if self._told.get(index, asked) < asked:
            return [self._ended(at, index, attempt.number, Status.CANCELLED, None, None, "")]
        if index in self._exits or now - since < LOST_WAIT:
            return []  # its own report decides, or it is too early to tell
        if self._state.status[index] is Status.BOUND and not attempt.cancelled and index not in self._claimed:
            self._never.add(index)  # cancelled with the job that it was bound to, and forgotten
            return []
        code = CauseCode.JOB_UNKNOWN if accounting else CauseCode.JOB_NOT_IN_QUEUE
        if self._state.status[index] is Status.PENDING and "_" in attempt.job:
            code = CauseCode.TASK_UNKNOWN if accounting else CauseCode.TASK_NOT_IN_QUEUE
        cause = Cause(code, job=attempt.job)
        return [self._ended(at, index, attempt.number, Status.LOST, None, cause, "")]

    def _look_for(self, submission: str, job: str, asked: float, at: float) -> list[ev.Event]:
        members = self._state.submissions.get(submission, ())
        attempts = [self._state.attempts[index][-1] for index, _ in members]
        spoke = (attempt.array for attempt in attempts if attempt.submission == submission and attempt.job)
        job = job or next(spoke, "")  # where one task of an array is, the others are
        if not any(self._state.status[index] is Status.UNCLEAR for index, _ in members):
            del self._unclear_since[submission]  # the job itself has spoken
            return [ev.Submitted(at=at, submission=submission, job=job)] if members and job else []
        if job:
            del self._unclear_since[submission]
            self._unseen.update(index for index, _ in members)
            return [ev.Submitted(at=at, submission=submission, job=job)]
        if asked - self._unclear_since[submission] < UNCLEAR_WAIT:
            return []
        del self._unclear_since[submission]
        return [ev.SubmitMissed(at=at, submission=submission)]

    def _end_by_code(self, index: int, code: int, cause: Cause, node: str, at: float) -> ev.Ended:
        number = self._state.attempts[index][-1].number
        if code == 0:
            return self._ended(at, index, number, Status.FINISHED, 0, None, node)
        return self._ended(at, index, number, Status.FAILED, code, cause, node)

    def _ended(
        self, at: float, index: int, number: int, status: Status, code: int | None, cause: Cause | None, node: str
    ) -> ev.Ended:
        """The end of an attempt; one that somebody asked for is a cancellation, however it came about."""
        if status is not Status.FINISHED and self._state.attempts[index][-1].cancelled:
            status, cause = Status.CANCELLED, BY_COMMAND
        return ev.Ended(at=at, instance=index, attempt=number, status=status, exit_code=code, cause=cause, node=node)
