"""What the world shows, as events: requested ends, local processes, and all ends in words."""

from __future__ import annotations

import pytest

from mtui.core.engine.expectation import LOST_WAIT, REPORT_WAIT, VERDICT_WAIT
from mtui.core.engine.slurm_answers import Accounting
from mtui.core.engine.status import Status
from tests.unit.engine.observing import end, local, over, running
from tests.unit.engine.script import attempt, cancel, ended, intend, retry, submitted

# --- cancelled by command


def test_requested_end_is_a_cancellation() -> None:
    watched = running()
    watched.take([cancel(0)])
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(1)
    assert end(watched.look_for(VERDICT_WAIT)) == (Status.CANCELLED, 143, "by command")


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.TIMED_OUT])
def test_requested_end_is_a_cancellation_in_every_state_of_slurm(status: Status) -> None:
    watched = running()
    watched.take([cancel(0)])
    watched.look({"7": over(status)})
    watched.pass_time(REPORT_WAIT)
    reported, _, cause = end(watched.tick())
    assert (reported, cause) == (Status.CANCELLED, "by command")


def test_job_that_finished_before_its_cancel_request_has_finished() -> None:
    watched = running()
    watched.take([cancel(0)])
    assert end(watched.report("exit"))[0] is Status.FINISHED


# --- local processes


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, (Status.FINISHED, 0, "")), (3, (Status.FAILED, 3, "exit code 3 on n1"))],
)
def test_local_step_ends_as_its_record_says(code: int, expected: tuple[Status, int, str]) -> None:
    watched = local()
    assert end(watched.report("exit", job="4711", code=code)) == expected
    assert watched.take(watched.observer.process_ended(0, 1, "4711", code, 1.0)) == []


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        (0, Status.FINISHED, ""),
        (3, Status.FAILED, "exit code 3"),
        (137, Status.FAILED, "no exit record: it was killed, the disk was full, or the study was moved"),
        (None, Status.FAILED, "no exit record: it was killed, the disk was full, or the study was moved"),
    ],
)
def test_local_process_that_left_no_record_ends_by_its_code(code: int | None, status: Status, cause: str) -> None:
    watched = local()
    assert end(watched.take(watched.observer.process_ended(0, 1, "4711", code, 1.0))) == (status, code, cause)


@pytest.mark.parametrize(("attempt", "job"), [(1, "4712"), (2, "4711"), (2, "4712")])
def test_end_of_another_process_is_none_of_this_attempt(attempt: int, job: str) -> None:
    assert local().observer.process_ended(0, attempt, job, 1, 1.0) == []


def test_duplicate_of_a_local_step_ends_and_the_owner_is_followed() -> None:
    watched = local()
    watched.report("twin", job="4711", owner="4700")
    assert attempt(watched.state, 0).node == "n1"  # where the next driver finds the owner
    assert watched.observer.process_ended(0, 1, "4711", 75, 1.0) == []
    assert end(watched.report("exit", job="4700"))[0] is Status.FINISHED


def test_local_steps_are_not_looked_up_in_slurm() -> None:
    watched = local()
    watched.pass_time(10 * LOST_WAIT)
    assert watched.look({}) == []


# --- bookkeeping


def test_nothing_is_kept_of_what_is_over() -> None:
    watched = running()
    watched.report("exit", code=3)
    watched.take([ended(0, Status.CANCELLED)])
    watched.pass_time(10 * VERDICT_WAIT)
    assert (watched.tick(), watched.observer.deadline(), watched.observer.wants_poll) == ([], None, False)


def test_end_that_came_of_a_deadline_is_reported_once_even_if_it_cannot_be_applied() -> None:
    watched = running()
    watched.look({"7": over(Status.FAILED, code=3)})
    watched.pass_time(REPORT_WAIT)

    first = watched.observer.tick(1.0, watched.now)
    second = watched.observer.tick(1.0, watched.now)

    assert (end(first)[0], second) == (Status.FAILED, [])


def test_end_that_slurm_showed_is_not_reported_again_at_the_deadline() -> None:
    watched = running()
    watched.report("exit", code=3)
    watched.pass_time(1)

    shown = watched.observer.apply_poll(
        lambda *_: over(Status.FAILED, code=3), lambda _: "", watched.now, 1.0, watched.now, Accounting.ANSWERED
    )
    watched.pass_time(VERDICT_WAIT)

    assert (end(shown)[0], watched.observer.tick(1.0, watched.now)) == (Status.FAILED, [])


def test_next_attempt_begins_without_the_memory_of_the_one_before() -> None:
    watched = running()
    watched.look({})
    watched.take([ended(0, Status.LOST), retry(0), intend("s2", (0, 2)), submitted("s2", "8")])
    watched.pass_time(LOST_WAIT)
    assert watched.look({}) == []
