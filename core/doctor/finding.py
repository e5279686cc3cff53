"""What a check found, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How a thing stands. The value is the word that people and programs read."""

    GOOD = "ok"
    NOTE = "note"  # mtui does something else about it, or somebody may want to
    PROBLEM = "problem"  # what needs it does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """`found` is the fact, `then` what mtui does about it or what a person can do; empty if all is as it should be."""

    subject: str
    found: str
    level: Level = Level.GOOD
    then: str = ""


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """The findings about one thing: the terminal, Slurm, a directory, this machine."""

    title: str
    findings: Sequence[Finding]


def note(subject: str, found: str, then: str) -> Finding:
    return Finding(subject, found, Level.NOTE, then)


def problem(subject: str, found: str, then: str) -> Finding:
    return Finding(subject, found, Level.PROBLEM, then)
