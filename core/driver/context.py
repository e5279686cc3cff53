"""What the parts of one driver share: the study, its state, the journal, and the one way to take an event in."""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from mtui import __version__

from ..backends.batch import batch_system
from ..backends.local import Local
from ..backends.slurm_text import job_tag
from ..claims import attempt_name
from ..plan.extend import widened
from ..plan.packing import Packing
from ..spec.model import Pack
from ..store.checkpoint import load_state, write_checkpoint
from ..store.journal import Journal
from ..store.layout import StudyDirectory
from ..store.lease import Lease
from ..store.study_file import Settings, StudyFile
from ..study import events as ev
from ..study.again import Tries
from ..study.observer import Observer
from ..study.policy import Limits
from ..study.state import Impossible, StudyState
from ..study.status import UNSUCCESSFUL, Status
from .crash_points import crash_point
from .effects import Effects

Call = Callable[[], None]


class Listener(Protocol):
    """Is told of every event after it was taken in, on the driver's thread."""

    def __call__(self, event: ev.Event, state: StudyState) -> None: ...


def _pack(settings: Settings) -> Pack | None:
    """What is packed: as the study says, and all that can be in an allocation that is there already."""
    if not settings.inside:
        return settings.pack
    return Pack(nodes=int(os.environ.get("SLURM_JOB_NUM_NODES", "1")))


