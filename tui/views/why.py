"""Why an instance has its status: what it waits for, why it failed, what may help."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ...core.backends.pending_reasons import next_step, reason_text
from ...core.engine.attempt import Attempt
from ...core.engine.cause_text import cause_text
from ...core.engine.causes import Cause
from ...core.engine.commands import FAILED
from ...core.engine.durable_state import prepare_words
from ...core.engine.retry_policy import RetryLimits, rules_of
from ...core.engine.slurm_answers import NOTES
from ...core.engine.state import StudyState
from ...core.engine.status import BAD, IN_SLURM, LIVE, OVER, UNSUCCESSFUL, Status
from ...core.store.study_file import StudyFile
from .io_error_text import io_error_line
from .reason import Next, Reason, ReasonKind
from .step_words import retry_words
from .text import plural, safe
from .why_packed import no_allocation, not_packed, where_packed


@dataclass(frozen=True, slots=True)
class Why:
    """The reasons for one instance."""

    index: int
    status: Status
    cause: Cause | None  # why it ended
    reasons: tuple[Reason, ...]
    changes: Mapping[str, str]  # resources of its next attempt that the last one did not have
    attempts: tuple[Attempt, ...]


def why_of(study: StudyFile, state: StudyState, index: int, *, driven: bool, now: float) -> Why:
    """Collect the reasons for an instance; `driven`: whether a driver is running, `now`: the wall clock."""
    status = state.status[index]
    last = state.last_attempt(index)
    reasons = [*_rows_added(state, index, driven), *_reasons(study, state, index, driven, now)]
    if why := not_packed(study, state, index):
        reasons.append(
            Reason(ReasonKind.NOT_PACKED, f"It runs as a separate job, not in a shared allocation: {safe(why)}.")
        )
    if status in UNSUCCESSFUL or (last and last.automatic):
        reasons += _again(study, state, index)
    changes = state.changes.get(index, {})
    if last and tuple(changes.items()) == last.changes:
        changes = {}
    return Why(index, status, state.cause(index), tuple(reasons), changes, tuple(state.attempts.get(index, ())))


def _reasons(study: StudyFile, state: StudyState, index: int, driven: bool, now: float) -> list[Reason]:
    status = state.status[index]
    last = state.last_attempt(index)
    if index >= state.size:
        return [Reason(ReasonKind.NO_DRIVER, "It was added to the study; the next driver adds it.", next=(Next(),))]
    if status in (Status.WAITING, Status.READY, Status.HELD):
        return _waits(study, state, index, driven, now)
    if last and last.allocation and status in LIVE:
        allocation = state.allocations.by_name[last.allocation]
        return where_packed(status, last, allocation, _ran(last, now), state.open_parents(index))
    if status is Status.BLOCKED:
        return [*_held(state, index), _blocked(state, index)]
    if status in UNSUCCESSFUL:
        again = Next("retry", state.plan.instances[index].name)
        hint = _HINTS.get(status, "") or _hint_of_refusal(state, index)
        return [Reason(ReasonKind.FAILED, hint, next=(again,))]
    if status is Status.FINISHED and index not in state.marked and state.cause(index):
        again = Next("retry", state.plan.instances[index].name)
        return [Reason(ReasonKind.WARNING, _HINTS_OF_WARNING, next=(again,))]
    if status is Status.BOUND and last:
        words = f"It is in Slurm as {_job(last)}, which starts it when its parents are done ({last.after}):"
        reasons = [Reason(ReasonKind.PARENTS, words, tuple(state.open_parents(index)))]
        return [*reasons, *_held_in_slurm(last)]
    if status in IN_SLURM and last:
        return _under_way(status, last, state.driver.host, now)
    if status in (Status.SUBMITTING, Status.UNCLEAR):
        words = "It was submitted to Slurm, but there is no answer yet, or the answer was lost. mtui looks for the job."
        return [Reason(ReasonKind.SUBMITTING, words)]
    return []


def _rows_added(state: StudyState, index: int, driven: bool) -> list[Reason]:
    """Say that an instance runs again because rows were added, and that this needs a driver."""
    if index not in state.without_rows():
        return []
    words = "Rows were added that its attempt does not include"
    if state.status[index] in (Status.BOUND, Status.PENDING):
        words += ": it is withdrawn and submitted again, or repeated if it has begun."
    else:
        words += ": it will run again." if state.status[index] in OVER else ": it will run again afterwards."
    reasons = [Reason(ReasonKind.ROWS_ADDED, words)]
    if not driven:
        reasons.append(Reason(ReasonKind.NO_DRIVER, "No driver is running, so nothing is repeated.", next=(Next(),)))
    return reasons


def _waits(study: StudyFile, state: StudyState, index: int, driven: bool, now: float) -> list[Reason]:
    reasons = _held(state, index)
    open_parents = state.open_parents(index)
    if open_parents:
        words = f"It waits for {plural(len(open_parents), 'parent')}:"
        reasons.append(Reason(ReasonKind.PARENTS, words, tuple(open_parents)))
    elif state.status[index] is Status.READY:
        kind, words = _why_not_started(study, state, index, now)
        reasons.append(Reason(kind, f"Its parents are done. {words}"))
    if not driven:
        reasons.append(Reason(ReasonKind.NO_DRIVER, "No driver is running, so nothing starts.", next=(Next(),)))
    return reasons


def _held(state: StudyState, index: int) -> list[Reason]:
    if index not in state.held:
        return []
    return [Reason(ReasonKind.HELD, "It is held.", next=(Next("release", state.plan.instances[index].name),))]


def _why_not_started(study: StudyFile, state: StudyState, index: int, now: float) -> tuple[ReasonKind, str]:
    if error := state.io_errors.get(prepare_words(state.plan.instances[index].name)):
        return ReasonKind.SUBMITTING, io_error_line(prepare_words(state.plan.instances[index].name), error)
    if not state.plan.step_of(state.plan.instances[index]).scheduled:
        slots = plural(state.local_jobs or study.settings.local_jobs, "slot")
        words = f"It waits for one of {slots} for local steps; {len(state.live_local)} are taken."
        return ReasonKind.LOCAL_SLOTS, words
    if state.slurm_silent_since:
        since = time.strftime("%H:%M:%S", time.localtime(state.slurm_silent_since))
        return ReasonKind.SLURM_SILENT, f"Slurm does not answer since {since}: {safe(state.slurm_message)}"
    throttle = study.settings.throttle if state.throttle is None else state.throttle
    there = len(state.live_slurm) + len(state.live_packed)
    if throttle and there >= throttle:
        return (
            ReasonKind.THROTTLE,
            f"The throttle allows {throttle:,} instances in Slurm at once, and {there:,} are there.",
        )
    if state.deferred:
        return ReasonKind.SUBMIT_LIMIT, f"Slurm accepts no more jobs for now: {safe(state.deferred)}"
    if why := no_allocation(study, state, index, now):
        return ReasonKind.ALLOCATION, why
    return ReasonKind.SUBMITTING, "It is about to be submitted."


def _blocked(state: StudyState, index: int) -> Reason:
    """Return the failed ancestors that block an instance: a blocked parent has the same reason."""
    roots: dict[int, None] = {}
    seen: set[int] = set()
    todo = [index]
    while todo:
        index = todo.pop()
        after = state.plan.step_of(state.plan.instances[index]).after
        for parent in state.plan.parents(state.plan.instances[index]):
            if parent in seen or state.plan.instances[parent].step in after:
                continue
            seen.add(parent)
            if state.status[parent] in UNSUCCESSFUL:
                roots[parent] = None
            elif state.status[parent] in BAD:
                todo.append(parent)
    words = f"It depends on {plural(len(roots), 'instance')} that did not finish:"
    first = [Next("why", state.plan.instances[root].name) for root in list(roots)[:1]]
    return Reason(ReasonKind.FAILED_ABOVE, words, tuple(roots), (*first, Next("retry", FAILED)) if first else ())


_HINTS = {
    Status.TIMED_OUT: "Its walltime was too short, or it hung.",
    Status.OUT_OF_MEMORY: "It needs more memory, or fewer tasks on a node.",
    Status.NODE_FAILED: "The step itself did not fail; a retry gets another node.",
    Status.PREEMPTED: "The step itself did not fail.",
    Status.LOST: "Check in its workspace whether it did its work before you retry it.",
}


def _hint_of_refusal(state: StudyState, index: int) -> str:
    """Say how to change what Slurm refused; empty for another failure."""
    named = re.search(r"\(hint: correct '([a-z ]+)'", cause_text(state.cause(index)))
    last = state.last_attempt(index)
    if not named or not last or last.started_at:
        return ""
    change = shlex.quote(f"{named[1]}=VALUE")
    return f"Slurm would refuse the same job again. Add a change to this command: --set {change}"


_HINTS_OF_WARNING = (
    "Its script exited with code 0, so it counts as finished. Slurm reports OUT_OF_MEMORY: it killed a process of it, "
    "and the output may be incomplete. A rule that names OUT_OF_MEMORY under 'retry' repeats such instances."
)


def _under_way(status: Status, last: Attempt, driver_host: str, now: float) -> list[Reason]:
    where = f"process {last.job}" if last.backend == "local" else _job(last)
    on = f" on {last.node}" if last.node else ""
    if status is Status.COMPLETING and last.exit_code is not None:
        words = f"Its script exited with code {last.exit_code}{on}. mtui waits for Slurm's state of the job, at most "
        words += "two minutes while Slurm answers; then the exit code decides."
        return [Reason(ReasonKind.SLURM, words)]
    if status is not Status.RUNNING:
        why = f": {safe(reason_text(last.reason))}" if last.reason else ""
        return [Reason(ReasonKind.SLURM, f"It is in Slurm as {where}{why}."), *_held_in_slurm(last)]
    reasons = [Reason(ReasonKind.RUNNING, f"It runs as {where}{on}, {_ran(last, now)}.")]
    if last.reason in NOTES.values():
        words = f"At present {safe(last.reason)}. If this lasts for minutes, it counts as lost."
        reasons.append(Reason(ReasonKind.SLURM, words))
    if last.backend == "local" and last.node != driver_host:
        words = f"An earlier driver started it there; the current one, on {driver_host}, only sees when it ends. "
        words += "If that host is down for good: mtui cancel DIR INSTANCE --host-gone"
        reasons.append(Reason(ReasonKind.RUNNING, words))
    return reasons


def _held_in_slurm(last: Attempt) -> list[Reason]:
    """Say what to do about a job that Slurm does not start without anybody."""
    step = next_step(last.reason, last.job, bound=bool(last.after))
    return [Reason(ReasonKind.SLURM, f"{step[0].upper()}{safe(step[1:])}")] if step else []


def _ran(last: Attempt, now: float) -> str:
    """Return how long an attempt has run. Slurm may show a job as running before its script reports the start."""
    return f"for {span(now - last.started_at)} now" if last.started_at else "but has not reported its start yet"


def _job(last: Attempt) -> str:
    return f"job {last.job} of cluster {safe(last.cluster)}" if last.cluster else f"job {last.job}"


def _again(study: StudyFile, state: StudyState, index: int) -> list[Reason]:
    """Describe the retry rules of the instance, and how often it was retried automatically."""
    step = state.plan.step_of(state.plan.instances[index])
    rlimit = study.settings.rlimit if state.rlimit is None else state.rlimit
    rules = rules_of(step, RetryLimits(rlimit, study.settings.attempts))
    made = sum(attempt.automatic for attempt in state.attempts.get(index, []))
    words = [f"It was retried automatically {plural(made, 'time')}."] if made else []
    if rules:
        how = "; ".join(retry_words(rules, has_restart=bool(step.restart)))
        words.append(f"The study's retry rules: {how}.")
    return [Reason(ReasonKind.RETRIES, sentence) for sentence in words]


def span(seconds: float) -> str:
    """Return a duration: `1h 05m`, `3m 12s`, `45s`."""
    minutes, left = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {left:02d}s" if minutes else f"{left}s"
