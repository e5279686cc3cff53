"""What a driver asks of a backend, and the closed set of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt of one instance, ready to be handed over: its files are written.

    `name` begins with the tag by which the job is found again if the answer is lost. All paths are absolute.
    """

    submission: str
    attempt: str  # "INSTANCE.NUMBER", the name of its claim and records
    name: str
    workspace: str
    script: str  # path of the user's script
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Accepted:
    job: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: a limit on how much may be submitted. Certainly not accepted."""

    message: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """No usable answer: it may have been accepted all the same."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not accepted, and trying again the same way is of no use."""

    message: str


Answer = Accepted | Deferred | Unclear | Refused


class Backend(Protocol):
    """Hands a job over and says what came of it; may block, is called from threads."""

    def submit(self, job: Job) -> Answer: ...

    def cancel(self, jobs: Sequence[str]) -> str:
        """Ask for the end of jobs; an error message, empty if the request was taken."""
        ...
