"""The content of a report, independent of its format. Every list has a limit, and the report shows what it omits."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ...core.backends.backend import JobIdentity
from ...core.backends.slurm_text import identity_of
from ...core.backends.usage import Usage
from ...core.engine.attempt import Attempt
from ...core.engine.cause_text import cause_text
from ...core.engine.state import StudyState
from ...core.engine.status import UNSUCCESSFUL, Status
from ...core.store.study_file import StudyFile
from ..views.appearance import StatusGroup, group_of
from ..views.estimate import span_words

_MOST_GROUPS = 30  # of failures
_MOST_EXAMPLES = 3  # of each group of failures
_MOST_NAMES = 20
_MOST_BARS = 400
_TAIL = 8  # lines of a log

Tail = Callable[[int], tuple[str, list[str]]]  # an instance's index to the path of its log and its last lines


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of durations in seconds."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        return cls(min(values), median(values), max(values)) if values else None


@dataclass(frozen=True, slots=True)
class StepLine:
    name: str
    instances: int
    counts: Mapping[StatusGroup, int]
    ran: Spread | None
    queued: Spread | None
    again: int  # attempts after the first one


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    cause: str
    log: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Failure:
    """Instances that failed for the same reason."""

    status: str
    cause: str
    count: int
    names: Sequence[str]  # some of them
    examples: Sequence[Example]


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt on the timeline; times in seconds since 1970, 0 if it did not happen."""

    name: str
    group: StatusGroup
    queued: float
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Need:
    """The resources that the jobs of a step used, as shares from 0 to 1 of those requested; None if unknown."""

    step: str
    jobs: int
    cores: float | None
    memory: float | None
    time: float | None
    words: str  # requests that could be smaller, or should be larger


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    description: str
    directory: str
    spec: str
    result: str  # empty while the study runs
    counts: Mapping[StatusGroup, int]
    began: float
    until: float
    steps: Sequence[StepLine]
    failures: Sequence[Failure]
    more_failures: int  # groups that are left out
    warnings: Sequence[Failure]  # of instances that finished
    blocked: int
    bars: Sequence[Bar]
    all_bars: int
    needs: Sequence[Need]
    no_needs: str  # why there are none

    @property
    def took(self) -> float:
        return self.until - self.began


def report_of(
    study: StudyFile,
    state: StudyState,
    directory: str,
    now: float,
    tail: Tail,
    usage: Mapping[JobIdentity, Usage],
    no_usage: str = "",
) -> Report:
    """Collect the report of a study at `now`. `no_usage` says why there is none."""
    failed = [index for index, status in enumerate(state.status) if status in UNSUCCESSFUL]
    failures, more = _failures(state, tail, failed)
    warnings, _ = _failures(state, tail, state.warned())
    bars = _bars(state, now)
    needs = _needs(study, state, usage)
    if not needs and not no_usage:
        no_usage = "no job of it has ended yet" if study.plan.uses_slurm else "it used no Slurm"
    return Report(
        name=study.plan.name,
        description=study.plan.description,
        directory=directory,
        spec=study.spec,
        result=state.result,
        counts=_by_group(state.counts, len(study.plan.instances) - state.size),
        began=study.created,
        until=state.last_event_at if state.result else now,
        steps=[_step_line(state, step.index) for step in state.plan.steps],
        failures=failures,
        more_failures=more,
        warnings=warnings,
        blocked=state.counts[Status.BLOCKED],
        bars=_chosen(bars),
        all_bars=len(bars),
        needs=needs,
        no_needs=no_usage,
    )


def _by_group(counts: Mapping[Status, int], late: int) -> dict[StatusGroup, int]:
    """Return counts by group; `late` instances were added and count as skipped until a driver reads the new plan."""
    found: Counter[StatusGroup] = Counter({StatusGroup.WAITING: late, group_of(Status.SKIPPED): -late})
    for status, count in counts.items():
        found[group_of(status)] += count
    return {group: found[group] for group in StatusGroup if found[group]}


def _step_line(state: StudyState, index: int) -> StepLine:
    step = state.plan.steps[index]
    ran: list[float] = []
    queued: list[float] = []
    again = 0
    for member in step.instances:
        attempts = state.attempts.get(member, [])
        again += max(0, len(attempts) - 1)
        for attempt in attempts:
            if attempt.started_at and attempt.ended_at:
                ran.append(attempt.ended_at - attempt.started_at)
            if attempt.backend != "local" and attempt.started_at > attempt.queued_at > 0:
                queued.append(attempt.started_at - attempt.queued_at)
    counts = _by_group(state.step_counts[index], sum(member >= state.size for member in step.instances))
    return StepLine(step.name, len(step.instances), counts, Spread.of(ran), Spread.of(queued), again)


# --- failures


