"""`mtui why DIR INSTANCE`: what an instance waits for, or why it ended as it did, and what to do next."""

from __future__ import annotations

import time

from ..core.backends.slurm_text import reason_text
from ..core.plan.changes import in_words
from ..core.plan.model import Instance
from ..core.store.layout import StudyDirectory
from ..core.store.reader import last_lines
from ..core.store.study_file import StudyFile
from ..core.study.again import Tries, rules_of
from ..core.study.attempt import Attempt
from ..core.study.state import StudyState
from ..core.study.status import BAD, IN_SLURM, LIVE, UNSUCCESSFUL, Status
from .model.allocations import kind_of
from .model.step_words import retry_words
from .status_view import drives
from .text import Paint, log_line, plural, safe
from .why_packed import no_allocation, not_packed, returned_words, where_packed

_MOST_PARENTS = 8
_LOG_LINES = 10


def why_text(directory: StudyDirectory, study: StudyFile, state: StudyState, index: int, paint: Paint) -> str:
    """The whole answer."""
    instance = state.plan.instances[index]
    status = state.status[index]
    last = state.last_attempt(index)
    words = status.value
    if state.cause(index):
        words += f": {safe(state.cause(index))}"
    lines = [f"{paint.bold(safe(instance.name))} is {paint.status(status, words)}"]
    if status in (Status.WAITING, Status.READY, Status.HELD):
        lines += _waits(directory, study, state, instance)
    elif last and last.allocation and status in LIVE:
        lines += _packed(state, instance, last)
    elif status is Status.BLOCKED:
        lines += _blocked(directory, state, instance)
    elif status in UNSUCCESSFUL:
        lines += _failed(directory, state, instance, last)
    elif status is Status.BOUND and last:
        lines += _bound(state, instance, last)
    elif status in IN_SLURM and last:
        lines += _under_way(status, last, state.driver.host)
    elif status in (Status.SUBMITTING, Status.UNCLEAR):
        lines.append("  It was handed to Slurm; the answer was lost or is not there yet. It is being looked up.")
    if why := not_packed(study, state, index):
        lines.append(f"  It does not share an allocation: {safe(why)}.")
    if status in UNSUCCESSFUL or (last and last.automatic):
        lines += _again(study, state, index)
    changes = state.changes.get(index, {})
    if changes and (last is None or tuple(changes.items()) != last.changes):
        lines.append(f"  Its next attempt gets {safe(in_words(changes))}.")
    if last:
        lines += ["", *_attempts(state.attempts[index])]
    lines.append(paint.dim(f"  {directory.workspace(instance)}"))
    return "\n".join(lines)


def _waits(directory: StudyDirectory, study: StudyFile, state: StudyState, instance: Instance) -> list[str]:
    index = instance.index
    lines: list[str] = []
    open_parents = state.open_parents(index)
    if index in state.held:
        lines += ["  It is held.", f"  next: mtui release {directory.root} '{instance.name}'"]
    if open_parents:
        lines.append(f"  It waits for {plural(len(open_parents), 'parent')}:")
        lines += _names(state, open_parents)
    elif state.status[index] is Status.READY:
        lines.append(f"  Its parents are done. {_why_not_started(study, state, instance)}")
    if not drives(directory):
        lines.append(f"  No driver is running, so nothing starts.  next: mtui {directory.root}")
    return lines


def _why_not_started(study: StudyFile, state: StudyState, instance: Instance) -> str:
    if not state.plan.step_of(instance).scheduled:
        limit = state.local_jobs or study.settings.local_jobs
        return f"It waits for one of {plural(limit, 'slot')} for local steps; {len(state.live_local)} are taken."
    if state.slurm_silent_since:
        since = time.strftime("%H:%M:%S", time.localtime(state.slurm_silent_since))
        return f"Slurm does not answer since {since}: {safe(state.slurm_message)}"
    throttle = study.settings.throttle if state.throttle is None else state.throttle
    there = len(state.live_slurm) + len(state.live_packed)
    if throttle and there >= throttle:
        return f"The throttle lets {throttle:,} into Slurm at once, and {there:,} are there."
    if state.deferred:
        return f"Slurm takes no more jobs for now: {safe(state.deferred)}"
    if why := no_allocation(study, state, instance.index):
        return why
    return "It is about to be submitted."


def _blocked(directory: StudyDirectory, state: StudyState, instance: Instance) -> list[str]:
    """The failures at the root of it: a blocked parent is blocked for the same reason."""
    roots: dict[int, None] = {}
    seen: set[int] = set()
    todo = [instance.index]
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
    lines = [f"  It hangs on {plural(len(roots), 'instance')} that did not finish:", *_names(state, list(roots))]
    first = state.plan.instances[next(iter(roots))].name if roots else ""
    if first:
        lines.append(f"  next: mtui why {directory.root} '{safe(first)}', then mtui retry {directory.root} failed")
    return lines


