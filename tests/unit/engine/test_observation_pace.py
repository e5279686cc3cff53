"""What a job's changes may add to the journal: a reason that keeps alternating adds a bounded number of events."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import Watched, intend, started, submitted

POLL = 30.0  # seconds
DAY = 86_400.0


def polled(watched: Watched, status: Status, reason: str, at: float) -> list[ev.Event]:
    """One poll at wall clock time `at` that shows job 7."""
    seen = {"7": SeenJob(status, ended=False, reason=reason)}
    return watched.take(
        watched.observer.apply_poll(
            lambda own: seen.get(own.job), lambda _: "", watched.now + at, at, watched.now + at, Accounting.ANSWERED
        )
    )


@pytest.fixture
def watched() -> Watched:
    return Watched(plan(step("a")), intend("s", (0, 1)), submitted("s", "7"))


def test_reason_that_alternates_for_a_day_is_recorded_at_growing_intervals(watched: Watched) -> None:
    reasons = ["Priority", "Resources"]
    polls = int(DAY / POLL)
    events = [polled(watched, Status.PENDING, reasons[turn % 2], 1e9 + turn * POLL) for turn in range(polls)]
    assert 20 <= sum(map(len, events)) <= 35
    assert [bool(event) for event in events[:5]] == [True, True, False, False, True], "at first within a minute"


def test_job_that_is_suspended_and_resumed_for_a_day_is_recorded_at_growing_intervals(watched: Watched) -> None:
    watched.take([started(0, job="7")])
    statuses = [Status.SUSPENDED, Status.RUNNING]
    polls = int(DAY / POLL)
    events = [polled(watched, statuses[turn % 2], "", 1e9 + turn * POLL) for turn in range(polls)]
    assert 20 <= sum(map(len, events)) <= 35


def test_change_of_status_is_recorded_at_once(watched: Watched) -> None:
    for turn, reason in enumerate(["Priority", "Resources", "Priority"]):
        polled(watched, Status.PENDING, reason, 1e9 + turn)
    assert polled(watched, Status.CONFIGURING, "None", 1e9 + 4)


def test_reason_is_recorded_although_the_clock_was_set_back(watched: Watched) -> None:
    assert polled(watched, Status.PENDING, "Priority", 1e9)
    assert polled(watched, Status.PENDING, "Resources", 1e9 + 1)
    assert not polled(watched, Status.PENDING, "Priority", 1e9 + 2)
    assert polled(watched, Status.PENDING, "Priority", 1e9 - 3600)
