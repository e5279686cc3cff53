"""How many jobs of the user a site lets into its queue: a window that is kept full and not run into.

The limit is read from Slurm where that is allowed. Where it is not, it is learned: what was accepted was below it,
what was refused above it, and whatever lies between is halved with each try. What was learned is forgotten after a
while, for other jobs of the user come and go. A job that has ended counts a little longer, as it does for Slurm.
"""

from __future__ import annotations

from collections import deque

FORGET_AFTER = 600.0  # seconds
UNKNOWN = 1_000_000
_LINGER = 0.5  # seconds for which a job that has ended counts, at first
_LONGEST_LINGER = 60.0
_ALONE = 30.0  # seconds until the next try, if the limit is filled by others


class SubmitLimit:
    """The window of one submit limit. Counts are of this study's jobs; `now` is the driver's monotonic clock."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit  # as Slurm states it
        self._fits = 0  # the most that is known to fit
        self._too_many: int | None = None  # the fewest that were refused
        self._learned_at = 0.0
        self._linger = _LINGER
        self._ends: deque[float] = deque()  # of jobs that linger
        self._closed_until = 0.0

    def room(self, live: int, others: int, now: float) -> int:
        """How many more jobs to submit while `live` of this study and `others` of the user's are in the queue."""
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
        learned = max(top - live, 1 if live == 0 else 0)  # with nothing in the queue, one has to be tried
        return max(0, min(stated, learned))

    def due(self, now: float) -> float | None:
        """When there may be more room without anything that happens."""
        times = [self._closed_until] if self._closed_until > now else []
        if self._lingering(now):
            times.append(self._ends[0] + self._linger)
        return min(times, default=None)

    def ended(self, now: float) -> None:
        """A job is over."""
        self._ends.append(now)

    def accepted(self, live: int) -> None:
        """A submission was taken, with which `live` jobs are in the queue."""
        self._fits = max(self._fits, live)
        if self._too_many is not None and self._fits >= self._too_many:
            self._too_many = None  # there is more room by now than there was

    def refused(self, live: int, others: int, now: float) -> None:
        """A submission was refused because of the limit, with which `live` jobs would have been in the queue."""
        if self._ends and self.limit is not None and live + others <= self.limit:
            self._linger = min(2 * self._linger, _LONGEST_LINGER)  # Slurm counts what has ended for longer
            self._closed_until = now + self._linger
            return
        live += self._lingering(now)
        self._too_many = live if self._too_many is None else min(self._too_many, live)
        self._fits = min(self._fits, self._too_many - 1)
        self._learned_at = now
        if live <= 1:  # others of the user's fill it
            self._closed_until = now + _ALONE

    def _lingering(self, now: float) -> int:
        while self._ends and now - self._ends[0] >= self._linger:
            self._ends.popleft()
        return len(self._ends)
