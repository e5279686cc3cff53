"""No answer is not an answer: only polls that began after the end and were answered decide, and late reports count."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.causes import CauseCode
from mtui.core.engine.expectation import LOST_WAIT, STUCK_WAIT, VERDICT_WAIT, PolledTime
from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.status import Status
from tests.unit.engine.observing import RUNNING, end, kinds, local, over, pending, running
from tests.unit.engine.script import Watched, attempt, ended, intend, retry, submitted

COMPLETING = SeenJob(Status.COMPLETING, ended=False)
UNLISTED = SeenJob(Status.RUNNING, ended=False, listed=False)
HOURS = 10_000.0


# --- the time that polls cover


def test_first_poll_covers_no_time() -> None:
    assert not PolledTime().covers(10.0, HOURS)


def test_time_without_polls_counts_for_at_most_half_of_the_wait() -> None:
    polled = PolledTime()
    assert [polled.covers(10.0, asked) for asked in (0.0, HOURS, HOURS + 4.9, HOURS + 5.0)] == [
        False,
        False,
        False,
        True,
    ]


# --- verdicts


def test_verdict_is_awaited_while_slurm_does_not_answer() -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(HOURS)
    assert watched.tick() == []
    assert end(watched.look({"7": over(Status.TIMED_OUT)}))[:2] == (Status.TIMED_OUT, 143)


def test_poll_that_began_before_the_end_decides_nothing() -> None:
    watched = running()
    begun = watched.now
    watched.pass_time(1)
    watched.report("exit", code=143, signal="TERM")
    for _ in range(5):
        watched.pass_time(VERDICT_WAIT)
        assert watched.look({"7": RUNNING}, asked=begun) == []
    assert end(watched.look({"7": over(Status.TIMED_OUT)}))[0] is Status.TIMED_OUT


def test_silence_between_two_answers_does_not_count_as_time_without_a_verdict() -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(1)
    watched.look({"7": RUNNING})
    watched.pass_time(HOURS)
    assert watched.look({"7": RUNNING}) == []
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.TIMED_OUT)}))[0] is Status.TIMED_OUT


def test_accounting_that_does_not_answer_is_waited_for_longer_than_accounting_that_knows_nothing() -> None:
    watched = running()
    watched.report("exit", code=3)
    watched.pass_time(1)
    assert "ended" not in kinds(watched.look_for(VERDICT_WAIT, {}, accounting=Accounting.UNANSWERED))
    assert end(watched.look_for(STUCK_WAIT, {}, accounting=Accounting.UNANSWERED))[:2] == (Status.FAILED, 3)


@pytest.mark.parametrize("accounting", [Accounting.ABSENT, Accounting.ANSWERED])
def test_exit_code_decides_where_nothing_more_can_be_known(accounting: Accounting) -> None:
    watched = running()
    watched.report("exit", code=3)
    watched.pass_time(1)
    assert end(watched.look_for(VERDICT_WAIT, {}, accounting=accounting))[:2] == (Status.FAILED, 3)


@pytest.mark.parametrize("shown", [COMPLETING, UNLISTED], ids=["completing", "active in accounting alone"])
def test_exit_code_decides_after_minutes_in_a_state_that_does_not_end(shown: SeenJob) -> None:
    watched = running()
    watched.report("exit", code=3)
    watched.pass_time(1)
    assert "ended" not in kinds(watched.look_for(STUCK_WAIT - 1, {"7": shown}))
    watched.pass_time(1)
    assert end(watched.look({"7": shown})) == (Status.FAILED, 3, "exit code 3 on n1")


def test_accounting_shows_how_a_job_ended_that_completes_for_minutes() -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(1)
    shown = SeenJob(Status.COMPLETING, ended=False, accounted=over(Status.TIMED_OUT))
    assert end(watched.look_for(STUCK_WAIT, {"7": shown}))[:2] == (Status.TIMED_OUT, 143)


def test_accounting_shows_how_a_job_without_a_report_ended_that_completes_for_minutes() -> None:
    watched = running()
    shown = SeenJob(Status.COMPLETING, ended=False, accounted=over(Status.TIMED_OUT))
    watched.look_for(STUCK_WAIT, {"7": shown})
    watched.pass_time(5)
    assert watched.look({"7": shown}) == []
    assert end(watched.tick())[0] is Status.TIMED_OUT


# --- loss


@pytest.mark.parametrize(
    ("shown", "accounting", "wait", "code"),
    [
        ({}, Accounting.ANSWERED, LOST_WAIT, CauseCode.JOB_UNKNOWN),
        ({}, Accounting.ABSENT, LOST_WAIT, CauseCode.JOB_NOT_IN_QUEUE),
        ({}, Accounting.UNANSWERED, STUCK_WAIT, CauseCode.JOB_NOT_IN_QUEUE),
        ({"7": UNLISTED}, Accounting.ANSWERED, STUCK_WAIT, CauseCode.JOB_RUNAWAY),
        ({"7": COMPLETING}, Accounting.ANSWERED, STUCK_WAIT, CauseCode.JOB_COMPLETING),
    ],
    ids=["purged", "no accounting", "accounting is silent", "runaway", "completing"],
)
def test_job_without_a_report_is_lost_by_every_path(
    shown: dict[str, SeenJob], accounting: Accounting, wait: float, code: CauseCode
) -> None:
    watched = running()
    assert "ended" not in kinds(watched.look_for(wait - 1, shown, accounting=accounting))
    watched.pass_time(1)
    (lost,) = watched.look(shown, accounting=accounting)
    assert isinstance(lost, ev.Ended)
    assert lost.cause
    assert (lost.status, lost.cause.code) == (Status.LOST, code)


def test_loss_is_no_event_before_the_claim_is_revoked() -> None:
    watched = running()
    watched.look({})
    for _ in range(3):
        watched.pass_time(LOST_WAIT)
        events = watched.observer.apply_poll(
            lambda *_: None, lambda _: "", watched.now, 1.0, watched.now, Accounting.ANSWERED
        )
        assert "ended" not in kinds(events)
    assert [end.status for end in watched.observer.take_presumed_ends()] == [Status.LOST]
    assert watched.observer.take_presumed_ends() == []


def test_report_that_arrives_before_the_claim_is_revoked_counts() -> None:
    watched = running()
    watched.look({})
    for _ in range(2):
        watched.pass_time(LOST_WAIT)
        watched.take(
            watched.observer.apply_poll(
                lambda *_: None, lambda _: "", watched.now, 1.0, watched.now, Accounting.ANSWERED
            )
        )
    assert end(watched.report("exit"))[0] is Status.FINISHED
    assert watched.end_presumed() == []


def test_what_is_waited_for_is_recorded_once_until_the_job_is_shown_again() -> None:
    watched = running()
    watched.look_for(LOST_WAIT - 10, {})
    assert attempt(watched.state, 0).reason == "squeue and accounting do not show it"
    watched.pass_time(1)
    watched.look({"7": RUNNING})
    assert attempt(watched.state, 0).reason == ""


# --- late reports


def lost(watched: Watched) -> Watched:
    watched.take([ended(0, Status.LOST)])
    return watched


def test_exit_that_is_reported_late_is_the_true_end_of_a_lost_attempt() -> None:
    watched = lost(running())
    assert kinds(watched.report("exit")) == ["reopened", "ended"]
    assert watched.state.status[0] is Status.FINISHED


def test_failure_that_is_reported_late_waits_for_its_verdict() -> None:
    watched = lost(running())
    assert kinds(watched.report("exit", code=3)) == ["reopened", "exited"]
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.OUT_OF_MEMORY)}))[0] is Status.OUT_OF_MEMORY


def test_start_that_is_reported_late_makes_a_lost_attempt_run() -> None:
    watched = lost(pending())
    assert kinds(watched.report("start")) == ["reopened", "started"]
    assert watched.state.status[0] is Status.RUNNING
    assert watched.observer.orphans.take() == []
    assert end(watched.report("exit"))[0] is Status.FINISHED


def test_late_end_counts_while_the_retry_is_not_submitted() -> None:
    watched = lost(running())
    watched.take([retry(0)])
    assert kinds(watched.report("exit")) == ["reopened", "ended"]
    assert watched.state.status[0] is Status.FINISHED


def test_late_end_beside_a_new_attempt_is_recorded_and_changes_nothing() -> None:
    watched = lost(running())
    watched.take([retry(0), intend("s2", (0, 2)), submitted("s2", "8")])
    (event,) = watched.report("exit", code=4)
    assert isinstance(event, ev.Anomaly)
    assert event.message == "attempt 1 of a, which counts as lost, ended with exit code 4 (job 7)"
    assert watched.state.status[0] is Status.PENDING


def test_local_step_that_counts_as_lost_ends_as_its_late_report_says() -> None:
    watched = lost(local())
    assert kinds(watched.report("exit", job="4711", code=3)) == ["reopened", "ended"]
    assert watched.state.status[0] is Status.FAILED
