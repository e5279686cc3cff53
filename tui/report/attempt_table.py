"""The report as CSV: every attempt with everything that is known about it."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping

from ...core.backends.backend import JobIdentity
from ...core.backends.slurm_text import identity_of
from ...core.backends.usage import Usage
from ...core.engine.attempt import Attempt
from ...core.engine.cause_text import cause_text
from ...core.engine.state import StudyState
from ...core.plan.resource_changes import in_words
from ...core.store.study_file import StudyFile

_HEADS = (
    "instance", "step", "attempt", "status", "exit_code", "cause", "job", "node", "allocation", "queued_at",
    "started_at", "ended_at", "waited_seconds", "ran_seconds", "by_itself", "changes", "cores", "core_seconds",
    "memory_mb", "asked_memory_mb", "walltime_seconds", "workspace",
)  # fmt: skip


def table_of_attempts(study: StudyFile, state: StudyState, usage: Mapping[JobIdentity, Usage]) -> str:
    """Return a line per attempt, and one per instance without any; parameters are columns at the end."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = state.plan.parameters.keys
    writer.writerow([*_HEADS, *(f"param:{key}" for key in keys)])
    for row in _rows(study, state, usage, keys):
        writer.writerow([_one_line(cell) for cell in row])
    return out.getvalue()


def _rows(
    study: StudyFile, state: StudyState, usage: Mapping[JobIdentity, Usage], keys: tuple[str, ...]
) -> Iterator[list[object]]:
    for instance in state.plan.instances:
        params = state.plan.params(instance)
        ends: list[object] = [instance.workspace, *(params.get(key, "") for key in keys)]
        step = state.plan.step_of(instance).name
        attempts = state.attempts.get(instance.index, [])
        for attempt in attempts or [None]:
            last = attempt is None or attempt is attempts[-1]
            status = state.status[instance.index].value if last else _ended(attempt)
            cause = cause_text(state.cause(instance.index) if last else attempt.cause if attempt else None)
            used = usage.get(identity_of(study.study_id, attempt)) if attempt and attempt.backend == "slurm" else None
            yield [instance.name, step, *_attempt(attempt, status, cause, used or Usage()), *ends]


def _ended(attempt: Attempt | None) -> str:
    if attempt is None or attempt.outcome is None:
        return "returned" if attempt and attempt.returned else ""
    return attempt.outcome.value


def _attempt(attempt: Attempt | None, status: str, cause: str, used: Usage) -> list[object]:
    if attempt is None:
        return ["", status, "", cause, *[""] * 15]
    queued = attempt.queued_at if attempt.backend != "local" else 0.0
    waited = attempt.started_at - queued if attempt.started_at and queued else None
    ran = attempt.ended_at - attempt.started_at if attempt.ended_at and attempt.started_at else None
    return [
        attempt.number,
        status,
        "" if attempt.exit_code is None else attempt.exit_code,
        cause,
        attempt.job,
        attempt.node,
        attempt.allocation,
        *(_clock(at) for at in (queued, attempt.started_at, attempt.ended_at)),
        *("" if span is None else f"{max(0.0, span):.1f}" for span in (waited, ran)),
        "yes" if attempt.automatic else "",
        in_words(dict(attempt.changes)),
        *(f"{value:.0f}" if value else "" for value in (used.cpus, used.cpu_seconds, used.memory)),
        *(f"{value:.0f}" if value else "" for value in (used.asked_memory, used.limit)),
    ]


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(at)) if at else ""


def _one_line(cell: object) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in str(cell))