def _failures(state: StudyState, tail: Tail, chosen: Sequence[int]) -> tuple[list[Failure], int]:
    """Group instances by status and by cause, the largest group first; also return how many groups are left out."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index in chosen:
        groups[state.status[index].value, _without_place(state, index)].append(index)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    found: list[Failure] = []
    for (status, cause), members in ordered[:_MOST_GROUPS]:
        names = [state.plan.instances[index].name for index in members[:_MOST_NAMES]]
        examples: list[Example] = []
        for index in members[:_MOST_EXAMPLES]:
            log, lines = tail(index)
            name, why = state.plan.instances[index].name, cause_text(state.cause(index))
            examples.append(Example(name, why, log, lines[-_TAIL:]))
        found.append(Failure(status, cause, len(members), names, examples))
    return found, max(0, len(ordered) - _MOST_GROUPS)


def _without_place(state: StudyState, index: int) -> str:
    """Return the cause without the node and the job ID, which differ between instances."""
    cause, last = cause_text(state.cause(index)), state.last_attempt(index)
    for word in (last.node, last.job) if last else ():
        if word:
            cause = re.sub(rf"\s*\(?(?<!\w)(?:on |job )?{re.escape(word)}\)?(?!\w)", "", cause)
    return cause


# --- the timeline


def _bars(state: StudyState, now: float) -> list[Bar]:
    bars: list[Bar] = []
    for index, attempts in state.attempts.items():
        name = state.plan.instances[index].name
        for attempt in attempts:
            last = attempt is attempts[-1]
            group = group_of(state.status[index] if last else attempt.outcome or Status.CANCELLED)
            shown = f"{name} ({attempt.number})" if len(attempts) > 1 else name
            queued = attempt.queued_at if attempt.backend != "local" else 0.0
            if queued or attempt.started_at:
                bars.append(Bar(shown, group, queued, attempt.started_at, attempt.ended_at or now))
    return sorted(bars, key=lambda bar: (bar.queued or bar.started, bar.name))


def _chosen(bars: list[Bar]) -> list[Bar]:
    """Select bars if there are too many: failed ones first, and of the others every n-th."""
    if len(bars) <= _MOST_BARS:
        return bars
    failed = [bar for bar in bars if bar.group is StatusGroup.FAILED][: _MOST_BARS // 2]
    others = [bar for bar in bars if bar.group is not StatusGroup.FAILED]
    room = _MOST_BARS - len(failed)
    kept = [others[number * len(others) // room] for number in range(min(room, len(others)))]
    return sorted([*failed, *kept], key=lambda bar: (bar.queued or bar.started, bar.name))


# --- used and requested resources


def _needs(study: StudyFile, state: StudyState, usage: Mapping[JobIdentity, Usage]) -> list[Need]:
    found: list[Need] = []
    for step in state.plan.steps:
        jobs = [identity_of(study.study_id, attempt) for attempt in _jobs_of(state, step.instances)]
        used = [usage[job] for job in jobs if job in usage]
        if used:
            found.append(_need(step.name, used))
    return found


def _jobs_of(state: StudyState, instances: Sequence[int]) -> list[Attempt]:
    """Return the ended attempts that were individual jobs."""
    attempts = (attempt for index in instances for attempt in state.attempts.get(index, []))
    return [attempt for attempt in attempts if attempt.backend == "slurm" and attempt.started_at and attempt.ended_at]


def _need(step: str, used: Sequence[Usage]) -> Need:
    had = sum(job.cpus * job.elapsed for job in used)
    cores = sum(job.cpu_seconds for job in used) / had if had else None
    times = [job.elapsed / job.limit for job in used if job.limit]
    memories = [job.memory / job.asked_memory for job in used if job.asked_memory and job.memory]
    time, memory = max(times, default=None), max(memories, default=None)
    words: list[str] = []
    longest = max(used, key=lambda job: job.elapsed)
    if time is not None and time < 0.5 and longest.limit > 600:
        words.append(f"walltime: the longest ran {span_words(longest.elapsed)} of {span_words(longest.limit)}")
    elif time is not None and time > 0.9:
        words.append("walltime: the longest came close to its end")
    if cores is not None and cores < 0.5 and any(job.cpus > 1 for job in used) and longest.elapsed >= 10:
        words.append(f"cores: {cores:.0%} of them were busy")
    most = max(used, key=lambda job: job.memory)
    if memory is not None and memory < 0.5 and most.asked_memory >= 1024:
        words.append(f"memory: at most {memory_words(most.memory)} of {memory_words(most.asked_memory)}")
    elif memory is not None and memory > 0.9:
        words.append("memory: one came close to its end")
    return Need(step, len(used), cores, memory, time, "; ".join(words))


def memory_words(megabytes: float) -> str:
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"
