"""Commands of users to a running study: cancel, retry, hold, release, rerun, done, skip, update, detach, stop, extend.

A command is a file in the inbox (store/inbox.py). Here it is turned into events, given the state of the study. The last
one is `command_done`, with the outcome or the reason for the refusal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..errors import Refusal
from ..plan.instance_script import render
from ..plan.launcher import LauncherError
from ..plan.resource_changes import RESTART, check_change, in_words, restarts
from ..plan.study_plan import Plan
from . import events as ev
from .causes import Cause, CauseCode
from .state import StudyState
from .status import DONE, LIVE, OVER, UNSUCCESSFUL, Status, Verb, allowed

TARGETED = ("cancel", "retry", "hold", "release", "rerun", "done", "skip")
VERBS = (*TARGETED, "update", "detach", "stop", "extend")
ALL = "*"
FAILED = "failed"  # as a target: all instances that failed themselves (not blocked ones)
HOST_GONE = "host_gone"  # an option of cancel: the host of a local step is gone
MARKS = {"done": Status.FINISHED, "skip": Status.SKIPPED}
_LEAST = {"throttle": 0, "local_jobs": 1, "rlimit": 0, "poll": 1}  # what `update` changes, with the lowest values
_Result = tuple[list[ev.Event], str]  # the events of a command, and the message of its answer
_CALLED = {"local_jobs": "local jobs", "poll": "sleep"}  # limits whose option has another name


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command as it was sent. `targets` are instance names, glob patterns, step names, or FAILED.

    `options` are the limits of `update`, the resources that `retry` and `rerun` change, the reason for a mark, or
    HOST_GONE.
    """

    command: str  # its id; each id is applied once
    verb: str
    targets: tuple[str, ...] = ()
    options: tuple[tuple[str, str | int], ...] = ()


def resolve_targets(plan: Plan, state: StudyState, targets: Iterable[str]) -> tuple[list[int], list[str]]:
    """Return the instances that targets match, in plan order, and the targets that match none."""
    found: set[int] = set()
    unknown: list[str] = []
    names = {instance.name: instance.index for instance in plan.instances}
    steps = {step.name: step for step in plan.steps}
    for target in targets:
        if target in names:
            hits: Iterable[int] = [names[target]]
        elif target in steps:
            hits = steps[target].instances
        elif target == FAILED:
            hits = [index for index, status in enumerate(state.status) if status in UNSUCCESSFUL]
        else:
            hits = [index for name, index in names.items() if fnmatchcase(name, target)]
        found.update(hits)
        if not hits and target != FAILED:
            unknown.append(target)
    return sorted(found), unknown


def apply_command(state: StudyState, request: CommandRequest, at: float) -> list[ev.Event]:
    """Return the events of a command; none if it was already carried out."""
    known = state.commands.get(request.command)
    if known and known.outcome:
        return []
    events: list[ev.Event] = []
    if not known:
        events.append(
            ev.CommandTaken(
                at=at,
                command=request.command,
                verb=request.verb,
                targets=request.targets,
                options=request.options,
            )
        )
    result: _Result | Refusal
    if request.verb in TARGETED:
        result = _targeted(state, request, at)
    elif request.verb == "update":
        result = _update(request, at)
    else:
        result = ([], "") if request.verb in VERBS else Refusal(f"unknown command '{request.verb}'")
    if isinstance(result, Refusal):
        outcome, message = "refused", result.message
    else:
        outcome, (changes, message) = "done", result
        events += changes
    events.append(ev.CommandDone(at=at, command=request.command, outcome=outcome, message=message))
    return events


