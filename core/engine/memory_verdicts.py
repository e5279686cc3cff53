"""Finished jobs of which Slurm has not shown the end yet.

A script that exits with code 0 has finished, whatever Slurm shows. But Slurm may show OUT_OF_MEMORY: then it killed a
part of it, and the output may be incomplete. That is a warning, which the next polls bring.
"""

from __future__ import annotations

from collections.abc import Callable

from . import events as ev
from .attempt import Attempt
from .attempt_ends import AttemptEnds
from .causes import Cause, CauseCode
from .job_reports import ExitReport
from .retry_policy import retries_memory
from .slurm_answers import SeenJob
from .state import StudyState
from .status import Status

# Seconds for which a study that is over waits for the end of its last jobs in Slurm: a script has ended, so Slurm
# shows the end after a second, unless it kills what is left, or an epilog runs.
END_WAIT = 5.0
_LONGEST = 300.0  # seconds after which an end is no longer looked for


class MemoryVerdicts:
    """The attempts to look for, by instance, each with its number and when it finished (monotonic)."""

    def __init__(self, state: StudyState, ends: AttemptEnds) -> None:
        self._state = state
        self._ends = ends
        self._finished: dict[int, tuple[int, float]] = {}
        self.awaited: set[int] = set()  # instances that have not ended before Slurm shows it: a rule may retry them

    def finish(
        self, report: ExitReport, shown: Callable[[float], ev.Ended] | None, at: float, now: float
    ) -> ev.Ended | ev.Exited:
        """Return the event of a report with exit code 0; `shown` is the end that Slurm showed before it, if any.

        Exited: a rule would retry the instance, so Slurm's verdict is awaited.
        """
        index, number, node = report.instance, report.attempt, report.node
        exceeded = shown is not None and shown(at).status is Status.OUT_OF_MEMORY
        cause = Cause(CauseCode.OUT_OF_MEMORY, node=node) if exceeded else None
        if retries_memory(self._state, index):
            if exceeded:
                return self._ends.ended(at, index, number, Status.OUT_OF_MEMORY, 0, cause, node)
            self.awaited.add(index)
            return ev.Exited(at=at, instance=index, attempt=number, code=0, node=node)
        if not exceeded:
            self._finished[index] = number, now
        return self._ends.ended(at, index, number, Status.FINISHED, 0, cause, node)

    def attempts(self) -> list[Attempt]:
        """Return the attempts whose ends polls should show."""
        found = ((index, self._attempt(index)) for index in self._finished)
        return [attempt for _, attempt in found if attempt and not self._state.is_elsewhere(attempt.cluster)]

    def deadline(self) -> float | None:
        """Return until when a study that is over waits; None if there is nothing to wait for."""
        return max((since + END_WAIT for _, since in self._finished.values()), default=None)

    def apply_poll(self, seen: Callable[[Attempt], SeenJob | None], asked: float, at: float) -> list[ev.Event]:
        """Return the warnings of a poll that was started at `asked`; `seen` as for JobObserver."""
        found: list[ev.Event] = []
        for index, (number, since) in list(self._finished.items()):
            attempt = self._attempt(index)
            if since > asked:
                continue
            view = seen(attempt) if attempt else None
            if view and not view.ended and asked - since < _LONGEST:
                continue
            del self._finished[index]
            if attempt and view and view.status is Status.OUT_OF_MEMORY:
                cause = Cause(CauseCode.OUT_OF_MEMORY, node=view.node or attempt.node)
                found.append(ev.Warned(at=at, instance=index, attempt=number, cause=cause))
        return found

    def _attempt(self, index: int) -> Attempt | None:
        """Return the attempt that finished; None if the instance runs again since."""
        last, (number, _) = self._state.last_attempt(index), self._finished[index]
        is_current = last is not None and last.number == number and self._state.status[index] is Status.FINISHED
        return last if is_current else None