def _failed(directory: StudyDirectory, state: StudyState, instance: Instance, last: Attempt | None) -> list[str]:
    lines: list[str] = []
    log = directory.stderr(instance)
    tail = last_lines(log, _LOG_LINES)
    if tail:
        lines.append(f"  the end of {log.name}:")
        lines += [f"    {log_line(line)}" for line in tail]
    hint = _HINTS.get(state.status[instance.index], "")
    if hint:
        lines.append(f"  {hint}")
    if last is None:
        hint = ""
    lines.append(f"  next: mtui retry {directory.root} '{safe(instance.name)}'")
    return lines


def _again(study: StudyFile, state: StudyState, index: int) -> list[str]:
    """What the study says of trying it again, and how often it was."""
    step = state.plan.step_of(state.plan.instances[index])
    rlimit = study.settings.rlimit if state.rlimit is None else state.rlimit
    rules = rules_of(step, Tries(rlimit, study.settings.attempts))
    made = sum(attempt.automatic for attempt in state.attempts.get(index, []))
    lines = [f"  It was tried again {plural(made, 'time')} by itself."] if made else []
    if rules:
        words = retry_words(rules, has_restart=bool(step.restart))
        lines.append(f"  The study tries its failures again: {'; '.join(words)}.")
    return lines


_HINTS = {
    Status.TIMED_OUT: "Its walltime was too short, or it hung.",
    Status.OUT_OF_MEMORY: "It needs more memory, or fewer tasks on a node.",
    Status.NODE_FAILED: "Nothing is wrong with the step itself; another try gets another node.",
    Status.PREEMPTED: "Nothing is wrong with the step itself.",
    Status.LOST: "Look into its workspace whether it did its work before you let it run again.",
}


def _under_way(status: Status, last: Attempt, driver_host: str) -> list[str]:
    where = f"process {last.job}" if last.backend == "local" else f"job {last.job}"
    on = f" on {last.node}" if last.node else ""
    if status is Status.RUNNING:
        lines = [f"  It runs as {where}{on}, for {_span(time.time() - last.started_at)} now."]
        if last.backend == "local" and last.node != driver_host:
            lines.append(
                f"  An earlier driver started it there; the present one, on {driver_host}, hears of its end only."
            )
        return lines
    reason = f": {safe(reason_text(last.reason))}" if last.reason else ""
    return [f"  Slurm has it as {where}{reason}."]


def _packed(state: StudyState, instance: Instance, last: Attempt) -> list[str]:
    """Where it stands in the allocation that it was given to, and what it waits for there."""
    allocation = state.allocations.by_name[last.allocation]
    ran = f"for {_span(time.time() - last.started_at)} now"
    lines = where_packed(state.status[instance.index], last, allocation, ran)
    if state.status[instance.index] is Status.BOUND:
        lines[1:1] = _names(state, state.open_parents(instance.index))
    return lines


def _bound(state: StudyState, instance: Instance, last: Attempt) -> list[str]:
    open_parents = state.open_parents(instance.index)
    return [
        f"  Slurm has it as job {last.job} and lets it start by itself when its parents are done ({last.after}):",
        *_names(state, open_parents),
    ]


def _attempts(attempts: list[Attempt]) -> list[str]:
    lines: list[str] = []
    for attempt in attempts:
        words = [f"attempt {attempt.number}"]
        if attempt.job:
            words.append(f"{kind_of(attempt)} {attempt.job}")
        if attempt.node:
            words.append(f"on {attempt.node}")
        if attempt.started_at and attempt.ended_at:
            words.append(f"ran {_span(attempt.ended_at - attempt.started_at)}")
        if attempt.started_at > attempt.queued_at > 0:
            words.append(f"waited {_span(attempt.started_at - attempt.queued_at)}")
        if attempt.changes:
            words.append(f"with {safe(in_words(dict(attempt.changes)))}")
        if attempt.automatic:
            words.append("tried again by itself")
        if attempt.cause:
            words.append(returned_words(attempt) + safe(attempt.cause))
        lines.append("  " + ", ".join(words))
    return lines


def _names(state: StudyState, indices: list[int]) -> list[str]:
    lines = [
        f"    {safe(state.plan.instances[index].name)} ({state.status[index].value})"
        for index in indices[:_MOST_PARENTS]
    ]
    if len(indices) > _MOST_PARENTS:
        lines.append(f"    and {len(indices) - _MOST_PARENTS:,} more")
    return lines


def _span(seconds: float) -> str:
    minutes, left = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {left:02d}s" if minutes else f"{left}s"
