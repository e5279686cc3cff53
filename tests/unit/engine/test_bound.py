"""Instances that are in Slurm before their parents are done."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine import state_codec
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.status import IN_SLURM, LIVE, Status
from tests.plans import plan, step
from tests.unit.engine.script import (
    ahead,
    apply,
    at,
    attempt,
    cancel,
    deferred,
    ended,
    everything,
    hold,
    intend,
    missed,
    observed,
    ready,
    refused,
    release,
    retry,
    run,
    started,
    state_of,
    submitted,
    unbound,
    unclear,
    words,
)
from tests.unit.engine.situations import AHEAD, CORNER, FUNNEL, IN_QUEUE, PAIR, PARENT, ROWS

CHAIN = plan(step("a"), step("b", "a"), step("c", "b"))


def bound(*events: ev.Event) -> StudyState:
    """The pair, its second bound to its first."""
    return state_of(PAIR, *PARENT, AHEAD, submitted("s", "11"), *events)


# --- submitted ahead and freed


def test_child_submitted_ahead_is_bound_and_pending_once_its_parent_is_done() -> None:
    state = state_of(PAIR, *PARENT, AHEAD)
    assert (words(state), ahead(state), list(state.live_slurm)) == ("pending, submitting", [[], []], [0, 1])
    apply(state, submitted("s", "11"))
    assert (words(state), attempt(state, 1).job, attempt(state, 1).after) == ("pending, bound", "11", "afterok:10")
    assert (attempt(state, 1).reason, attempt(state, 1).queued_at) == ("Dependency", 0.0)
    end = ended(0)
    apply(state, started(0, job="10"), end)
    assert (words(state), attempt(state, 1).reason) == ("finished, pending", "")
    assert attempt(state, 1).freed_at == attempt(state, 1).queued_at == end.at
    run_on = (started(1, job="11"), ended(1))
    apply(state, *run_on)
    assert (state.is_over, state.outcome) == (True, "finished")


def test_whole_chain_can_be_bound() -> None:
    state = state_of(CHAIN, *PARENT, AHEAD, submitted("s", "11"))
    assert ahead(state) == [[], [], [2]]
    apply(state, intend("t", (2, 1), after="afterok:11"), submitted("t", "12"))
    assert words(state) == "pending, bound, bound"
    apply(state, ended(0))
    assert words(state) == "finished, pending, bound"
    apply(state, ended(1))
    assert words(state) == "finished, finished, pending"


def test_parent_that_is_done_before_the_answer_leaves_the_child_pending() -> None:
    answer = submitted("s", "11")
    state = state_of(PAIR, *PARENT, AHEAD, ended(0), answer)
    assert (words(state), attempt(state, 1).freed_at) == ("finished, pending", answer.at)


def test_child_of_several_is_free_after_the_last() -> None:
    state = state_of(CORNER, *PARENT, intend("q", (1, 1)), submitted("q", "11"))
    apply(state, intend("s", (2, 1), after="afterok:10:11"), submitted("s", "12"), ended(1))
    assert words(state) == "pending, finished, bound"
    apply(state, ended(0))
    assert words(state) == "finished, finished, pending"


def test_bound_child_whose_job_begins_first_is_believed() -> None:
    state = bound(started(1, job="11"))
    assert words(state) == "pending, running"
    apply(state, ended(0))
    assert words(state) == "finished, running"


@pytest.mark.parametrize("status", IN_QUEUE, ids=lambda status: status.name)
def test_child_stays_bound_whatever_slurm_shows_of_its_parent(status: Status) -> None:
    assert words(bound(observed(0, status))) == f"{status.value}, bound"


def test_bound_instance_is_alive_and_has_a_job() -> None:
    assert Status.BOUND in IN_SLURM & LIVE
    assert not bound().is_over


# --- a parent fails


def test_bound_child_of_what_failed_is_taken_out_and_blocked() -> None:
    state = bound(ended(0, Status.TIMED_OUT))
    assert (words(state), list(state.to_unbind)) == ("timed out, bound", [1])
    assert not state.is_over
    gone = unbound((1, 1))
    apply(state, gone)
    assert (words(state), state.to_unbind, list(state.live_slurm)) == ("timed out, blocked", {}, [])
    assert (attempt(state, 1).ended_at, cause_text(attempt(state, 1).cause)) == (gone.at, "a parent failed")
    assert (state.is_over, state.outcome) == (True, "failed")
    with pytest.raises(Impossible):
        apply(state, started(1, 1, job="11"))


def test_retry_of_the_parent_lets_the_child_be_bound_again() -> None:
    state = bound(ended(0, Status.FAILED), unbound((1, 1)), retry(0))
    assert (words(state), state.next_attempt(1)) == ("ready, waiting", 2)
    apply(state, intend("p2", (0, 2)), submitted("p2", "20"))
    assert ahead(state) == [[], [1]]
    apply(state, intend("s2", (1, 2), after="afterok:20"), submitted("s2", "21"), ended(0, attempt=2))
    assert (words(state), attempt(state, 1).job, attempt(state, 1).number) == ("finished, pending", "21", 2)


def test_retry_before_the_child_was_taken_out_still_takes_it_out() -> None:
    state = bound(ended(0, Status.FAILED), retry(0), intend("p2", (0, 2)), submitted("p2", "20"))
    assert (words(state), list(state.to_unbind)) == ("pending, bound", [1])  # it is bound to the job that failed
    apply(state, unbound((1, 1)))
    assert (words(state), ahead(state)) == ("pending, waiting", [[], [1]])


def test_failure_at_the_top_takes_out_all_that_is_bound_below() -> None:
    state = state_of(CHAIN, *PARENT, AHEAD, submitted("s", "11"))
    apply(state, intend("t", (2, 1), after="afterok:11"), submitted("t", "12"), ended(0, Status.FAILED))
    assert (words(state), list(state.to_unbind)) == ("failed, bound, bound", [1])
    apply(state, unbound((1, 1)))
    assert (words(state), list(state.to_unbind)) == ("failed, blocked, bound", [2])
    apply(state, unbound((2, 1)))
    assert (words(state), state.is_over) == ("failed, blocked, blocked", True)


def test_failure_of_one_in_a_funnel_takes_out_what_is_bound_to_all() -> None:
    state = state_of(FUNNEL, intend("p", (0, 1), (1, 1)), submitted("p", "10"))
    apply(state, intend("s", (2, 1), after="afterok:10"), submitted("s", "11"), ended(1, Status.FAILED))
    assert list(state.to_unbind) == [2]


def test_answer_after_the_parent_failed_leaves_the_child_to_be_taken_out() -> None:
    state = state_of(PAIR, *PARENT, AHEAD, ended(0, Status.FAILED))
    assert words(state) == "failed, submitting"
    apply(state, submitted("s", "11"))
    assert (words(state), list(state.to_unbind)) == ("failed, bound", [1])


@pytest.mark.parametrize("answers", [(deferred("s"),), (unclear("s"), missed("s"))], ids=["put off", "missed"])
@pytest.mark.parametrize(
    ("parent", "after"),
    [((), "pending, waiting"), ((ended(0),), "finished, ready"), ((ended(0, Status.LOST),), "lost, blocked")],
    ids=["waits", "done", "failed"],
)
def test_submission_ahead_that_did_not_arrive_leaves_it_as_its_parents_are(
    answers: Sequence[ev.Event], parent: Sequence[ev.Event], after: str
) -> None:
    state = state_of(PAIR, *PARENT, AHEAD, *parent, *answers)
    assert (words(state), state.next_attempt(1), state.to_unbind) == (after, 1, {})
    assert ahead(state) == [[], [1] if after.endswith("waiting") else []]
    assert ready(state) == [[], [1] if after.endswith("ready") else []]


def test_refused_submission_ahead_failed() -> None:
    assert words(state_of(PAIR, *PARENT, AHEAD, refused("s"))) == "pending, failed"


def test_unclear_submission_ahead_may_be_found_bound() -> None:
    state = state_of(PAIR, *PARENT, AHEAD, unclear("s"))
    assert words(state) == "pending, unclear"
    apply(state, submitted("s", "11"))
    assert (words(state), attempt(state, 1).reason) == ("pending, bound", "Dependency")


def test_child_that_counted_as_missed_and_turns_up_is_followed() -> None:
    state = state_of(PAIR, *PARENT, AHEAD, unclear("s"), missed("s"), observed(1, Status.BOUND))
    assert (words(state), ahead(state), list(state.live_slurm)) == ("pending, bound", [[], []], [0, 1])


@pytest.mark.parametrize("job", ["10", "99"])
def test_child_is_taken_out_if_the_parents_job_turns_out_to_be_another(job: str) -> None:
    state = bound(started(0, job=job))
    assert list(state.to_unbind) == ([1] if job == "99" else [])
    apply(state, ended(0))
    assert words(state) == ("finished, bound" if job == "99" else "finished, pending")


def test_child_that_was_to_be_taken_out_is_not_freed_by_another_job_of_its_parent() -> None:
    state = bound(ended(0, Status.FAILED), retry(0))
    run(state, 0)
    assert (words(state), list(state.to_unbind)) == ("finished, bound", [1])


# --- commands


def test_bound_instance_is_held_once_it_is_out_of_slurm() -> None:
    state = bound(hold(1))
    assert (words(state), state.held, list(state.to_unbind)) == ("pending, bound", {1}, [1])
    apply(state, unbound((1, 1), cause="held by command"))
    assert (words(state), state.held, ahead(state)) == ("pending, held", {1}, [[], []])
    apply(state, release(1))
    assert (words(state), ahead(state), state.next_attempt(1)) == ("pending, waiting", [[], [1]], 2)


def test_bound_instance_that_is_released_in_time_stays_where_it_is() -> None:
    state = bound(hold(1), release(1))
    assert (words(state), state.held, state.to_unbind) == ("pending, bound", set(), {})


def test_release_does_not_keep_what_has_lost_its_parent() -> None:
    state = bound(hold(1), ended(0, Status.FAILED), release(1))
    assert list(state.to_unbind) == [1]


def test_held_one_whose_parent_failed_is_blocked_and_held_after_it() -> None:
    state = bound(hold(1), ended(0, Status.FAILED), unbound((1, 1)))
    assert (words(state), state.held) == ("failed, blocked", {1})
    apply(state, retry(0))
    assert words(state) == "ready, held"


def test_held_one_whose_parent_finished_before_it_was_taken_out_is_still_taken_out() -> None:
    state = bound(hold(1), ended(0))
    assert (words(state), list(state.to_unbind)) == ("finished, bound", [1])
    apply(state, unbound((1, 1)), release(1))
    assert (words(state), state.held) == ("finished, ready", set())


def test_held_one_that_began_before_it_was_taken_out_continues() -> None:
    state = bound(hold(1), ended(0), release(1))  # so says the driver
    assert (words(state), state.held, state.to_unbind) == ("finished, pending", set(), {})


def test_bound_instance_is_cancelled_through_its_job() -> None:
    state = bound(hold(1), cancel(1))
    assert (list(state.to_cancel), state.to_unbind, attempt(state, 1).cancelled) == ([1], {}, True)
    apply(state, ev.CancelSent(at=at(), instances=(1,)), ended(1, Status.CANCELLED))
    assert words(state) == "pending, cancelled"
    apply(state, ended(0))
    assert (state.is_over, state.outcome) == (True, "cancelled")


def test_cancel_of_the_parent_takes_the_child_out() -> None:
    state = bound(cancel(0), ended(0, Status.CANCELLED))
    assert list(state.to_unbind) == [1]


@pytest.mark.parametrize("parent", [(ended(0, Status.FAILED),), ()], ids=["parent failed", "job is gone"])
def test_cancelled_one_that_is_taken_out_of_slurm_is_cancelled(parent: Sequence[ev.Event]) -> None:
    state = bound(cancel(1), *parent, unbound((1, 1)))
    assert state.status[1] is Status.CANCELLED


# --- what cannot be


@pytest.mark.parametrize("members", [((1, 2),), ((1, 1), (0, 2)), ((9, 1),)])
def test_only_bound_attempts_are_taken_out_and_all_or_none(members: tuple[tuple[int, int], ...]) -> None:
    state = bound()
    before = everything(state)
    with pytest.raises(Impossible):
        apply(state, unbound(*members))
    assert everything(state) == before


def test_what_has_begun_is_not_taken_out() -> None:
    with pytest.raises(Impossible):
        apply(bound(started(1, job="11")), unbound((1, 1)))


def test_freed_one_that_slurm_will_not_begin_is_submitted_again_and_not_ahead() -> None:
    state = bound(ended(0), unbound((1, 1)))
    assert (words(state), state.next_attempt(1), state.dependency_never_satisfied) == ("finished, ready", 2, {1})


# --- kept


SITUATIONS = {
    "ahead": lambda: state_of(PAIR, *PARENT),
    "submitting": lambda: state_of(PAIR, *PARENT, AHEAD),
    "bound": bound,
    "freed": lambda: bound(ended(0)),
    "to be taken out": lambda: bound(ended(0, Status.FAILED)),
    "taken out": lambda: bound(ended(0, Status.FAILED), unbound((1, 1))),
    "held": lambda: bound(hold(1), unbound((1, 1))),
    "being cancelled": lambda: bound(cancel(1)),
    "array": lambda: state_of(
        ROWS, intend("p", (0, 1), (1, 1), tasks=(5, 7)), submitted("p", "10"), started(0, job="10_5"), hold(2)
    ),
}
NEXT = (
    unbound((1, 1)), ended(0), ended(1), started(1, job="10_7"), retry(0), release(1), hold(1),
    intend("n", (1, 1), after="x"), intend("n", (1, 2)), submitted("s", "11"),
)  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_state_is_the_same_from_its_checkpoint_now_and_later(name: str) -> None:
    state = SITUATIONS[name]()
    lines = [line.encode() for line in state_codec.to_lines(state)]
    kept = state_codec.from_lines(state.plan, lines)
    assert everything(kept) == everything(state)
    assert [json.loads(line) for line in state_codec.to_lines(kept)] == [json.loads(line) for line in lines]
    for event in NEXT:
        outcomes: list[str] = []
        for each in (state, kept):
            try:
                each.apply(event)
                outcomes.append("")
            except Impossible as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]
        assert everything(kept) == everything(state)