def check_changes(state: StudyState, indices: Collection[int], changes: Mapping[str, str]) -> Refusal | None:
    """Return why these instances cannot be retried with these changes; None if they can."""
    for key, value in changes.items():
        if refusal := check_change(key, value):
            return refusal
    resources = [key for key in changes if key != RESTART]
    steps = {state.plan.instances[index].step for index in indices}
    if resources and steps and not any(state.plan.steps[step].scheduled for step in steps):
        name = state.plan.steps[min(steps)].name
        message = f"step '{name}' runs on the driver's machine and requests no {resources[0]} from Slurm"
        return Refusal(message, "retry without --set")
    for index in indices if changes else ():
        instance = state.plan.instances[index]
        step = state.plan.step_of(instance)
        if restarts(changes) and not step.restart and state.status[index] in UNSUCCESSFUL:
            message = f"step '{step.name}' has no restart command"
            return Refusal(message, "omit restart to run it from the start")
        if state.status[index] in OVER and step.scheduled and "$(LAUNCHER)[" in step.cmd + step.restart:
            try:
                render(state.plan, instance, {**state.changes.get(index, {}), **changes})
            except LauncherError as error:
                return Refusal(f"{instance.name}: {error}")
    return None


def _update(request: CommandRequest, at: float) -> _Result | Refusal:
    values: dict[str, int] = {}
    for key, value in request.options:
        number = int(value) if re.fullmatch("[0-9]{1,9}", str(value)) else -1
        words = _CALLED.get(key, key)
        if key not in _LEAST:
            return Refusal(f"unknown limit '{key}'")
        if number < _LEAST[key]:
            return Refusal(f"{words} must be an integer of {_LEAST[key]} or more, not '{value}'")
        values[key] = number
    message = ", ".join(f"{_CALLED.get(key, key)} set to {value}" for key, value in values.items())
    return [ev.SettingsChanged(at=at, **values)], message


_Verdict = tuple[ev.Event | None, str]


def _targeted(state: StudyState, request: CommandRequest, at: float) -> _Result | Refusal:
    indices, unknown = resolve_targets(state.plan, state, request.targets)
    if unknown:
        return Refusal(f"no instance or step named {', '.join(unknown)}")
    resources = {key: str(value) for key, value in request.options} if request.verb in ("retry", "rerun") else {}
    refusal = check_changes(state, indices, resources)
    chosen = set(indices)
    if request.verb == "rerun":
        below = {index for index in state.below(chosen) if state.status[index] is not Status.SKIPPED}
        indices = sorted(chosen | below)
        refusal = refusal or _check_none_live(state, indices)
    if refusal:
        return refusal
    reason = str(dict(request.options).get("reason", ""))

    def decide(state: StudyState, index: int, at: float) -> _Verdict:
        if request.verb == "cancel" and dict(request.options).get(HOST_GONE):
            return _end_without_host(state, index, at)
        if request.verb in MARKS:
            return _mark(state, index, at, request.verb, reason)
        return _DECISIONS[request.verb](state, index, at)

    changes: list[ev.Event] = []
    tallies: tuple[Counter[str], Counter[str]] = Counter(), Counter()  # of the instances that change, and of the others
    # Children first: a cancelled parent would block them before their own turn. Steps are in topological order, and
    # instances are not: those of rows that were added come last.
    for index in sorted(indices, key=lambda index: (state.plan.instances[index].step, index), reverse=True):
        event, word = decide(state, index, at)
        if isinstance(event, ev.Retried):
            changes_of = _changes_of(state, index, resources if request.verb == "retry" or index in chosen else {})
            event = replace(event, changes=tuple(changes_of.items()))
            word = f"{word} with {in_words(asked)}" if (asked := _asked(changes_of)) else word
        tallies[event is None][word] += 1
        if event is not None:
            changes.append(event)
    message = ", ".join(f"{count:,} {word}" for tally in tallies for word, count in sorted(tally.items()))
    return (changes, message) if changes else Refusal(message or "nothing to do")


def _cancel(state: StudyState, index: int, at: float) -> _Verdict:
    status = state.status[index]
    if status in OVER:
        return None, f"already {status.value}"
    if status in LIVE:
        attempt = state.attempts[index][-1]
        if attempt.backend == "local" and attempt.node not in ("", state.driver.host):
            where = f"running on {attempt.node}, which only a driver on that host can cancel"
            return None, f"{where} (if that host is down for good: cancel --host-gone)"
        return ev.CancelRequested(at=at, instance=index), "being cancelled"
    return ev.CancelRequested(at=at, instance=index), "cancelled"


