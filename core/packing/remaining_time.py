"""Parses the remaining time of a job."""

from __future__ import annotations

import re

_FORM = re.compile(r"(?:(\d+)-)?(?:(?:(\d+):)?(\d+):)?(\d+)")
_FOR_EVER = 10 * 365 * 86400.0


def time_left(text: str) -> float | None:
    """Convert squeue's time left (1-02:03:04, 2:03:04, 3:04, 4) to seconds; None if there is no limit or no answer.

    Of a heterogeneous job each component has a line; the first one is that of the batch script.
    """
    match = _FORM.fullmatch(text.strip().partition("\n")[0].strip())
    if not match:
        return None  # UNLIMITED, INVALID, NOT_SET, or no answer
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def time_until(end: str, now: float) -> float | None:
    """Return the seconds until `end`, a time in seconds since the epoch, as text; None if there is no limit."""
    if not end.isdigit() or float(end) - now > _FOR_EVER:
        return None
    return max(0.0, float(end) - now)
