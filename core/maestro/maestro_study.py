"""Converts a Maestro study: its plan, and a state in which every instance has the status that Maestro shows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from ..engine import events as ev
from ..engine.causes import Cause, CauseCode
from ..engine.state import Impossible, StudyState
from ..engine.status import OVER, Status
from ..errors import StudyDirectoryError
from ..file_reading import WHOLE, read_text
from ..plan.study_plan import Instance, Plan
from ..store.study_file import Settings, StudyFile
from .maestro_directory import MaestroDirectory
from .maestro_plan import plan_of_maestro
from .status_rows import Row, parse_rows

_ENDS = {
    "FINISHED": Status.FINISHED,
    "FAILED": Status.FAILED,
    "TIMEDOUT": Status.TIMED_OUT,
    "CANCELLED": Status.CANCELLED,
    "HWFAILURE": Status.NODE_FAILED,
    "UNKNOWN": Status.LOST,
}
_CAUSES = {"TIMEDOUT": Cause(CauseCode.WALLTIME), "CANCELLED": Cause(CauseCode.MAESTRO_CANCELLED)}
_ALIVE = ("PENDING", "WAITING", "QUEUED", "RUNNING", "FINISHING")


def read_maestro_study(directory: MaestroDirectory, study: StudyFile | None = None) -> tuple[StudyFile, StudyState]:
    """Read the study as its status.csv shows it now. If `study` is given, its plan is reused.

    Raises StudyDirectoryError if status.csv cannot be read.
    """
    try:
        text = read_text(directory.status_csv, WHOLE, errors="replace")
    except OSError as error:
        raise StudyDirectoryError(f"cannot read {directory.status_csv}: {error.strerror}") from None
    rows = parse_rows(text)
    if study is None:
        plan, spec, _ = plan_of_maestro(directory.root, rows)
        began = min((row.submitted for row in rows if row.submitted), default=time.time())
        study = StudyFile("", began, spec, Settings(), plan)
    return study, state_of_rows(study.plan, rows)


def state_of_rows(plan: Plan, rows: Sequence[Row]) -> StudyState:
    """Build the state from the rows; rows that contradict others are left out."""
    state = StudyState(plan)
    by_name = {row.name: row for row in rows}
    last = 0.0
    for instance in plan.instances:
        if row := by_name.get(instance.name):
            last = max(last, row.submitted, row.started, row.ended)
            with suppress(Impossible):
                _apply(state, instance, row)
    if rows and all(status in OVER for status in state.status):
        state.apply(ev.StudyEnded(at=last, result=state.outcome))
    state.last_event_at = last
    return state


def _apply(state: StudyState, instance: Instance, row: Row) -> None:
    """Apply events that bring an instance to the status of its row."""
    index, scheduled = instance.index, state.plan.step_of(instance).scheduled
    end = _ENDS.get(row.state)
    if not row.submitted:  # never submitted: blocked by its parents, or cancelled
        if end is Status.CANCELLED:
            state.apply(ev.CancelRequested(at=row.ended, instance=index))
        return
    if end is None and row.state not in _ALIVE:
        return
    for parent in state.plan.parents(instance):
        if state.status[parent] not in OVER:  # inconsistent file: a child runs before its parent is shown as ended
            return
    number, job = 1 + row.restarts, row.job or "?"
    state.apply(
        ev.SubmitIntended(
            at=row.submitted,
            submission=f"{index}",
            backend="slurm" if scheduled else "local",
            members=((index, 1),),
        )
    )
    state.apply(ev.Submitted(at=row.submitted, submission=f"{index}", job=job))
    attempt = state.attempts[index][-1]
    if row.started:
        state.apply(ev.Started(at=row.started, instance=index, attempt=1, job=job, node=""))
    if end:
        cause = _CAUSES.get(row.state, Cause(CauseCode.MAESTRO_STATE, row.state))
        cause = None if end is Status.FINISHED else cause
        state.apply(ev.Ended(at=row.ended, instance=index, attempt=1, status=end, cause=cause))
    attempt.number = number
