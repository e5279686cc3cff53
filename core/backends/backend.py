"""What a driver asks of a backend, and the closed set of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import may_pass


@dataclass(frozen=True, slots=True)
class AttemptFiles:
    """One attempt of one instance, as its runner needs it. All paths are absolute."""

    name: str  # "INSTANCE.NUMBER", the name of its claim and records
    workspace: str
    script: str  # path of the user's script
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, ready to be handed over: its files are written. An array of several has `tasks`.

    `name` begins with the tag by which the job is found again if the answer is lost. `tasks` are the numbers that the
    attempts have in the array, `options` the lines that they share.
    """

    submission: str
    name: str
    attempts: tuple[AttemptFiles, ...]
    tasks: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    after: str = ""  # what Slurm is to wait for, as sbatch's --dependency takes it

    @property
    def only(self) -> AttemptFiles:
        """The attempt of a job that is no array."""
        return self.attempts[0]


@dataclass(frozen=True, slots=True)
class Accepted:
    job: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now. Certainly not accepted. `limit`: because of how much may be in the queue."""

    message: str
    limit: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """No usable answer: it may have been accepted all the same."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not accepted, and trying again the same way is of no use."""

    message: str


Answer = Accepted | Deferred | Unclear | Refused


def put_off_or_refuse(error: OSError, message: str) -> Deferred | Refused:
    """The answer if a job could not even be handed over."""
    return Deferred(message) if may_pass(error) else Refused(message)


class Backend(Protocol):
    """Hands a job over and says what came of it; may block, is called from threads."""

    def submit(self, job: Job) -> Answer: ...

    def cancel(self, jobs: Sequence[str]) -> str:
        """Ask for the end of jobs; an error message, empty if the request was taken."""
        ...