class DriverContext:
    """One holder of the lease at work. Everything here runs on the driver's thread, but for `post`."""

    def __init__(
        self,
        directory: StudyDirectory,
        study: StudyFile,
        lease: Lease,
        calls: queue.SimpleQueue[Call],
        listener: Listener,
        on_local_exit: Callable[[str, str, int], None],
    ) -> None:
        self.directory = directory
        self.study = study
        self.plan = study.plan
        self.state, self._read = load_state(directory, study)
        self.observer = Observer(
            self.state, lambda index, number: directory.claims.is_taken(attempt_name(index, number))
        )
        self.lease = lease
        self.host = lease.owner.host
        self.local = Local(directory.home, self.host, on_local_exit)
        self.slurm = batch_system(study.plan, directory.home, directory.slurm_log)
        self._calls = calls
        self._closed = False
        self.effects = Effects(self.emit, self.sync, self.post)
        self.changed = True  # since status.csv was written
        self.slurm_closed_until = 0.0  # monotonic; no submission before
        self.packing = Packing(self.plan, _pack(study.settings))
        self._submissions = 0
        self._ends: list[int] = []  # steps of the Slurm jobs that ended
        self._failed = self._unsuccessful()  # what is to be judged whether it is tried again
        self._listener = listener
        self._journal = Journal(directory.journal, lease.owner.epoch)
        # Events since the last checkpoint; if there is none, at least one for each attempt.
        self._unkept = 0 if directory.checkpoint.exists() else len(self.state.attempts)

    @property
    def tries(self) -> Tries:
        """How often what failed is tried again by itself, where the study has no rule of its own."""
        settings = self.study.settings
        return Tries(settings.rlimit if self.state.rlimit is None else self.state.rlimit, settings.attempts)

    @property
    def limits(self) -> Limits:
        """What may run at once: as the study was started, or as commands changed it."""
        settings = self.study.settings
        throttle = settings.throttle if self.state.throttle is None else self.state.throttle
        return Limits(throttle, self.state.local_jobs or settings.local_jobs)

    @property
    def poll(self) -> float:
        """Seconds between two looks at Slurm while nothing calls for one sooner."""
        return self.state.poll or self.study.settings.poll

    def job_name(self, submission: str, members: Sequence[int]) -> str:
        """The name of a submission's job in Slurm: the tag by which it is found again, then words for people."""
        first = self.plan.instances[members[0]]
        words = first.stem if len(members) == 1 else self.plan.step_of(first).name
        words = re.sub(r"[,\s]+", "_", words[:120])  # sacct takes a comma for the next name, and squeue cuts blanks
        return f"{job_tag(self.study.study_id, submission)}:{words}"

    def new_submission(self) -> str:
        """A name that no other submission or allocation of the study has."""
        self._submissions += 1
        return f"{self.lease.owner.epoch}-{self._submissions}"

    def allocation_name(self, allocation: str) -> str:
        """The name of an allocation's job in Slurm."""
        return f"{job_tag(self.study.study_id, allocation)}:allocation"

    def begin(self) -> None:
        owner = self.lease.owner
        self.emit(
            ev.DriverStarted(at=time.time(), epoch=owner.epoch, host=owner.host, pid=owner.pid, version=__version__)
        )
        self._extend()
        self.sync()
        crash_point("driver.started")

    def _extend(self) -> None:
        """Take in rows that were added to the plan. Funnels over them that are done run again, with what follows."""
        for size in self.plan.sizes:
            if size <= self.state.size:
                continue
            before = self.state.size
            self.emit(ev.PlanExtended(at=time.time(), size=size))
            wider = set(widened(self.plan, before))
            again = wider | self.state.below(wider)
            for index in sorted(again, reverse=True):
                if index < before and self.state.status[index] is Status.FINISHED:
                    self.emit(ev.Retried(at=time.time(), instance=index))

    def emit(self, event: ev.Event) -> None:
        """Take an event into state and journal; one that cannot be is written as an anomaly."""
        if isinstance(event, ev.SubmitRefused):
            self._failed += (index for index, _ in self.state.submissions.get(event.submission, ()))
        try:
            self.state.apply(event)
        except Impossible as error:
            event = ev.Anomaly(at=event.at, message=f"{event.kind}: {error}")
            self.state.apply(event)
        self._journal.append(event)
        self._unkept += 1
        self._remember(event)
        self._listener(event, self.state)

    def emit_all(self, events: Iterable[ev.Event]) -> None:
        for event in events:
            self.emit(event)

    def _remember(self, event: ev.Event) -> None:
        self.changed = True
        match event:
            case ev.Started() | ev.Observed():
                self.observer.touch(event.instance, time.monotonic())
            case ev.Ended():
                self.observer.forget([event.instance])
                self.slurm_closed_until = 0.0  # there may be room again
                if event.status is not Status.FINISHED:
                    self._failed.append(event.instance)
                step = self.plan.step_of(self.plan.instances[event.instance])
                if step.scheduled:
                    self._ends.append(step.index)
            case ev.CancelSent():
                self.observer.told_to_end(event.instances, time.monotonic())
            case ev.SettingsChanged():
                self._failed = self._unsuccessful()
            case ev.SubmitIntended() | ev.Unbound() | ev.Returned():
                self.observer.forget(index for index, _ in event.members)
            case _:
                pass

    def _unsuccessful(self) -> list[int]:
        return [index for index, status in enumerate(self.state.status) if status in UNSUCCESSFUL]

    def take_failed(self) -> list[int]:
        """The instances that may have failed since the last call; all that have, at the first one."""
        failed, self._failed = self._failed, []
        return failed

    def take_ends(self) -> list[int]:
        """The steps of the Slurm jobs that have ended since the last call."""
        ends, self._ends = self._ends, []
        return ends

    def sync(self) -> None:
        self._journal.sync()

    def flush(self) -> None:
        self._journal.flush()

    def keep(self, at_least: int) -> None:
        """Write a checkpoint if that many events have come since the last one."""
        if self._unkept < at_least:
            return
        self._unkept = 0
        self.sync()
        with suppress(OSError):  # it would have saved time, nothing else
            read = {**self._read, self._journal.path.name: self._journal.size}
            write_checkpoint(self.directory, self.study, self.state, read)

    def post(self, call: Call) -> None:
        """Have something done on the driver's thread; from any thread. Too late once this drive is over."""
        self._calls.put(lambda: None if self._closed else call())

    def give_up(self) -> None:
        """Another driver goes on from what the journal says: what it does not say yet is not for it to read."""
        self._journal.drop()

    def close(self) -> None:
        self._closed = True
        self._journal.close()
