"""The table of Slurm's answers: each of them has an action, whatever is awaited for the attempt."""

from __future__ import annotations

from operator import attrgetter

import pytest

from mtui.core.engine.expectation import LIMITS
from mtui.core.engine.slurm_answers import ACTIONS, Awaited, JobAction, JobAnswer, SeenJob, answer_of
from mtui.core.engine.status import LIVE, UNSUCCESSFUL, Status

_WAITS = (JobAction.WAIT, JobAction.NOTE, JobAction.OBSERVE)


def test_every_answer_has_an_action_whatever_is_awaited() -> None:
    assert set(ACTIONS) == {(awaited, answer) for awaited in Awaited for answer in JobAnswer}


def test_every_action_follows_from_some_answer() -> None:
    assert {*ACTIONS.values(), *(action for _, action in LIMITS.values())} == set(JobAction)


@pytest.mark.parametrize("answer", [JobAnswer.UNSATISFIABLE, JobAnswer.CANCELLED])
def test_what_is_awaited_does_not_matter_for_a_job_that_is_not_shown_or_never_begins(answer: JobAnswer) -> None:
    assert len({ACTIONS[awaited, answer] for awaited in Awaited}) == 1


def test_job_that_reported_its_failure_never_counts_as_lost() -> None:
    assert {action for (awaited, _), (_, action) in LIMITS.items() if awaited is Awaited.VERDICT} == {
        JobAction.END_BY_CODE
    }


def test_every_answer_about_a_job_that_has_reported_its_failure_leads_to_an_end() -> None:
    """Except those that show it alive: it was requeued."""
    waits = {answer for answer in JobAnswer if ACTIONS[Awaited.VERDICT, answer] in _WAITS}
    assert all((Awaited.VERDICT, answer) in LIMITS for answer in waits)


def test_job_that_slurm_shows_by_accounting_alone_is_not_shown_alive() -> None:
    assert answer_of(SeenJob(Status.RUNNING, ended=False, listed=False)) is JobAnswer.UNLISTED
    assert answer_of(SeenJob(Status.TIMED_OUT, ended=True, listed=False)) is JobAnswer.FAILED


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (Status.PENDING, JobAnswer.QUEUED),
        (Status.CONFIGURING, JobAnswer.QUEUED),
        (Status.REQUEUED, JobAnswer.QUEUED),
        (Status.RUNNING, JobAnswer.RUNNING),
        (Status.COMPLETING, JobAnswer.COMPLETING),
        (Status.SUSPENDED, JobAnswer.ALIVE),
    ],
)
def test_live_job_is_answered_by_its_status(status: Status, answer: JobAnswer) -> None:
    assert status in LIVE
    assert answer_of(SeenJob(status, ended=False)) is answer


@pytest.mark.parametrize("status", sorted(UNSUCCESSFUL, key=attrgetter("value")))
def test_job_that_ended_otherwise_than_well_has_failed(status: Status) -> None:
    assert answer_of(SeenJob(status, ended=True)) is JobAnswer.FAILED
    assert answer_of(SeenJob(Status.FINISHED, ended=True)) is JobAnswer.FINISHED
