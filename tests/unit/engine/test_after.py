"""Edges over which a step runs even if its parents fail."""

from __future__ import annotations

from operator import attrgetter

import pytest

from mtui.core.engine.graph import EdgeKind, Edges, Graph
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import UNSUCCESSFUL, Status
from mtui.core.spec.study_spec import RetryRule, Step
from tests.plans import plan, step
from tests.unit.engine.script import (
    ahead,
    apply,
    cancel,
    ended,
    hold,
    intend,
    release,
    retry,
    run,
    started,
    state_of,
    submitted,
    unbound,
)

ROWS = {"X": [1, 2]}
PLAN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("end", after=["b_*"]), rows=ROWS)
A1, A2, B1, B2, END = range(5)


def status(state: StudyState) -> list[str]:
    return [item.value for item in state.status]


@pytest.mark.parametrize("end", sorted(UNSUCCESSFUL, key=attrgetter("value")), ids=attrgetter("name"))
def test_it_runs_even_if_what_it_comes_after_fails(end: Status) -> None:
    state = StudyState(plan(step("a"), step("end", after=["a"])))
    assert status(state) == ["ready", "waiting"]
    run(state, 0, end)
    assert state.status[1] is Status.READY


def test_what_is_blocked_counts_as_over() -> None:
    state = StudyState(PLAN)
    run(state, A1, Status.FAILED)
    assert status(state) == ["failed", "ready", "blocked", "waiting", "waiting"]
    run(state, A2)
    run(state, B2)
    assert state.status[END] is Status.READY
    assert state.waits_for(END) == 0


def test_it_waits_again_if_one_of_them_gets_another_chance() -> None:
    state = StudyState(PLAN)
    for index in (A2, B2):
        run(state, index)
    run(state, A1, Status.FAILED)
    assert state.status[END] is Status.READY
    apply(state, retry(A1))
    assert (state.status[END], state.open_parents(END)) == (Status.WAITING, [B1])
    run(state, A1)
    run(state, B1)
    assert state.status[END] is Status.READY


def test_what_it_depends_on_otherwise_still_blocks_it() -> None:
    state = StudyState(plan(step("a"), step("b"), step("end", "a", after=["b"])))
    run(state, 1, Status.FAILED)
    assert status(state) == ["ready", "failed", "waiting"]
    run(state, 0, Status.FAILED)
    assert status(state) == ["failed", "failed", "blocked"]
    apply(state, retry(0))
    run(state, 0)
    assert state.status[2] is Status.READY


def test_held_one_stays_held() -> None:
    state = state_of(PLAN, hold(END))
    for index in (A1, A2):
        run(state, index, Status.FAILED)
    assert state.status[END] is Status.HELD
    apply(state, release(END))
    assert state.status[END] is Status.READY


def test_it_can_go_ahead_of_what_has_a_job() -> None:
    state = StudyState(plan(step("a"), step("b", "a"), step("end", after=["a"])))
    assert ahead(state) == [[], [], []]
    apply(state, intend("s", (0, 1)), submitted("s"))
    assert ahead(state) == [[], [1], [2]]


def test_with_edges_of_both_kinds_it_can_go_ahead_once_all_parents_have_jobs_or_need_none() -> None:
    state = StudyState(plan(step("a"), step("b"), step("end", "a", after=["b"])))
    apply(state, intend("s", (0, 1)), submitted("s"))
    assert ahead(state)[2] == []
    run(state, 1, Status.FAILED)
    assert ahead(state)[2] == [2]
    apply(state, retry(1))
    assert ahead(state)[2] == []
    apply(state, intend("t", (1, 2)), submitted("t"))
    assert ahead(state)[2] == [2]


def test_it_is_not_bound_to_a_local_process() -> None:
    state = StudyState(plan(step("a", local=True), step("end", after=["a"])))
    apply(state, intend("s", (0, 1), backend="local"), submitted("s"))
    assert ahead(state)[1] == []


AGAIN = {"FAILED": RetryRule(1)}


@pytest.mark.parametrize(
    "parent",
    [step("a", retry=AGAIN), step("a", restart="true"), step("a", retry={"3": RetryRule(0), "4": RetryRule(2)})],
    ids=["any failure", "a time-out", "an exit code"],
)
def test_it_waits_for_the_retries_that_a_rule_allows(parent: Step) -> None:
    state = StudyState(plan(parent, step("end", after=["a"])))
    apply(state, intend("s", (0, 1)), submitted("s"))
    assert ahead(state)[1] == []
    apply(state, started(0, job="7"), ended(0, Status.FAILED))
    assert state.status[1] is Status.READY


def test_it_waits_for_what_slurm_would_drop_with_a_parent_that_is_retried() -> None:
    state = StudyState(plan(step("a", retry=AGAIN), step("b", "a"), step("end", after=["b"])))
    apply(state, intend("s", (0, 1)), submitted("s", "10"), intend("t", (1, 1), after="afterok:10"), submitted("t"))
    assert ahead(state)[2] == []
    apply(state, started(0, job="10"), ended(0))
    assert (state.status[1], ahead(state)[2]) == (Status.PENDING, [2])


def test_it_stays_bound_if_slurm_drops_a_parent_whose_own_parent_failed() -> None:
    state = StudyState(plan(step("a"), step("b", "a"), step("end", after=["b"])))
    apply(state, intend("s", (0, 1)), submitted("s", "10"), intend("t", (1, 1), after="afterok:10"), submitted("t"))
    apply(state, intend("u", (2, 1), after="afterany:11"), submitted("u"), started(0, job="10"))
    apply(state, ended(0, Status.FAILED))
    assert (status(state), list(state.to_unbind)) == (["failed", "bound", "bound"], [1])
    apply(state, unbound((1, 1)))
    assert (status(state), list(state.to_unbind)) == (["failed", "blocked", "pending"], [])


def test_bound_one_is_taken_out_if_what_it_comes_after_is_retried() -> None:
    state = StudyState(plan(step("a"), step("b"), step("end", "a", after=["b"])))
    apply(state, intend("s", (0, 1)), submitted("s"))
    run(state, 1, Status.FAILED)
    apply(state, intend("t", (2, 1), after="afterok:7"), submitted("t"))
    assert state.status[2] is Status.BOUND
    apply(state, retry(1))
    assert list(state.to_unbind) == [2]


def test_cancelled_ones_are_over_as_well() -> None:
    state = state_of(PLAN, cancel(A1), cancel(A2))
    assert status(state) == ["cancelled", "cancelled", "blocked", "blocked", "ready"]


def test_edges_by_kind() -> None:
    found = plan(step("a"), step("b"), step("c", "a", after=["b_*"]))
    assert [Edges(found, kind).children for kind in EdgeKind] == [[[2], [], []], [[2], [], []], [[], [], []]]
    assert [Edges(found, kind).funnel_users for kind in EdgeKind] == [[[], [2], []], [[], [], []], [[], [2], []]]
    assert Graph(found).below([1]) == {2}
