"""`mtui why DIR INSTANCE`: why an instance is waiting or ended as it did, and what to do next."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ...core.engine.attempt import Attempt
from ...core.engine.cause_text import cause_text
from ...core.engine.commands import FAILED
from ...core.engine.state import StudyState
from ...core.engine.status import UNSUCCESSFUL, Status
from ...core.plan.resource_changes import in_words
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_file import StudyFile
from ...core.store.study_reader import read_last_lines, read_last_output
from .allocation_text import kind_of
from .reason import Next, Reason, ReasonKind
from .status_view import drives
from .study_opening import is_maestros
from .text import Paint, log_line, safe
from .why import Why, span, why_of
from .why_packed import returned_words

_MOST_PARENTS = 8
_LOG_LINES = 10


def why_text(directory: StudyDirectory, study: StudyFile, state: StudyState, index: int, paint: Paint) -> str:
    """Return the output of `mtui why`."""
    instance = state.plan.instances[index]
    why = _why(directory, study, state, index)
    words = f"{why.status.value}: {safe(cause_text(why.cause))}" if why.cause else why.status.value
    lines = [f"{paint.bold(safe(instance.name))} is {paint.status(why.status, words)}"]
    log, tail = read_last_output(directory, instance, _LOG_LINES)
    if tail and why.status in UNSUCCESSFUL:
        lines.append(f"  last lines of {log.name}:")
        lines += [f"    {log_line(line)}" for line in tail]
    for reason in why.reasons:
        lines += _reason_lines(directory, state, reason)
    if why.changes:
        lines.append(f"  Its next attempt gets {safe(in_words(why.changes))}.")
    if why.attempts:
        lines += ["", *_attempts(why.attempts)]
    lines.append(paint.dim(f"  {directory.workspace(instance)}"))
    return "\n".join(lines)


def why_json(directory: StudyDirectory, study: StudyFile, state: StudyState, index: int) -> dict[str, object]:
    """Return the reasons as a JSON record, with all names and numbers."""
    instance = state.plan.instances[index]
    why = _why(directory, study, state, index)
    root = str(directory.root)
    failed = why.status in UNSUCCESSFUL
    return {
        "study": state.plan.name,
        "directory": root,
        "name": instance.name,
        "step": state.plan.step_of(instance).name,
        "status": why.status.value,
        "cause": cause_text(why.cause),
        "cause_code": why.cause.code.value if why.cause else "",
        "workspace": instance.workspace,
        "reasons": [
            {
                "kind": reason.kind.value,
                "words": reason.words,
                "instances": [
                    {"name": state.plan.instances[other].name, "status": state.status[other].value}
                    for other in reason.instances
                ],
                "next": [step.argv(root) for step in _next(directory, reason)],
            }
            for reason in why.reasons
        ],
        "changes": dict(why.changes),
        "attempts": [_attempt_record(attempt) for attempt in why.attempts],
        "stdout": read_last_lines(directory.stdout(instance), _LOG_LINES) if failed else [],
        "stderr": read_last_lines(directory.stderr(instance), _LOG_LINES) if failed else [],
    }


def _why(directory: StudyDirectory, study: StudyFile, state: StudyState, index: int) -> Why:
    return why_of(study, state, index, driven=is_maestros(directory) or bool(drives(directory)), now=time.time())


def _reason_lines(directory: StudyDirectory, state: StudyState, reason: Reason) -> list[str]:
    lines = [f"  {reason.words}", *_names(state, reason.instances)] if reason.words else []
    commands = ", then ".join(_command(directory, step) for step in _next(directory, reason))
    if reason.kind is ReasonKind.NO_DRIVER and commands:
        return [f"{lines[0]}  next: {commands}"]
    return [*lines, f"  next: {commands}"] if commands else lines


def _command(directory: StudyDirectory, step: Next) -> str:
    target = step.target if step.target in ("", FAILED) else f"'{safe(step.target)}'"
    return " ".join(word for word in ("mtui", step.verb, str(directory.root), target) if word)


def _attempts(attempts: Iterable[Attempt]) -> list[str]:
    lines: list[str] = []
    for attempt in attempts:
        words = [f"attempt {attempt.number}"]
        if attempt.job:
            words.append(f"{kind_of(attempt)} {attempt.job}")
        if attempt.node:
            words.append(f"on {attempt.node}")
        if attempt.started_at and attempt.ended_at:
            words.append(f"ran {span(attempt.ended_at - attempt.started_at)}")
        if attempt.started_at > attempt.queued_at > 0:
            words.append(f"waited {span(attempt.started_at - attempt.queued_at)}")
        if attempt.changes:
            words.append(f"with {safe(in_words(dict(attempt.changes)))}")
        if attempt.automatic:
            words.append("retried automatically")
        if attempt.cause:
            words.append(returned_words(attempt) + safe(cause_text(attempt.cause)))
        lines.append("  " + ", ".join(words))
    return lines


def _attempt_record(attempt: Attempt) -> dict[str, object]:
    return {
        "number": attempt.number,
        "ended_as": _ended_as(attempt),
        "backend": attempt.backend,
        "job": attempt.job,
        "node": attempt.node,
        "allocation": attempt.allocation,
        "after": attempt.after,
        "submitted_at": attempt.submitted_at,
        "queued_at": attempt.queued_at,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "exit_code": attempt.exit_code,
        "cause": cause_text(attempt.cause),
        "cause_code": attempt.cause.code.value if attempt.cause else "",
        "reason": attempt.reason,
        "changes": dict(attempt.changes),
        "automatic": attempt.automatic,
        "cancelled": attempt.cancelled,
    }


def _ended_as(attempt: Attempt) -> str:
    """Return a status; `returned` if the attempt did not count, as when its allocation ended; empty before its end."""
    if not attempt.ended_at:
        return ""
    if attempt.ended_as:
        return attempt.ended_as.value
    return "returned" if attempt.cause else Status.FINISHED.value


def _names(state: StudyState, indices: Sequence[int]) -> list[str]:
    lines = [
        f"    {safe(state.plan.instances[index].name)} ({state.status[index].value})"
        for index in indices[:_MOST_PARENTS]
    ]
    if len(indices) > _MOST_PARENTS:
        lines.append(f"    and {len(indices) - _MOST_PARENTS:,} more")
    return lines


def _next(directory: StudyDirectory, reason: Reason) -> Sequence[Next]:
    """Return the suggested commands; none for a study of Maestro, which mtui cannot change."""
    return () if is_maestros(directory) else reason.next
