"""Everything that can happen to a study: one small value each, kept in the journal (see event_codec.py).

The journal keeps these for ever, so a type or field that was released is never renamed or removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .causes import Cause
from .status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`at` is the writer's wall clock in seconds since 1970: for people, and for how long an allocation has left."""

    kind: ClassVar[str] = ""
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStarted(Event):
    """A driver holds the lease, and this segment of the journal is its own."""

    kind: ClassVar[str] = "driver_started"
    epoch: int
    host: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStopped(Event):
    """The driver let go in order. One that was killed says nothing."""

    kind: ClassVar[str] = "driver_stopped"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitIntended(Event):
    """About to hand `members` (instance, attempt) to a backend as one submission. On disk before it is done.

    A submission that turned out not to have arrived is made again under a new submission name but with the
    same attempt: so both would take the same claim, and the payload runs once even if both exist.

    Several members are a job array, each a task of it: as `tasks` says, else numbered from 0. `after` is what Slurm
    is to wait for (the value of sbatch's --dependency), if it is submitted ahead of its parents' ends. With an
    `allocation` they are given to that, which runs them side by side as far as its nodes go.
    """

    kind: ClassVar[str] = "submit_intended"
    submission: str
    backend: str  # "local", "pack", or the type of the batch system: "slurm"
    members: tuple[tuple[int, int], ...]
    tasks: tuple[int, ...] = ()
    after: str = ""
    allocation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(Event):
    """The backend took a submission."""

    kind: ClassVar[str] = "submitted"
    submission: str
    job: str  # Slurm's job id (of the whole array), or the process id of a local step
    node: str = ""  # for a local step, the host


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitDeferred(Event):
    """Not accepted because of a limit: it was not an attempt, and is tried again later."""

    kind: ClassVar[str] = "submit_deferred"
    submission: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitUnclear(Event):
    """No usable answer came: the submission may have arrived. It is looked up by its name."""

    kind: ClassVar[str] = "submit_unclear"
    submission: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMissed(Event):
    """An unclear submission was looked for long enough: it is not there."""

    kind: ClassVar[str] = "submit_missed"
    submission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRefused(Event):
    """The backend did not take it, and trying again the same way is of no use."""

    kind: ClassVar[str] = "submit_refused"
    submission: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The job says that its script begins now."""

    kind: ClassVar[str] = "started"
    instance: int
    attempt: int
    job: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited(Event):
    """The job says that its script ended, not with code 0: Slurm's verdict on the cause is awaited."""

    kind: ClassVar[str] = "exited"
    instance: int
    attempt: int
    code: int
    node: str = ""
    error: str = ""  # what kept the script from being run at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Event):
    """Slurm shows the job in another state, or pending for another reason, than before."""

    kind: ClassVar[str] = "observed"
    instance: int
    attempt: int
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """An attempt is over. It has a `cause` if it did not finish well."""

    kind: ClassVar[str] = "ended"
    instance: int
    attempt: int
    status: Status
    exit_code: int | None = None
    cause: Cause | None = None
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbound(Event):
    """The jobs of bound `members` (instance, attempt) can no longer begin: their claims are taken by the driver."""

    kind: ClassVar[str] = "unbound"
    members: tuple[tuple[int, int], ...]
    cause: Cause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(Event):
    """Attempts that an allocation did not bring to their ends, by no fault of theirs: they are made again."""

    kind: ClassVar[str] = "returned"
    members: tuple[tuple[int, int], ...]
    cause: Cause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationEvent(Event):
    """Something that happened to an allocation, by the name that it has in its study."""

    allocation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationIntended(AllocationEvent):
    """About to ask Slurm for an allocation that instances are to share. On disk before it is done."""

    kind: ClassVar[str] = "allocation_intended"
    pool: tuple[str, ...]  # what the jobs of its instances have in common: options of sbatch
    gpus: int  # on each node
    nodes: int
    seconds: int  # its walltime


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationQueued(AllocationEvent):
    """Slurm took the allocation's job."""

    kind: ClassVar[str] = "allocation_queued"
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationObserved(AllocationEvent):
    """Slurm shows its job in another state, or pending for another reason, than before."""

    kind: ClassVar[str] = "allocation_observed"
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationBegan(AllocationEvent):
    """Its leader says that it takes instances. `seconds` are left of its walltime, 0 if there is no end."""

    kind: ClassVar[str] = "allocation_began"
    job: str
    hosts: tuple[str, ...] = ()
    cores: int = 0  # on all nodes together
    seconds: float = 0.0
    graph: bool = True  # whether it can be given what waits for others that it has


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationEnding(AllocationEvent):
    """It was told, or says, that it takes no more instances."""

    kind: ClassVar[str] = "allocation_ending"
    cause: Cause | None = None  # as text: what its leader says


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationOver(AllocationEvent):
    """Its job has ended, or there is none. What it had not brought to an end has been returned before this."""

    kind: ClassVar[str] = "allocation_over"
    status: Status
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSilent(Event):
    """Slurm cannot be asked. Nothing follows from that."""

    kind: ClassVar[str] = "slurm_silent"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmAnswers(Event):
    """Slurm can be asked again."""

    kind: ClassVar[str] = "slurm_answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTaken(Event):
    """A command was read from the inbox. What it does to each instance follows as events of their own."""

    kind: ClassVar[str] = "command_taken"
    command: str  # its id
    verb: str
    targets: tuple[str, ...] = ()
    options: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDone(Event):
    """A command was carried out, or refused with the reason."""

    kind: ClassVar[str] = "command_done"
    command: str
    outcome: str  # "done" or "refused"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Event):
    """An instance is not to start until it is released."""

    kind: ClassVar[str] = "held"
    instance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(Event):
    """A held instance may start."""

    kind: ClassVar[str] = "released"
    instance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried(Event):
    """An instance is to run again. `why` says which rule did that; without it a person has asked for it.

    `changes` are resources that this and every later attempt gets; an empty value takes a change back.
    """

    kind: ClassVar[str] = "retried"
    instance: int
    changes: tuple[tuple[str, str], ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked(Event):
    """A person says that an instance counts as finished, or is to be skipped; `cause` has the reason."""

    kind: ClassVar[str] = "marked"
    instance: int
    status: Status
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(Event):
    """An instance is to end. One that was not submitted is cancelled by this; of others the job is to be ended."""

    kind: ClassVar[str] = "cancel_requested"
    instance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSent(Event):
    """The backend took the request to end these instances' jobs; that they ended is told by `ended`."""

    kind: ClassVar[str] = "cancel_sent"
    instances: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFailed(Event):
    """The backend did not take the request; it is made again."""

    kind: ClassVar[str] = "cancel_failed"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged(Event):
    """New limits, from now on and for every later driver."""

    kind: ClassVar[str] = "settings_changed"
    throttle: int | None = None
    local_jobs: int | None = None
    rlimit: int | None = None
    poll: int | None = None  # seconds between two looks at Slurm


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanExtended(Event):
    """Rows were added to the plan: from here on it has `size` instances."""

    kind: ClassVar[str] = "plan_extended"
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRun(Event):
    """About to run a command that the study gives for an occasion: `on_end` or `on_failure`."""

    kind: ClassVar[str] = "hook_run"
    hook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly(Event):
    """Something that should not happen; it changed nothing."""

    kind: ClassVar[str] = "anomaly"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEnded(Event):
    """Nothing is left to do: the study is finished, failed or cancelled."""

    kind: ClassVar[str] = "study_ended"
    result: str


TYPES: dict[str, type[Event]] = {
    event.kind: event
    for event in tuple(globals().values())
    if isinstance(event, type) and issubclass(event, Event) and event.kind
}
