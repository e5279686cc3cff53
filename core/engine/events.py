"""Everything that can happen to a study: one small value for each event, kept in the journal (event_codec.py).

Those of shared allocations are defined in allocation_events.py.
The journal keeps events for ever, so a released type or field is never renamed or removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .allocation_events import AllocationBegan as AllocationBegan
from .allocation_events import AllocationEnding as AllocationEnding
from .allocation_events import AllocationEvent as AllocationEvent
from .allocation_events import AllocationIntended as AllocationIntended
from .allocation_events import AllocationObserved as AllocationObserved
from .allocation_events import AllocationOver as AllocationOver
from .allocation_events import AllocationQueued as AllocationQueued
from .allocation_events import AllocationTimeLeft as AllocationTimeLeft
from .causes import Cause
from .event_base import Event as Event
from .status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStarted(Event):
    """A driver holds the lease and has started a new segment of the journal."""

    kind: ClassVar[str] = "driver_started"
    epoch: int
    host: str
    pid: int
    version: str
    cluster: str = ""  # whose Slurm it uses; empty if the study needs none, or if that is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStopped(Event):
    """The driver released the study cleanly. A killed driver records nothing."""

    kind: ClassVar[str] = "driver_stopped"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitIntended(Event):
    """`members` (instance, attempt) are about to be submitted together. On disk before the backend is called.

    A submission that turns out not to have arrived is repeated under a new submission name but with the same attempt:
    both would take the same claim, so the script runs once even if both exist.

    Several members form a job array, one task each, numbered by `tasks` or else from 0. `after` is the value of
    sbatch's --dependency, for submissions ahead of their parents' ends. With an `allocation` they are assigned to
    that, which runs as many in parallel as its nodes allow.
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
    """The backend accepted a submission."""

    kind: ClassVar[str] = "submitted"
    submission: str
    job: str  # Slurm's job id (of the whole array), or the process id of a local step
    node: str = ""  # for a local step, the host
    cluster: str = ""  # the Slurm cluster on which it is a job; empty: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitDeferred(Event):
    """Not accepted because of a limit: does not count as an attempt, and is tried again later.

    `here`: the batch system was not called, because files of the members could not be written.
    """

    kind: ClassVar[str] = "submit_deferred"
    submission: str
    message: str
    here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached(Event):
    """Nothing is submitted before the user's other jobs have left the queue: they fill a limit on jobs."""

    kind: ClassVar[str] = "limit_reached"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitUnclear(Event):
    """No usable answer: the submission may have arrived. Polls of Slurm look for its job name."""

    kind: ClassVar[str] = "submit_unclear"
    submission: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMissed(Event):
    """No poll has found the job of an unclear submission for long enough: it never arrived."""

    kind: ClassVar[str] = "submit_missed"
    submission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRefused(Event):
    """The backend refused the submission, and repeating it unchanged would not help."""

    kind: ClassVar[str] = "submit_refused"
    submission: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The job reports that its script starts."""

    kind: ClassVar[str] = "started"
    instance: int
    attempt: int
    job: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited(Event):
    """The job reports that its script failed: Slurm's verdict on the cause is awaited."""

    kind: ClassVar[str] = "exited"
    instance: int
    attempt: int
    code: int
    node: str = ""
    error: str = ""  # what prevented the script from running at all


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
    """An attempt is over. It has a `cause` if it did not succeed; one that finished, as a warning."""

    kind: ClassVar[str] = "ended"
    instance: int
    attempt: int
    status: Status
    exit_code: int | None = None
    cause: Cause | None = None
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Slurm shows for an attempt that finished that something was wrong: its output may be incomplete."""

    kind: ClassVar[str] = "warned"
    instance: int
    attempt: int
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened(Event):
    """An attempt that counted as over did begin: `job` has its claim. Its end follows as for any other."""

    kind: ClassVar[str] = "reopened"
    instance: int
    attempt: int
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbound(Event):
    """The driver revoked the claims of bound `members` (instance, attempt): their jobs can no longer begin."""

    kind: ClassVar[str] = "unbound"
    members: tuple[tuple[int, int], ...]
    cause: Cause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(Event):
    """Attempts that their allocation did not finish although they did not fail: they are repeated."""

    kind: ClassVar[str] = "returned"
    members: tuple[tuple[int, int], ...]
    cause: Cause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFound(Event):
    """Jobs whose cluster the journal of an earlier version does not name were found on this one."""

    kind: ClassVar[str] = "cluster_found"
    cluster: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSilent(Event):
    """Slurm does not answer. Nothing follows from that."""

    kind: ClassVar[str] = "slurm_silent"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmAnswers(Event):
    """Slurm answers again."""

    kind: ClassVar[str] = "slurm_answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTaken(Event):
    """A command was read from the inbox. Its effects on instances follow as separate events."""

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
    """An instance must not start until it is released."""

    kind: ClassVar[str] = "held"
    instance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(Event):
    """A held instance may start."""

    kind: ClassVar[str] = "released"
    instance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried(Event):
    """An instance will run again. `why` names the rule that decided it; if empty, a user requested it.

    `changes` are resources for this and every later attempt; an empty value removes a change.
    """

    kind: ClassVar[str] = "retried"
    instance: int
    changes: tuple[tuple[str, str], ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked(Event):
    """A user marked an instance as finished or skipped; `cause` has the reason."""

    kind: ClassVar[str] = "marked"
    instance: int
    status: Status
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(Event):
    """The end of an instance was requested. An unsubmitted one is now cancelled; otherwise its job will be."""

    kind: ClassVar[str] = "cancel_requested"
    instance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSent(Event):
    """The backend accepted the request to cancel these instances' jobs; their ends follow as `ended`."""

    kind: ClassVar[str] = "cancel_sent"
    instances: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFailed(Event):
    """The backend did not accept the request; it is sent again."""

    kind: ClassVar[str] = "cancel_failed"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged(Event):
    """New limits, from now on and for every later driver."""

    kind: ClassVar[str] = "settings_changed"
    throttle: int | None = None
    local_jobs: int | None = None
    rlimit: int | None = None
    poll: int | None = None  # seconds between two polls of Slurm


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanExtended(Event):
    """Rows were added to the plan: it now has `size` instances."""

    kind: ClassVar[str] = "plan_extended"
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRun(Event):
    """About to run a command that the study defines as `on_end` or `on_failure`."""

    kind: ClassVar[str] = "hook_run"
    hook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IoErrorBegan(Event):
    """The driver cannot do `what` ("write status.csv") at present. It tries again, and does everything else."""

    kind: ClassVar[str] = "io_error_began"
    what: str
    path: str
    message: str  # the system's text
    code: str = ""  # the name of its number: ENOSPC


@dataclass(frozen=True, slots=True, kw_only=True)
class IoErrorEnded(Event):
    """The driver can do it again."""

    kind: ClassVar[str] = "io_error_ended"
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly(Event):
    """Something that should not happen; it changed nothing."""

    kind: ClassVar[str] = "anomaly"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEnded(Event):
    """No instance is left to run: the study is finished, failed or cancelled."""

    kind: ClassVar[str] = "study_ended"
    result: str


_ALL = (each for each in tuple(globals().values()) if isinstance(each, type) and issubclass(each, Event) and each.kind)
# Those of allocations last, as the documents list them.
TYPES: dict[str, type[Event]] = {
    event.kind: event for event in sorted(_ALL, key=lambda event: issubclass(event, AllocationEvent))
}
