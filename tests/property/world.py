"""A world for studies: Slurm, the job-side runner and local processes, as values that a test can move."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mtui.core.study.observer import Report, Seen
from mtui.core.study.status import Status

HOST = "here"


@dataclass
class Job:
    """A Slurm job or a local process, made for one attempt of one instance."""

    id: str
    submission: str
    index: int
    attempt: int
    local: bool
    state: str = "queued"  # then "running", at last "over"
    restarts: int = 0
    forgotten: bool = False  # by squeue and sacct
    verdict: Status = Status.FINISHED
    code: int | None = None


class World:
    """Everything outside of the driver. It does what the real ones do, and no more than they promise."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.claims: dict[tuple[int, int], str] = {}
        self.spool: dict[str, Report] = {}
        self.runs: Counter[tuple[int, int]] = Counter()  # how often the payload of an attempt was begun
        self.succeeded: set[tuple[int, int]] = set()
        self.child_exits: list[tuple[int, int, str, int]] = []  # that the driver which started it hears of

    def submit(self, submission: str, index: int, attempt: int, *, local: bool = False) -> Job:
        job = Job(f"{len(self.jobs) + 100}", submission, index, attempt, local)
        self.jobs[job.id] = job
        return job

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

    def snapshot(self) -> dict[str, Seen]:
        """What squeue and sacct show of all jobs at this moment."""
        shown: dict[str, Seen] = {}
        for job in self.jobs.values():
            if job.local or job.forgotten:
                continue
            if job.state == "over":
                shown[job.id] = Seen(job.verdict, ended=True, exit_code=job.code)
            else:
                shown[job.id] = Seen(Status.RUNNING if job.state == "running" else Status.PENDING, ended=False)
        return shown

    def named(self, submission: str) -> list[Job]:
        """The jobs that carry the name of a submission."""
        return [job for job in self.jobs.values() if job.submission == submission and not job.local]

    def _over(self, job: Job, verdict: Status, code: int | None) -> None:
        job.state, job.verdict, job.code = "over", verdict, code
        if job.local:
            self.child_exits.append((job.index, job.attempt, job.id, 137 if code is None else code))

    def _record(self, kind: str, job: Job, *, code: int = 0, signal: str = "", owner: str = "") -> None:
        report = Report(kind, job.index, job.attempt, job.id, HOST, code=code, signal=signal, owner=owner)
        self.spool[f"{job.index}.{job.attempt}.{kind}.{job.id}"] = report
