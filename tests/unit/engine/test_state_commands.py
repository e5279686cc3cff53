"""What commands add up to: held, released, cancelled, retried."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.command_effects import KEPT_COMMANDS
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import (
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
from tests.unit.engine.situations import ONE, PAIR


@pytest.mark.parametrize(("index", "after"), [(0, "held, waiting"), (1, "ready, held")], ids=["ready", "waiting"])
def test_held_instance_waits_for_its_release(index: int, after: str) -> None:
    state = state_of(PAIR, hold(index))
    assert (words(state), state.held) == (after, {index})
    apply(state, release(index))
    assert (words(state), state.held, ready(state)) == ("ready, waiting", set(), [[0], []])


def test_parents_may_finish_while_an_instance_is_held() -> None:
    state = state_of(PAIR, hold(1))
    run(state, 0)
    assert words(state) == "finished, held"
    apply(state, release(1))
    assert words(state) == "finished, ready"


def test_held_instance_is_blocked_and_held_again_after_it() -> None:
    state = state_of(PAIR, hold(1))
    run(state, 0, Status.FAILED)
    assert (words(state), state.held) == ("failed, blocked", {1})
    apply(state, retry(0))
    assert words(state) == "ready, held"


def test_blocked_instance_can_be_held_and_released_for_later() -> None:
    state = StudyState(PAIR)
    run(state, 0, Status.FAILED)
    apply(state, hold(1))
    assert (words(state), state.held) == ("failed, blocked", {1})
    apply(state, release(1), retry(0))
    assert (words(state), state.held) == ("ready, waiting", set())


def test_held_study_is_not_over() -> None:
    assert not state_of(ONE, hold(0)).is_over


@pytest.mark.parametrize("before", [[], [hold(0)]], ids=["ready", "held"])
def test_instance_that_was_not_submitted_is_cancelled_at_once(before: Sequence[ev.Event]) -> None:
    state = state_of(PAIR, *before, cancel(0))
    assert (words(state), state.held, state.outcome) == ("cancelled, blocked", set(), "cancelled")
    apply(state, retry(0))
    assert (words(state), state.next_attempt(0)) == ("ready, waiting", 1)


def test_running_instance_is_cancelled_by_its_end() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), started(0), cancel(0))
    assert (words(state), list(state.to_cancel), attempt(state, 0).cancelled) == ("running", [0], True)
    apply(state, ev.CancelSent(at=at(), instances=(0,)))
    assert (words(state), state.to_cancel) == ("running", {})
    apply(state, ended(0, Status.CANCELLED))
    assert state.is_over


def test_request_to_cancel_is_dropped_when_the_instance_ends_first() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), cancel(0), ended(0))
    assert (words(state), state.to_cancel) == ("finished", {})


@pytest.mark.parametrize("answers", [[deferred("s")], [unclear("s"), missed("s")]], ids=["put off", "missed"])
@pytest.mark.parametrize("order", ["before", "after"])
def test_cancelled_submission_that_did_not_arrive_voids_its_claim(answers: Sequence[ev.Event], order: str) -> None:
    events = [cancel(0), *answers] if order == "before" else [*answers, cancel(0)]
    state = state_of(ONE, intend("s", (0, 1)), *events)
    assert (words(state), state.to_cancel) == ("cancelled", {})
    apply(state, retry(0))
    assert state.next_attempt(0) == 2  # should the first one turn up after all, it must not run for the second
    with pytest.raises(Impossible):
        apply(state, started(0, 1))


def test_retry_of_a_cancelled_one_whose_parent_failed_meanwhile_is_blocked() -> None:
    state = state_of(PAIR, cancel(1))
    run(state, 0, Status.FAILED)
    apply(state, retry(1))
    assert words(state) == "failed, blocked"
    apply(state, retry(0))
    assert words(state) == "ready, waiting"


def test_retry_of_a_cancelled_one_whose_parents_finished_meanwhile_is_ready() -> None:
    state = state_of(PAIR, cancel(1))
    run(state, 0)
    apply(state, retry(1))
    assert words(state) == "finished, ready"


def test_retry_unblocks_only_what_no_other_failure_blocks() -> None:
    state = StudyState(plan(step("a"), step("b"), step("c", "a"), step("d", "a", "b")))
    run(state, 0, Status.FAILED)
    run(state, 1, Status.FAILED)
    apply(state, retry(0))
    assert words(state) == "ready, failed, waiting, blocked"
    apply(state, retry(1))
    assert words(state) == "ready, ready, waiting, waiting"


def test_commands_and_settings_are_remembered() -> None:
    state = state_of(
        ONE,
        ev.CommandTaken(at=1.0, command="c", verb="update", options=(("throttle", 0),)),
        ev.SettingsChanged(at=1.0, throttle=0),
        ev.CommandDone(at=1.0, command="c", outcome="done", message="throttle is 0"),
        ev.SettingsChanged(at=2.0, local_jobs=4),
    )
    assert (state.throttle, state.local_jobs) == (0, 4)
    assert (state.commands["c"].verb, state.commands["c"].outcome) == ("update", "done")


def test_anomaly_changes_nothing_but_the_time() -> None:
    state = StudyState(ONE)
    before = everything(state)
    apply(state, ev.Anomaly(at=9.0, message="odd"), ev.CancelFailed(at=9.5, message="odd"))
    assert everything(state) == {**before, "last_event_at": 9.5}


def test_of_very_many_commands_the_last_ones_are_remembered() -> None:
    state = StudyState(plan(step("a")))
    for number in range(KEPT_COMMANDS + 50):
        apply(state, ev.CommandTaken(at=at(), command=f"c{number}", verb="hold"))
        apply(state, ev.CommandDone(at=at(), command=f"c{number}", outcome="done", message=""))
    assert list(state.commands) == [f"c{number}" for number in range(50, KEPT_COMMANDS + 50)]
