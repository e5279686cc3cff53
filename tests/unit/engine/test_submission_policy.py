"""What is started next, here and in Slurm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine import submission_policy
from mtui.core.engine.slurm_dependencies import PlannedSubmission
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.engine.submission_policy import Capacity, Limits, next_local, next_submissions
from mtui.core.plan.job_arrays import JobShapes
from mtui.core.plan.shared_allocations import PackingPlan
from tests.plans import plan, step
from tests.unit.engine.script import apply, at, deferred, ended, everything, hold, intend, run, submitted, unclear

NONE = Limits()
WIDE = Capacity(calls=100, slurm_open=True)
ARRAYS = Capacity(calls=100, slurm_open=True, array=1000)
AHEAD = Capacity(calls=100, slurm_open=True, array=1000, ahead=True)
# Instances 0 to 4 go to Slurm, 5 to 9 run here.
MIXED = plan(step("far", uses="X"), step("near", uses="X", local=True), rows={"X": range(5)})
CHAIN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("c", "b", uses="X"), rows={"X": range(4)})


def choose(state: StudyState, limits: Limits, capacity: Capacity) -> list[PlannedSubmission]:
    return next_submissions(state, JobShapes(state.plan), PackingPlan(state.plan, None), limits, capacity)


def groups(state: StudyState, limits: Limits = NONE, capacity: Capacity = ARRAYS) -> list[list[int]]:
    """The members of each submission."""
    return [list(start.members) for start in choose(state, limits, capacity)]


def chosen(state: StudyState, limits: Limits, capacity: Capacity) -> list[int]:
    """All that would be started now: here, then in Slurm."""
    return [*next_local(state, limits), *(index for members in groups(state, limits, capacity) for index in members)]


# --- limits


@pytest.mark.parametrize(
    ("limits", "capacity", "started"),
    [
        (Limits(0, 2), WIDE, [5, 6, 0, 1, 2, 3, 4]),
        (Limits(0, 9), WIDE, [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]),
        (Limits(3, 1), WIDE, [5, 0, 1, 2]),
        (Limits(3, 1), ARRAYS, [5, 0, 1, 2]),
        (Limits(0, 1), Capacity(2, True), [5, 0, 1]),
        (Limits(3, 1), Capacity(2, True), [5, 0, 1]),
        (Limits(1, 1), Capacity(2, True), [5, 0]),
        (Limits(0, 1), Capacity(0, True), [5]),
        (Limits(0, 1), Capacity(-1, True), [5]),
        (Limits(0, 1), Capacity(4, False), [5]),
    ],
    ids=[
        "no throttle", "local jobs", "throttle", "array", "calls", "calls first", "throttle first", "no call",
        "too many calls", "closed",
    ],
)  # fmt: skip
def test_starts_respect_every_limit(limits: Limits, capacity: Capacity, started: list[int]) -> None:
    state = StudyState(MIXED)
    before = everything(state)
    assert chosen(state, limits, capacity) == started
    assert everything(state) == before  # asking changes nothing


@pytest.mark.parametrize("funnel", [False, True], ids=["one by one", "funnel"])
def test_rows_that_get_ready_together_start_in_their_order(funnel: bool) -> None:
    first = step("first", uses="X" * funnel, local=True)
    rows = step("rows", "first_*" if funnel else "first", uses="X", local=True)
    state = StudyState(plan(first, rows, rows={"X": range(4)}))
    parents = next_local(state, Limits(0, 9))
    for index in parents:
        run(state, index)
    assert next_local(state, Limits(0, 9)) == [index + len(parents) for index in range(4)]


def test_throttle_counts_what_slurm_has_or_may_have() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (0, 1)))
    apply(state, intend("b", (1, 1)), unclear("b"))
    apply(state, intend("c", (2, 1)), submitted("c"))
    assert chosen(state, Limits(4, 0), WIDE) == [3]
    assert chosen(state, Limits(3, 0), WIDE) == []
    assert chosen(state, Limits(1, 0), WIDE) == []  # it was lowered while more were under way


def test_local_steps_need_no_place_in_slurm() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (0, 1)), submitted("a"))
    assert chosen(state, Limits(1, 2), WIDE) == [5, 6]


def test_local_jobs_count_those_that_run() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (5, 1), backend="local"), submitted("a"))
    assert next_local(state, Limits(0, 2)) == [6]
    assert next_local(state, Limits(0, 1)) == []


def test_what_was_put_off_goes_to_the_end_of_the_queue() -> None:
    state = StudyState(MIXED)
    apply(state, intend("a", (0, 1)), deferred("a"))
    assert chosen(state, Limits(4, 0), WIDE) == [1, 2, 3, 4]
    assert groups(state, Limits(), replace(ARRAYS, array=2)) == [[0, 1], [2, 3], [4]]  # in an array by number


def test_held_instances_are_passed_over() -> None:
    state = StudyState(MIXED)
    apply(state, hold(0), hold(5))
    assert chosen(state, Limits(2, 1), WIDE) == [6, 1, 2]


def test_nothing_is_started_of_a_study_that_is_over() -> None:
    state = StudyState(plan(step("a"), step("b", "a")))
    run(state, 0, Status.FAILED)
    assert chosen(state, Limits(), AHEAD) == []


@pytest.mark.parametrize(
    ("room", "limit_of", "found"),
    [
        ({}, (), [[2, 3], [4, 5]]),
        ({"": 3}, (), [[2, 3], [4]]),
        ({"q": 1}, ("", "q", ""), [[2], [4, 5]]),
        ({"q": 3}, ("q", "q", "q"), [[2, 3], [4]]),
        ({"q": 0, "r": 1}, ("", "q", "r"), [[4]]),
        ({"q": 0}, ("q", "q", "q"), []),
        ({"q": -5}, ("q", "q", "q"), []),
        ({"q": 9}, ("q", "q", "q"), [[2, 3], [4, 5]]),
    ],
)
def test_steps_share_the_room_of_their_submit_limit(
    room: Mapping[str, int], limit_of: Sequence[str], found: list[list[int]]
) -> None:
    state = StudyState(plan(step("a", uses="X"), step("b", "a"), step("c", "a"), rows={"X": [1, 2]}))
    run(state, 0)
    run(state, 1)
    assert groups(state, capacity=replace(ARRAYS, room=room, limit_of=limit_of)) == found


def test_one_turn_submits_no_more_than_it_can_look_up_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_policy, "MOST_AT_ONCE", 3)
    assert groups(StudyState(MIXED)) == [[0, 1, 2]]


# --- the order


def test_deepest_step_goes_first() -> None:
    state = StudyState(CHAIN)
    for index in (0, 4, 1):
        run(state, index)
    assert groups(state) == [[8], [5], [2, 3]]
    assert chosen(state, Limits(throttle=2), WIDE) == [8, 5]


def test_deepest_local_step_goes_first() -> None:
    state = StudyState(plan(step("a", uses="X", local=True), step("b", "a", uses="X", local=True), rows={"X": [1, 2]}))
    run(state, 1)
    assert next_local(state, Limits(0, 1)) == [3]


def test_step_that_gathers_its_instances_is_left_alone_for_now() -> None:
    state = StudyState(CHAIN)
    run(state, 0)
    assert groups(state, capacity=replace(ARRAYS, resting=[1])) == [[1, 2, 3]]
    assert groups(state, capacity=replace(AHEAD, resting=[0, 1])) == []


# --- arrays


@pytest.mark.parametrize(
    ("most", "found"), [(1000, [[0, 1, 2, 3]]), (3, [[0, 1, 2], [3]]), (2, [[0, 1], [2, 3]]), (1, [[0], [1], [2], [3]])]
)
def test_what_is_ready_together_shares_arrays_of_the_size_that_is_allowed(most: int, found: list[list[int]]) -> None:
    starts = choose(StudyState(CHAIN), Limits(), replace(ARRAYS, array=most))
    assert [list(start.members) for start in starts] == found
    assert {(start.tasks, start.after) for start in starts} == {((), "")}


def test_one_call_takes_one_array() -> None:
    assert groups(StudyState(CHAIN), capacity=Capacity(calls=1, slurm_open=True, array=3)) == [[0, 1, 2]]


def test_each_kind_has_its_own_arrays() -> None:
    cmd = "#SBATCH --mem=$(M)\ntrue"
    state = StudyState(plan(step("a", uses="X", cmd=cmd), rows={"X": range(4), "M": ["1G", "2G", "1G", "2G"]}))
    assert groups(state) == [[0, 2], [1, 3]]
    run(state, 0, Status.FAILED)
    apply(state, ev.Retried(at=at(), instance=0, changes=(("walltime", "5"),)))
    assert sorted(groups(state)) == [[0], [1, 3], [2]]


def test_what_cannot_share_goes_alone() -> None:
    state = StudyState(plan(step("a", uses="X", cmd="#SBATCH --output=x.log\ntrue"), rows={"X": range(3)}))
    assert groups(state) == [[0], [1], [2]]


# --- ahead


def in_slurm(state: StudyState, job: str, *members: int) -> None:
    apply(state, intend(job, *((index, state.next_attempt(index)) for index in members)), submitted(job, job))


def test_what_waits_for_jobs_in_slurm_is_submitted_ahead_if_that_is_allowed() -> None:
    state = StudyState(CHAIN)
    in_slurm(state, "10", 0, 1, 2, 3)
    assert choose(state, Limits(), ARRAYS) == []
    assert choose(state, Limits(), AHEAD) == [PlannedSubmission((4, 5, 6, 7), (0, 1, 2, 3), "aftercorr:10")]


def test_what_is_ready_goes_before_what_goes_ahead_and_that_from_the_top() -> None:
    state = StudyState(CHAIN)
    in_slurm(state, "10", 0, 1)
    apply(state, intend("11", (4, 1), after="afterok:10_0"), submitted("11", "11"))
    assert groups(state, capacity=AHEAD) == [[2, 3], [5], [8]]
    assert groups(state, Limits(throttle=6), AHEAD) == [[2, 3], [5]]
    assert groups(state, Limits(throttle=5), AHEAD) == [[2, 3]]
    assert groups(state, capacity=replace(AHEAD, calls=2)) == [[2, 3], [5]]


def test_room_counts_for_what_goes_ahead_too() -> None:
    state = StudyState(CHAIN)
    in_slurm(state, "10", 0, 1, 2, 3)
    assert groups(state, capacity=replace(AHEAD, room={"": 2})) == [[4, 5]]


def test_nothing_is_bound_to_what_is_in_doubt() -> None:
    state = StudyState(CHAIN)
    in_slurm(state, "10", 0, 1, 2, 3)
    assert groups(state, capacity=replace(AHEAD, doubtful={0, 2})) == [[5, 7]]


@pytest.mark.parametrize("line", ["--dependency=singleton", "-d afterok:5"])
def test_step_with_its_own_dependency_waits_for_its_parents(line: str) -> None:
    state = StudyState(plan(step("a"), step("b", "a", cmd=f"#SBATCH {line}\ntrue")))
    in_slurm(state, "10", 0)
    assert choose(state, Limits(), AHEAD) == []
    apply(state, ended(0))
    assert groups(state, capacity=AHEAD) == [[1]]


def test_what_cannot_share_goes_ahead_alone() -> None:
    state = StudyState(plan(step("a"), step("b", "a", uses="X", cmd="#SBATCH -o x.log\ntrue"), rows={"X": [1, 2]}))
    in_slurm(state, "10", 0)
    assert choose(state, Limits(), AHEAD) == [
        PlannedSubmission((1,), after="afterok:10"),
        PlannedSubmission((2,), after="afterok:10"),
    ]


def test_local_steps_never_go_ahead() -> None:
    state = StudyState(plan(step("a"), step("b", "a", local=True), step("c", "b")))
    in_slurm(state, "10", 0)
    assert choose(state, Limits(), AHEAD) == []
