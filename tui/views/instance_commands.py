"""Commands for instances as the user sees them: targets, texts and effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ...core.engine import commands
from ...core.engine.state import StudyState
from ...core.engine.status import LIVE, Status
from ...core.errors import Refusal
from .text import plural, safe

_MOST_NAMES = 6
_AGAIN = (
    "Each runs as a new attempt in the same workspace, with the planned script; earlier output is kept. "
    "Changes of the study file since its start need a new study."
)
VERBS = commands.TARGETED
_NOTHING = {
    "cancel": "nothing to cancel: already ended",
    "retry": "nothing to retry: only failed or cancelled instances can be retried",
    "hold": "nothing to hold: only instances that have not started can be held",
    "release": "nothing to release: no instance is held",
    "rerun": "nothing to rerun: not ended yet",
    "done": "nothing to mark as done: already done, or active",
    "skip": "nothing to skip: already done, or active",
}
_TITLES = {"rerun": "Rerun {} with all dependents?", "done": "Mark {} as done?"}


@dataclass(frozen=True, slots=True)
class InstanceCommand:
    """A command that can be sent: the instances to which it applies, and the text of its dialog."""

    verb: str
    indices: tuple[int, ...]
    title: str
    lines: tuple[str, ...]


def command_for(state: StudyState, verb: str, indices: Iterable[int]) -> InstanceCommand | Refusal:
    """Return the command, or a refusal if it applies to none of the instances."""
    able = tuple(sorted(index for index in indices if commands.applies(state, verb, index)))
    if not able:
        return Refusal(_NOTHING[verb])
    title = _TITLES.get(verb, f"{verb.capitalize()} {{}}?").format(plural(len(able), "instance"))
    names = [f"{safe(state.plan.instances[index].name)}  ({state.status[index].value})" for index in able[:_MOST_NAMES]]
    if len(able) > _MOST_NAMES:
        names.append(f"and {len(able) - _MOST_NAMES:,} more: {_tally(state, able[_MOST_NAMES:])}")
    return InstanceCommand(verb, able, title, (*names, "", *_consequences(state, verb, able)))


def _tally(state: StudyState, indices: Iterable[int]) -> str:
    counts = Counter(state.status[index] for index in indices)
    return ", ".join(f"{count:,} {status.value}" for status, count in counts.most_common())


def _consequences(state: StudyState, verb: str, indices: Collection[int]) -> list[str]:
    below = state.below(indices) - set(indices)
    if verb == "cancel":
        jobs = sum(1 for index in indices if state.status[index] in LIVE and index not in state.live_packed)
        lines = [f"{plural(jobs, 'job')} will be cancelled."] if jobs else []
        packed = [state.attempts[index][-1].allocation for index in indices if index in state.live_packed]
        if packed:
            where = "an allocation, which continues" if len(set(packed)) == 1 else "allocations, which continue"
            lines.append(f"{plural(len(packed), 'instance')} will be cancelled in {where}.")
        waiting = sum(1 for index in below if commands.applies(state, "cancel", index))
        return lines + ([f"{plural(waiting, 'instance')} downstream will be blocked."] if waiting else [])
    if verb == "retry":
        freed = sum(1 for index in below if state.status[index].value == "blocked")
        lines = [_AGAIN]
        return lines + ([f"{plural(freed, 'blocked instance')} downstream can then start."] if freed else [])
    if verb == "rerun":
        again = sum(1 for index in below if commands.applies(state, "rerun", index))
        lines = [_AGAIN]
        return lines + ([f"{plural(again, 'instance')} downstream will run again as well."] if again else [])
    if verb in commands.MARKS:
        free = sum(1 for index in below if state.status[index] in (Status.WAITING, Status.BLOCKED))
        word = "marked as finished" if verb == "done" else "skipped"
        lines = [f"Nothing runs: they are {word}."]
        return lines + ([f"{plural(free, 'instance')} downstream can then start."] if free else [])
    if verb == "hold":
        return ["They will not start until they are released."]
    return []


def targets(state: StudyState, indices: Collection[int]) -> tuple[str, ...]:
    """Return the targets of a command for these instances: whole steps where possible, else instances."""
    chosen = set(indices)
    names: list[str] = []
    taken = {instance.name for instance in state.plan.instances}  # an instance of that name has precedence
    for step in state.plan.steps:
        members = [index for index in step.instances if index in chosen]
        if len(members) == len(step.instances) and members and step.name not in taken:
            names.append(step.name)
        else:
            names += [state.plan.instances[index].name for index in members]
    return tuple(names)
