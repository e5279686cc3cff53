"""The filter language: selects instances.

Terms are separated by blanks, and all of them must hold; `!` negates a term, and quotes protect blanks and signs. A
term is a text (part of the instance's name), a key with a colon and a value (`state:failed`), or a comparison of a
parameter (`SIZE>100`). A text with `*` or `?` is a glob and must match as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from operator import and_

from ...core.engine.cause_text import cause_text
from ...core.engine.state import StudyState
from ...core.engine.status import Status
from ...core.plan.study_plan import Plan
from ...core.spec.problems import nearest
from . import filter_terms as ft
from .filter_terms import FilterError

__all__ = ["KEYS", "Filter", "FilterError", "completions", "parse_filter"]

KEYS = ("state", "step", "job", "node", "alloc", "cause")

_LiveTest = Callable[[StudyState, int], bool]


@dataclass
class Filter:
    """A parsed filter; created by `parse`.

    All terms on parameters apply to the same row: an instance that covers several rows matches if one row satisfies all
    of these terms. So a step that does not use a parameter matches if any of its rows does.
    """

    text: str
    plan: Plan
    states: frozenset[Status] | None = None  # None: every state
    steps: frozenset[int] | None = None  # None: every step
    columns: list[tuple[int, ft.Test, bool]] = field(default_factory=list)  # parameter number, test, negated
    names: list[tuple[ft.Test, bool]] = field(default_factory=list)
    live: list[tuple[_LiveTest, bool]] = field(default_factory=list)  # tests of attempts

    @property
    def is_empty(self) -> bool:
        """Whether every instance matches."""
        return self.states is None and self.steps is None and not (self.columns or self.names or self.live)

    @cached_property
    def row_mask(self) -> bytes | None:
        """For each parameter row, whether the terms on parameters hold; None without such terms."""
        mask: bytes | None = None
        for column, test, negated in self.columns:
            values = self.plan.parameters.values[column]
            verdicts = {value: int(test(value) != negated) for value in set(values)}
            found = bytes(map(verdicts.__getitem__, values))
            mask = found if mask is None else bytes(map(and_, mask, found))
        return mask

    def matches(self, index: int, state: StudyState) -> bool:
        """Return whether one instance matches."""
        if self.states is not None and state.status[index] not in self.states:
            return False
        return bool(self._candidate_mask[index]) and all(test(state, index) != negated for test, negated in self.live)

    def matching(self, state: StudyState) -> list[int]:
        """Return all instances that match, in plan order."""
        found = self._candidates
        if self.states is not None:
            # Compare statuses by identity: hashing an Enum member runs Python code.
            wanted, status = {id(member) for member in self.states}, state.status
            found = [index for index in found if id(status[index]) in wanted]
        for test, negated in self.live:
            found = [index for index in found if test(state, index) != negated]
        return list(found)

    @cached_property
    def _candidates(self) -> Sequence[int]:
        """The instances that match all terms whose result cannot change."""
        if self.steps is None and not self.columns and not self.names:
            return range(len(self.plan.instances))
        found: list[int] = []
        mask = self.row_mask
        for step in self.plan.steps:
            if self.steps is not None and step.index not in self.steps:
                continue
            if mask is None:
                found += step.instances
            elif step.by_row:
                found += sorted(set(compress(step.by_row, mask)))
            elif any(mask):
                found += step.instances
        for test, negated in self.names:
            found = [index for index in found if test(self.plan.instances[index].name) != negated]
        return found

    @cached_property
    def _candidate_mask(self) -> bytearray:
        mask = bytearray(len(self.plan.instances))
        for index in self._candidates:
            mask[index] = 1
        return mask


def parse_filter(text: str, plan: Plan) -> Filter:
    """Parse a filter. Raises FilterError if it is invalid."""
    result = Filter(text, plan)
    for term in ft.parse_terms(text):
        if not term.sign:
            result.names.append((ft.pattern(term.value), term.negated))
        elif term.sign == ":":
            _add_key(result, term)
        else:
            result.columns.append((*ft.comparison(term, plan), term.negated))
    return result


def _add_key(result: Filter, term: ft.Term) -> None:
    plan, key = result.plan, ft.complete(term.key.lower(), KEYS)
    parts = [part for part in term.value.split(",") if part] or [term.value]
    if key == "state":
        states = frozenset(status for part in parts for status in ft.states(part))
        states = frozenset(Status) - states if term.negated else states
        result.states = states if result.states is None else result.states & states
    elif key == "step":
        steps = frozenset(index for part in parts for index in ft.steps(part, plan))
        steps = frozenset(range(len(plan.steps))) - steps if term.negated else steps
        result.steps = steps if result.steps is None else result.steps & steps
    elif key == "job":
        result.live.append((_job_test(parts), term.negated))
    elif key == "node":
        result.live.append((_node_test(parts), term.negated))
    elif key == "alloc":
        result.live.append((_allocation_test(parts), term.negated))
    elif key == "cause":
        holds = ft.pattern(term.value)
        result.live.append((lambda state, index: holds(cause_text(state.cause(index))), term.negated))
    else:
        raise FilterError(f"unknown key '{term.key}:'", nearest(term.key, KEYS))


def _job_test(parts: list[str]) -> _LiveTest:
    """Return a test for job IDs of any attempt: the user may look for a job whose instance was retried since."""
    tests = _exact(parts)

    def test(state: StudyState, index: int) -> bool:
        jobs = [attempt.job for attempt in state.attempts.get(index, ()) if attempt.job]
        return any(wanted(job) or wanted(job.partition("_")[0]) for job in jobs for wanted in tests)

    return test


def _allocation_test(parts: list[str]) -> _LiveTest:
    """Return a test for the allocation of the last attempt, by job ID or by name."""
    tests = _exact(parts)

    def test(state: StudyState, index: int) -> bool:
        last = state.last_attempt(index)
        if last is None or not last.allocation:
            return False
        job = state.allocations.by_name[last.allocation].job
        return any(wanted(job) or wanted(last.allocation) for wanted in tests)

    return test


def _exact(parts: list[str]) -> list[ft.Test]:
    return [ft.pattern(part) if ft.is_glob(part) else part.__eq__ for part in parts]


def _node_test(parts: list[str]) -> _LiveTest:
    tests = [ft.pattern(part) for part in parts]

    def test(state: StudyState, index: int) -> bool:
        last = state.last_attempt(index)
        return last is not None and any(wanted(last.node) for wanted in tests)

    return test


def completions(text: str, plan: Plan) -> list[str]:
    """Return completions of the last term, as whole texts that start with `text`."""
    if text.count('"') % 2:
        return []
    part = re.split(r"\s", text)[-1].lstrip("!")
    key, colon, value = part.partition(":")
    if not colon:
        known = [*(f"{key}:" for key in KEYS), *(f"{name}=" for name in ft.parameter_names(plan))]
    else:
        part = value.rpartition(",")[2]
        words = {"state": ft.state_words(), "step": tuple(step.name for step in plan.steps)}
        known = words.get(ft.complete(key.lower(), KEYS), ())
    known = [word for word in dict.fromkeys(known) if not re.search(r'[\s",<>]', word)]
    longer = (word for word in known if len(word) > len(part))
    return [text + word[len(part) :] for word in longer if word[: len(part)].casefold() == part.casefold()]
