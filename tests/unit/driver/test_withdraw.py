"""Bound jobs are withdrawn by revoking their claims, parents first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtui.core.claims import Claims
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.hooks import HookRunner
from mtui.core.driver.retry import Retrier
from mtui.core.driver.withdraw import Withdrawer
from mtui.core.engine import events as ev
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.status import Status
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.engine.script import ended, started


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    """A chain of three in Slurm; the first has failed, the others are bound to it."""
    context = FakeContext(tmp_path, step("a"), step("b", "a"), step("c", "b"))
    context.submit(0, "70")
    context.submit(1, "71", after="afterok:70")
    context.submit(2, "72", after="afterok:71")
    context.emit(started(0, job="70"))
    context.emit(ended(0, Status.FAILED))
    return context


def unbound(context: FakeContext) -> list[tuple[int, int]]:
    return [member for event in context.fake_log.events if isinstance(event, ev.Unbound) for member in event.members]


def test_what_is_bound_to_a_failure_is_withdrawn_with_parents_first(context: FakeContext) -> None:
    for index in (1, 2):  # as they would come to light from the end of the graph
        context.state.to_unbind.pop(index, None)
    context.state.to_unbind.update({2: None, 1: None})
    canceller = Canceller(context)
    Withdrawer(context, canceller).step()
    canceller.step()
    canceller.close()
    assert unbound(context) == [(1, 1), (2, 1)]
    assert [context.directory.claims.is_revoked(f"{index}.1") for index in (1, 2)] == [True, True]
    assert context.fake_slurm.cancelled == [["71", "72"]]
    assert context.state.status[1:] == [Status.BLOCKED, Status.BLOCKED]


def test_job_that_has_begun_meanwhile_is_cancelled_instead(context: FakeContext) -> None:
    context.directory.claims.take("1.1", "71")
    canceller = Canceller(context)
    Withdrawer(context, canceller).step()
    canceller.close()
    assert 1 in context.state.to_cancel
    assert (1, 1) not in unbound(context)


@pytest.fixture
def extended(tmp_path: Path) -> FakeContext:
    """A funnel bound to the only row, when a second row is added."""
    context = FakeContext(tmp_path, step("a", uses="X"), step("sum", "a_*"), rows={"X": [1]}, added={"X": [1, 2]})
    context.submit(0, "70")
    context.submit(1, "71", after="afterok:70")
    context.begin()
    return context


def test_funnel_that_would_miss_rows_is_withdrawn_for_that_reason(extended: FakeContext) -> None:
    canceller = Canceller(extended)
    Withdrawer(extended, canceller).step()
    canceller.step()
    canceller.close()

    assert (unbound(extended), extended.fake_slurm.cancelled) == ([(1, 1)], [["71"]])
    assert extended.state.attempts[1][-1].cause == Cause(CauseCode.ROWS_ADDED)
    assert extended.state.status == [Status.PENDING, Status.WAITING, Status.READY]


def test_funnel_that_misses_rows_and_has_begun_keeps_running_and_is_repeated(extended: FakeContext) -> None:
    extended.directory.claims.take("1.1", "71")
    retrier = Retrier(extended, HookRunner(extended))
    canceller = Canceller(extended)
    Withdrawer(extended, canceller).step()
    canceller.close()
    assert (extended.state.status[1], extended.state.to_cancel) == (Status.RUNNING, {})

    extended.emit_all([ended(0), ended(1)])
    retrier.step()

    assert extended.state.status == [Status.FINISHED, Status.WAITING, Status.READY]


def test_driver_that_died_before_it_repeated_what_missed_rows_is_followed_by_one_that_does(
    extended: FakeContext,
) -> None:
    extended.emit_all([ended(0), ended(1)])
    assert not extended.state.is_over

    Retrier(extended, HookRunner(extended)).step()

    assert extended.state.status[1] is Status.WAITING


def test_full_disk_delays_the_withdrawal_by_five_seconds(
    context: FakeContext, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    canceller = Canceller(context)
    part = Withdrawer(context, canceller)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", no_space)
        part.step()
    assert unbound(context) == []
    assert part.due() == clock.now + 5
    part.step()
    assert unbound(context) == [], "it waits"
    clock.pass_time(5)
    part.step()
    part.step()
    canceller.close()
    assert unbound(context) == [(1, 1), (2, 1)]
    assert part.due() is None


def test_claim_that_cannot_be_revoked_delays_no_other(context: FakeContext, clock: Clock) -> None:
    context.state.to_unbind.update({1: None, 2: None})
    claim = context.directory.claims.folder / "1.1"
    claim.mkdir()  # so it can be neither created nor read
    canceller = Canceller(context)
    part = Withdrawer(context, canceller)
    part.step()
    assert unbound(context) == [(2, 1)]
    claim.rmdir()
    clock.pass_time(5)
    part.step()
    canceller.close()
    assert unbound(context) == [(2, 1), (1, 1)]


def test_nothing_is_withdrawn_before_the_revoked_claims_are_on_the_disk(
    context: FakeContext, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    canceller = Canceller(context)
    part = Withdrawer(context, canceller)
    with monkeypatch.context() as patch:
        patch.setattr(Claims, "sync", no_space)
        part.step()
    assert unbound(context) == []
    clock.pass_time(5)
    part.step()
    part.step()
    canceller.close()
    assert unbound(context) == [(1, 1), (2, 1)]
