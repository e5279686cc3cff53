"""A driver's context for the tests of its parts: the real one, over a real directory, with backends that only note."""

from __future__ import annotations

import queue
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from mtui.core.backends.backend import Accepted, Answer, Job, JobIdentity
from mtui.core.backends.cluster_limits import ClusterLimits
from mtui.core.backends.local import Local
from mtui.core.backends.slurm_text import SlurmView, Unobserved
from mtui.core.driver.context import Call, DriverContext
from mtui.core.driver.event_log import EventLog
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.plan.extend import extend_plan
from mtui.core.spec.study_spec import Step
from mtui.core.store.lease import Lease
from mtui.core.store.lease_owner import Owner
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile
from tests.plans import plan
from tests.unit.engine.script import intend, submitted


class FakeSlurm:
    """A batch system that takes every job. Answers can be set; all calls are noted."""

    arrays: ClassVar[bool] = True
    binds: ClassVar[bool] = True
    allocates: ClassVar[bool] = True

    def __init__(self, home: Path = Path(), log: Path = Path()) -> None:  # noqa: ARG002
        self.limits: ClusterLimits | Exception = ClusterLimits()
        self.answers: list[Answer] = []  # of the next submissions and requests
        self.refusals: list[str] = []  # of the next cancellations
        self.view: SlurmView | Unobserved | Exception = SlurmView({})
        self.jobs: list[Job] = []
        self.scripts: list[str] = []  # of allocations
        self.cancelled: list[list[str]] = []  # ids
        self.identities: dict[str, str] = {}  # of jobs that were cancelled or polled: the start of the name by id
        self.polls: list[tuple[list[str], list[str]]] = []
        self.name = ""  # of the cluster
        self.accepted = 0

    def _answer(self) -> Answer:
        if self.answers:
            return self.answers.pop(0)
        self.accepted += 1
        return Accepted(f"{100 + self.accepted}")

    def submit(self, job: Job) -> Answer:
        self.jobs.append(job)
        return self._answer()

    def ask(self, name: str, script: Path) -> Answer:  # noqa: ARG002
        self.scripts.append(script.read_text())
        return self._answer()

    def cancel(self, jobs: Collection[JobIdentity]) -> str:
        self.cancelled.append([job for job, _ in jobs])
        self.identities.update(jobs)
        return self.refusals.pop(0) if self.refusals else ""

    def cluster(self) -> str:
        return self.name

    def look(self, expected: Collection[JobIdentity], names: Collection[str] = ()) -> SlurmView | Unobserved:
        self.polls.append((sorted(job for job, _ in expected), sorted(names)))
        self.identities.update(expected)
        if isinstance(self.view, Exception):
            raise self.view
        return self.view

    def site(self) -> ClusterLimits:
        if isinstance(self.limits, Exception):
            raise self.limits
        return self.limits


class FakeLocal(Local):
    """This machine, on which nothing is started."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, "here", lambda *_: None)
        self.answers: list[Answer] = []
        self.jobs: list[Job] = []
        self.cancelled: list[str] = []
        self.killed: list[str] = []
        self.running: set[str] = set()  # attempts

    def submit(self, job: Job) -> Answer:
        self.jobs.append(job)
        return self.answers.pop(0) if self.answers else Accepted(f"{1000 + len(self.jobs)}", "here")

    def cancel(self, jobs: Collection[JobIdentity]) -> str:
        self.cancelled += [pid for pid, _ in jobs]
        return ""

    def kill(self, step: JobIdentity) -> None:
        self.killed.append(step.job)

    def is_running(self, attempt: str, pid: str) -> bool:  # noqa: ARG002
        return attempt in self.running


class FakeLog(EventLog):
    """The real log; `trace` has its events by kind and its syncs, in order."""

    def __init__(self, directory: StudyDirectory, study: StudyFile) -> None:
        self.events: list[ev.Event] = []
        self.trace: list[str] = []
        super().__init__(directory, study, 1, self._note_event)

    def _note_event(self, event: ev.Event, state: StudyState) -> None:  # noqa: ARG002
        self.events.append(event)
        self.trace.append(event.kind)

    def sync(self) -> bool:
        is_synced = super().sync()
        self.trace.append("sync" if is_synced else "no sync")
        return is_synced


class FakeLease(Lease):
    """A lease that holds without heartbeats, until the test says otherwise."""

    fresh = True

    @property
    def is_fresh(self) -> bool:
        return self.fresh


class FakeContext(DriverContext):
    """The context of a driver of epoch 1. Of a study without scheduled steps it has no batch system."""

    created: ClassVar[list[FakeContext]] = []  # by the present test

    def __init__(
        self,
        folder: Path,
        *steps: Step,
        rows: Mapping[str, Sequence[object]] | None = None,
        added: Mapping[str, Sequence[object]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """`added` are the rows that it has after an extension, which `begin` applies."""
        directory = create_directory(folder / "out", "", [])
        made = plan(*steps, rows=rows, out=str(directory.root))
        if added:
            made = extend_plan(made, plan(*steps, rows=added).parameters)
        study = StudyFile("0a1b2c3d", 1.0, "s.yaml", settings or Settings(), made)
        self.calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self.fake_log = FakeLog(directory, study)
        self.fake_slurm = FakeSlurm()
        self.fake_local = FakeLocal(directory.home)
        lease = FakeLease(directory.owner, Owner(1, "here", "", 1, "", 1.0), None)
        slurm = self.fake_slurm if made.uses_slurm else None
        super().__init__(directory, study, lease, self.fake_log, slurm, self.fake_local, self.calls)
        FakeContext.created.append(self)

    def end_threads(self) -> None:
        """End the threads of all parts. They would keep the process of the tests alive."""
        for threads in self._workers:
            threads.shutdown()

    def run_posted(self, count: int = 1) -> None:
        """Make `count` calls that threads have posted, waiting for each."""
        for _ in range(count):
            self.calls.get(timeout=20)()

    @property
    def is_idle(self) -> bool:
        """Whether no call is posted."""
        return self.calls.empty()

    @property
    def trace(self) -> list[str]:
        """The kinds of all events so far, and where the journal was synced."""
        return self.fake_log.trace

    def since(self, count: int) -> list[str]:
        """The kinds of the events after the first `count`."""
        return [event.kind for event in self.fake_log.events[count:]]

    def submit(self, index: int, job: str = "7", backend: str = "slurm", after: str = "") -> None:
        """Have an instance submitted as `job`, by events alone."""
        number = self.state.next_attempt(index)
        name = f"0-{index}.{number}"
        self.emit(intend(name, (index, number), backend=backend, after=after))
        self.emit(submitted(name, job, "here" if backend == "local" else ""))
        self.fake_log.events.clear()
        self.fake_log.trace.clear()


class Clock:
    """The monotonic clock of a test; `now` is set by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
