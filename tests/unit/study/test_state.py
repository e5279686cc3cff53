"""What events add up to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from mtui.core.study import events as ev
from mtui.core.study.state import Impossible, StudyState
from mtui.core.study.status import IN_SLURM, UNSUCCESSFUL, Status
from tests.plans import plan, step
from tests.unit.study.script import (
    apply,
    at,
    attempt,
    cancel,
    deferred,
    ended,
    everything,
    exited,
    hold,
    intend,
    missed,
    observed,
    refused,
    release,
    retry,
    run,
    started,
    state_of,
    submitted,
    unclear,
    words,
)

ONE = plan(step("a"))
TWO = plan(step("a", uses="X"), rows={"X": [1, 2]})
PAIR = plan(step("a"), step("b", "a"))
DIAMOND = plan(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
FUNNEL = plan(step("a", uses="X"), step("b", "a_*", uses="X"), rows={"X": [1, 2]})
# Each b waits for the a of its own row, and for all of them.
BOTH = plan(step("a", uses="X"), step("b", "a", "a_*"), rows={"X": [1, 2]})
HERE = plan(step("a", local=True))

# --- the graph


def test_instances_without_parents_are_ready_at_once() -> None:
    state = StudyState(DIAMOND)
    assert words(state) == "ready, waiting, waiting, waiting"
    assert list(state.ready_slurm) == [0]


def test_instance_is_ready_when_the_last_of_its_parents_has_finished() -> None:
    state = StudyState(DIAMOND)
    run(state, 0)
    assert words(state) == "finished, ready, ready, waiting"
    run(state, 2)
    assert words(state) == "finished, ready, finished, waiting"
    run(state, 1)
    assert words(state) == "finished, finished, finished, ready"


def test_instances_stand_in_the_queue_in_the_order_in_which_they_became_ready() -> None:
    state = StudyState(plan(step("a"), step("b"), step("c", "b"), step("d", "a")))
    run(state, 1)
    run(state, 0)
    assert list(state.ready_slurm) == [2, 3]


def test_local_and_slurm_instances_wait_in_queues_of_their_own() -> None:
    state = StudyState(plan(step("a"), step("b", local=True)))
    assert (list(state.ready_slurm), list(state.ready_local)) == ([0], [1])


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
    assert (words(state), list(state.live_slurm), list(state.ready_slurm)) == ("submitting", [0], [])
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


@pytest.mark.parametrize("end", sorted(UNSUCCESSFUL, key=lambda status: status.value), ids=lambda end: end.name)
def test_attempt_that_ended_is_followed_by_one_of_the_next_number(end: Status) -> None:
    state = StudyState(ONE)
    run(state, 0, end)
    apply(state, retry(0))
    assert (words(state), state.next_attempt(0)) == ("ready", 2)
    run(state, 0)
    assert [(item.number, item.exit_code) for item in state.attempts[0]] == [(1, 1), (2, 0)]


def test_refused_submission_was_an_attempt() -> None:
    state = state_of(PAIR, intend("s", (0, 1)), refused("s"))
    assert (words(state), attempt(state, 0).cause, state.submissions) == ("failed, blocked", "invalid", {})
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
    assert (words(state), list(state.ready_slurm), list(state.live_slurm)) == ("running", [], [0])
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


@pytest.mark.parametrize("status", sorted(IN_SLURM, key=lambda status: status.value), ids=lambda status: status.name)
def test_state_that_slurm_shows_is_taken_with_its_reason(status: Status) -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), observed(0, status, reason="why"))
    assert (state.status[0], attempt(state, 0).reason, list(state.live_slurm)) == (status, "why", [0])


def test_new_reason_for_the_same_state_is_taken() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), observed(0, Status.PENDING, reason="Priority"))
    apply(state, observed(0, Status.PENDING, reason="Resources"))
    assert attempt(state, 0).reason == "Resources"


def test_reported_end_is_kept_until_slurm_says_what_it_was() -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), started(0), exited(0, error="no workspace"))
    assert (words(state), attempt(state, 0).exit_code, attempt(state, 0).cause) == ("completing", 3, "no workspace")
    apply(state, ended(0, Status.OUT_OF_MEMORY))
    assert (words(state), attempt(state, 0).exit_code, attempt(state, 0).cause) == ("out of memory", 1, "why")


@pytest.mark.parametrize("again", [observed(0, Status.REQUEUED), started(0)], ids=["requeued", "started"])
def test_reported_end_of_a_job_that_runs_again_is_forgotten(again: ev.Event) -> None:
    state = state_of(ONE, intend("s", (0, 1)), submitted("s"), started(0), exited(0, error="e"), again)
    assert (attempt(state, 0).exit_code, attempt(state, 0).cause) == (None, "")


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


# --- commands


@pytest.mark.parametrize(("index", "after"), [(0, "held, waiting"), (1, "ready, held")], ids=["ready", "waiting"])
def test_held_instance_waits_for_its_release(index: int, after: str) -> None:
    state = state_of(PAIR, hold(index))
    assert (words(state), state.held) == (after, {index})
    apply(state, release(index))
    assert (words(state), state.held, list(state.ready_slurm)) == ("ready, waiting", set(), [0])


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


def test_request_to_cancel_is_done_with_when_the_instance_ends_by_itself() -> None:
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


# --- what cannot be

SITUATIONS: dict[str, Callable[[], StudyState]] = {
    "new": lambda: StudyState(PAIR),
    "submitting": lambda: state_of(PAIR, intend("s", (0, 1))),
    "unclear": lambda: state_of(PAIR, intend("s", (0, 1)), unclear("s")),
    "put off": lambda: state_of(PAIR, intend("s", (0, 1)), deferred("s")),
    "missed": lambda: state_of(PAIR, intend("s", (0, 1)), unclear("s"), missed("s")),
    "pending": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s")),
    "early": lambda: state_of(PAIR, intend("s", (0, 1)), started(0)),
    "running": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), started(0)),
    "told to end": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), started(0), cancel(0)),
    "exited": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), started(0), exited(0)),
    "requeued": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), observed(0, Status.REQUEUED)),
    "finished": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), ended(0)),
    "failed": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), ended(0, Status.FAILED)),
    "refused": lambda: state_of(PAIR, intend("s", (0, 1)), refused("s")),
    "held": lambda: state_of(PAIR, hold(0), hold(1)),
    "cancelled": lambda: state_of(PAIR, cancel(0)),
    "retried": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), ended(0, Status.FAILED), retry(0)),
    "blocked and held": lambda: state_of(PAIR, intend("s", (0, 1)), refused("s"), hold(1)),
    "two": lambda: state_of(TWO, intend("s", (0, 1), (1, 1))),
    "two, one early": lambda: state_of(TWO, intend("s", (0, 1), (1, 1)), started(1)),
    "two, one over": lambda: state_of(TWO, intend("s", (0, 1), (1, 1)), unclear("s"), started(1), ended(1)),
}
EVENTS: dict[str, ev.Event] = {
    **{f"intend {i}.{n}": intend("t", (i, n)) for i in (0, 1, 2, -1) for n in (0, 1, 2, 3)},
    "intend the open one again": intend("s", (0, 1)),
    "intend two": intend("t", (0, 1), (1, 1)),
    "intend two, one of them not there": intend("t", (0, 1), (9, 1)),
    "intend one twice": intend("t", (0, 1), (0, 1)),
    **{
        f"{word.__name__} {name}": word(name)
        for name in "st"
        for word in (submitted, deferred, unclear, missed, refused)
    },
    **{f"started {i}.{n}": started(i, n) for i in (0, 1, 2, -1) for n in (0, 1, 2)},
    **{f"exited {i}.{n}": exited(i, n) for i in (0, 1, 2, -1) for n in (0, 1, 2)},
    **{f"ended {i}.{n} {s.value}": ended(i, s, n) for i in (0, 1, 2, -1) for n in (0, 1, 2) for s in Status},
    **{f"observed {i}.{n} {s.value}": observed(i, s, n) for i in (0, 1, 2, -1) for n in (0, 1, 2) for s in Status},
    **{f"{word.__name__} {i}": word(i) for i in (0, 1, 2, -1) for word in (cancel, hold, release, retry)},
}


def takes(state: StudyState, event: ev.Event) -> bool:
    """Whether an event is taken in; if not, nothing of the state has changed."""
    before = everything(state)
    try:
        state.apply(event)
    except Impossible as error:
        assert everything(state) == before, (event, error)
        assert str(error)
        return False
    return True


@pytest.mark.parametrize("situation", SITUATIONS)
def test_impossible_event_changes_nothing(situation: str) -> None:
    taken = [takes(SITUATIONS[situation](), event) for event in EVENTS.values()]
    assert 0 < sum(taken) < len(taken)


TAKEN = {
    "new": ["intend 0.1", "cancel 0", "cancel 1", "hold 0", "hold 1"],
    "submitting": ["submitted s", "deferred s", "unclear s", "refused s", "started 0.1", "exited 0.1", "cancel 0"],
    "unclear": ["submitted s", "unclear s", "missed s", "refused s", "started 0.1", "exited 0.1", "cancel 0"],
    "pending": ["started 0.1", "exited 0.1", "cancel 0", "cancel 1", "hold 1"],
    "put off": ["intend 0.1", "started 0.1", "exited 0.1", "cancel 0", "hold 0"],
    "missed": ["intend 0.1", "intend the open one again", "started 0.1", "exited 0.1", "cancel 0", "hold 0"],
    "finished": ["intend 1.1", "cancel 1", "hold 1"],
    "failed": ["retry 0", "hold 1"],
    "refused": ["retry 0", "hold 1"],
    "cancelled": ["retry 0", "hold 1"],
    "held": ["release 0", "release 1", "cancel 0", "cancel 1"],
    "retried": ["intend 0.2", "cancel 0", "hold 0"],
    "blocked and held": ["retry 0", "release 1", "hold 1"],
    "two, one early": ["submitted s", "unclear s", "started 0.1", "started 1.1"],
    "two, one over": ["submitted s", "missed s", "started 0.1"],
}
REFUSED = {
    "submitting": ["missed s", "intend 0.1", "intend 0.2", "hold 0", "retry 0"],
    "pending": ["submitted s", "deferred s", "refused s", "missed s", "intend 0.1"],
    "finished": ["ended 0.1 finished", "ended 0.1 failed", "started 0.1", "retry 0", "cancel 0", "intend 0.1"],
    "failed": [
        "ended 0.1 failed",
        "ended 0.1 finished",
        "started 0.1",
        "intend 0.2",
        "cancel 0",
        "cancel 1",
        "retry 1",
    ],
    "refused": ["ended 0.1 failed", "submitted s"],
    "retried": ["started 0.1", "ended 0.1 failed", "intend 0.1", "observed 0.1 running"],
    "two": ["missed s", "intend 0.1"],
    "two, one early": ["deferred s", "missed s", "refused s"],
    "running": ["ended 0.1 running", "ended 0.1 blocked", "observed 0.1 failed", "observed 0.1 waiting"],
}


@pytest.mark.parametrize(("situation", "name"), [(key, name) for key, names in TAKEN.items() for name in names])
def test_possible_event_is_taken(situation: str, name: str) -> None:
    assert takes(SITUATIONS[situation](), EVENTS[name])


@pytest.mark.parametrize(("situation", "name"), [(key, name) for key, names in REFUSED.items() for name in names])
def test_impossible_event_is_refused(situation: str, name: str) -> None:
    assert not takes(SITUATIONS[situation](), EVENTS[name])
