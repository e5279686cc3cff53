"""Decides whether and how a failed instance is retried automatically: the study's rules and Maestro's limits.

A cause is a state of Slurm (TIMEOUT, OUT_OF_MEMORY, NODE_FAIL, PREEMPTED), an exit code, or FAILED for any. Attempts
are counted by cause; a retry by a user resets the count. A job that Slurm could not launch has run nothing, mostly
since its output could not be created for some time: it is submitted again a few times, after growing delays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..plan.job_request import job_request
from ..plan.resource_changes import RESTART, UNCHANGED
from ..plan.study_plan import Instance, Plan, PlannedStep
from ..spec.retry_keys import factor_of
from ..spec.study_spec import RetryRule
from ..spec.walltime import walltime_seconds, walltime_text
from . import events as ev
from .attempt import Attempt
from .causes import CauseCode
from .state import StudyState
from .status import UNSUCCESSFUL, Status

_WORDS = {
    Status.TIMED_OUT: "TIMEOUT",
    Status.OUT_OF_MEMORY: "OUT_OF_MEMORY",
    Status.NODE_FAILED: "NODE_FAIL",
    Status.PREEMPTED: "PREEMPTED",
}
_REFUSED = "REFUSED"  # Slurm refused the submission
_LAUNCH = "launch failure"  # no cause that a study can name
_LAUNCHES = RetryRule(3)
_FIRST_LAUNCH_DELAY, _LAUNCH_DELAY_GROWTH = 10.0, 4  # seconds, and by how much it grows with each failure
_UNLIMITED = 1_000_000
_MEMORY = re.compile(r"([0-9]+)([KMGT]?)", re.IGNORECASE)
_POWER = {"K": -1, "": 0, "M": 0, "G": 1, "T": 2}


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """Maestro's limits, for causes without a rule of the step."""

    restarts: int = 1  # restarts of a step that timed out and has a restart command; 0: no limit
    attempts: int = 1  # submissions of a job that is refused, runs of a local step that fails


def decide_retry(state: StudyState, index: int, tries: RetryLimits, at: float) -> ev.Retried | None:
    """Return the event that retries an instance automatically; None if it is not retried."""
    last = state.last_attempt(index)
    if (
        state.status[index] not in UNSUCCESSFUL
        or last is None
        or last.cancelled
        or index in state.cancelled_before_submit
    ):
        return None
    instance = state.plan.instances[index]
    step = state.plan.step_of(instance)
    cause = _ruled_by(step, last, tries)
    rule = _rule(step, cause, tries)
    made = _failures(step, state.attempts[index], cause, tries)
    if rule is None or made > rule.times:
        return None
    changes = _changes(state.plan, instance, rule, cause, last, state.changes.get(index, UNCHANGED))
    most = "" if rule.times >= _UNLIMITED else f" of {rule.times:,}"
    why = f"{cause if not cause.isdecimal() else f'exit code {cause}'}: retry {made:,}{most}"
    return ev.Retried(at=at, instance=index, changes=tuple(changes.items()), why=why)


def retries_memory(state: StudyState, index: int) -> bool:
    """Return whether a rule that names OUT_OF_MEMORY retries an instance if Slurm shows that for its attempt."""
    step = state.plan.step_of(state.plan.instances[index])
    cause = _WORDS[Status.OUT_OF_MEMORY]
    rule = step.retry.get(cause)
    if rule is None or not rule.named:
        return False
    return _failures(step, state.attempts[index], cause, RetryLimits()) < rule.times


def launch_delay(attempts: Sequence[Attempt]) -> float:
    """Return the seconds before the next attempt, after one that Slurm could not launch; 0 after any other."""
    failed = len(list(takewhile(_is_launch_failure, reversed(attempts))))
    return _FIRST_LAUNCH_DELAY * _LAUNCH_DELAY_GROWTH ** (failed - 1) if failed else 0.0


