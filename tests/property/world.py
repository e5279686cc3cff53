"""A world for studies: Slurm, the job-side runner and local processes, as values that a test can move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mtui.core.claims import REVOKED
from mtui.core.engine.job_observer import NEVER
from mtui.core.engine.job_reports import DuplicateReport, ExitReport, JobReport, StartReport
from mtui.core.engine.slurm_answers import SeenJob
from mtui.core.engine.status import Status

HOST = "here"
PURGED_AFTER = 300.0  # seconds after its end, a job counts as done for whatever is then bound to it


@dataclass
class Job:
    """A Slurm job, a task of an array, or a local process, made for one attempt of one instance."""

    id: str
    submission: str
    index: int
    attempt: int
    local: bool
    after: tuple[str, ...] = ()  # ids of the jobs that have to finish first
    ends: tuple[str, ...] = ()  # and of those that only have to end
    instead: tuple[str, ...] = ()  # of those whose failure is enough
    state: str = "queued"  # then "running", at last "over"
    restarts: int = 0
    forgotten: bool = False  # by squeue and sacct
    hidden: bool = False  # not shown for a time
    verdict: Status = Status.FINISHED
    code: int | None = None
    reason: str = ""
    ended_at: float = 0.0

    @property
    def array(self) -> str:
        return self.id.partition("_")[0]


@dataclass(frozen=True)
class Request:
    """What sbatch is given."""

    submission: str
    members: Sequence[tuple[int, int]]
    tasks: Sequence[int] = ()
    after: str = ""
    sent_at: float = 0.0  # a call takes less time than what makes the difference between known and purged


class World:
    """Everything outside of the driver. It does what the real ones do, and no more than they promise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.arrays = 0
        self.jobs: dict[str, Job] = {}
        self.strangers: dict[str, tuple[str, SeenJob]] = {}  # name and state of jobs that have the ids of ours
        self.claims: dict[tuple[int, int], str] = {}
        self.spool: dict[str, JobReport] = {}
        self.late: set[str] = set()  # records that the driver's host does not see yet
        self.delays_records = False
        self.runs: Counter[tuple[int, int]] = Counter()  # how often the payload of an attempt was begun
        self.succeeded: set[tuple[int, int]] = set()
        self.child_exits: list[tuple[int, int, str, int]] = []  # that the driver which started it hears of

    def submit(self, request: Request, *, local: bool = False) -> list[Job]:
        """Take a job or an array; `after` is resolved as Slurm does."""
        self.arrays += 1
        made: list[Job] = []
        for place, (index, attempt) in enumerate(request.members):
            task = (request.tasks or range(len(request.members)))[place]
            name = f"{self.arrays + 100}" + (f"_{task}" if len(request.members) > 1 else "")
            made.append(Job(name, request.submission, index, attempt, local, *self._parents(request, task)))
        self.jobs.update((job.id, job) for job in made)
        return made

    def _parents(self, request: Request, task: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The jobs that have to finish, those that have to end, and those whose failure is enough."""
        found, ends = list[str](), list[str]()
        after, *alternatives = request.after.split("?")
        instead = tuple(part.removeprefix("afternotok:") for part in alternatives)
        for part in after.split(",") if after else ():
            kind, *ids = part.split(":")
            for name in ids:
                into = ends if kind == "afterany" else found
                if kind == "aftercorr":
                    into.append(f"{name}_{task}")
                elif name in self.jobs:
                    into.append(name)
                else:
                    into += [job.id for job in self.jobs.values() if job.array == name]
        assert all(name in self.jobs for name in (*found, *ends, *instead)), f"{after}: bound to what there is not"
        jobs = (self.jobs[name] for name in found)
        purged = {job.id for job in jobs if job.state == "over" and request.sent_at - job.ended_at >= PURGED_AFTER}
        return tuple(name for name in found if name not in purged), tuple(ends), instead

    def may_begin(self, job: Job) -> bool:
        """Whether all that it is bound to is done, as Slurm sees it."""
        are_over = all(self.jobs[name].state == "over" for name in job.ends) or any(map(self._has_failed, job.instead))
        return job.state == "queued" and are_over and all(map(self._is_done, job.after))

    def over(self) -> set[int]:
        """The instances that a job ended: one with the claim, or one that was cancelled before anything took that."""
        found: set[int] = set()
        for job in self.jobs.values():
            if job.state == "over" and self.claims.get((job.index, job.attempt), job.id) == job.id:
                found.add(job.index)
        return found

    def never_begins(self, job: Job) -> bool:
        return job.state == "queued" and any(map(self._has_failed, job.after))

    def is_stuck(self, job: Job) -> bool:
        """Whether a job will never begin, because of one that it is bound to, or that this one is bound to."""
        return self.never_begins(job) or (
            job.state == "queued" and any(self.is_stuck(self.jobs[name]) for name in job.after)
        )

    def _has_failed(self, name: str) -> bool:
        return self.jobs[name].state == "over" and not self._is_done(name)

    def _is_done(self, name: str) -> bool:
        job = self.jobs[name]
        return job.state == "over" and job.verdict is Status.FINISHED

    def cancel_dependent(self, job: Job) -> None:
        job.reason = NEVER
        self._over(job, Status.CANCELLED, None)

    def void(self, index: int, attempt: int) -> bool:
        """The driver takes the claim of an attempt; whether it is the driver's."""
        return self.claims.setdefault((index, attempt), REVOKED) == REVOKED

    def of_state(self, state: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.state == state]

    def owns_claim(self, job: Job) -> bool:
        return self.claims.get((job.index, job.attempt)) == job.id

    def begin(self, job: Job) -> None:
        """The runner begins: it takes the claim and runs the payload, or ends as a twin."""
        key = (job.index, job.attempt)
        owner = self.claims.setdefault(key, job.id)
        if owner != job.id:
            self._record("twin", job, owner=owner)
            self._over(job, Status.FAILED, 75)
            return
        job.state = "running"
        self.runs[key] += 0 if job.restarts else 1
        self.spool.pop(f"{job.index}.{job.attempt}.exit.{job.id}", None)
        if not job.local:
            self._record("start", job)

    def end(self, job: Job, verdict: Status, code: int, *, record: bool, signal: str = "") -> None:
        """The payload ends, and with it the job; `verdict` is what Slurm calls it."""
        if record:
            self._record("exit", job, code=code, signal=signal)
        if verdict is Status.FINISHED:
            self.succeeded.add((job.index, job.attempt))
        self._over(job, verdict, code)

    def requeue(self, job: Job, *, record: bool) -> None:
        """Slurm puts a running job back into its queue; its runner may have had the time to say so."""
        if record:
            self._record("exit", job, code=143, signal="TERM")
        job.state, job.restarts = "queued", job.restarts + 1

    def cancel(self, job: Job, *, record: bool) -> None:
        if job.state == "running":
            self.end(job, Status.CANCELLED, 143, record=record, signal="TERM")
        elif job.state == "queued":
            self._over(job, Status.CANCELLED, None)
            job.forgotten = "_" in job.id  # of an array, Slurm keeps no record of what never began

    def snapshot(self) -> dict[str, SeenJob]:
        """What squeue and sacct show of all jobs at this moment."""
        shown: dict[str, SeenJob] = {}
        for job in self.jobs.values():
            if job.local or job.forgotten or job.hidden:
                continue
            if job.state == "over":
                reason = job.reason or ("by 0" if job.verdict is Status.CANCELLED else "")
                shown[job.id] = SeenJob(job.verdict, ended=True, reason=reason, exit_code=job.code)
            elif job.state == "running":
                shown[job.id] = SeenJob(Status.RUNNING, ended=False)
            else:
                shown[job.id] = SeenJob(Status.PENDING, ended=False, reason="" if self.may_begin(job) else "Dependency")
        return shown

    def named(self, submission: str) -> list[Job]:
        """The jobs that carry the name of a submission."""
        return [job for job in self.jobs.values() if job.submission == submission and not job.local]

    def _over(self, job: Job, verdict: Status, code: int | None) -> None:
        job.state, job.verdict, job.code, job.ended_at = "over", verdict, code, self.now
        if job.local:
            self.child_exits.append((job.index, job.attempt, job.id, 137 if code is None else code))

    def _record(self, kind: str, job: Job, *, code: int = 0, signal: str = "", owner: str = "") -> None:
        place = job.index, job.attempt, job.id, HOST
        reports = {
            "start": StartReport(*place),
            "exit": ExitReport(*place, code=code, signal=signal),
            "twin": DuplicateReport(*place, owner=owner),
        }
        name = f"{job.index}.{job.attempt}.{kind}.{job.id}"
        self.spool[name] = reports[kind]
        if self.delays_records and not job.local:
            self.late.add(name)
