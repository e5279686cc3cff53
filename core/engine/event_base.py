"""What all events have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`at` is the writer's wall clock in seconds since 1970, for display and for the time left in an allocation."""

    kind: ClassVar[str] = ""
    at: float
