"""What is started next."""

from __future__ import annotations

import pytest

from mtui.core.study.policy import Capacity, Limits, next_starts
from mtui.core.study.state import StudyState
from mtui.core.study.status import Status
from tests.plans import plan, step
from tests.unit.study.script import apply, deferred, hold, intend, run, submitted, unclear

WIDE = Capacity(submissions=100, slurm_open=True)
# Instances 0 to 4 go to Slurm, 5 to 9 run here.
MIXED = plan(step("far", uses="X"), step("near", uses="X", local=True), rows={"X": range(5)})


@pytest.mark.parametrize(
    ("limits", "capacity", "started"),
    [
        (Limits(0, 2), WIDE, [5, 6, 0, 1, 2, 3, 4]),
        (Limits(0, 9), WIDE, [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]),
        (Limits(3, 1), WIDE, [5, 0, 1, 2]),
        (Limits(0, 1), Capacity(2, True), [5, 0, 1]),
        (Limits(3, 1), Capacity(2, True), [5, 0, 1]),
        (Limits(1, 1), Capacity(2, True), [5, 0]),
        (Limits(0, 1), Capacity(0, True), [5]),
        (Limits(0, 1), Capacity(4, False), [5]),
    ],
    ids=["no throttle", "local jobs", "throttle", "calls", "calls first", "throttle first", "no call", "closed"],
)
def test_starts_respect_every_limit(limits: Limits, capacity: Capacity, started: list[int]) -> None:
    state = StudyState(MIXED)
    assert next_starts(state, limits, capacity) == started
    assert next_starts(state, limits, capacity) == started  # asking changes nothing


def test_throttle_counts_what_slurm_has_or_may_have() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (0, 1)))
    apply(state, intend("b", (1, 1)), unclear("b"))
    apply(state, intend("c", (2, 1)), submitted("c"))
    assert next_starts(state, Limits(4, 0), WIDE) == [3]
    assert next_starts(state, Limits(3, 0), WIDE) == []
    assert next_starts(state, Limits(1, 0), WIDE) == []  # it was lowered while more were under way


def test_local_steps_need_no_place_in_slurm() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (0, 1)), submitted("a"))
    assert next_starts(state, Limits(1, 2), WIDE) == [5, 6]


def test_local_jobs_count_those_that_run() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (5, 1), backend="local"), submitted("a"))
    assert next_starts(state, Limits(0, 2), Capacity(0, True)) == [6]
    assert next_starts(state, Limits(0, 1), Capacity(0, True)) == []


def test_what_was_put_off_goes_to_the_end_of_the_queue() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (0, 1)), deferred("a"))
    assert next_starts(state, Limits(0, 0), WIDE) == [1, 2, 3, 4, 0]


def test_held_instances_are_passed_over() -> None:
    state = StudyState(MIXED)
    apply(state, hold(0), hold(5))
    assert next_starts(state, Limits(2, 1), WIDE) == [6, 1, 2]


def test_nothing_is_started_of_a_study_that_is_over() -> None:
    state = StudyState(plan(step("a"), step("b", "a")))
    run(state, 0, Status.FAILED)
    assert next_starts(state, Limits(), WIDE) == []
