"""Expectations of instances: what is asked of them often, and that those which say nothing are dropped."""

from __future__ import annotations

from mtui.core.engine.expectation import Expectation, Expectations, PolledTime
from mtui.core.engine.slurm_answers import Awaited


def awaiting(awaited: Awaited, deadline: float) -> Expectations:
    expectations = Expectations()
    with expectations.change(3) as expected:
        expected.awaited, expected.deadline = awaited, deadline
    return expectations


def test_nothing_is_expected_at_first() -> None:
    expectations = Expectations()
    assert expectations.get(3) == Expectation()
    assert (3 in expectations, expectations.wants_poll(), expectations.deadline()) == (False, False, None)
    assert (expectations.expired(1e9), expectations.doubtful(), expectations.never_satisfied()) == ([], set(), set())


def test_verdict_wants_a_poll_and_a_report_does_not() -> None:
    assert awaiting(Awaited.VERDICT, 5.0).wants_poll()
    assert not awaiting(Awaited.REPORT, 5.0).wants_poll()


def test_what_is_awaited_expires_at_its_deadline() -> None:
    expectations = awaiting(Awaited.REPORT, 5.0)
    assert expectations.deadline() == 5.0
    assert awaiting(Awaited.VERDICT, 5.0).deadline() is None, "polls decide about it"
    assert (expectations.expired(4.9), expectations.expired(5.0)) == ([], [3])
    assert expectations.doubtful() == {3}


def test_expectation_that_says_nothing_any_more_is_dropped() -> None:
    expectations = awaiting(Awaited.VERDICT, 5.0)
    with expectations.change(3) as expected:
        expected.awaited, expected.deadline = Awaited.NOTHING, 0.0
    assert 3 not in expectations


def test_requests_to_end_jobs_are_forgotten_by_their_time() -> None:
    expectations = Expectations()
    for index, sent_at in ((1, 10.0), (2, 11.0)):
        with expectations.change(index) as expected:
            expected.cancel_sent_at = sent_at
    assert expectations.wants_poll()

    expectations.forget_cancels(10.0)

    assert (1 in expectations, expectations.get(2).cancel_sent_at) == (False, 11.0)
    assert expectations.doubtful() == set()


def test_instance_is_doubtful_by_each_reason_alone() -> None:
    reasons = (
        Expectation(awaited=Awaited.VERDICT),
        Expectation(polled=PolledTime()),
        Expectation(never_satisfied=True),
        Expectation(unconfirmed=True),
    )
    assert all(reason.is_doubtful for reason in reasons)
    assert not Expectation(has_begun=True, cancel_sent_at=1.0).is_doubtful
