"""Estimates the progress of a study and the time left, no more precisely than its past allows.

It combines two estimates: the rate at which instances ended recently, and the median duration of each step with the
concurrency observed. The range that is shown spans both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from math import ceil, sqrt
from statistics import fmean, median

from ...core.engine import events as ev
from ...core.engine.attempt import Attempt
from ...core.engine.state import StudyState
from ...core.engine.status import IN_SLURM, OVER, Status
from ...core.plan.study_plan import Plan

_SAMPLES = 200  # durations kept for each step
_RECENT = 2000  # ended attempts that are used when a state is loaded
_CHECKPOINTS = 512  # of the past rate; if there are more, every second one of the older half is dropped
_SHORTEST_WINDOW = 60.0  # seconds of the past that a rate is computed from, at least
_FEWEST_ENDS = 20  # ended attempts that a rate is computed from, if there are so many
_PAUSE = 30.0  # seconds without an event after which a study without running instances counts as stalled
_CATCHING_UP = 60.0  # seconds in which a new driver reports what ended before its start
_UNTIMED = 0.1  # limit for the share of unfinished instances without a known duration
_ROUND = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)

_AT_WORK = frozenset({Status.RUNNING, Status.SUSPENDED, Status.COMPLETING})
_QUEUED = (IN_SLURM - _AT_WORK - {Status.BOUND}) | {Status.SUBMITTING, Status.UNCLEAR}


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low` and `high` are the seconds until everything that can end has ended; None if unknown."""

    done: int
    total: int
    rate_per_minute: float | None
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    at: float
    ended: int  # attempts since the driver started
    work: float  # seconds of running, summed over all instances, since then


@dataclass(frozen=True, slots=True)
class _Durations:
    """Statistics of the finished attempts of a step, in seconds."""

    middle: float  # median
    mean: float
    long: float  # 95th percentile


@dataclass(slots=True)
class _Pace:
    """The durations of one step, and the start times of its running instances."""

    samples: deque[float]
    running: dict[int, float]  # start times by instance
    worked_out: _Durations | None = None

    def durations(self) -> _Durations | None:
        if self.worked_out is None and self.samples:
            ordered = sorted(self.samples)
            long = ordered[ceil(0.95 * len(ordered)) - 1]
            self.worked_out = _Durations(median(ordered), fmean(ordered), long)
        return self.worked_out


