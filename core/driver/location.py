"""Where the driver of a study is, and how a supervision ends. Facts only: whoever shows them words them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..engine.state import StudyState
from ..store.lease import Owner


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The supervisor has not looked yet."""


@dataclass(frozen=True, slots=True)
class DrivenHere:
    """This process drives; `gone` is the dead driver that it takes over from, if there was one."""

    gone: Owner | None = None


@dataclass(frozen=True, slots=True)
class DrivenElsewhere:
    """Another process drives."""

    owner: Owner
    words: str  # who, where, since when, and whether the process is suspended
    quiet_for: float = 0.0  # seconds without a sign of life, in steps of five
    is_silent: bool = False  # it has most likely ended: too early to take over, enough to say so


@dataclass(frozen=True, slots=True)
class CannotDrive:
    """This process tried to drive, and failed."""

    message: str
    is_bug: bool = False  # of mtui; else an expected failure


@dataclass(frozen=True, slots=True)
class StudyOver:
    """The study is finished, failed or cancelled. `state` is missing if nothing had to be read."""

    result: str
    state: StudyState | None = None


@dataclass(frozen=True, slots=True)
class DriverReleased:
    """The driver, this process or another, released a study that is not over. `state` as in StudyOver."""

    reason: str
    by_this_process: bool
    state: StudyState | None = None


@dataclass(frozen=True, slots=True)
class HandedOver:
    """This process handed over, and the successor drives."""

    successor: Owner


@dataclass(frozen=True, slots=True)
class WatchEnded:
    """This process was asked to end while it did not drive; `owner` is the driver that it watched."""

    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class DrivenByAnother:
    """Another process was quicker to take the lease, and this one is not to watch it."""


DriverLocation: TypeAlias = NotKnown | DrivenHere | DrivenElsewhere | CannotDrive | StudyOver | DriverReleased
Outcome: TypeAlias = StudyOver | DriverReleased | HandedOver | WatchEnded | DrivenByAnother
