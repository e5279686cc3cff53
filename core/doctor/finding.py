"""The results of checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """The severity of a finding. The value is printed, also in JSON."""

    GOOD = "ok"
    NOTE = "note"  # mtui has a workaround, or the user may want to do something
    PROBLEM = "problem"  # features that need it do not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One result: `found` is the fact, `then` what mtui or the user can do about it (may be empty)."""

    subject: str
    found: str
    level: Level = Level.GOOD
    then: str = ""


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """The findings of one check: the terminal, Slurm, a directory, this machine."""

    title: str
    findings: Sequence[Finding]


def note(subject: str, found: str, then: str) -> Finding:
    return Finding(subject, found, Level.NOTE, then)


def problem(subject: str, found: str, then: str) -> Finding:
    return Finding(subject, found, Level.PROBLEM, then)
