"""When and how Slurm is asked: in one call for all jobs, seldom, and sooner when something hangs on it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection

from ..backends.batch import BatchSystem
from ..backends.slurm_text import SlurmView, Unobserved

SOON = 1.0  # seconds to the first extra look when one is wanted; each further one waits twice as long
SOON_MOST = 10.0
LONGEST_BACK_OFF = 180.0  # seconds between looks at a Slurm that does not answer

Answer = SlurmView | Unobserved


class SlurmPoller:
    """Schedules looks at Slurm and makes each on a thread of its own. All times are monotonic seconds."""

    def __init__(self, slurm: BatchSystem, interval: float, post: Callable[[Callable[[], None]], None]) -> None:
        self._slurm = slurm
        self._every = interval
        self._interval = interval
        self._post = post
        self._looking = False
        self._last = 0.0
        self._soon = SOON
        self._failures = 0  # looks in a row without an answer

    def every(self, interval: float) -> None:
        """Look so often from now on."""
        if interval != self._every:
            self._every = self._interval = interval

    def due(self, wanted: bool, silent: bool) -> float | None:
        """When the next look is due; None while one is under way. `wanted`: something waits for its answer."""
        if self._looking:
            return None
        return self._last + (min(self._interval, self._soon) if wanted and not silent else self._interval)

    def start(
        self, wanted: bool, jobs: Collection[str], names: Collection[str], take: Callable[[Answer, float], None]
    ) -> None:
        """Begin a look; `take` gets the answer and the time at which it was begun, on the driver's thread."""
        asked = time.monotonic()
        self._looking = True
        self._last = asked
        self._soon = min(self._soon * 2, SOON_MOST) if wanted else SOON

        def look() -> None:
            try:
                answer = self._slurm.look(jobs, names)
            except Exception as error:  # a bug of ours must not end all looks
                answer = Unobserved(f"{type(error).__name__}: {error}")
            self._post(lambda: self._answered(answer, asked, take))

        # A daemon: a driver that lets go does not wait for a Slurm that is silent.
        threading.Thread(target=look, name="mtui-squeue", daemon=True).start()

    def _answered(self, answer: Answer, asked: float, take: Callable[[Answer, float], None]) -> None:
        self._looking = False
        if isinstance(answer, SlurmView):
            self._failures = 0
            self._interval = self._every * random.uniform(0.9, 1.1)  # so that many drivers do not ask in step
        else:
            self._interval = min(min(SOON_MOST, self._every) * 1.5**self._failures, LONGEST_BACK_OFF)
            self._failures += 1
        take(answer, asked)
