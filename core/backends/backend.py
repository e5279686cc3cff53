"""The interface between driver and backend: jobs, and the closed set of answers to a submission."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..errors import may_pass


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """The files of one attempt of an instance. All paths are absolute."""

    name: str  # "INSTANCE.NUMBER", the name of its claim and records
    workspace: str
    script: str  # path of the user's script
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, or an array of several, ready to be submitted: its files are written.

    `name` begins with a tag, by which the job is found if the answer of sbatch is lost. `tasks` are the attempts' task
    numbers in the array (empty: no array), `options` the `#SBATCH` lines that they share.
    """

    submission: str
    name: str
    attempts: tuple[AttemptFiles, ...]
    tasks: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    after: str = ""  # the argument of sbatch's --dependency

    @property
    def only(self) -> AttemptFiles:
        """The attempt of a job that is not an array."""
        return self.attempts[0]


class JobIdentity(NamedTuple):
    """A job by its id and by what its name begins with. An id alone may be that of another job.

    The controller reuses ids after it lost its state, and each cluster of a site has its own ids.
    """

    job: str
    name: str  # of a local process: the attempt that it runs


@dataclass(frozen=True, slots=True)
class Accepted:
    """Accepted as `job`: a job id of the batch system, or a process id on host `node`."""

    job: str
    node: str = ""
    cluster: str = ""  # if the batch system named it


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not accepted now; it can be submitted again later.

    `limit`: because of a limit on jobs in the queue; `unknown`: further tries have to show whether it passes.
    """

    message: str
    limit: bool = False
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """No usable answer: the job may have been accepted."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not accepted, and the same submission would fail again."""

    message: str


Answer = Accepted | Deferred | Unclear | Refused


def put_off_or_refuse(error: OSError, message: str) -> Deferred | Refused:
    """Return the answer if an OSError prevented the submission."""
    return Deferred(message) if may_pass(error) else Refused(message)


class Backend(Protocol):
    """Submits and cancels jobs. Called from several threads; calls may block."""

    def submit(self, job: Job) -> Answer:
        """Submit a job."""
        ...

    def cancel(self, jobs: Collection[JobIdentity]) -> str:
        """Request the cancellation of jobs. Return an error message, empty if the request was accepted.

        Another job that has one of the ids is not cancelled.
        """
        ...
