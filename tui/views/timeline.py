"""The timeline: a time axis, a bar for each instance, and the number of instances that ran at the same time.

Bars are computed only for the rows on the screen. They are text: dotted while Slurm queues the instance, solid while
it runs, and a glyph for the outcome in the cell where it ended.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

from ...core.engine.attempt import Attempt
from ...core.engine.state import StudyState
from ...core.engine.status import LIVE, OVER, Status
from .appearance import GROUP_GLYPHS, StatusGroup, group_of

BLANK = "blank"  # the kind of empty cells; any other kind is the value of a StatusGroup

_QUEUED = ("⠒", ".")
_RUNNING = ("⣿", "#")
_GUIDE = ("╎", "|")
_BEFORE, _AFTER = "<", ">"  # marks for times outside the axis
_RAMP = (" ⡀⣀⣄⣤⣦⣶⣷⣿", " .:-=+*#")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SECONDS = (1, 2, 5, 10, 15, 30)
_STEPS = (
    *_SECONDS,
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28, 91, 182, 364)),
)
_APART = 11  # columns between ticks, at least


@dataclass(frozen=True, slots=True)
class Axis:
    """A span of time over a number of columns. `ticks` are columns and their labels."""

    start: float
    end: float
    width: int
    ticks: tuple[tuple[int, str], ...]

    @property
    def per_column(self) -> float:
        return (self.end - self.start) / self.width

    def column(self, at: float) -> int:
        """Return the column of a time; outside 0 to width - 1 if the time is outside the axis."""
        return int((at - self.start) // self.per_column)


def axis(start: float, end: float, width: int, origin: float | None = None) -> Axis:
    """Return an axis with ticks at round times.

    The labels show the wall clock, or, if ticks are less than a minute apart, the time since `origin`.
    """
    width = max(1, width)
    end = max(end, start + 1e-3 * width)
    wanted = (end - start) * _APART / width
    step = next((step for step in _STEPS if step >= wanted), wanted)
    relative = step < _MINUTE
    zero = (start if origin is None else origin) if relative else -_offset(start)
    bare = Axis(start, end, width, ())
    ticks: list[tuple[int, str]] = []
    number = -(-(start - zero) // step)
    while (at := zero + number * step) < end:
        column = bare.column(at)
        label = _since(at - zero) if relative else _wall_clock(at, step)
        if column >= 0 and column + len(label) <= width:
            ticks.append((column, label))
        number += 1
    return Axis(start, end, width, tuple(ticks))


def _offset(at: float) -> int:
    """Return the offset of local time from UTC in seconds."""
    return time.localtime(at).tm_gmtoff


def _wall_clock(at: float, step: float) -> str:
    local = time.localtime(at + 0.5)
    if step >= _DAY or (local.tm_hour, local.tm_min) == (0, 0):
        return time.strftime("%d %b", local)
    return time.strftime("%H:%M", local)


def _since(seconds: float) -> str:
    sign = "-" if seconds < 0 else "+"
    minutes, rest = divmod(round(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}" if hours else f"{sign}{minutes:02d}:{rest:02d}"


def axis_text(axis: Axis, now: float | None = None, *, plain: bool = False) -> str:
    """Return the line of the axis labels, as wide as the axis; each label begins at its time. A mark shows `now`."""
    cells = [" "] * axis.width
    mark = -1 if now is None else axis.column(now)
    for column, label in axis.ticks:
        if not column <= mark <= column + len(label):
            cells[column : column + len(label)] = label
    if 0 <= mark < axis.width:
        cells[mark] = "v" if plain else "▾"
    return "".join(cells)


# --- instances


def order(state: StudyState) -> list[int]:
    """Return the instances that have an attempt, by the time when the first one was submitted or started."""
    begins = {index: _begin(attempts[0]) or float("inf") for index, attempts in state.attempts.items()}
    return sorted(sorted(begins), key=begins.__getitem__)


def extent(state: StudyState, order: Sequence[int], now: float) -> tuple[float, float]:
    """Return the first submission, and `now` or, if nothing is running, the last end; `order` as above."""
    start = (_begin(state.attempts[order[0]][0]) if order else 0.0) or now
    if state.live_slurm or state.live_local or state.live_packed:
        return start, max(start, now)
    return start, max((attempts[-1].ended_at for attempts in state.attempts.values()), default=0.0) or now


def _begin(attempt: Attempt) -> float:
    """Return the time when the backend got the attempt; 0 if it did not."""
    if attempt.queued_at and attempt.started_at:
        return min(attempt.queued_at, attempt.started_at)
    return attempt.queued_at or attempt.started_at or attempt.ended_at


def bar(
    axis: Axis, attempts: Sequence[Attempt], status: Status, now: float, *, plain: bool = False
) -> list[tuple[str, str]]:
    """Return the line of an instance, as wide as the axis, as pieces of text and their kinds.

    Every attempt gets a cell: if its own is taken, the next one to the right.
    """
    pick = int(plain)
    cells = [(" ", BLANK)] * axis.width
    for column, _ in axis.ticks:
        cells[column] = (_GUIDE[pick], BLANK)
    free = 0  # the first column right of the attempts drawn so far
    for attempt in attempts:
        is_last = attempt is attempts[-1]
        begin = _begin(attempt) or now
        if not attempt.ended_at and not (is_last and status in LIVE):
            continue  # it was deferred: not an attempt yet
        end = max(begin, attempt.ended_at or now)
        first, last = axis.column(begin), axis.column(end)
        if last < 0 or first >= axis.width:
            column, sign = (0, _BEFORE) if last < 0 else (axis.width - 1, _AFTER)
            if cells[column][1] == BLANK:
                cells[column] = (sign, BLANK)
            continue
        first = min(max(first, free), axis.width - 1)
        last = max(first, last)
        free = last + 1
        outcome = _outcome(attempt, status if is_last else None)
        started = attempt.started_at
        if not attempt.ended_at and outcome is StatusGroup.QUEUED:
            started = 0.0  # Slurm requeued it
        solid = max(first, axis.column(started)) if started else last + 1
        for column in range(first, min(last + 1, axis.width)):
            running = column >= solid
            kind = outcome if running else StatusGroup.QUEUED
            cells[column] = ((_RUNNING if running else _QUEUED)[pick], kind.value)
        if attempt.ended_at and last < axis.width:
            cells[last] = (GROUP_GLYPHS[outcome][pick], outcome.value)
    pieces = groupby(cells, key=lambda cell: cell[1])
    return [("".join(glyph for glyph, _ in piece), kind) for kind, piece in pieces]


def glyphs(*, plain: bool = False) -> tuple[str, str]:
    """Return the glyphs for queued and for running."""
    return _QUEUED[plain], _RUNNING[plain]


def _outcome(attempt: Attempt, status: Status | None) -> StatusGroup:
    """Return the outcome of an attempt; `status` is that of the instance if this is its last attempt."""
    if not attempt.ended_at:
        return StatusGroup.QUEUED if status is None else group_of(status)
    if attempt.outcome is not None:  # the instance may have run again or been marked by hand
        return group_of(attempt.outcome)
    if status is not None and status in OVER and status is not Status.BLOCKED:
        return group_of(status)
    if attempt.allocation and not attempt.started_at:
        return StatusGroup.QUEUED  # it was taken back and assigned to another allocation
    # A failed attempt was retried by the user; a returned one did not fail itself.
    return StatusGroup.CANCELLED if attempt.cancelled or attempt.returned else StatusGroup.FAILED


# --- concurrency


class Load:
    """How many instances ran at which time. Created once per state, it is evaluated quickly for any axis."""

    def __init__(self, state: StudyState) -> None:
        ran = [attempt for several in state.attempts.values() for attempt in several if attempt.started_at]
        self._zero = min((attempt.started_at for attempt in ran), default=0.0)
        self._starts = _Sums([attempt.started_at - self._zero for attempt in ran])
        ends = [max(attempt.started_at, attempt.ended_at) - self._zero for attempt in ran if attempt.ended_at]
        self._ends = _Sums(ends)
        self._still = len(ran) - len(ends)  # still running at the time of the state

    def over(self, axis: Axis, now: float) -> list[int]:
        """Return the average of each column; at least 1 where any instance ran."""
        edges = [axis.start + column * axis.per_column for column in range(axis.width + 1)]
        shares = [(after - before) / axis.per_column for before, after in pairwise(self._work(at, now) for at in edges)]
        return [max(1, round(share)) if share > 1e-3 else 0 for share in shares]

    def _work(self, at: float, now: float) -> float:
        """Return the run time of all instances together until `at`, in seconds."""
        past = at - self._zero
        return self._starts.since(past) - self._ends.since(past) - self._still * max(0.0, at - now)


def concurrency(state: StudyState, axis: Axis, now: float) -> list[int]:
    """Return how many instances ran at the same time, on average over each column; at least 1 where any did."""
    return Load(state).over(axis, now)


class _Sums:
    """A set of times, for which the time elapsed since each can be summed quickly."""

    def __init__(self, times: list[float]) -> None:
        self._times = sorted(times)
        self._sums = [0.0, *accumulate(self._times)]

    def since(self, at: float) -> float:
        """Return the sum of the seconds from each time up to `at`; later times count as 0."""
        count = bisect_right(self._times, at)
        return count * at - self._sums[count]


def sparkline(counts: Sequence[int], *, plain: bool = False) -> str:
    """Return a character per count, the highest for the maximum; 0 differs from small counts."""
    ramp = _RAMP[plain]
    top = max(counts, default=0)
    levels = len(ramp) - 1
    return "".join(ramp[-(-count * levels // top)] if top else ramp[0] for count in counts)