def _is_launch_failure(attempt: Attempt) -> bool:
    cause = attempt.cause
    return cause is not None and cause.code is CauseCode.LAUNCH_FAILED and not attempt.started_at


def rules_of(step: PlannedStep, tries: RetryLimits) -> dict[str, RetryRule]:
    """Return every rule that applies to a step, by cause."""
    rules = dict(step.retry)
    for cause in ("TIMEOUT", "FAILED", _REFUSED):
        if (rule := _rule(step, cause, tries)) and cause not in rules:
            rules[cause] = rule
    return rules


def _causes(attempt: Attempt) -> Iterator[str]:
    """Yield the causes that the end of an attempt counts as, the most specific first."""
    if attempt.ended_as is None or attempt.ended_as not in (Status.FAILED, *_WORDS):
        return
    if attempt.ended_as in _WORDS:
        yield _WORDS[attempt.ended_as]
    elif attempt.exit_code is not None:
        yield str(attempt.exit_code)
        yield "FAILED"
    elif not attempt.started_at:
        yield _REFUSED
        if _is_launch_failure(attempt):
            yield _LAUNCH


def _ruled_by(step: PlannedStep, attempt: Attempt, tries: RetryLimits) -> str:
    """Return the cause whose rule applies to the end of an attempt; empty if none does."""
    return next((cause for cause in _causes(attempt) if _rule(step, cause, tries)), "")


def _rule(step: PlannedStep, cause: str, tries: RetryLimits) -> RetryRule | None:
    if cause in step.retry:
        return step.retry[cause]
    if cause == "TIMEOUT" and step.restart and step.scheduled:
        return RetryRule(tries.restarts or _UNLIMITED)
    if cause == _LAUNCH:
        return _LAUNCHES
    further = RetryRule(tries.attempts - 1) if tries.attempts > 1 else None
    return further if cause == _REFUSED or (cause == "FAILED" and not step.scheduled) else None


def _failures(step: PlannedStep, attempts: list[Attempt], cause: str, tries: RetryLimits) -> int:
    """Count the attempts that ended with that cause since the last start by a user."""
    count = 0
    for attempt in reversed(attempts):
        count += _ruled_by(step, attempt, tries) == cause
        if not attempt.automatic:
            break
    return count


def _changes(
    plan: Plan, instance: Instance, rule: RetryRule, cause: str, last: Attempt, changed: Mapping[str, str]
) -> dict[str, str]:
    changes: dict[str, str] = {}
    step = plan.step_of(instance)
    restart = bool(step.restart) and (cause == "TIMEOUT" if rule.restart is None else rule.restart)
    if restart or changed.get(RESTART):
        changes[RESTART] = "true" if restart else ""
    if not step.scheduled:
        return changes
    now = job_request(plan, instance, changed).values
    for key, value in rule.changes:
        factor = factor_of(value)
        grown = value if factor is None else grow(key, now.get(key, ""), factor)
        if grown:
            changes[key] = grown
    if rule.exclude and re.fullmatch(r"[\w.-]+", last.node):  # on several nodes it is unknown which one failed
        known = [node for node in now.get("exclude", "").split(",") if node]
        changes["exclude"] = ",".join(dict.fromkeys([*known, last.node]))
    return changes


def grow(key: str, value: str, factor: float) -> str:
    """Multiply a resource by a factor, in the format of sbatch; empty if there is nothing to multiply."""
    if key == "walltime":
        seconds = walltime_seconds(value)
        return walltime_text(math.ceil(round(seconds * factor, 6))) if seconds else ""
    if key in ("mem", "mem per cpu"):
        match = _MEMORY.fullmatch(value)
        if not match or not int(match.group(1)):
            return ""
        unit = match.group(2).upper()
        amount = round(int(match.group(1)) * factor, 6)
        if amount == int(amount):
            return f"{int(amount)}{unit}"
        return f"{math.ceil(amount * 1024 ** _POWER[unit])}M"
    return str(math.ceil(round(int(value) * factor, 6))) if value.isdecimal() and int(value) else ""
