"""What the world shows of instances that are bound to their parents' jobs, and of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mtui.core.claims import REVOKED
from mtui.core.engine import events as ev
from mtui.core.engine.expectation import LOST_WAIT, REPORT_WAIT, UNCLEAR_WAIT, VERDICT_WAIT
from mtui.core.engine.job_observer import NEVER
from mtui.core.engine.slurm_answers import SeenJob
from mtui.core.engine.status import Status
from tests.unit.engine.observing import PENDING, RUNNING, TWO, end, kinds, over
from tests.unit.engine.script import Watched, attempt, cancel, ended, intend, missed, submitted, unbound, unclear, words
from tests.unit.engine.situations import PAIR

GONE = over(Status.CANCELLED, reason=NEVER, node="")


def bound(*events: ev.Event) -> Watched:
    """A parent in job 10, and its child bound to it in job 11."""
    watched = Watched(
        PAIR, intend("p", (0, 1)), submitted("p", "10"), intend("s", (1, 1), after="afterok:10"), submitted("s", "11")
    )
    watched.take(events)
    watched.pass_time(10)
    return watched


def freed() -> Watched:
    """The same after the parent's own word of a good end."""
    watched = bound()
    watched.report("exit", 0, job="10")
    watched.pass_time(10)
    return watched


# --- waiting for its parent


def test_bound_job_is_bound_while_slurm_calls_it_pending() -> None:
    watched = bound()
    assert watched.look({"10": RUNNING, "11": SeenJob(Status.PENDING, ended=False, reason="Dependency")}) != []
    assert words(watched.state) == "running, bound"
    watched.pass_time(10)
    assert watched.look({"10": RUNNING, "11": SeenJob(Status.PENDING, ended=False, reason="Dependency")}) == []
    (event,) = watched.look({"10": RUNNING, "11": SeenJob(Status.PENDING, ended=False, reason="JobHeldUser")})
    assert isinstance(event, ev.Observed)
    assert (event.status, event.reason) == (Status.BOUND, "JobHeldUser")


def test_bound_job_that_slurm_shows_running_runs() -> None:
    watched = bound()
    watched.look({"10": over(Status.FINISHED), "11": RUNNING})
    assert words(watched.state) == "finished, running"


def test_freed_job_is_pending_for_slurms_own_reason() -> None:
    watched = freed()
    watched.look({"11": SeenJob(Status.PENDING, ended=False, reason="Priority")})
    assert (words(watched.state), attempt(watched.state, 1).reason) == ("finished, pending", "Priority")


# --- that it will not begin


@pytest.mark.parametrize(
    "view",
    [SeenJob(Status.PENDING, ended=False, reason=NEVER), GONE, over(Status.CANCELLED, node="")],
    ids=["pending", "cancelled", "cancelled by nobody"],
)
def test_bound_job_that_slurm_will_not_begin_is_to_be_bound_again(view: SeenJob) -> None:
    watched = bound()
    assert watched.observer.never() == set()
    assert watched.look({"10": PENDING, "11": view}) == []
    assert watched.observer.never() == watched.observer.never() == {1}  # until it is done
    assert 1 in watched.observer.doubtful()
    watched.take([unbound((1, 1))])
    assert watched.observer.never() == set()
    watched.observer.forget([1])  # as the driver does with that event
    assert 1 not in watched.observer.doubtful()


def test_bound_job_that_slurm_forgot_is_to_be_bound_again() -> None:
    watched = bound()
    watched.look_for(LOST_WAIT - 1, {"10": PENDING})
    assert watched.observer.never() == set()
    watched.pass_time(1)
    assert watched.look({"10": PENDING}) == []
    assert (watched.observer.never(), words(watched.state)) == ({1}, "pending, bound")


@pytest.mark.parametrize("reason", ["by 1000", "Dependency"], ids=["sacct", "squeue"])
def test_bound_job_that_somebody_cancelled_outside_is_cancelled(reason: str) -> None:
    watched = bound()
    watched.look({"10": PENDING, "11": over(Status.CANCELLED, reason=reason, node="")})
    assert watched.observer.never() == set()
    watched.pass_time(REPORT_WAIT)
    assert end(watched.tick()) == (Status.CANCELLED, None, "cancelled outside of mtui")


def test_bound_job_with_a_cancel_request_is_cancelled_by_command() -> None:
    watched = bound(cancel(1))
    watched.look({"10": PENDING, "11": over(Status.CANCELLED, reason="by 1000", node="")})
    watched.pass_time(REPORT_WAIT)
    assert end(watched.tick()) == (Status.CANCELLED, None, "by command")


@pytest.mark.parametrize("view", [GONE, over(Status.CANCELLED, node=""), None], ids=["never", "no reason", "forgotten"])
def test_bound_job_with_a_cancel_request_is_not_bound_again(view: SeenJob | None) -> None:
    watched = bound(cancel(1))
    watched.look_for(LOST_WAIT, {"10": PENDING} if view is None else {"10": PENDING, "11": view})
    watched.pass_time(LOST_WAIT)
    watched.tick()
    assert (words(watched.state), watched.observer.never()) == ("pending, cancelled", set())


