"""A study whose plan has got more rows: when they count, and what they change for those that were there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.commands import CommandRequest, apply_command
from mtui.core.engine.event_codec import from_record, to_line
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.state_codec import from_lines, to_lines
from mtui.core.engine.status import Status
from mtui.core.plan.extend import extend_plan
from mtui.core.store.journal import parse_lines
from tests.plans import plan, step
from tests.unit.engine.script import apply, at, everything, intend, run, submitted

STEPS = (step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"))
WHOLE = plan(*STEPS, rows={"X": [1, 2]})
PLAN = extend_plan(plan(*STEPS, rows={"X": [1]}), WHOLE.parameters)
A1, B1, ALL, A2, B2 = range(5)


def extended() -> ev.PlanExtended:
    return ev.PlanExtended(at=at(), size=5)


def status(state: StudyState) -> list[str]:
    return [item.value for item in state.status]


def test_new_rows_count_from_the_event_on() -> None:
    state = StudyState(PLAN)
    assert status(state) == ["ready", "waiting", "waiting", "skipped", "skipped"]
    for index in (A1, B1):
        run(state, index)
    assert state.status[ALL] is Status.READY
    apply(state, extended())
    assert status(state) == ["finished", "finished", "waiting", "ready", "waiting"]
    for index in (A2, B2, ALL):
        run(state, index)
    assert state.outcome == "finished"


def test_study_that_was_over_continues() -> None:
    state = StudyState(PLAN)
    for index in (A1, B1, ALL):
        run(state, index)
    apply(state, ev.StudyEnded(at=at(), result="finished"))
    assert state.is_over
    apply(state, extended())
    assert (status(state), state.result, state.is_over) == (
        ["finished", "finished", "finished", "ready", "waiting"],
        "",
        False,
    )


def test_funnel_that_is_bound_is_taken_out() -> None:
    state = StudyState(PLAN)
    run(state, A1)
    apply(state, intend("s", (B1, 1)), submitted("s"), intend("t", (ALL, 1), after="afterok:7"), submitted("t"))
    assert state.status[ALL] is Status.BOUND
    apply(state, extended())
    assert list(state.to_unbind) == [ALL]


def test_new_rows_below_a_failed_parent_are_blocked() -> None:
    steps = (step("once"), step("a", "once", uses="X"))
    found = extend_plan(plan(*steps, rows={"X": [1]}), plan(*steps, rows={"X": [1, 2]}).parameters)
    state = StudyState(found)
    run(state, 0, Status.FAILED)
    apply(state, extended_to(3))
    assert status(state) == ["failed", "blocked", "blocked"]


def test_all_of_a_study_with_added_rows_are_cancelled_children_first() -> None:
    """Added parents of a funnel come behind it in the plan: cancelled before, they would block it."""
    state = StudyState(PLAN)
    apply(state, extended())
    apply(state, *apply_command(state, CommandRequest("c", "cancel", ("*",)), at()))
    assert status(state) == ["cancelled"] * 5


def extended_to(size: int) -> ev.PlanExtended:
    return ev.PlanExtended(at=at(), size=size)


@pytest.mark.parametrize("size", [3, 2, 6])
def test_size_that_the_plan_does_not_have_is_impossible(size: int) -> None:
    state = StudyState(PLAN)
    with pytest.raises(Impossible):
        state.apply(extended_to(size))


def test_golden_journal_replays() -> None:
    path = Path(__file__).with_name("journal_v1_extended.jsonl")
    state = StudyState(PLAN)
    for event in parse_lines(path.read_bytes(), str(path)):
        state.apply(event)
    assert (state.size, state.driver.epoch) == (5, 2)


def test_checkpoint_and_replay_agree() -> None:
    events = [intend("s", (A1, 1)), submitted("s"), extended()]
    state = StudyState(PLAN)
    for number, event in enumerate(events):
        kept = from_lines(PLAN, [line.encode() for line in to_lines(state)])
        for later in events[number:]:
            kept.apply(from_record(json.loads(to_line(later))))
        apply(state, event)
        if number == len(events) - 1:
            assert everything(kept) == everything(state)
