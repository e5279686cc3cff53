"""The problems of a spec file: collected with their places, and reported all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..errors import MtuiError


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in the file; line and column start at 1, line 0 is the file as a whole."""

    line: int = 0
    column: int = 0


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or a warning at one place of the file."""

    place: Place
    message: str
    hint: str = ""
    warning: bool = False
    file: str = ""  # empty: the study file

    def text(self, file: str) -> str:
        """Format the problem as `file:line:column: message`, with the hint on a separate line."""
        file = self.file or file
        where = f"{file}:{self.place.line}:{self.place.column}" if self.place.line else file
        kind = "warning: " if self.warning else ""
        hint = f"\n    hint: {self.hint}" if self.hint else ""
        return f"{where}: {kind}{self.message}{hint}"


@dataclass(slots=True)
class Problems:
    """Collects the problems of a file while it is read; `raise_if_any` raises them if there are errors."""

    file: str
    found: list[Problem] = field(default_factory=list[Problem])

    def error(self, place: Place, message: str, hint: str = "") -> None:
        self.found.append(Problem(place, message, hint))

    def warn(self, place: Place, message: str, hint: str = "") -> None:
        self.found.append(Problem(place, message, hint, warning=True))

    def adopt(self, other: Problems) -> None:
        """Add the problems of another file."""
        self.found += [replace(problem, file=other.file) for problem in other.found]

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.found if not problem.warning]

    @property
    def warnings(self) -> list[Problem]:
        return sorted((problem for problem in self.found if problem.warning), key=_order)

    def raise_if_any(self) -> None:
        """Raise SpecError with all problems found so far, including warnings, if there are errors."""
        if self.errors:
            raise SpecError(self.file, self.found)


def _order(problem: Problem) -> tuple[str, Place]:
    return problem.file, problem.place


class SpecError(MtuiError):
    """The spec has errors; `problems` has all of them, and the warnings."""

    speaker = ""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = sorted(problems, key=_order)
        super().__init__("\n".join(problem.text(file) for problem in self.problems))


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` probably misspells; empty if there is none."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)), "")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known word closest to `word`, or with all if at most 12 are known; else empty."""
    choices = sorted(known)
    close = closest(word, choices)
    if close:
        return f"did you mean '{close}'?"
    if 0 < len(choices) <= 12:
        return "known: " + ", ".join(choices)
    return ""
