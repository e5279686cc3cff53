"""What events add up to: the graph, submissions and attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import (
    apply,
    attempt,
    deferred,
    ended,
    exited,
    hold,
    intend,
    missed,
    observed,
    ready,
    refused,
    retry,
    run,
    started,
    state_of,
    submitted,
    unclear,
    words,
)
from tests.unit.engine.situations import FAILURES, IN_QUEUE, ONE, PAIR

TWO = plan(step("a", uses="X"), rows={"X": [1, 2]})
DIAMOND = plan(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
FUNNEL = plan(step("a", uses="X"), step("b", "a_*", uses="X"), rows={"X": [1, 2]})
# Each b waits for the a of its row, and for all of them.
BOTH = plan(step("a", uses="X"), step("b", "a", "a_*"), rows={"X": [1, 2]})
HERE = plan(step("a", local=True))

# --- the graph


def test_instances_without_parents_are_ready_at_once() -> None:
    state = StudyState(DIAMOND)
    assert words(state) == "ready, waiting, waiting, waiting"
    assert ready(state) == [[0], [], [], []]


def test_instance_is_ready_when_the_last_of_its_parents_has_finished() -> None:
    state = StudyState(DIAMOND)
    run(state, 0)
    assert words(state) == "finished, ready, ready, waiting"
    run(state, 2)
    assert words(state) == "finished, ready, finished, waiting"
    run(state, 1)
    assert words(state) == "finished, finished, finished, ready"


def test_instances_are_queued_in_the_order_in_which_they_are_ready() -> None:
    state = StudyState(plan(step("a", uses="X"), step("b", "a", uses="X"), rows={"X": [1, 2]}))
    run(state, 1)
    run(state, 0)
    assert ready(state) == [[], [3, 2]]


def test_each_step_has_a_separate_queue() -> None:
    state = StudyState(plan(step("a", uses="X"), step("b", local=True), step("c", "b"), rows={"X": [1, 2]}))
    assert ready(state) == [[0, 1], [2], []]


def test_failure_blocks_everything_below_it_and_nothing_else() -> None:
    state = StudyState(DIAMOND)
    run(state, 0)
    run(state, 1, Status.TIMED_OUT)
    assert words(state) == "finished, timed out, ready, blocked"
    assert not state.is_over
    run(state, 2)
    assert words(state) == "finished, timed out, finished, blocked"
    assert (state.is_over, state.outcome) == (True, "failed")


def test_failure_at_the_top_blocks_the_whole_diamond_once() -> None:
    state = StudyState(DIAMOND)
    run(state, 0, Status.FAILED)
    assert words(state) == "failed, blocked, blocked, blocked"
    assert state.counts[Status.BLOCKED] == 3


def test_funnel_opens_after_the_last_instance_of_its_step() -> None:
    state = StudyState(FUNNEL)
    run(state, 1)
    assert words(state) == "ready, finished, waiting, waiting"
    run(state, 0)
    assert words(state) == "finished, finished, ready, ready"


def test_funnel_is_blocked_by_the_first_failure_of_its_step() -> None:
    state = StudyState(FUNNEL)
    run(state, 1, Status.FAILED)
    assert words(state) == "ready, failed, blocked, blocked"
    run(state, 0, Status.FAILED)
    assert words(state) == "failed, failed, blocked, blocked"
    assert state.is_over


def test_step_may_depend_on_another_directly_and_by_funnel() -> None:
    state = StudyState(BOTH)
    run(state, 0)
    assert words(state) == "finished, ready, waiting, waiting"
    run(state, 1)
    assert words(state) == "finished, finished, ready, ready"


def test_failure_above_a_direct_and_funnel_dependency_blocks_all_of_the_step() -> None:
    state = StudyState(BOTH)
    run(state, 1, Status.FAILED)
    assert words(state) == "ready, failed, blocked, blocked"
    apply(state, retry(1))
    assert words(state) == "ready, ready, waiting, waiting"
    run(state, 1)
    run(state, 0)
    assert words(state) == "finished, finished, ready, ready"


def test_step_without_instances_holds_nothing_up() -> None:
    state = StudyState(plan(step("none", uses="X"), step("end", "none_*"), step("after", "end"), rows={"X": []}))
    assert words(state) == "ready, waiting"
    run(state, 0)
    run(state, 1)
    assert (state.is_over, state.outcome) == (True, "finished")


def test_study_without_instances_is_over() -> None:
    state = StudyState(plan(step("none", uses="X"), rows={"X": []}))
    assert (state.is_over, state.outcome) == (True, "finished")


def test_funnel_over_a_blocked_step_is_blocked() -> None:
    state = StudyState(plan(step("a"), step("b", "a", uses="X"), step("c", "b_*"), rows={"X": [1, 2]}))
    run(state, 0, Status.LOST)
    assert words(state) == "lost, blocked, blocked, blocked"


def test_counts_follow_every_change() -> None:
    state = StudyState(FUNNEL)
    run(state, 0)
    run(state, 1, Status.FAILED)
    assert +state.counts == {Status.FINISHED: 1, Status.FAILED: 1, Status.BLOCKED: 2}
    assert [+counts for counts in state.step_counts] == [
        {Status.FINISHED: 1, Status.FAILED: 1},
        {Status.BLOCKED: 2},
    ]


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        ((Status.FINISHED, Status.FINISHED), "finished"),
        ((Status.FINISHED, Status.FAILED), "failed"),
        ((Status.LOST, Status.FINISHED), "failed"),
        ((Status.FAILED, Status.CANCELLED), "cancelled"),
        ((Status.FINISHED, Status.CANCELLED), "cancelled"),
    ],
)
def test_outcome_names_the_worst(ends: Sequence[Status], outcome: str) -> None:
    state = StudyState(TWO)
    for index, end in enumerate(ends):
        assert not state.is_over
        run(state, index, end)
    assert (state.is_over, state.outcome) == (True, outcome)


# --- submissions and attempts


def test_accepted_submission_is_pending_under_its_job() -> None:
    state = state_of(ONE, intend("s", (0, 1)))
    assert (words(state), list(state.live_slurm), ready(state)) == ("submitting", [0], [[]])
    apply(state, submitted("s", "12"))
    assert (words(state), attempt(state, 0).job, state.submissions) == ("pending", "12", {})


def test_local_step_runs_as_soon_as_it_is_started() -> None:
    state = state_of(HERE, intend("s", (0, 1), backend="local"), submitted("s", "4711", "login01"))
    assert (words(state), list(state.live_local)) == ("running", [0])
    assert (attempt(state, 0).job, attempt(state, 0).node, attempt(state, 0).started_at > 0) == (
        "4711",
        "login01",
        True,
    )


@pytest.mark.parametrize("answers", [[deferred("s")], [unclear("s"), missed("s")]], ids=["put off", "missed"])
def test_submission_that_did_not_arrive_was_no_attempt(answers: Sequence[ev.Event]) -> None:
    state = state_of(ONE, intend("s", (0, 1)), *answers)
    assert (words(state), state.next_attempt(0), state.submissions) == ("ready", 1, {})
    apply(state, intend("s2", (0, 1)), submitted("s2"))
    assert [item.number for item in state.attempts[0]] == [1]
    assert attempt(state, 0).submission == "s2"


@pytest.mark.parametrize("end", FAILURES, ids=lambda status: status.name)
def test_attempt_that_ended_is_followed_by_one_of_the_next_number(end: Status) -> None:
    state = StudyState(ONE)
    run(state, 0, end)
    apply(state, retry(0))
    assert (words(state), state.next_attempt(0)) == ("ready", 2)
    run(state, 0)
    assert [(item.number, item.exit_code) for item in state.attempts[0]] == [(1, 1), (2, 0)]


def test_refused_submission_was_an_attempt() -> None:
    state = state_of(PAIR, intend("s", (0, 1)), refused("s"))
    assert (words(state), cause_text(attempt(state, 0).cause), state.submissions) == ("failed, blocked", "invalid", {})
    apply(state, retry(0))
    assert state.next_attempt(0) == 2


def test_unclear_submission_waits_and_may_be_found() -> None:
    state = state_of(ONE, intend("s", (0, 1)), unclear("s"))
    assert (words(state), attempt(state, 0).reason, list(state.live_slurm)) == ("unclear", "timed out", [0])
    apply(state, submitted("s", "12"))
    assert (words(state), attempt(state, 0).reason, attempt(state, 0).job) == ("pending", "", "12")


def test_limit_is_remembered_until_a_submission_is_accepted() -> None:
    state = state_of(TWO, intend("s", (0, 1)), deferred("s"))
    assert state.deferred == "too many"
    apply(state, intend("s2", (1, 1)), submitted("s2"))
    assert state.deferred == ""


def test_word_of_the_job_may_overtake_the_answer_of_sbatch() -> None:
    state = state_of(ONE, intend("s", (0, 1)), started(0, job="12"), submitted("s", "12"))
    assert (words(state), state.submissions) == ("running", {})
    state = state_of(ONE, intend("s", (0, 1)), unclear("s"), started(0, job="12"), ended(0))
    assert (words(state), state.submissions) == ("finished", {})


def test_job_with_the_claim_is_followed_whatever_sbatch_answered() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s", "13"), started(0, job="12"))
    assert attempt(state, 0).job == "12"
    state = state_of(ONE, intend("s", (0, 1)), started(0, job="12"), submitted("s", "13"))
    assert attempt(state, 0).job == "12"


def test_job_that_turns_up_after_it_counted_as_missed_is_followed() -> None:
    state = state_of(ONE, intend("s", (0, 1)), unclear("s"), missed("s"), started(0, job="12"))
    assert (words(state), ready(state), list(state.live_slurm)) == ("running", [[]], [0])
    apply(state, ended(0))
    assert state.is_over


def test_job_that_turns_up_while_its_instance_is_held_is_followed() -> None:
    state = state_of(ONE, intend("s", (0, 1)), unclear("s"), missed("s"), hold(0), started(0, job="12"))
    assert (words(state), state.held) == ("running", set())


def test_submission_of_several_is_answered_for_all() -> None:
    state = state_of(TWO, intend("s", (0, 1), (1, 1)), submitted("s", "50"))
    assert words(state) == "pending, pending"
    state = state_of(TWO, intend("s", (0, 1), (1, 1)), deferred("s"))
    assert words(state) == "ready, ready"


def test_submission_of_several_stays_open_until_the_last_of_them_has_spoken() -> None:
    state = state_of(TWO, intend("s", (0, 1), (1, 1)), started(0), ended(0))
    assert list(state.submissions) == ["s"]
    apply(state, submitted("s", "50"))
    assert (words(state), state.submissions) == ("finished, pending", {})
    state = state_of(TWO, intend("s", (0, 1), (1, 1)), started(0), ended(0), ended(1))
    assert state.submissions == {}


# --- on its way


@pytest.mark.parametrize("status", IN_QUEUE, ids=lambda status: status.name)
def test_state_that_slurm_shows_is_taken_with_its_reason(status: Status) -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), observed(0, status, reason="why"))
    assert (state.status[0], attempt(state, 0).reason, list(state.live_slurm)) == (status, "why", [0])


def test_new_reason_for_the_same_state_is_taken() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), observed(0, Status.PENDING, reason="Priority"))
    apply(state, observed(0, Status.PENDING, reason="Resources"))
    assert attempt(state, 0).reason == "Resources"


def test_reported_end_is_kept_until_slurm_says_what_it_was() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), started(0), exited(0, error="no workspace"))
    assert (words(state), attempt(state, 0).exit_code, cause_text(attempt(state, 0).cause)) == (
        "completing",
        3,
        "no workspace",
    )
    apply(state, ended(0, Status.OUT_OF_MEMORY))
    assert (words(state), attempt(state, 0).exit_code, cause_text(attempt(state, 0).cause)) == (
        "out of memory",
        1,
        "why",
    )


@pytest.mark.parametrize("again", [observed(0, Status.REQUEUED), started(0)], ids=["requeued", "started"])
def test_reported_end_of_a_job_that_runs_again_is_forgotten(again: ev.Event) -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), started(0), exited(0, error="e"), again)
    assert (attempt(state, 0).exit_code, cause_text(attempt(state, 0).cause)) == (None, "")


def test_node_is_kept_when_a_later_word_does_not_name_it() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), started(0, node="n7"), started(0, node=""))
    assert attempt(state, 0).node == "n7"


def test_silence_of_slurm_counts_from_its_beginning() -> None:
    state = state_of(ONE, ev.SlurmSilent(at=5.0, message="one"), ev.SlurmSilent(at=6.0, message="two"))
    assert (state.slurm_silent_since, state.slurm_message) == (5.0, "two")
    apply(state, ev.SlurmAnswers(at=7.0))
    assert (state.slurm_silent_since, state.slurm_message) == (0.0, "")


def test_driver_is_the_last_one_that_started() -> None:
    state = state_of(
        ONE,
        ev.DriverStarted(at=1.0, epoch=1, host="h", pid=7, version="0"),
        ev.DriverStopped(at=2.0, reason="asked"),
    )
    assert state.driver.stopped == "asked"
    apply(
        state, ev.StudyEnded(at=3.0, result="failed"), ev.DriverStarted(at=4.0, epoch=2, host="i", pid=8, version="0")
    )
    assert (state.driver.epoch, state.driver.host, state.driver.stopped, state.result) == (2, "i", "", "")


# --- ends


@pytest.mark.parametrize(
    ("end", "expected"),
    [(Status.FINISHED, Status.FINISHED), (Status.FAILED, Status.FAILED), (Status.TIMED_OUT, Status.TIMED_OUT)],
)
def test_outcome_of_an_attempt_is_how_it_ended(end: Status, expected: Status) -> None:
    state = StudyState(ONE)
    run(state, 0, end)

    assert attempt(state, 0).outcome is expected


def test_attempt_has_no_outcome_while_the_end_of_its_job_is_awaited() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), started(0), exited(0, code=0))

    assert attempt(state, 0).outcome is None


def test_run_times_of_finished_instances_add_up_by_step() -> None:
    state = StudyState(TWO)
    for index, seconds in enumerate((5.0, 7.0)):
        start = started(index)
        end = replace(ended(index), at=start.at + seconds)
        apply(state, intend(f"s{index}", (index, 1)), submitted(f"s{index}"), start, end)

    assert state.ran == [(2, 12.0)]


def test_run_time_counts_as_zero_if_the_clock_went_back() -> None:
    state = StudyState(ONE)
    start = started(0)
    apply(state, intend("s", (0, 1)), submitted("s"), start, replace(ended(0), at=start.at - 5))

    assert state.ran == [(1, 0.0)]