def _end_without_host(state: StudyState, index: int, at: float) -> _Verdict:
    """End a local step as lost: the user confirms that its host is gone. A driver adopts what runs on its host."""
    status = state.status[index]
    if index not in state.live_local or not state.attempts[index][-1].job:
        return None, f"{status.value} (not a running local step)" if status in LIVE else status.value
    last = state.attempts[index][-1]
    if last.node in ("", state.driver.host):
        return None, f"running on {last.node}, the host of the driver (cancel it without --host-gone)"
    cause = Cause(CauseCode.HOST_GONE, node=last.node)
    return ev.Ended(at=at, instance=index, attempt=last.number, status=Status.LOST, cause=cause), "counted as lost"


def _retry(state: StudyState, index: int, at: float) -> _Verdict:
    status = state.status[index]
    if status in UNSUCCESSFUL:
        return ev.Retried(at=at, instance=index), "will run again"
    if status is Status.BLOCKED:
        return None, "blocked (retry the failed parent)"
    return None, f"{status.value} (use rerun)" if status is Status.FINISHED else status.value


def _changes_of(state: StudyState, index: int, resources: Mapping[str, str]) -> dict[str, str]:
    """Return what a retry changes for an instance: no resources for local steps; a restart only if requested now."""
    instance = state.plan.instances[index]
    changes = {
        key: value for key, value in resources.items() if key == RESTART or state.plan.step_of(instance).scheduled
    }
    if RESTART in state.changes.get(index, {}) and RESTART not in changes:
        changes[RESTART] = ""
    return changes


def _asked(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the changes without the removal of an earlier restart, which the user did not request."""
    return {key: value for key, value in changes.items() if key != RESTART or value}


def _rerun(state: StudyState, index: int, at: float) -> _Verdict:
    if state.status[index] in DONE | UNSUCCESSFUL:
        return ev.Retried(at=at, instance=index), "will run again"
    return None, state.status[index].value


def _check_none_live(state: StudyState, indices: Iterable[int]) -> Refusal | None:
    """Return why these cannot all be rerun: some are active; None if none is."""
    live = [index for index in indices if state.status[index] in LIVE]
    if not live:
        return None
    first = state.plan.instances[live[0]].name
    also = f" and {len(live) - 1:,} more" if len(live) > 1 else ""
    return Refusal(f"still active among these and their dependents: {first}{also}; cancel them first")


def _mark(state: StudyState, index: int, at: float, verb: str, reason: str) -> _Verdict:
    status, target = state.status[index], MARKS[verb]
    if not allowed(Verb.MARK, status, target) or status is target:
        return None, f"{status.value}" + (" (cancel it first)" if status in LIVE else "")
    code = CauseCode.MARKED_FINISHED if target is Status.FINISHED else CauseCode.MARKED_SKIPPED
    marked = ev.Marked(at=at, instance=index, status=target, cause=Cause(code, reason))
    return marked, f"marked as {target.value}"


def _hold(state: StudyState, index: int, at: float) -> _Verdict:
    status = state.status[index]
    if index in state.held:
        return None, "already held"
    unbegun = (Status.WAITING, Status.READY, Status.BLOCKED, Status.BOUND)
    if status in unbegun or state.waits_in_allocation(index):
        return ev.Held(at=at, instance=index), "held"
    return None, f"{status.value} (too late to hold)"


def _release(state: StudyState, index: int, at: float) -> _Verdict:
    if index in state.held:
        return ev.Released(at=at, instance=index), "released"
    return None, f"{state.status[index].value} and not held"


_DECISIONS: dict[str, Callable[[StudyState, int, float], _Verdict]] = {
    "cancel": _cancel,
    "retry": _retry,
    "hold": _hold,
    "release": _release,
    "rerun": _rerun,
}


def applies(state: StudyState, verb: str, index: int) -> bool:
    """Whether a targeted command would change anything for an instance in its present status."""
    event, _ = _mark(state, index, 0.0, verb, "") if verb in MARKS else _DECISIONS[verb](state, index, 0.0)
    return event is not None
