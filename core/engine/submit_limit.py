"""How many jobs of the user a site accepts in its queue: a window that is kept full without running into the limit.

It is read from Slurm where permitted. Otherwise it is learned by bisection between the most that was accepted and
the fewest that were refused. What was learned expires, because the user's other jobs come and go. An ended job counts
a little longer, as it does in Slurm.
"""

from __future__ import annotations

from collections import deque

FORGET_AFTER = 600.0  # seconds
UNKNOWN = 1_000_000
_LINGER = 0.5  # seconds for which an ended job counts, at first
_LONGEST_LINGER = 60.0
_ALONE = 30.0  # seconds until the next try, if other jobs fill the limit


class SubmitLimit:
    """The window of one submit limit. Counts are of this study's jobs; `now` is the driver's monotonic clock."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit  # as reported by Slurm
        self._fits = 0  # the most that is known to fit
        self._too_many: int | None = None  # the fewest that were refused
        self._learned_at = 0.0
        self._linger = _LINGER
        self._ends: deque[float] = deque()  # end times of jobs that still count
        self._closed_until = 0.0

    def room(self, live: int, others: int, now: float) -> int:
        """Return how many more jobs to submit, with `live` of this study and `others` of the user in the queue."""
        if now < self._closed_until:
            return 0
        live += self._lingering(now)
        stated = UNKNOWN if self.limit is None else self.limit - others - live
        if self._too_many is not None and now - self._learned_at >= FORGET_AFTER:
            self._fits, self._too_many = 0, None
        if self._too_many is None:
            return max(0, stated)
        top = self._too_many - 1  # the most that may still fit
        if top > self._fits:
            top = (self._fits + self._too_many) // 2
        learned = max(top - live, 1 if live == 0 else 0)  # with an empty queue, one must be tried
        return max(0, min(stated, learned))

    def due(self, now: float) -> float | None:
        """Return when room may appear without any event."""
        times = [self._closed_until] if self._closed_until > now else []
        if self._lingering(now):
            times.append(self._ends[0] + self._linger)
        return min(times, default=None)

    def ended(self, now: float) -> None:
        """Record that a job ended."""
        self._ends.append(now)

    def accepted(self, live: int) -> None:
        """Record that a submission was accepted, with `live` jobs in the queue including it."""
        self._fits = max(self._fits, live)
        if self._too_many is not None and self._fits >= self._too_many:
            self._too_many = None  # there is more room now than before

    def refused(self, live: int, others: int, now: float) -> None:
        """Record that a submission was refused because of the limit; it would have made `live` jobs in the queue."""
        if self._ends and self.limit is not None and live + others <= self.limit:
            self._linger = min(2 * self._linger, _LONGEST_LINGER)  # Slurm counts ended jobs for longer
            self._closed_until = now + self._linger
            return
        live += self._lingering(now)
        self._too_many = live if self._too_many is None else min(self._too_many, live)
        self._fits = min(self._fits, self._too_many - 1)
        self._learned_at = now
        if live <= 1:  # the user's other jobs fill it
            self._closed_until = now + _ALONE

    def _lingering(self, now: float) -> int:
        while self._ends and now - self._ends[0] >= self._linger:
            self._ends.popleft()
        return len(self._ends)
