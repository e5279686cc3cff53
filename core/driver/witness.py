"""Brings in what the world shows: the records of jobs, looks at Slurm, local processes that ended."""

from __future__ import annotations

import time

from ..backends.slurm import job_has_ended
from ..backends.slurm_text import ALIVE, ENDED, SlurmJob, SlurmView, Unobserved, job_tag
from ..store.lease import holder
from ..store.spool import Unreadable, list_records, read_record, remove_records, start_before
from ..study import events as ev
from ..study.job_reports import DuplicateReport
from ..study.slurm_answers import Seen
from ..study.status import Status
from .allocating import Allocating
from .drive import Drive
from .ending import Ending
from .faults import point
from .looks import Looks

_SETTLE_EVERY = 1.0  # seconds between two removals of records that the journal has taken over
_SETTLE_AT = 50  # records that are removed before that: each look into the spool lists them
_INCOMPLETE_FIRST = 0.1  # seconds to the second look at a record that is being written; each further one waits twice
_INCOMPLETE_YOUNG = 2 * _INCOMPLETE_FIRST  # until its second look it is read whenever anything happens
_INCOMPLETE_MOST = 60.0  # as long, for one that has no room on the disk is never complete
_ADOPTED_EVERY = 0.5  # seconds between two looks at local processes that are not our children


