"""What can be submitted ahead of its parents, and the tasks of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import (
    ahead,
    apply,
    attempt,
    deferred,
    ended,
    hold,
    intend,
    missed,
    ready,
    release,
    retry,
    run,
    started,
    state_of,
    submitted,
    unclear,
    words,
)
from tests.unit.engine.situations import AHEAD, CORNER, FAILURES, FUNNEL, PAIR, PARENT, ROWS

# --- what can go ahead


def test_child_can_go_ahead_while_slurm_has_its_parent() -> None:
    state = StudyState(PAIR)
    assert ahead(state) == [[], []]
    apply(state, intend("p", (0, 1)))
    assert ahead(state) == [[], []]  # no answer, so there is no job to be bound to
    apply(state, submitted("p", "10"))
    assert ahead(state) == [[], [1]]
    apply(state, started(0, job="10"))
    assert ahead(state) == [[], [1]]
    apply(state, ended(0))
    assert (ahead(state), ready(state)) == ([[], []], [[], [1]])


@pytest.mark.parametrize("end", FAILURES, ids=lambda status: status.name)
def test_child_of_what_failed_cannot_go_ahead(end: Status) -> None:
    state = state_of(PAIR, *PARENT, ended(0, end))
    assert (words(state), ahead(state)) == (f"{end.value}, blocked", [[], []])
    apply(state, retry(0))
    assert ahead(state) == [[], []]
    apply(state, intend("p2", (0, 2)), submitted("p2", "20"))
    assert ahead(state) == [[], [1]]


def test_child_goes_ahead_only_if_slurm_has_all_that_is_not_done() -> None:
    state = state_of(CORNER, *PARENT)
    assert ahead(state) == [[], [], []]
    run(state, 1)
    assert ahead(state) == [[], [], [2]]


def test_dependents_of_a_funnel_are_submitted_ahead_once_all_of_it_is_in_slurm() -> None:
    state = state_of(FUNNEL, intend("p", (0, 1)), submitted("p", "10"))
    assert ahead(state) == [[], []]
    apply(state, intend("q", (1, 1)), submitted("q", "11"))
    assert ahead(state) == [[], [2]]
    apply(state, ended(0))
    assert ahead(state) == [[], [2]]
    apply(state, ended(1, Status.FAILED))
    assert (words(state), ahead(state)) == ("finished, failed, blocked", [[], []])


def test_child_of_a_local_step_waits_for_its_end() -> None:
    state = state_of(
        plan(step("a", local=True), step("b", "a")), intend("p", (0, 1), backend="local"), submitted("p", "4711")
    )
    assert (words(state), ahead(state)) == ("running, waiting", [[], []])


def test_local_step_waits_for_the_end_of_its_parent_in_slurm() -> None:
    assert ahead(state_of(plan(step("a"), step("b", "a", local=True)), *PARENT)) == [[], []]


def test_held_child_does_not_go_ahead() -> None:
    state = state_of(PAIR, *PARENT, hold(1))
    assert ahead(state) == [[], []]
    apply(state, release(1))
    assert (words(state), ahead(state)) == ("pending, waiting", [[], [1]])


@pytest.mark.parametrize("events", [(), (intend("p", (0, 1)),), (hold(0),)], ids=["ready", "submitting", "held"])
def test_child_whose_parent_is_not_in_slurm_cannot_be_submitted(events: Sequence[ev.Event]) -> None:
    state = state_of(PAIR, *events)
    with pytest.raises(Impossible, match="not in Slurm"):
        apply(state, AHEAD)


# --- arrays


def test_tasks_have_the_numbers_that_the_submission_names() -> None:
    state = state_of(ROWS, intend("p", (0, 1), (1, 1), tasks=(5, 7)), submitted("p", "10"))
    assert [(attempt(state, i).job, attempt(state, i).task, attempt(state, i).array) for i in (0, 1)] == [
        ("10_5", 5, "10"),
        ("10_7", 7, "10"),
    ]
    state = state_of(ROWS, intend("p", (0, 1), (1, 1)), submitted("p", "10"))
    assert [attempt(state, index).job for index in (0, 1)] == ["10_0", "10_1"]


def test_separate_job_is_no_task() -> None:
    state = state_of(PAIR, *PARENT)
    assert (attempt(state, 0).task, attempt(state, 0).array) == (-1, "10")


@pytest.mark.parametrize("tasks", [(1,), (1, 2, 3)])
def test_array_with_too_few_or_too_many_numbers_is_refused(tasks: tuple[int, ...]) -> None:
    with pytest.raises(Impossible, match="tasks for 2 members"):
        state_of(ROWS, intend("p", (0, 1), (1, 1), tasks=tasks))


def test_task_of_a_bound_array_is_free_with_its_own_parent() -> None:
    state = state_of(ROWS, intend("p", (0, 1), (1, 1)), submitted("p", "10"))
    apply(state, intend("s", (2, 1), (3, 1), tasks=(0, 1), after="aftercorr:10"), submitted("s", "11"), ended(1))
    assert words(state) == "pending, finished, bound, pending"
    assert attempt(state, 2).queued_at == 0.0 < attempt(state, 3).queued_at


@pytest.mark.parametrize("put_off", [[deferred("p")], [unclear("p"), started(1, job="10_1"), missed("p")]])
def test_task_that_has_spoken_stays_when_its_array_counts_as_missed_or_put_off(put_off: Sequence[ev.Event]) -> None:
    first = [] if len(put_off) > 1 else [started(1, job="10_1")]
    state = state_of(ROWS, intend("p", (0, 1), (1, 1)), *first, *put_off)
    assert (words(state), state.submissions, ready(state)) == ("ready, running, waiting, waiting", {}, [[0], []])
    assert ahead(state) == [[], [3]]
    apply(state, intend("q", (0, 1)), submitted("q", "12"))
    assert [attempt(state, index).job for index in (0, 1)] == ["12", "10_1"]
