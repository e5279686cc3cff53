"""A study that continues from its checkpoint is in the state of one that has read all of its events."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields

import hypothesis.strategies as st
from hypothesis import given, settings

from mtui.core.engine import events as ev
from mtui.core.engine.durable_state import DurableState
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.state_codec import from_lines, to_lines
from tests.property.random_events import random_events
from tests.unit.engine.script import everything

EVENTS = 150


def apply_possible(state: StudyState, events: Iterable[ev.Event]) -> StudyState:
    for event in events:
        with suppress(Impossible):
            state.apply(event)
    return state


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), at=st.integers(0, EVENTS))
def test_events_after_a_checkpoint_give_the_state_of_all_events(seed: int, at: int) -> None:
    plan, events = random_events(seed, EVENTS)
    before = apply_possible(StudyState(plan), events[:at])

    loaded = from_lines(plan, [line.encode() for line in to_lines(before)])

    assert everything(loaded) == everything(before)
    resumed, straight = (everything(apply_possible(state, events[at:])) for state in (loaded, before))
    for name, value in straight.items():
        assert resumed[name] == value, name


def test_random_events_reach_every_field_of_the_durable_state() -> None:
    changed: set[str] = set()
    for seed in range(600):
        plan, events = random_events(seed, EVENTS)
        state, initial = apply_possible(StudyState(plan), events), DurableState.initial(plan)
        for field in fields(DurableState):
            if getattr(state, field.name) != getattr(initial, field.name):
                changed.add(field.name)

    assert {field.name for field in fields(DurableState)} - changed == set()
