"""The durable state of a study: all that its events add up to, and therefore all that a checkpoint stores.

A checkpoint is generated from the fields of DurableState (state_codec.py). What can be derived from the fields is not
one of them; it is in StatusIndex (status_index.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..plan.study_plan import Plan
from .allocation_table import AllocationTable
from .attempt import Attempt
from .causes import Cause
from .status import Status


@dataclass(slots=True)
class Command:
    """A command of a user: when it was read, and its outcome."""

    verb: str
    targets: tuple[str, ...]
    taken_at: float  # wall clock seconds
    outcome: str = ""  # "done" or "refused"; empty while it is being carried out
    message: str = ""


@dataclass(slots=True)
class DriverInfo:
    """The last driver of a study, as the journal reports it."""

    epoch: int = 0
    host: str = ""
    pid: int = 0
    since: float = 0.0  # wall clock seconds
    cluster: str = ""
    stopped: str = ""  # why it released the study; empty while it drives


@dataclass(slots=True)
class IoError:
    """What the driver cannot do at present, and why."""

    since: float  # wall clock seconds
    path: str
    message: str
    code: str


def prepare_words(instance: str) -> str:
    """Return how the errors of an instance's files are named among those of a study."""
    return f"prepare {instance}"


@dataclass(slots=True, eq=False)
class DurableState:
    """All stored state. Instances are indices into the plan; times are wall clock seconds, 0 if there is none.

    A dict to None is a queue: a set in the order of entry. That order follows from the order of events only, so the
    queues are stored although their members follow from the statuses.
    """

    size: int  # number of the plan's instances that exist so far: see PlanExtended
    status: list[Status]  # by instance
    ready: list[dict[int, None]]  # by step: only a slot is missing
    ahead: list[dict[int, None]]  # by step: all unfinished parents are in Slurm, so they can be bound to those
    ran: list[tuple[int, float]]  # by step: number of finished instances, and the sum of their run times in seconds
    attempts: dict[int, list[Attempt]] = field(default_factory=dict[int, list[Attempt]])
    live_slurm: dict[int, None] = field(default_factory=dict[int, None])  # Slurm has their jobs, or may have them
    live_local: dict[int, None] = field(default_factory=dict[int, None])
    live_packed: dict[int, None] = field(default_factory=dict[int, None])  # assigned to allocations
    allocations: AllocationTable = field(default_factory=AllocationTable)
    submissions: dict[str, tuple[tuple[int, int], ...]] = field(
        default_factory=dict[str, tuple[tuple[int, int], ...]]
    )  # unanswered: (instance, attempt)
    held: set[int] = field(default_factory=set[int])
    cancelled_before_submit: set[int] = field(default_factory=set[int])  # by command
    marked: dict[int, Cause | None] = field(default_factory=dict[int, "Cause | None"])  # finished or skipped by command
    retried_automatically: set[int] = field(default_factory=set[int])  # the next attempt is a retry by rule
    to_cancel: dict[int, None] = field(default_factory=dict[int, None])  # cancel requests still to be sent
    to_unbind: dict[int, None] = field(default_factory=dict[int, None])  # to be withdrawn from Slurm or an allocation
    lost_dependency: set[int] = field(default_factory=set[int])  # subset: a job they are bound to will never succeed
    dependency_never_satisfied: set[int] = field(default_factory=set[int])  # by Slurm: not ahead until submitted
    missed_rows: set[int] = field(default_factory=set[int])  # attempts without rows added since: they run again
    changes: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])  # resources for retries
    commands: dict[str, Command] = field(default_factory=dict[str, Command])
    throttle: int | None = None  # this and the next three are set by command; None: as the study was started
    local_jobs: int | None = None
    rlimit: int | None = None
    poll: int | None = None
    driver: DriverInfo = field(default_factory=DriverInfo)
    io_errors: dict[str, IoError] = field(default_factory=dict[str, IoError])  # by what cannot be done
    slurm_silent_since: float = 0.0
    slurm_message: str = ""
    deferred: str = ""  # Slurm's message when it last deferred a submission
    result: str = ""  # of the study; empty until it is over
    retried_at: float = 0.0  # last retry by a user
    failure_hook_ran: bool = False  # since then
    end_hook_ran: bool = False  # for this end of the study
    last_event_at: float = 0.0

    def continue_study(self) -> None:
        """Note that something can run again: if the study was over, it will have another end."""
        self.result, self.end_hook_ran = "", False

    @classmethod
    def initial(cls, plan: Plan) -> DurableState:
        """Return the state before the first event: every instance waits, except those skipped or not added yet."""
        size = plan.sizes[0] if plan.sizes else len(plan.instances)
        status = [Status.WAITING] * len(plan.instances)
        for step in plan.steps:
            for index in step.instances:
                if step.skipped or index >= size:
                    status[index] = Status.SKIPPED
        return cls(size, status, [{} for _ in plan.steps], [{} for _ in plan.steps], [(0, 0.0) for _ in plan.steps])

    @property
    def clusters(self) -> set[str]:
        """The Slurm clusters that have the study's jobs and allocations, or may have them; empty if none is known."""
        attempts = (self.attempts[index][-1].cluster for index in self.live_slurm)
        return {*attempts, *(allocation.cluster for allocation in self.allocations.open())} - {""}

    def is_elsewhere(self, cluster: str) -> bool:
        """Whether a job is known to be on another cluster than the driver's: polls do not show it."""
        return bool(cluster and self.driver.cluster) and cluster != self.driver.cluster

    def found_on(self, cluster: str) -> None:
        """Record the cluster of the jobs and allocations of which it is not known."""
        for index in self.live_slurm:
            self.attempts[index][-1].cluster = self.attempts[index][-1].cluster or cluster
        for allocation in self.allocations.open():
            allocation.cluster = allocation.cluster or cluster

    def last_attempt(self, index: int) -> Attempt | None:
        """The last attempt of an instance, ended or not."""
        attempts = self.attempts.get(index)
        return attempts[-1] if attempts else None

    def next_attempt(self, index: int) -> int:
        """Return the attempt number for a new submission of this instance.

        It increases only if the last attempt ended: a submission that was deferred or never arrived is repeated as the
        same attempt, and takes the same claim.
        """
        last = self.last_attempt(index)
        if last is None:
            return 1
        return last.number + 1 if last.ended_at else last.number

    def waits_in_allocation(self, index: int) -> bool:
        """Whether an instance is assigned to an allocation that could start it and has not."""
        return self.status[index] is Status.PENDING and index in self.live_packed
