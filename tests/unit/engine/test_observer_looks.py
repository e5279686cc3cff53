"""What looks at Slurm show, as events: states, ends, jobs put back into the queue, missing or in doubt."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.causes import CauseCode
from mtui.core.engine.expectation import LOST_WAIT, REPORT_WAIT, UNCLEAR_WAIT, VERDICT_WAIT
from mtui.core.engine.job_observer import JobObserver
from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.status import Status
from tests.unit.engine.observing import ONE, PENDING, RUNNING, TWO, end, kinds, over, pending, running
from tests.unit.engine.script import Watched, at, cancel, intend, submitted, unclear

# --- requeue


def test_requeued_job_is_alive_though_its_script_reported_an_end() -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(1)
    (event,) = watched.look({"7": SeenJob(Status.PENDING, ended=False, reason="BeginTime")})
    assert isinstance(event, ev.Observed)
    assert (event.status, event.reason) == (Status.REQUEUED, "BeginTime")
    watched.pass_time(10 * VERDICT_WAIT)
    assert watched.tick() == []
    assert watched.observer.deadline() is None
    watched.report("start")
    assert watched.state.status[0] is Status.RUNNING
    assert end(watched.report("exit"))[0] is Status.FINISHED


def test_requeued_job_may_be_seen_first_when_it_runs_again() -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.report("start")
    watched.pass_time(10 * VERDICT_WAIT)
    assert watched.tick() == []


@pytest.mark.parametrize("known", [Status.RUNNING, Status.SUSPENDED, Status.COMPLETING, Status.REQUEUED])
def test_job_that_had_begun_and_is_pending_was_requeued(known: Status) -> None:
    watched = pending()
    watched.look({"7": SeenJob(known, ended=False)})
    watched.pass_time(10)
    watched.look({"7": SeenJob(Status.PENDING, ended=False, reason="BeginTime")})
    assert watched.state.status[0] is Status.REQUEUED


def test_job_whose_nodes_could_not_be_configured_is_pending_again() -> None:
    watched = pending()
    watched.look({"7": SeenJob(Status.CONFIGURING, ended=False)})
    watched.pass_time(10)
    watched.look({"7": PENDING})
    assert watched.state.status[0] is Status.PENDING


def test_end_that_slurm_took_back_is_none() -> None:
    watched = running()
    assert watched.look({"7": over(Status.NODE_FAILED)}) == []
    watched.pass_time(1)
    watched.look({"7": SeenJob(Status.PENDING, ended=False, reason="BeginTime")})
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []
    assert watched.state.status[0] is Status.REQUEUED


# --- polls of Slurm


@pytest.mark.parametrize(
    "status", [Status.CONFIGURING, Status.RUNNING, Status.SUSPENDED, Status.COMPLETING, Status.REQUEUED]
)
def test_new_state_is_reported_once(status: Status) -> None:
    watched = pending()
    view = SeenJob(status, ended=False, reason="why")
    (event,) = watched.look({"7": view})
    assert isinstance(event, ev.Observed)
    assert (event.status, event.reason) == (status, "why")
    watched.pass_time(10)
    assert watched.look({"7": view}) == []


def test_new_reason_is_reported() -> None:
    watched = pending()
    for reason in ("Priority", "Resources"):
        assert kinds(watched.look({"7": SeenJob(Status.PENDING, ended=False, reason=reason)})) == ["observed"]
        watched.pass_time(1)


def test_look_that_began_before_the_jobs_own_word_says_nothing_of_it() -> None:
    watched = pending()
    begun = watched.now
    watched.pass_time(1)
    watched.report("start")
    watched.pass_time(1)
    assert watched.look({"7": PENDING}, asked=begun) == []
    assert watched.look({"7": over(Status.CANCELLED)}, asked=begun) == []
    assert watched.look({}, asked=begun) == []
    assert watched.state.status[0] is Status.RUNNING


def test_look_that_began_before_the_submission_was_answered_does_not_miss_the_job() -> None:
    watched = Watched(ONE, intend("s", (0, 1)))
    begun = watched.now
    watched.pass_time(1)
    watched.take([submitted("s", "7")])
    watched.observer.note_heard(0, watched.now)  # as the driver does with the answer
    watched.look({}, asked=begun)
    watched.pass_time(LOST_WAIT)
    assert watched.look({}, asked=begun) == []


def test_completed_job_has_finished_though_it_left_no_record() -> None:
    assert end(running().look({"7": over(Status.FINISHED)})) == (Status.FINISHED, 0, "")


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (over(Status.FAILED, code=3), (Status.FAILED, 3, "exit code 3 on n1")),
        (over(Status.FAILED), (Status.FAILED, None, "failed on n1 (no reason given)")),
        (over(Status.TIMED_OUT), (Status.TIMED_OUT, None, "exceeded its walltime")),
        (over(Status.CANCELLED, node=""), (Status.CANCELLED, None, "cancelled outside of mtui")),
        (over(Status.DEADLINE), (Status.DEADLINE, None, "could not end before its deadline")),
    ],
    ids=["code", "no code", "time limit", "cancelled", "deadline"],
)
def test_end_that_slurm_shows_waits_for_the_jobs_own_word(
    view: SeenJob, expected: tuple[Status, int | None, str]
) -> None:
    watched = running()
    assert watched.look({"7": view}) == []
    assert watched.observer.deadline() == watched.now + REPORT_WAIT
    watched.pass_time(REPORT_WAIT - 0.1)
    assert watched.look({"7": view}) == []  # looking again does not put it off
    assert watched.tick() == []
    watched.pass_time(0.1)
    assert end(watched.tick()) == expected


def test_word_of_the_job_that_comes_in_time_is_believed() -> None:
    watched = running()
    watched.look({"7": over(Status.FAILED)})
    watched.pass_time(1)
    assert end(watched.report("exit")) == (Status.FINISHED, 0, "")
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []


def test_word_of_the_job_that_comes_after_slurms_end_waits_for_its_cause_once_more() -> None:
    watched = running()
    watched.look({"7": over(Status.OUT_OF_MEMORY)})
    assert kinds(watched.report("exit", code=137)) == ["exited"]
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []
    assert end(watched.look({"7": over(Status.OUT_OF_MEMORY)}))[:2] == (Status.OUT_OF_MEMORY, 137)


def test_job_that_is_missing_for_long_is_lost() -> None:
    watched = running()
    assert watched.look({}) == []
    watched.pass_time(LOST_WAIT / 2)
    (noted,) = watched.look({})
    assert isinstance(noted, ev.Observed)
    assert (noted.status, noted.reason) == (Status.RUNNING, "squeue and accounting do not show it")
    watched.pass_time(LOST_WAIT / 2 - 1)
    assert watched.look({}) == []
    watched.pass_time(1)
    status, code, cause = end(watched.look({}))
    assert (status, code) == (Status.LOST, None)
    assert "neither squeue nor sacct knows job 7" in cause


def test_lost_job_is_reported_without_accounting_too() -> None:
    watched = running()
    lost = watched.look_for(LOST_WAIT, {}, accounting=Accounting.ABSENT)
    assert "squeue no longer knows job 7" in end(lost)[2]


@pytest.mark.parametrize("taken_up", [False, True])
def test_waiting_job_with_a_cancel_request_is_over_once_slurm_shows_it_no_more(taken_up: bool) -> None:
    watched = pending("7_1")
    watched.take([cancel(0), ev.CancelSent(at=at(), instances=(0,))])
    if taken_up:
        watched.observer = JobObserver(watched.state)
        watched.observer.resume(watched.now)
    assert watched.observer.wants_poll
    assert (
        watched.observer.apply_poll(
            lambda *_: None, lambda _: "", watched.now - 1, 1.0, watched.now, Accounting.ANSWERED
        )
        == []
    )  # too old
    watched.pass_time(1)
    assert end(watched.look({})) == (Status.CANCELLED, None, "by command")
    assert not watched.observer.wants_poll


def test_job_that_began_before_its_cancel_request_is_waited_for_as_any() -> None:
    watched = pending()
    watched.take([cancel(0), ev.CancelSent(at=at(), instances=(0,))])
    watched.report("start")
    assert not watched.observer.wants_poll
    watched.pass_time(1)
    assert watched.look({}) == []


def test_slurm_is_not_queried_without_end_for_a_job_that_does_not_go_away() -> None:
    watched = pending()
    watched.take([cancel(0), ev.CancelSent(at=at(), instances=(0,))])
    watched.pass_time(LOST_WAIT)
    watched.look({"7": PENDING})
    assert not watched.observer.wants_poll


@pytest.mark.parametrize(
    ("job", "began", "reported"), [("7_1", False, True), ("7_1", True, False), ("7", False, False)]
)
def test_waiting_task_of_an_array_that_slurm_forgot_may_have_been_cancelled(
    job: str, began: bool, reported: bool
) -> None:
    watched = running(job) if began else pending(job)
    status, _, cause = end(watched.look_for(LOST_WAIT, {}))
    assert status is Status.LOST
    assert ("cancelled before they start" in cause) is reported


@pytest.mark.parametrize("sign", ["seen", "report"])
def test_sign_of_life_ends_the_wait_for_a_missing_job(sign: str) -> None:
    watched = running()
    watched.look({})
    watched.pass_time(LOST_WAIT / 2)
    if sign == "seen":
        watched.look({"7": RUNNING})
    else:
        watched.report("start")
    watched.pass_time(LOST_WAIT / 2)
    assert watched.look({}) == []
    assert end(watched.look_for(LOST_WAIT, {}))[0] is Status.LOST


def test_job_that_reported_its_end_is_not_lost_however_long_slurm_does_not_know_it() -> None:
    watched = running()
    watched.look({})
    watched.report("exit", code=3)
    watched.pass_time(LOST_WAIT)
    assert end(watched.look_for(VERDICT_WAIT, {}))[0] is Status.FAILED


def test_jobs_are_distinguished() -> None:
    watched = Watched(TWO, intend("s", (0, 1)), submitted("s", "7"), intend("t", (1, 1)), submitted("t", "8"))
    watched.pass_time(1)
    watched.look({"7": RUNNING, "8": PENDING})
    assert watched.state.status == [Status.RUNNING, Status.PENDING]
    watched.pass_time(1)
    watched.look({"7": over(Status.FINISHED), "8": RUNNING})
    assert watched.state.status == [Status.FINISHED, Status.RUNNING]


# --- unclear submissions


def doubtful() -> Watched:
    watched = Watched(ONE, intend("s", (0, 1)), unclear("s"))
    watched.observer.note_unclear("s", watched.now)
    watched.pass_time(1)
    return watched


def test_unclear_submission_is_found_by_its_name() -> None:
    watched = doubtful()
    assert watched.observer.wants_poll
    (event,) = watched.look({}, {"s": "12"})
    assert isinstance(event, ev.Submitted)
    assert (event.submission, event.job) == ("s", "12")
    assert not watched.observer.wants_poll


def test_unclear_submission_that_stays_unseen_long_enough_is_missed() -> None:
    watched = doubtful()
    assert watched.look({}) == []
    watched.pass_time(UNCLEAR_WAIT / 2)
    assert watched.look({}) == []
    watched.pass_time(UNCLEAR_WAIT / 2 - 0.1)
    assert watched.look({}) == []
    watched.pass_time(0.1)
    assert kinds(watched.look({})) == ["submit_missed"]
    assert watched.state.status[0] is Status.READY
    assert watched.look({}) == []


def test_doubt_counts_from_its_beginning() -> None:
    watched = doubtful()
    watched.look_for(UNCLEAR_WAIT / 2)
    watched.pass_time(UNCLEAR_WAIT / 2)
    watched.observer.note_unclear("s", watched.now)
    assert kinds(watched.look({})) == ["submit_missed"]


@pytest.mark.parametrize("found", ["12", ""])
def test_job_that_has_spoken_itself_is_no_longer_looked_for(found: str) -> None:
    watched = doubtful()
    watched.report("start", job="12")
    watched.pass_time(UNCLEAR_WAIT)
    reported = watched.look({"12": RUNNING}, {"s": found})
    (event,) = reported  # where it is was heard from itself
    assert isinstance(event, ev.Submitted)
    assert event.job == "12"
    assert watched.state.status[0] is Status.RUNNING
    assert not watched.observer.wants_poll


def test_unclear_submission_whose_job_has_ended_is_no_longer_looked_for() -> None:
    watched = doubtful()
    watched.report("exit", job="12")
    assert watched.look({}, {"s": "12"}) == []
    assert not watched.observer.wants_poll


# --- ends of which no record tells


def test_job_that_ended_well_without_a_word_is_done_if_its_claim_is_taken() -> None:
    assert end(pending().look({"7": over(Status.FINISHED)}))[0] is Status.FINISHED


def test_job_that_ended_well_and_never_took_its_claim_ran_nothing() -> None:
    watched = pending()
    watched.claimed = False
    assert watched.look({"7": over(Status.FINISHED)}) == []
    assert watched.observer.doubtful() == {0}
    watched.pass_time(LOST_WAIT)
    status, code, cause = end(watched.tick())
    assert (status, code) == (Status.LOST, None)
    assert cause == "job 7 is completed, but the script never began"


def test_claim_or_record_that_comes_late_counts() -> None:
    for late in ("claim", "record"):
        watched = pending()
        watched.claimed = False
        watched.look({"7": over(Status.FINISHED)})
        watched.pass_time(LOST_WAIT / 2)
        if late == "claim":
            watched.claimed = True
            assert end(watched.look({"7": over(Status.FINISHED)}))[0] is Status.FINISHED
        else:
            assert kinds(watched.report("exit")) == ["ended"]
            assert watched.state.status[0] is Status.FINISHED
        watched.pass_time(LOST_WAIT)
        assert watched.tick() == []


def test_job_that_failed_with_its_claim_free_was_not_launched() -> None:
    """It has run nothing: what it is to do could not be read, since its directory was away."""
    watched = pending()
    watched.claimed = False
    watched.look({"7": over(Status.FAILED, code=72)})
    watched.pass_time(REPORT_WAIT)
    (ended,) = watched.tick()
    assert isinstance(ended, ev.Ended)
    assert (ended.status, ended.exit_code) == (Status.FAILED, None)
    assert ended.cause
    assert ended.cause.code is CauseCode.LAUNCH_FAILED
