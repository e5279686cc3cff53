"""Where the driver of a study is, and how a supervision ends. Facts only; their wording is in `tui`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..engine.state import StudyState
from ..store.lease_owner import Owner


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The supervisor has not looked yet."""


@dataclass(frozen=True, slots=True)
class DrivenHere:
    """This process drives; `gone` is the dead driver that it replaced, if any."""

    gone: Owner | None = None


@dataclass(frozen=True, slots=True)
class DrivenElsewhere:
    """Another process drives."""

    owner: Owner
    words: str  # who, where, since when, and whether the process is suspended
    quiet_for: float = 0.0  # seconds without a sign of life, in steps of five
    is_silent: bool = False  # has most likely ended: reported, but too early to take over


@dataclass(frozen=True, slots=True)
class CannotDrive:
    """This process tried to drive, and failed."""

    message: str
    is_bug: bool = False  # in mtui; else an expected failure


@dataclass(frozen=True, slots=True)
class StudyOver:
    """The study is finished, failed or cancelled. `state` is None if nothing had to be read."""

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
    """This process was requested to end while not driving; `owner` is the driver that it watched."""

    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class DrivenByAnother:
    """Another process took the lease first, and this one does not watch it."""


DriverLocation: TypeAlias = NotKnown | DrivenHere | DrivenElsewhere | CannotDrive | StudyOver | DriverReleased
Outcome: TypeAlias = StudyOver | DriverReleased | HandedOver | WatchEnded | DrivenByAnother
