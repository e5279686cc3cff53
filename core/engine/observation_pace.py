"""How often repeated changes of a job are recorded: Slurm's reason may alternate at every poll, for weeks."""

from __future__ import annotations

_FIRST = 60.0  # seconds between the second and third such change of a job that are recorded; doubled each time
_LONGEST = 3600.0


class ObservationPace:
    """When the next change of each job may be recorded. Times are wall clock seconds, as in the events."""

    def __init__(self) -> None:
        self._recorded: dict[int, tuple[float, float]] = {}  # instance -> last recorded change, pause after it

    def allows(self, index: int, at: float) -> bool:
        """Whether a change may be recorded now; if so, it counts as recorded."""
        if index not in self._recorded:
            self._recorded[index] = at, 0.0
            return True
        last, pause = self._recorded[index]
        if last <= at < last + pause:  # not if the clock was set back
            return False
        self._recorded[index] = at, min(max(_FIRST, 2 * pause), _LONGEST)
        return True

    def forget(self, index: int) -> None:
        """Drop what was recorded of an instance that is over or has another attempt."""
        self._recorded.pop(index, None)
