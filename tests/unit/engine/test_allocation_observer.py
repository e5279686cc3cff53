"""The outcome of allocations, as Slurm shows them, and of their instances."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.allocation_observer import MOST_RETURNS, AllocationEnd, AllocationObserver
from mtui.core.engine.allocation_policy import Assignment
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.expectation import LOST_WAIT, STUCK_WAIT, UNCLEAR_WAIT
from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.status import Status
from mtui.core.plan.shared_allocations import PoolShare
from tests.unit.engine.packed_study import Study

AT = 5000.0


def look(watch: AllocationObserver, shown: dict[str, SeenJob], now: float, names: dict[str, str] | None = None):
    """A poll that begins and ends at `now`."""
    names = names or {}
    return watch.apply_poll(
        lambda own: shown.get(own.job), lambda name: names.get(name, ""), now, AT, Accounting.ANSWERED
    )


@pytest.fixture
def study() -> Study:
    study = Study()
    study.allocation(began=False)
    return study


def test_why_it_waits_is_reported_once(study: Study) -> None:
    watch = AllocationObserver(study.state)
    shown = {"101": SeenJob(Status.PENDING, ended=False, reason="Priority")}
    ((observed,), overs) = look(watch, shown, 1.0)
    assert (observed, overs) == (
        ev.AllocationObserved(at=AT, allocation="1", status=Status.PENDING, reason="Priority"),
        [],
    )
    study.state.apply(observed)
    assert look(watch, shown, 2.0) == ([], [])


def test_look_that_began_before_something_was_heard_says_nothing(study: Study) -> None:
    watch = AllocationObserver(study.state)
    watch.note_heard("1", 3.0)
    assert look(watch, {"101": SeenJob(Status.CANCELLED, ended=True)}, 2.0) == ([], [])
    assert len(look(watch, {"101": SeenJob(Status.CANCELLED, ended=True)}, 4.0)[1]) == 1


@pytest.mark.parametrize(
    ("status", "node", "cause"),
    [
        (Status.TIMED_OUT, "", "allocation 101 exceeded its walltime"),
        (Status.NODE_FAILED, "n1", "a node of allocation 101 failed (n1)"),
        (Status.PREEMPTED, "", "Slurm took the nodes of allocation 101 for another job"),
        (Status.CANCELLED, "", "allocation 101 was cancelled outside of mtui"),
        (Status.FAILED, "n1", "allocation 101 failed (n1)"),
    ],
)
def test_end_returns_what_it_had_with_the_cause(study: Study, status: Status, node: str, cause: str) -> None:
    study.give_all()
    study.start(0)
    watch = AllocationObserver(study.state)
    (over,) = look(watch, {"101": SeenJob(status, ended=True, node=node)}, 1.0)[1]
    assert (over.status, cause_text(over.cause)) == (status, cause)
    for event in watch.end(over, AT):
        study.state.apply(event)
    assert study.words() == ["ready"] * 3 + ["waiting"] * 4
    assert [(cause_text(study.state.attempts[i][-1].cause), study.state.attempts[i][-1].returned) for i in (0, 1)] == [
        (cause, True),
        (cause, False),
    ]
    assert study.state.allocations.open() == []


def test_clean_end_has_no_cause(study: Study) -> None:
    watch = AllocationObserver(study.state)
    (over,) = look(watch, {"101": SeenJob(Status.FINISHED, ended=True)}, 1.0)[1]
    assert watch.end(over, AT) == [ev.AllocationOver(at=AT, allocation="1", status=Status.FINISHED)]


def test_one_that_slurm_forgot_is_lost_after_a_while(study: Study) -> None:
    watch = AllocationObserver(study.state)
    assert look(watch, {}, 1.0) == ([], [])
    assert look(watch, {}, 1.0 + LOST_WAIT / 2)[1] == []
    assert look(watch, {}, LOST_WAIT)[1] == []
    assert [over.status for over in look(watch, {}, LOST_WAIT + 1.0)[1]] == [Status.LOST]


@pytest.mark.parametrize(
    ("view", "accounting", "wait", "code"),
    [
        (None, Accounting.UNANSWERED, STUCK_WAIT, CauseCode.ALLOCATION_UNKNOWN),
        (
            SeenJob(Status.RUNNING, ended=False, listed=False),
            Accounting.ANSWERED,
            STUCK_WAIT,
            CauseCode.ALLOCATION_RUNAWAY,
        ),
        (SeenJob(Status.COMPLETING, ended=False), Accounting.ANSWERED, STUCK_WAIT, CauseCode.ALLOCATION_COMPLETING),
    ],
    ids=["accounting is silent", "runaway", "completing"],
)
def test_one_that_stays_in_a_state_that_cannot_last_is_lost_after_minutes(
    study: Study, view: SeenJob | None, accounting: Accounting, wait: float, code: CauseCode
) -> None:
    watch = AllocationObserver(study.state)
    ends: list[AllocationEnd] = []
    for now in (1.0, 1.0 + wait / 2, wait, 1.0 + wait):
        assert ends == []
        ends = watch.apply_poll(lambda *_: view, lambda _: "", now, AT, accounting)[1]
    assert [(end.status, end.cause.code) for end in ends] == [(Status.LOST, code)]


def test_silence_of_slurm_does_not_make_one_lost(study: Study) -> None:
    watch = AllocationObserver(study.state)
    assert look(watch, {}, 1.0)[1] == []
    assert look(watch, {}, 100 * LOST_WAIT)[1] == []


def test_unclear_request_is_found_by_its_name_or_never_arrived() -> None:
    for names, expected in (({"1": "77"}, "77"), ({}, "")):
        study = Study()
        pool = study.packing.of(0)
        assert isinstance(pool, PoolShare)
        study.do(ev.AllocationIntended, allocation="1", pool=pool.pool.options, gpus=0, nodes=1, seconds=3600)
        study.do(ev.AllocationObserved, allocation="1", status=Status.UNCLEAR)
        watch = AllocationObserver(study.state)
        watch.note_unclear("1", 10.0)
        assert watch.wants_poll
        look(watch, {}, 10.0)
        look(watch, {}, 10.0 + UNCLEAR_WAIT / 2)
        events, overs = look(watch, {}, 10.0 + UNCLEAR_WAIT, names)
        assert [event.job for event in events if isinstance(event, ev.AllocationQueued)] == [expected] * bool(expected)
        assert [over.status for over in overs] == [Status.LOST] * (not expected)
        assert not watch.wants_poll


def test_instance_that_its_allocations_do_not_survive_is_not_rerun_for_ever() -> None:
    study = Study()
    watch = AllocationObserver(study.state)
    for number in range(1, MOST_RETURNS + 1):
        study.allocation(str(number))
        study.give(Assignment(str(number), (0,)))
        study.do(ev.Started, instance=0, attempt=number, job=f"10{number}", node="n1")
        over = AllocationEnd(
            study.state.allocations.by_name[str(number)], Status.NODE_FAILED, Cause(CauseCode.NODE_FAILED)
        )
        for event in watch.end(over, AT):
            study.state.apply(event)
    assert study.state.status[0] is Status.NODE_FAILED
    assert cause_text(study.state.cause(0)) == "a node failed; it started 3 times and never finished"
