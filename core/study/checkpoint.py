"""The state of a study as lines of text, so that a large one need not be made of all its events again.

Only what events say is kept; counters and queues that follow from it are counted anew. The journal stays the
truth: a checkpoint that is of another version or damaged is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, asdict, fields
from typing import Any

from ..plan.model import Plan
from ..plan.packing import Pool
from .allocation import Allocation
from .attempt import Attempt
from .state import Command, Driver, StudyState
from .status import Status

VERSION = 4
_CHUNK = 1000  # attempts in one line: a thread that writes or reads one holds others up for a few milliseconds
_STATUSES = tuple(Status)
_FIELDS = tuple(field.name for field in fields(Attempt))
_DEFAULTS = tuple(field.default for field in fields(Attempt))
_PLAIN = (
    "size",
    "throttle",
    "local_jobs",
    "rlimit",
    "slurm_silent_since",
    "slurm_message",
    "deferred",
    "result",
    "retried_at",
    "failure_told",
    "last_event_at",
)
_LATER = ("poll",)  # not in every checkpoint of this version; where it is missing it is as at the start
_ORDERED = ("live_slurm", "live_local", "live_packed", "to_cancel", "to_unbind")
_BY_STEP = ("ready", "ahead")
_SETS = ("held", "withdrawn", "adrift", "in_vain", "automatic")


class Damaged(ValueError):
    """Lines that are no checkpoint of this plan and version."""


def to_lines(state: StudyState) -> Iterator[str]:
    """The state as lines of JSON without their ends: first what is of the whole study, then the attempts."""
    place = {status: chr(ord("A") + number) for number, status in enumerate(_STATUSES)}
    head: dict[str, Any] = {
        "v": VERSION,
        "statuses": [status.value for status in _STATUSES],
        "status": "".join(place[status] for status in state.status),
        "driver": asdict(state.driver),
        "commands": {name: asdict(command) for name, command in state.commands.items()},
        "submissions": state.submissions,
        "changes": list(state.changes.items()),
        "marked": list(state.marked.items()),
        "ran": state.ran,
        "allocations": [_allocation(allocation) for allocation in state.allocations.by_name.values()],
        **{name: getattr(state, name) for name in _PLAIN + _LATER},
        **{name: list(getattr(state, name)) for name in _ORDERED},
        **{name: [list(queue) for queue in getattr(state, name)] for name in _BY_STEP},
        **{name: sorted(getattr(state, name)) for name in _SETS},
    }
    yield _dump(head)
    chunk: list[list[Any]] = []
    count = 0
    for index, attempts in state.attempts.items():
        for attempt in attempts:
            chunk.append([index, *_values(attempt)])
        if len(chunk) >= _CHUNK:
            yield _dump(chunk)
            count += len(chunk)
            chunk = []
    yield _dump(chunk)
    yield _dump({"attempts": count + len(chunk)})


def from_lines(plan: Plan, lines: Iterable[bytes]) -> StudyState:
    """The state that `to_lines` wrote; raises Damaged."""
    state = StudyState(plan)
    try:
        source = iter(lines)
        head = json.loads(next(source))
        if head["v"] != VERSION or len(head["status"]) != len(plan.instances):
            raise Damaged("of another version or plan")
        known = {chr(ord("A") + number): Status(word) for number, word in enumerate(head["statuses"])}
        state.status = [known[letter] for letter in head["status"]]
        state.driver = Driver(**head["driver"])
        commands: dict[str, dict[str, Any]] = head["commands"]
        for name, values in commands.items():
            values["targets"] = tuple(values["targets"])
            state.commands[name] = Command(**values)
        submissions: dict[str, Any] = head["submissions"]
        state.submissions = {name: tuple((i, n) for i, n in members) for name, members in submissions.items()}
        state.ran = [(number, seconds) for number, seconds in head["ran"]]
        for values in head["allocations"]:
            allocation = _read_allocation(values)
            state.allocations.by_name[allocation.name] = allocation
        state.changes = {index: dict(values) for index, values in head["changes"]}
        state.marked = {index: cause for index, cause in head["marked"]}
        for name in _PLAIN:
            setattr(state, name, head[name])
        for name in _LATER:
            setattr(state, name, head.get(name, getattr(state, name)))
        for name in _ORDERED:
            setattr(state, name, dict.fromkeys(head[name]))
        for name in _BY_STEP:
            setattr(state, name, [dict.fromkeys(queue) for queue in head[name]])
        for name in _SETS:
            setattr(state, name, set(head[name]))
        _read_attempts(state, source)
    except Damaged:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, StopIteration) as error:
        raise Damaged(f"{type(error).__name__}: {error}") from None
    state.recount()
    return state


def _allocation(allocation: Allocation) -> dict[str, Any]:
    values = {field.name: getattr(allocation, field.name) for field in fields(Allocation)}
    pool = [allocation.pool.options, allocation.pool.gpus]
    return {**values, "pool": pool, "status": allocation.status.value, "members": list(allocation.members)}


def _read_allocation(values: dict[str, Any]) -> Allocation:
    options, gpus = values.pop("pool")
    values["status"] = Status(values["status"])
    values["hosts"] = tuple(values["hosts"])
    values["members"] = dict.fromkeys(values["members"])
    return Allocation(pool=Pool(tuple(options), gpus), **values)


def _read_attempts(state: StudyState, source: Iterator[bytes]) -> None:
    count = 0
    attempts = state.attempts
    changes, ended_as = _FIELDS.index("changes"), _FIELDS.index("ended_as")
    for line in source:
        chunk: Any = json.loads(line)
        if isinstance(chunk, dict):
            if chunk != {"attempts": count}:
                raise Damaged("not all attempts are there")
            return
        for index, *values in chunk:
            if len(values) > changes:
                values[changes] = tuple((key, value) for key, value in values[changes])
            if len(values) > ended_as:
                values[ended_as] = Status(values[ended_as])
            attempt = Attempt(*values)
            if index in attempts:
                attempts[index].append(attempt)
            else:
                attempts[index] = [attempt]
        count += len(chunk)
    raise Damaged("its end is missing")


def _values(attempt: Attempt) -> list[Any]:
    """The fields in order, without those at the end that are as they are by default."""
    values = [getattr(attempt, name) for name in _FIELDS]
    if attempt.ended_as:
        values[-1] = attempt.ended_as.value
    while _DEFAULTS[len(values) - 1] is not MISSING and values[-1] == _DEFAULTS[len(values) - 1]:
        values.pop()
    return values


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