class Estimator:
    """Follows the events of a study. Its memory and the cost of a call do not grow with the instances."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._clear()

    def _clear(self) -> None:
        self._paces = [_Pace(deque(maxlen=_SAMPLES), {}) for _ in self._plan.steps]
        self._local: dict[str, tuple[tuple[int, int], ...]] = {}  # local submissions without an answer
        self._running = 0
        self._past: list[_Checkpoint] = []
        self.began = 0.0  # time of the first submission; 0: none yet

    # --- events

    def resume_from(self, state: StudyState) -> None:
        """Start again from a loaded state."""
        self._clear()
        self.began = next((one[0].submitted_at for one in state.attempts.values() if one[0].submitted_at), 0.0)
        for step in self._plan.steps:
            samples = islice(self._finished(step.instances, state), _SAMPLES)
            for last, index in sorted(samples, key=lambda sample: sample[0].ended_at):
                self._sample(index, last, state.driver.since)
        ended = [one[-1] for one in state.attempts.values() if one[-1].ended_at]
        recent = nlargest(_RECENT, ended, key=lambda attempt: attempt.ended_at)
        since = max(state.driver.since, recent[-1].ended_at if len(recent) == _RECENT else 0.0)
        under_way = (*state.live_slurm, *state.live_packed, *state.live_local)
        live = [state.attempts[index][-1] for index in under_way if state.status[index] in _AT_WORK]
        moves = [(attempt.started_at, 1) for attempt in (*recent, *live) if attempt.started_at]
        moves += [(attempt.ended_at, -1) for attempt in recent if attempt.started_at]
        for at, move in sorted(moves):
            self._advance(max(at, since), ended=move < 0 and at > since)
            self._running += move
        self._running = 0
        for index in under_way:
            self._follow(index, state)

    @staticmethod
    def _finished(instances: Sequence[int], state: StudyState) -> Iterator[tuple[Attempt, int]]:
        """Yield the finished attempts and their instances, from the last in the plan to the first."""
        for index in reversed(instances):
            if state.status[index] is Status.FINISHED and (last := state.last_attempt(index)):
                yield last, index

    def note(self, event: ev.Event, state: StudyState) -> None:
        """Apply an event that the state has just applied."""
        match event:
            case ev.DriverStarted():
                # Without a driver, events were recorded late or not at all: they say nothing about the rate.
                self._past = [_Checkpoint(event.at, 0, 0.0)]
            case ev.SubmitIntended() if event.backend == "local":
                self._local[event.submission] = event.members
            case ev.Submitted():
                self.began = self.began or event.at
                self._advance(event.at)
                for index, _ in self._local.pop(event.submission, ()):
                    self._follow(index, state)
            case ev.Started() | ev.Observed():
                self._advance(event.at)
                self._follow(event.instance, state)
            case ev.Ended():
                self._advance(event.at, ended=True)
                self._follow(event.instance, state)
                last = state.last_attempt(event.instance)
                if last and event.status is Status.FINISHED:
                    self._sample(event.instance, last, state.driver.since)
            case ev.Returned():
                self._advance(event.at)
                for index, _ in event.members:
                    self._follow(index, state)
            case _:
                pass

    def _follow(self, index: int, state: StudyState) -> None:
        """Update whether an instance is running, and since when."""
        running = self._paces[self._plan.instances[index].step].running
        if running.pop(index, None) is not None:
            self._running -= 1
        last = state.last_attempt(index)
        if last and last.started_at and state.status[index] in _AT_WORK:
            running[index] = last.started_at
            self._running += 1

    def _sample(self, index: int, attempt: Attempt, driver_since: float) -> None:
        # What ended without a driver was recorded when the next one started: its duration is unknown.
        caught_up = attempt.started_at < driver_since <= attempt.ended_at < driver_since + _CATCHING_UP
        if 0 < attempt.started_at <= attempt.ended_at and not caught_up:
            pace = self._paces[self._plan.instances[index].step]
            pace.samples.append(attempt.ended_at - attempt.started_at)
            pace.worked_out = None

    def _advance(self, at: float, *, ended: bool = False) -> None:
        if not self._past:
            self._past.append(_Checkpoint(at, 0, 0.0))
        last = self._past[-1]
        at = max(at, last.at)  # clocks may jump back
        point = _Checkpoint(at, last.ended + ended, last.work + self._running * (at - last.at))
        if at == last.at and len(self._past) > 1:
            self._past[-1] = point
        else:
            self._past.append(point)
        if len(self._past) > _CHECKPOINTS:
            half = len(self._past) // 2
            self._past[:half] = self._past[:half:2]

    # --- estimates

    def estimate(self, state: StudyState, now: float) -> Estimate:
        """Return the progress at `now`, and an estimate of the time left."""
        skipped = state.counts[Status.SKIPPED]
        done, total = state.counts[Status.FINISHED], len(state.status) - skipped
        ended, concurrency, span = self._of_late(now)
        rate = ended / span if ended else None
        per_minute = None if rate is None else rate * 60
        coming = len(state.status) - sum(state.counts[status] for status in OVER) - state.counts[Status.HELD]
        why = self._why_unknown(state, coming, ended, now)
        if why:
            return Estimate(done, total, per_minute, None if coming else 0.0, None if coming else 0.0, why)
        low, high = self._by_steps(state, concurrency, coming, now)
        doubt = 1 + 1 / sqrt(max(1, ended))
        if high is not None:
            by_rate = coming / rate if rate else high
            low, high = min(low, by_rate), max(high, by_rate) * doubt
        low /= doubt
        return Estimate(done, total, per_minute, low, high, _left_words(low, high))

    def _why_unknown(self, state: StudyState, coming: int, ended: int, now: float) -> str:
        if not coming:
            held = state.counts[Status.HELD]
            return f"stalled: {held:,} held" if held else "nothing left to do"
        if state.driver.stopped:
            return "unknown: no driver runs"
        if state.slurm_silent_since and not state.live_local:
            return "unknown: Slurm does not answer"
        at_work = sum(state.counts[status] for status in _AT_WORK)
        queued = sum(state.counts[status] for status in _QUEUED)
        held = state.counts[Status.HELD]
        if held and not at_work and not queued and not state.counts[Status.READY]:
            return f"stalled: {held:,} held"  # all others depend on these
        is_quiet = state.last_event_at and now - state.last_event_at > _PAUSE  # 0: nothing has happened yet
        if not at_work and not queued and is_quiet:
            return "stalled: nothing runs"
        if not at_work and queued and not ended:
            return "unknown: waits in the queue"
        if not any(pace.samples for pace in self._paces):
            if not at_work and queued:
                return "unknown: waits in the queue"
            return "unknown: too early"
        return ""

    def _of_late(self, now: float) -> tuple[int, float, float]:
        """Return how many attempts ended recently, how many ran at once on average, and the seconds considered."""
        if not self._past:
            return 0, 0.0, 1.0
        last = self._past[-1]
        longest = self._longest()
        window = max(_SHORTEST_WINDOW, 3 * longest)  # jobs of a kind end in waves: the window must contain at least one
        by_time = bisect_left(self._past, now - window, key=lambda point: point.at)
        by_count = bisect_left(self._past, last.ended - _FEWEST_ENDS + 1, key=lambda point: point.ended)
        first = self._past[max(0, min(by_time, by_count) - 1)]
        span = max(1.0, now - first.at)
        work = last.work + self._running * max(0.0, now - last.at) - first.work
        return last.ended - first.ended, work / span, span

    def _longest(self) -> float:
        """Return the median duration of the slowest step."""
        return max((known.middle for pace in self._paces if (known := pace.durations())), default=0.0)

    def _by_steps(self, state: StudyState, concurrency: float, coming: int, now: float) -> tuple[float, float | None]:
        """Return the least and the most time left by the steps' durations; None for the most if unknown.

        The study takes at least as long as its work shared evenly and as its longest chain of steps, and at most as
        long as both one after the other.
        """
        longest = self._longest()
        least_work = most_work = least_chain = most_chain = untimed = 0.0
        chains: list[tuple[float, float]] = []
        for step, pace in zip(self._plan.steps, self._paces, strict=True):
            counts = state.step_counts[step.index]
            left = len(step.instances) - sum(counts[status] for status in OVER) - counts[Status.HELD]
            known, least, most = pace.durations(), 0.0, 0.0
            if left > 0 and known is None:
                untimed += left
                most = longest
                most_work += left * longest
            elif left > 0 and known is not None:
                ages = [now - at for at in pace.running.values()]
                least_work += max(0.0, left * known.middle - sum(min(known.middle, age) for age in ages))
                most_work += max(0.0, left * known.mean - sum(min(known.mean, age) for age in ages))
                late = _late(max(ages), pace.samples) if ages and max(ages) > known.long else 0.0
                youngest = min(ages) if left <= len(ages) else 0.0
                least, most = max(0.0, known.middle - youngest), max(0.0, known.long - youngest, late)
            above = [chains[parent] for parent in step.above]
            least += max((chain[0] for chain in above), default=0.0)
            most += max((chain[1] for chain in above), default=0.0)
            chains.append((least, most))
            least_chain, most_chain = max(least_chain, least), max(most_chain, most)
        low = max(least_work / max(concurrency, self._running, 0.01), least_chain)
        if untimed > _UNTIMED * coming:
            return low, None
        return low, max(low, most_work / max(concurrency, 0.01) + most_chain)


def _late(age: float, samples: Iterable[float]) -> float:
    """Return how long a late instance may still take; if it outlasted all others, as long again."""
    longer = [duration for duration in samples if duration > age]
    return median(longer) - age if longer else age


# --- text


def span_words(seconds: float) -> str:
    """Return a duration: `45s`, `3m12s`, `2h05m`, `1d03h`."""
    whole = max(0, int(seconds))
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // part:02d}{smaller}"
    return f"{whole}s"


def rough_words(seconds: float) -> str:
    """Return a growing duration in minutes: updates every second would cost a slow connection too much."""
    if seconds < 60:
        return "<1m"
    return f"{int(seconds // 60)}m" if seconds < 3600 else span_words(seconds // 60 * 60)


def _left_words(low: float, high: float | None) -> str:
    if high is None:
        floor = _down(low, _step(low / 4))
        return f"more than {_short(floor)} left" if floor else "time left unknown yet"
    step = _step((high - low) / 4)
    least, most = _down(low, step), max(step, _down(high + step - 1, step))
    if high <= 1.5 * low:
        middle = (low + high) / 2
        wide = _step((high - low) / 2)
        return f"about {_short(max(wide, _down(middle + wide / 2, wide)))} left"
    return f"{_short(least)}-{_short(most)} left" if least else f"under {_short(most)} left"


def _step(seconds: float) -> int:
    """Return the smallest unit of _ROUND that is not less than `seconds`; above a day, whole days."""
    return next((unit for unit in _ROUND if unit >= seconds), ceil(seconds / 86400) * 86400)


def _down(seconds: float, step: int) -> int:
    return int(seconds // step) * step


def _short(seconds: int) -> str:
    """Return a duration without a second part that is zero: `5m`, not `5m00s`."""
    words = span_words(seconds)
    return words[:-3] if len(words) > 3 and words[-3:-1] == "00" else words