class Witness:
    """The part of a driver that watches."""

    def __init__(self, drive: Drive, ending: Ending, allocating: Allocating) -> None:
        self._drive = drive
        self._ending = ending
        self._allocating = allocating
        self.looked_at = 0.0  # when the last look at Slurm was begun that it answered, or there was nothing to look at
        self.others: dict[str, int] = {}  # the user's other jobs in Slurm's queue, by QOS
        self._looks = Looks(drive.slurm, drive.poll, drive.post) if drive.slurm else None
        self._taken: dict[str, None] = {}  # records that were read and not yet removed
        self._incomplete: dict[str, tuple[float, float]] = {}  # records being written: next look, pause before it
        self._settled_at = 0.0
        self._adopted: dict[int, tuple[int, str]] = {}  # instance -> attempt, process id

    def due(self) -> float | None:
        now = time.monotonic()
        times = [self._look_due(), self._drive.observer.deadline()]
        times.append(self._settled_at + _SETTLE_EVERY if self._taken else None)
        times.append(now + _ADOPTED_EVERY if self._adopted else None)
        times += [look for look, _ in self._incomplete.values()]
        return min((due for due in times if due is not None), default=None)

    def turn(self) -> None:
        """Take in what is there, and ask Slurm if it is time."""
        if not self._drive.state.live_slurm:
            self.looked_at = time.monotonic()
        self.read_spool()
        self._drive.emit_all(self._drive.observer.tick(time.time(), time.monotonic()))
        self._look_at_adopted()
        self._look_if_due()

    # --- records

    def read_spool(self) -> None:
        names = list_records(self._drive.directory.spool, self._taken)
        self._incomplete = {name: self._incomplete[name] for name in names if name in self._incomplete}
        for name in names:
            self._read(name)

    def _read(self, name: str) -> None:
        """Take a record in if it is there as a whole and its attempt is known; else it is looked at again."""
        drive, now = self._drive, time.monotonic()
        look, pause = self._incomplete.get(name, (0.0, _INCOMPLETE_FIRST))
        if now < look and pause > _INCOMPLETE_YOUNG:
            return
        report = read_record(drive.directory.spool / name)
        if report is Unreadable.INCOMPLETE:
            if now >= look:
                self._incomplete[name] = now + pause, min(2 * pause, _INCOMPLETE_MOST)
            return
        self._incomplete.pop(name, None)
        if not isinstance(report, Unreadable) and drive.observer.is_early(report):
            return
        start = start_before(name)
        if start and start not in self._taken and (drive.directory.spool / start).exists():
            # The job wrote it first, so what is not there of it by now never comes, whether it was listed or not. Taken
            # in after the end, it would look like a job that must not run.
            self._incomplete.pop(start, None)
            self._read(start)
            self._incomplete.pop(start, None)
            self._taken[start] = None
        self._taken[name] = None
        if isinstance(report, Unreadable):
            drive.emit(ev.Anomaly(at=time.time(), message=f"a record that cannot be read: {name}"))
            return
        drive.emit_all(drive.observer.report(report, time.time(), time.monotonic()))
        self._ending.end_strays(drive.observer.take_strays())
        if isinstance(report, DuplicateReport) and report.owner and report.instance in drive.state.live_local:
            self._adopted[report.instance] = (report.attempt, report.owner)  # not our child, so to be looked at

    def settle(self, *, always: bool = False) -> None:
        """Remove the records that the journal has, once it has them on the disk."""
        now = time.monotonic()
        due = len(self._taken) >= _SETTLE_AT or now - self._settled_at >= _SETTLE_EVERY
        if self._taken and (always or due):
            self._settled_at = now
            point("records.journalled")
            self._drive.sync()
            point("records.synced")
            remove_records(self._drive.directory.spool, self._taken)
            point("records.removed")
            self._taken.clear()

    # --- local processes

    def process_ended(self, attempt: str, pid: str, code: int | None) -> None:
        """The process of a local step has ended, with `code` if it was our own child."""
        index, _, number = attempt.partition(".")
        self.read_spool()
        events = self._drive.observer.process_ended(int(index), int(number), pid, code, time.time())
        self._drive.emit_all(events)

    def _look_at_adopted(self) -> None:
        for index, (number, pid) in list(self._adopted.items()):
            attempt = f"{index}.{number}"
            if index not in self._drive.state.live_local:
                del self._adopted[index]
            elif not self._drive.local.is_running(attempt, pid):
                del self._adopted[index]
                self.process_ended(attempt, pid, None)

    # --- Slurm

    def _look_due(self) -> float | None:
        state = self._drive.state
        if self._looks is None or not (state.live_slurm or state.allocations.open() or state.slurm_silent_since):
            return None
        self._looks.every(self._drive.poll)
        return self._looks.due(self._wants_look, bool(state.slurm_silent_since))

    @property
    def _wants_look(self) -> bool:
        return self._drive.observer.wants_look or self._allocating.watch.wants_look

    def _look_if_due(self) -> None:
        due = self._look_due()
        if due is None or time.monotonic() < due or self._looks is None:
            return
        state = self._drive.state
        jobs = [state.attempts[index][-1].job for index in state.live_slurm]
        names = [self._name(submission) for submission in state.submissions]
        for allocation in state.allocations.open():
            if allocation.job:
                jobs.append(allocation.job)
            else:
                names.append(self._drive.allocation_name(allocation.name))
        self._looks.start(self._wants_look, [job for job in jobs if job], names, self._looked)

    def _name(self, submission: str) -> str:
        members = [index for index, _ in self._drive.state.submissions[submission]]
        return self._drive.job_name(submission, members)

    def _looked(self, view: SlurmView | Unobserved, asked: float) -> None:
        drive, at = self._drive, time.time()
        if isinstance(view, Unobserved):
            if not drive.state.slurm_silent_since:
                drive.emit(ev.SlurmSilent(at=at, message=view.message))
            return
        if drive.state.slurm_silent_since:
            drive.slurm_closed_until = 0.0
            drive.emit(ev.SlurmAnswers(at=at))
        self.looked_at = asked
        self.others = self._count_others(view)
        self.read_spool()  # what jobs said before this look counts before it
        by_name: dict[str, set[str]] = {}
        for job in (*view.jobs.values(), *view.accounted.values()):
            by_name.setdefault(job.name, set()).add(job.job.partition("_")[0])

        def seen(job: str) -> Seen | None:
            shown = view.jobs.get(job) or view.accounted.get(job)
            return _seen(shown) if shown else None

        def find(submission: str) -> str:
            if submission not in drive.state.submissions:
                return ""
            jobs = sorted(by_name.get(self._name(submission), {""}), key=_number)
            owner = self._claim_owner(submission) if len(jobs) > 1 else ""
            if owner not in jobs:
                return jobs[0]  # should it be a twin, it or its tasks will lose their claims and say so
            self._ending.end_strays([job for job in jobs if job != owner])
            return owner

        drive.emit_all(drive.observer.look(seen, find, asked, at, time.monotonic(), view.accounting))

        def find_allocation(name: str) -> str:
            return min(by_name.get(drive.allocation_name(name), {""}), key=_number)

        self._allocating.looked(seen, find_allocation, asked, at)

    def _count_others(self, view: SlurmView) -> dict[str, int]:
        tag = job_tag(self._drive.study.study_id, "")
        counts: dict[str, int] = {}
        for job in view.jobs.values():
            if job.state not in ENDED and not job.name.startswith(tag):
                counts[job.qos] = counts.get(job.qos, 0) + 1
        return counts

    def _claim_owner(self, submission: str) -> str:
        """The job that holds the claim of a submission's attempt; empty if none does."""
        index, number = self._drive.state.submissions[submission][0]
        try:
            return (self._drive.directory.claims / f"{index}.{number}").read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    # --- taking over

    def take_over(self) -> None:
        """Take up what an earlier driver left under way."""
        self.looked_at = 0.0 if self._drive.state.live_slurm else time.monotonic()
        drive, at, now = self._drive, time.time(), time.monotonic()
        self._allocating.take_over()
        self.read_spool()
        for submission, members in list(drive.state.submissions.items()):
            index, number = members[0]
            if any(drive.state.status[member] is Status.SUBMITTING for member, _ in members):
                message = "the driver ended before the answer came"
                drive.emit(ev.SubmitUnclear(at=at, submission=submission, message=message))
            attempt = drive.state.attempts[index][-1]
            if attempt.in_queue:
                drive.observer.doubt(submission, now)
            elif not attempt.allocation:
                self._take_over_local(submission, f"{index}.{number}", at)
        before = drive.lease.before
        ended_with_its_job = before.host if before and before.slurm_job and job_has_ended(before.slurm_job) else ""
        for index in list(drive.state.live_local):
            attempt = drive.state.attempts[index][-1]
            if attempt.node == drive.host:
                self._adopted[index] = (attempt.number, attempt.job)
            elif attempt.node == ended_with_its_job:
                self.process_ended(f"{index}.{attempt.number}", attempt.job, None)
        drive.observer.take_up(now)
        if drive.state.slurm_silent_since:
            drive.emit(ev.SlurmAnswers(at=at))  # the silence was another driver's; the first look will tell

    def _take_over_local(self, submission: str, attempt: str, at: float) -> None:
        """A local step that was being started: its claim tells whether it was.

        One that has not written its claim in full yet is started again: the second one waits for the word of the first.
        """
        drive = self._drive
        try:
            pid = (drive.directory.claims / attempt).read_text(encoding="utf-8").strip()
        except OSError:
            pid = ""
        if not pid:
            drive.emit(ev.SubmitMissed(at=at, submission=submission))
            return
        epoch = submission.partition("-")[0]
        starter = holder(drive.directory.owner, int(epoch)) if epoch.isdecimal() else None
        node = starter.host if starter else drive.host
        drive.emit(ev.Submitted(at=at, submission=submission, job=pid, node=node))


def _seen(job: SlurmJob) -> Seen:
    if job.state in ENDED:
        return Seen(ENDED[job.state], True, job.reason, job.node, job.exit_code)
    # A state that nobody knows yet is a job that lives: the next look may tell more.
    return Seen(ALIVE.get(job.state, Status.RUNNING), False, job.reason, job.node)


def _number(job: str) -> int:
    digits = job.partition("_")[0]
    return int(digits) if digits.isdigit() else 0
