"""What people ask of a running study: cancel, retry, hold, release, update, detach.

A command is a file in the inbox (store/inbox.py). Here it becomes events, given the state of the study; each
ends with `command_done`, which says what came of it or why it was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..plan.changes import CHANGEABLE as CHANGEABLE
from ..plan.changes import in_words, problem_of
from ..plan.launcher import LauncherError
from ..plan.model import Plan
from ..plan.script import render
from . import events as ev
from .state import StudyState
from .status import LIVE, OVER, UNSUCCESSFUL, Status

TARGETED = ("cancel", "retry", "hold", "release")
VERBS = (*TARGETED, "update", "detach", "stop")
ALL = "*"
FAILED = "failed"  # as a target: everything that failed itself
_LEAST = {"throttle": 0, "local_jobs": 1, "poll": 1}  # what `update` changes
_CALLED = {"local_jobs": "local jobs", "poll": "sleep"}  # where the option has another name


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it was sent. `targets` are instance names, globs of them, step names, or FAILED.

    `options` are the limits of `update`, or the resources that `retry` changes.
    """

    command: str  # its id; taken once
    verb: str
    targets: tuple[str, ...] = ()
    options: tuple[tuple[str, str | int], ...] = ()


def resolve(plan: Plan, state: StudyState, targets: Iterable[str]) -> tuple[list[int], list[str]]:
    """The instances that targets mean, in plan order, and the targets that mean none."""
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


def carry_out(state: StudyState, request: Request, at: float) -> list[ev.Event]:
    """The events of a command; nothing for one that was done before."""
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
    outcome, message = "done", ""
    if request.verb in TARGETED:
        changes, outcome, message = _targeted(state, request, at)
        events += changes
    elif request.verb == "update":
        changed, outcome, message = _update(request, at)
        events += changed
    elif request.verb not in VERBS:
        outcome, message = "refused", f"unknown command '{request.verb}'"
    events.append(ev.CommandDone(at=at, command=request.command, outcome=outcome, message=message))
    return events


def change_problem(state: StudyState, indices: Iterable[int], changes: Mapping[str, str]) -> tuple[str, str]:
    """Why these instances cannot be retried with these changes, and a hint; two empty texts if they can."""
    for key, value in changes.items():
        problem = problem_of(key, value)
        if problem[0]:
            return problem
    for index in indices if changes else ():
        instance = state.plan.instances[index]
        step = state.plan.step_of(instance)
        if state.status[index] in UNSUCCESSFUL and step.scheduled and "$(LAUNCHER)[" in step.cmd + step.restart:
            try:
                render(state.plan, instance, {**state.changes.get(index, {}), **changes})
            except LauncherError as error:
                return f"{instance.name}: {error}", ""
    return "", ""


def _update(request: Request, at: float) -> tuple[list[ev.Event], str, str]:
    values: dict[str, int] = {}
    for key, value in request.options:
        number = int(value) if str(value).isdecimal() else -1
        words = _CALLED.get(key, key)
        if key not in _LEAST:
            return [], "refused", f"there is no limit called '{key}'"
        if number < _LEAST[key]:
            return (
                [],
                "refused",
                f"{words} has to be a whole number from {_LEAST[key]} up, not '{value}'",
            )
        values[key] = number
    message = ", ".join(f"{_CALLED.get(key, key)} is {value}" for key, value in values.items())
    return [ev.SettingsChanged(at=at, **values)], "done", message


_Verdict = tuple[ev.Event | None, str]


def _targeted(state: StudyState, request: Request, at: float) -> tuple[list[ev.Event], str, str]:
    indices, unknown = resolve(state.plan, state, request.targets)
    if unknown:
        return [], "refused", f"no instance or step is called {', '.join(unknown)}"
    resources = {key: str(value) for key, value in request.options} if request.verb == "retry" else {}
    problem, _ = change_problem(state, indices, resources)
    if problem:
        return [], "refused", problem
    decide = _DECISIONS[request.verb]
    changes: list[ev.Event] = []
    tally: dict[str, int] = {}
    # Children first: a cancelled parent would block them before their own turn.
    for index in reversed(indices):
        event, word = decide(state, index, at)
        # A local step asks for nothing that could be changed.
        if isinstance(event, ev.Retried) and resources and state.plan.step_of(state.plan.instances[index]).scheduled:
            event = replace(event, changes=tuple(resources.items()))
            word = f"{word} with {in_words(resources)}"
        tally[word] = tally.get(word, 0) + 1
        if event is not None:
            changes.append(event)
    message = ", ".join(f"{count:,} {word}" for word, count in sorted(tally.items()))
    return changes, "done" if changes else "refused", message or "there is nothing to do"


def _cancel(state: StudyState, index: int, at: float) -> _Verdict:
    status = state.status[index]
    if status in OVER:
        return None, f"already {status.value}"
    if status in LIVE:
        attempt = state.attempts[index][-1]
        if attempt.backend == "local" and attempt.node not in ("", state.driver.host):
            return None, f"running on {attempt.node}, where only a driver of that host can end it"
        return ev.CancelRequested(at=at, instance=index), "told to end"
    return ev.CancelRequested(at=at, instance=index), "cancelled"


def _retry(state: StudyState, index: int, at: float) -> _Verdict:
    status = state.status[index]
    if status in UNSUCCESSFUL:
        return ev.Retried(at=at, instance=index), "to run again"
    if status is Status.BLOCKED:
        return None, "blocked (retry the parent that failed)"
    return None, status.value


def _hold(state: StudyState, index: int, at: float) -> _Verdict:
    status = state.status[index]
    if index in state.held:
        return None, "held already"
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
}


def applies(state: StudyState, verb: str, index: int) -> bool:
    """Whether a targeted command would change anything for an instance as it stands now."""
    event, _ = _DECISIONS[verb](state, index, 0.0)
    return event is not None