@pytest.mark.parametrize(
    "view", [GONE, SeenJob(Status.PENDING, ended=False, reason=NEVER)], ids=["cancelled", "pending"]
)
def test_freed_job_whose_parent_failed_for_slurm_alone_is_not_called_cancelled(view: SeenJob) -> None:
    """The script ended with 0 though a process of it was out of memory: finished here, failed for Slurm."""
    watched = freed()
    watched.look({"10": over(Status.OUT_OF_MEMORY), "11": view})
    watched.pass_time(REPORT_WAIT)
    watched.tick()
    assert watched.state.status[1] is not Status.CANCELLED
    assert attempt(watched.state, 1).reason != NEVER


# --- duplicate jobs


def test_job_that_found_its_claim_taken_by_the_driver_is_passed_over() -> None:
    watched = bound()
    assert watched.report("twin", 1, job="11", owner=REVOKED) == []
    assert (words(watched.state), watched.observer.orphans.take()) == ("pending, bound", [])


def test_job_of_an_attempt_that_was_taken_out_is_passed_over() -> None:
    watched = bound(ended(0, Status.FAILED), unbound((1, 1)))
    assert watched.report("twin", 1, job="11", owner=REVOKED) == []
    assert watched.observer.orphans.take() == []


def test_parents_job_that_turns_out_to_be_another_takes_the_child_out() -> None:
    watched = bound()
    watched.report("twin", 0, job="10", owner="9")
    assert (words(watched.state), list(watched.state.to_unbind)) == ("running, bound", [1])


# --- what is in doubt


def test_instance_is_in_doubt_from_the_first_sign_of_its_end_to_the_last() -> None:
    watched = bound()
    assert watched.observer.doubtful() == set()
    watched.report("exit", 0, job="10", code=3)
    assert watched.observer.doubtful() == {0}
    watched.pass_time(1)
    watched.look_for(VERDICT_WAIT, {"10": RUNNING, "11": PENDING})
    assert watched.observer.doubtful() == set()


@pytest.mark.parametrize("view", [over(Status.FAILED), None], ids=["ended", "gone"])
def test_instance_that_slurm_shows_ended_or_no_more_is_in_doubt(view: SeenJob | None) -> None:
    watched = bound()
    watched.look({"11": PENDING} if view is None else {"10": view, "11": PENDING})
    assert watched.observer.doubtful() == {0}
    watched.pass_time(1)
    watched.look({"10": RUNNING, "11": PENDING})
    assert watched.observer.doubtful() == set()


def test_job_that_was_found_by_its_name_is_in_doubt_until_it_is_seen() -> None:
    watched = Watched(PAIR, intend("p", (0, 1)), unclear("p"))
    watched.observer.note_unclear("p", watched.now)
    watched.pass_time(1)
    watched.look({}, {"p": "10"})
    assert watched.observer.doubtful() == {0}
    watched.pass_time(1)
    watched.look({"10": PENDING})
    assert watched.observer.doubtful() == set()


# --- arrays


def unclear_array(*events: ev.Event) -> Watched:
    watched = Watched(TWO, intend("s", (0, 1), (1, 1)), unclear("s"))
    watched.observer.note_unclear("s", watched.now)
    watched.take(events)
    watched.pass_time(1)
    return watched


def test_array_is_found_by_the_word_of_one_task() -> None:
    watched = unclear_array()
    watched.report("start", 0, job="50_0")
    (event,) = watched.look({"50_0": RUNNING})
    assert isinstance(event, ev.Submitted)
    assert event.job == "50"
    assert [attempt(watched.state, index).job for index in (0, 1)] == ["50_0", "50_1"]
    assert not watched.observer.wants_poll


def test_array_is_found_by_its_name() -> None:
    watched = unclear_array()
    watched.look({}, {"s": "50"})
    assert [attempt(watched.state, index).job for index in (0, 1)] == ["50_0", "50_1"]


@pytest.mark.parametrize("spoke", [(), (0,)], ids=["silent", "one spoke and ended"])
def test_array_that_nobody_has_seen_is_missed_but_for_what_has_spoken(spoke: Sequence[int]) -> None:
    watched = unclear_array()
    for index in spoke:
        watched.report("exit", index, job=f"50_{index}")
    reported = watched.look({})
    if spoke:
        assert kinds(reported) == ["submitted"]
        assert words(watched.state) == "finished, pending"
    else:
        assert kinds(watched.look_for(UNCLEAR_WAIT)) == ["submit_missed"]
        assert words(watched.state) == "ready, ready"


def test_task_that_begins_after_its_array_counted_as_missed_is_followed() -> None:
    watched = unclear_array(missed("s"))
    watched.report("start", 1, job="50_1")
    assert words(watched.state) == "ready, running"


def test_tasks_are_seen_apart() -> None:
    watched = Watched(TWO, intend("s", (0, 1), (1, 1), tasks=(3, 8)), submitted("s", "50"))
    watched.pass_time(1)
    watched.look({"50_3": over(Status.FINISHED), "50_8": RUNNING})
    assert words(watched.state) == "finished, running"
