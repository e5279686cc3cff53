"""What a submission ahead of its parents waits for, and what can share an array."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.slurm_dependencies import DependencyPlanner, PlannedSubmission
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import BAD, IN_SLURM, LIVE, Status
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.study_spec import Step
from tests.plans import plan, step
from tests.unit.engine.script import (
    apply,
    at,
    ended,
    exited,
    hold,
    intend,
    missed,
    observed,
    retry,
    started,
    state_of,
    submitted,
    unbound,
    unclear,
)

UNDONE = sorted(LIVE | BAD, key=lambda status: status.value)
ROWS = {"X": [1, 2, 3, 4]}
CHAIN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("c", "b", uses="X"), rows=ROWS)
FUNNEL = plan(step("a", uses="X"), step("b", "a_*"), rows=ROWS)
# Every b waits for the a of its X: two for each in the first, three for each of two in the second.
TWICE = plan(step("a", uses="X"), step("b", "a", uses="XY"), rows={"X": [1, 1, 2, 2, 3, 3], "Y": [1, 2] * 3})
OFTEN = plan(step("a", uses="X"), step("b", "a", uses="XY"), rows={"X": [1, 1, 1, 2, 2, 2], "Y": [1, 2, 3] * 2})
CORNER = plan(step("a", uses="X"), step("b", uses="X"), step("c", "a", "b", uses="X"), rows=ROWS)


def submit(state: StudyState, job: str, members: Sequence[int], tasks: Sequence[int] = (), after: str = "") -> None:
    """Hand instances to Slurm: several are an array."""
    numbered = [(index, state.next_attempt(index)) for index in members]
    apply(state, intend(job, *numbered, tasks=tuple(tasks), after=after), submitted(job, job))


def arrays(plan: Plan, **jobs: Sequence[int]) -> StudyState:
    """A state in which Slurm has these arrays, each with its members in order."""
    state = StudyState(plan)
    for name, members in jobs.items():
        submit(state, name.removeprefix("j"), members)
    return state


def bind(state: StudyState, step: int, most: int = 1000, doubtful: Sequence[int] = ()) -> list[PlannedSubmission]:
    return DependencyPlanner(state, doubtful).starts(state.plan.steps[step].instances, most)


# --- tasks that correspond


def test_instances_whose_parents_are_tasks_of_one_array_are_its_mirror() -> None:
    state = arrays(CHAIN, j10=range(4))
    assert bind(state, 1) == [PlannedSubmission((4, 5, 6, 7), (0, 1, 2, 3), "aftercorr:10")]


def test_mirror_has_the_numbers_of_its_parents_whatever_they_are() -> None:
    state = StudyState(CHAIN)
    submit(state, "10", [0, 2, 3], [5, 7, 90])
    assert bind(state, 1) == [PlannedSubmission((4, 6, 7), (5, 7, 90), "aftercorr:10")]


def test_bound_array_can_be_bound_to() -> None:
    state = arrays(CHAIN, j10=range(4))
    submit(state, "11", range(4, 8), range(4), "aftercorr:10")
    assert bind(state, 2) == [PlannedSubmission((8, 9, 10, 11), (0, 1, 2, 3), "aftercorr:11")]


def test_parents_in_several_arrays_make_an_array_for_each() -> None:
    state = arrays(CHAIN, j10=[0, 1], j11=[2, 3])
    assert bind(state, 1) == [
        PlannedSubmission((4, 5), (0, 1), "aftercorr:10"),
        PlannedSubmission((6, 7), (0, 1), "aftercorr:11"),
    ]


def test_parents_in_different_arrays_correspond_in_both() -> None:
    state = arrays(CORNER, j21=range(4), j20=range(4, 8))
    assert bind(state, 2) == [PlannedSubmission((8, 9, 10, 11), (0, 1, 2, 3), "aftercorr:20:21")]


def test_parents_of_different_numbers_are_named_one_by_one() -> None:
    state = arrays(CORNER, j20=range(4), j21=[5, 6, 7, 4])
    assert bind(state, 2) == [
        PlannedSubmission((8 + row,), after=f"afterok:20_{row}:21_{(row + 3) % 4}") for row in range(4)
    ]  # fmt: skip


def test_parent_that_finished_needs_no_mention() -> None:
    state = arrays(CORNER, j20=range(4), j21=range(4, 8))
    apply(state, ended(0), ended(5), ended(6))
    assert sorted(bind(state, 2), key=lambda start: start.members) == [
        PlannedSubmission((8,), after="afterok:21_0"),
        PlannedSubmission((9, 10), (1, 2), "aftercorr:20"),
        PlannedSubmission((11,), after="afterok:20_3:21_3"),
    ]


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5])
def test_no_array_has_more_tasks_than_are_allowed(most: int) -> None:
    for plan_of, jobs in ((CHAIN, range(4)), (TWICE, range(3)), (OFTEN, range(2)), (FUNNEL, range(4))):
        starts = bind(arrays(plan_of, j10=jobs), 1, most)
        assert max(len(start.members) for start in starts) <= most
        members = [index for start in starts for index in start.members]
        assert sorted(members) == sorted(plan_of.steps[1].instances)


@pytest.mark.parametrize(
    ("plan", "jobs", "most"),
    [
        pytest.param(CHAIN, range(4), 3),
        pytest.param(TWICE, range(3), 2),
        (CHAIN, [0, 1], 1),
    ],
    ids=["one too many", "layers", "no arrays"],
)
def test_instance_alone_is_bound_to_the_one_task(plan: Plan, jobs: Sequence[int], most: int) -> None:
    """It is a separate job: for Slurm `aftercorr` would be all tasks of the array."""
    lone = [start for start in bind(arrays(plan, j10=jobs), 1, most) if len(start.members) == 1]
    assert lone
    assert {start.after.partition("_")[0] for start in lone} == {"afterok:10"}
    assert {start.tasks for start in lone} == {()}


def test_without_arrays_each_is_bound_to_the_jobs_of_its_parents() -> None:
    state = arrays(CORNER, j10=[0], j11=[1], j20=[4], j21=[5])
    assert bind(state, 2, most=1) == [
        PlannedSubmission((8,), after="afterok:10:20"),
        PlannedSubmission((9,), after="afterok:11:21"),
    ]


# --- several children of each parent


def test_several_children_of_each_of_many_parents_are_layers() -> None:
    state = arrays(TWICE, j10=range(3))
    assert bind(state, 1) == [
        PlannedSubmission((3, 5, 7), (0, 1, 2), "aftercorr:10"),
        PlannedSubmission((4, 6, 8), (0, 1, 2), "aftercorr:10"),
    ]


def test_many_children_of_each_of_few_parents_are_an_array_for_each_parent() -> None:
    state = arrays(OFTEN, j10=range(2))
    assert bind(state, 1) == [
        PlannedSubmission((2, 3, 4), after="afterok:10_0"),
        PlannedSubmission((5, 6, 7), after="afterok:10_1"),
    ]


def test_children_of_a_single_parent_are_one_array() -> None:
    state = arrays(OFTEN, j10=[0])
    assert bind(state, 1) == [PlannedSubmission((2, 3, 4), after="afterok:10")]
    assert bind(state, 1, most=2) == [
        PlannedSubmission((2, 3), after="afterok:10"),
        PlannedSubmission((4,), after="afterok:10"),
    ]


# --- funnels


def test_funnel_depends_on_whole_arrays_and_single_jobs() -> None:
    state = arrays(FUNNEL, j10=[0, 1], j11=[2], j12=[3])
    assert bind(state, 1) == [PlannedSubmission((4,), after="afterok:10:11:12")]
    apply(state, ended(2))
    assert bind(state, 1) == [PlannedSubmission((4,), after="afterok:10:12")]


def test_instances_behind_one_funnel_are_one_array() -> None:
    state = arrays(plan(step("a", uses="X"), step("b", "a_*", uses="Y"), rows={"X": [1, 2], "Y": [1, 2]}), j10=[0, 1])
    assert bind(state, 1) == [PlannedSubmission((2, 3), after="afterok:10")]


def test_funnel_beside_direct_parents_is_added_to_them() -> None:
    both = plan(step("a", uses="X"), step("b", uses="X"), step("c", "a", "b_*", uses="X"), rows=ROWS)
    state = arrays(both, j10=range(4), j20=range(4, 8))
    assert bind(state, 2) == [PlannedSubmission((8, 9, 10, 11), (0, 1, 2, 3), "aftercorr:10,afterok:20")]


def test_array_in_which_a_task_failed_is_named_task_by_task() -> None:
    state = arrays(FUNNEL, j10=range(4))
    apply(state, started(1, job="10_1"), ended(1, Status.FAILED))
    assert bind(state, 1) == []
    apply(state, retry(1))
    submit(state, "11", [1])
    assert bind(state, 1) == [PlannedSubmission((4,), after="afterok:10_0:11:10_2:10_3")]


def test_array_from_which_a_task_was_taken_out_is_named_task_by_task() -> None:
    deep = plan(step("a", uses="X"), step("b", "a", uses="X"), step("c", "b_*"), rows={"X": [1, 2]})
    state = arrays(deep, j10=[0, 1])
    submit(state, "11", [2, 3], [0, 1], "aftercorr:10")
    apply(state, ended(1, Status.FAILED), unbound((3, 1)), retry(1))
    submit(state, "12", [1])
    submit(state, "13", [3], after="afterok:12")
    assert bind(state, 2) == [PlannedSubmission((4,), after="afterok:11_0:13")]


def test_what_slurm_would_not_begin_is_not_bound_again() -> None:
    state = arrays(FUNNEL, j10=range(4))
    apply(state, ended(0))  # well, by its own word; out of memory, for Slurm
    submit(state, "11", [4], after="afterok:10")
    apply(state, unbound((4, 1), cause="a parent's job is gone"))
    assert state.ahead == [{}, {}]


def test_funnel_over_more_jobs_than_a_command_can_name_is_waited_for() -> None:
    wide = plan(step("a", uses="X"), step("b", "a_*"), rows={"X": range(501)})
    state = arrays(wide, **{f"j{index}": [index] for index in range(501)})
    assert bind(state, 1) == []
    apply(state, ended(7))
    (start,) = bind(state, 1)
    assert start.after.count(":") == 500


# --- parents whose end is enough


def test_any_end_of_a_job_is_enough() -> None:
    state = arrays(plan(step("a"), step("end", after=["a"])), j10=[0])
    assert bind(state, 1) == [PlannedSubmission((1,), after="afterany:10")]


def test_end_of_a_task_concerns_its_own_row() -> None:
    state = arrays(plan(step("a", uses="X"), step("end", uses="X", after=["a"]), rows=ROWS), j10=range(4))
    apply(state, started(3, job="10_3"), ended(3, Status.FAILED))
    assert bind(state, 1) == [PlannedSubmission((4 + row,), after=f"afterany:10_{row}") for row in range(3)]


def test_instances_that_follow_one_end_are_an_array() -> None:
    state = arrays(plan(step("a"), step("end", uses="X", after=["a"]), rows=ROWS), j10=[0])
    assert bind(state, 1) == [PlannedSubmission((1, 2, 3, 4), after="afterany:10")]


def test_end_of_a_whole_step_is_that_of_its_arrays_also_of_those_in_which_a_task_failed() -> None:
    state = arrays(plan(step("a", uses="X"), step("end", after=["a_*"]), rows=ROWS), j10=range(4))
    apply(state, started(1, job="10_1"), ended(1, Status.FAILED))
    assert bind(state, 1) == [PlannedSubmission((4,), after="afterany:10")]
    apply(state, retry(1))
    assert bind(state, 1) == []
    submit(state, "11", [1])
    assert bind(state, 1) == [PlannedSubmission((4,), after="afterany:10:11")]


def test_both_kinds_are_joined() -> None:
    both = plan(step("a", uses="X"), step("b", uses="X"), step("c", "a", uses="X", after=["b_*"]), rows=ROWS)
    state = arrays(both, j10=range(4), j20=range(4, 8))
    assert bind(state, 2) == [PlannedSubmission((8, 9, 10, 11), (0, 1, 2, 3), "aftercorr:10,afterany:20")]
    assert bind(state, 2, most=1)[0] == PlannedSubmission((8,), after="afterok:10_0,afterany:20")


def test_end_of_a_bound_job_has_the_failure_of_its_ancestors_as_alternatives() -> None:
    """If one of them fails, the bound job never begins, and stays in the queue: `afterany` would never be satisfied."""
    state = StudyState(plan(step("a"), step("b", "a"), step("c", "b"), step("end", after=["c"])))
    submit(state, "10", [0])
    submit(state, "11", [1], after="afterok:10")
    submit(state, "12", [2], after="afterok:11")
    assert bind(state, 3) == [PlannedSubmission((3,), after="afterany:12?afternotok:11?afternotok:10")]
    apply(state, started(0, job="10"), ended(0))
    assert bind(state, 3) == [PlannedSubmission((3,), after="afterany:12?afternotok:11")]
    apply(state, started(1, job="11"), ended(1))
    assert bind(state, 3) == [PlannedSubmission((3,), after="afterany:12")]


def test_end_of_a_job_that_is_bound_to_ends_alone_is_certain() -> None:
    state = StudyState(plan(step("a"), step("b", after=["a"]), step("end", after=["b"])))
    submit(state, "10", [0])
    submit(state, "11", [1], after="afterany:10")
    assert bind(state, 2) == [PlannedSubmission((2,), after="afterany:11")]


def test_rows_that_follow_ends_of_bound_tasks_have_their_own_ancestors() -> None:
    chain = plan(step("a", uses="X"), step("b", "a", uses="X"), step("end", after=["b"], uses="X"), rows={"X": [1, 2]})
    state = arrays(chain, j10=range(2))
    submit(state, "11", [2, 3], [0, 1], "aftercorr:10")
    expected = [PlannedSubmission((4 + row,), after=f"afterany:11_{row}?afternotok:10_{row}") for row in (0, 1)]
    assert bind(state, 2) == expected


@pytest.mark.parametrize(
    "last",
    [step("end", after=["b_*"]), step("end", "a_*", after=["b_*"]), step("end", after=["a_*", "b_*"])],
    ids=["several ends", "both kinds", "ends of two steps"],
)
def test_several_dependencies_of_which_one_may_never_be_satisfied_are_awaited(last: Step) -> None:
    """Slurm combines dependencies by "and" or by "or", not by both."""
    state = arrays(plan(step("a", uses="X"), step("b", "a", uses="X"), last, rows={"X": [1, 2]}), j10=range(2))
    submit(state, "11", [2, 3], [0, 1], "aftercorr:10")
    assert bind(state, 2) == []
    for index in range(2):
        apply(state, started(index, job=f"10_{index}"), ended(index))
    assert len(bind(state, 2)) == 1


def test_end_of_a_bound_job_whose_ancestor_is_in_doubt_is_awaited() -> None:
    state = StudyState(plan(step("a"), step("b", "a"), step("end", after=["b"])))
    submit(state, "10", [0])
    submit(state, "11", [1], after="afterok:10")
    assert bind(state, 2, doubtful=[0]) == []


def test_nothing_follows_the_end_of_a_job_that_may_be_a_duplicate() -> None:
    """A duplicate job ends at once, without having run anything."""
    state = state_of(plan(step("a"), step("end", after=["a"])), intend("s", (0, 1)), unclear("s"), submitted("s", "10"))
    assert bind(state, 1) == []
    apply(state, started(0, job="10"))
    assert bind(state, 1) == [PlannedSubmission((1,), after="afterany:10")]


def test_nothing_follows_the_end_of_a_job_whose_attempt_was_unclear_before() -> None:
    chain = plan(step("a"), step("end", after=["a"]))
    state = state_of(chain, intend("s", (0, 1)), unclear("s"), missed("s"), intend("t", (0, 1)), submitted("t", "11"))
    assert bind(state, 1) == []


# --- what cannot be bound to


@pytest.mark.parametrize("status", UNDONE, ids=lambda status: status.name)
def test_only_what_slurm_has_and_will_finish_is_bound_to(status: Status) -> None:
    if status in IN_SLURM:
        state = arrays(CHAIN, j10=range(4))
        apply(state, observed(0, status))
    else:
        state = arrays(CHAIN, j10=range(1, 4))
        state.status[0] = status
    fits = status in IN_SLURM - {Status.COMPLETING, Status.REQUEUED}
    members = [index for start in bind(state, 1) for index in start.members]
    assert members == ([4, 5, 6, 7] if fits else [5, 6, 7])


def test_parent_without_a_job_or_whose_script_ended_is_not_bound_to() -> None:
    state = state_of(FUNNEL, intend("s", (0, 1), (1, 1), (2, 1)), submitted("s", "10"))
    assert bind(state, 1) == []  # one is not in Slurm
    submit(state, "11", [3])
    apply(state, started(0, job="10_0"), exited(0))
    assert bind(state, 1) == []


def test_nothing_is_bound_to_what_is_in_doubt() -> None:
    state = arrays(CHAIN, j10=range(4))
    assert bind(state, 1, doubtful=[1]) == [PlannedSubmission((4, 6, 7), (0, 2, 3), "aftercorr:10")]
    assert bind(arrays(FUNNEL, j10=range(4)), 1, doubtful=[1]) == []


def test_nothing_is_bound_to_what_is_about_to_leave_slurm() -> None:
    state = arrays(CHAIN, j10=range(4))
    submit(state, "11", range(4, 8), range(4), "aftercorr:10")
    apply(state, hold(4))
    assert bind(state, 2) == [PlannedSubmission((9, 10, 11), (1, 2, 3), "aftercorr:11")]


def test_nothing_is_bound_to_a_process_of_this_machine() -> None:
    here = plan(step("a", local=True), step("b", "a"))
    state = state_of(here, intend("s", (0, 1), backend="local"), submitted("s", "4711"), started(0, job="4711"))

    assert bind(state, 1) == []


def test_nothing_is_bound_to_the_job_of_an_allocation() -> None:
    state = state_of(
        CHAIN,
        ev.AllocationIntended(at=at(), allocation="1", pool=(), gpus=0, nodes=1, seconds=3600),
        ev.AllocationQueued(at=at(), allocation="1", job="101"),
        ev.SubmitIntended(at=at(), submission="s", backend="pack", members=((0, 1),), allocation="1"),
        submitted("s", "101"),
    )

    assert state.status[0] is Status.PENDING
    assert bind(state, 1) == []


def test_instance_whose_parents_are_all_done_is_not_bound() -> None:
    state = arrays(CHAIN, j10=range(4))
    apply(state, *(ended(index) for index in range(4)))
    assert bind(state, 1) == []
